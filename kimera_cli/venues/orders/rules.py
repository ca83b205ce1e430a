"""What each venue asks of an order client, as data.

Sources: the venues' documentation, the dialects of `venues/wire`, and ccxt 4.5's request tables.
`assumed` names the fields that rest on a venue's documentation alone or on common knowledge and
that no test here can check; `kimera venue doctor` style checks belong to them.
"""

from __future__ import annotations

import enum
import re
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.units import NS_PER_DAY, NS_PER_S

ALIASES = {"huobi": "htx", "coinbasepro": "coinbaseexchange", "coinbaseadvanced": "coinbase"}
"""Former names of venues."""


class Unique(enum.StrEnum):
    """For how long a venue refuses (or answers with the first order to) a client id's second use.

    Only FOREVER makes it safe to send the same intent again under the same id.
    """

    OPEN_ORDERS = "open_orders"
    FOREVER = "forever"
    NEVER = "never"


class Find(enum.StrEnum):
    """How an order is found by its client id."""

    DIRECT = "direct"
    """One question with the client id answers for open and closed orders."""
    FILTERED = "filtered"
    """Lists of open and of closed orders take the client id as a filter."""
    LISTS = "lists"
    """Lists of open and of closed orders must be searched here."""


class PostOnly(enum.StrEnum):
    """What becomes of a post-only order that would take."""

    REJECTED = "rejected"
    """The answer says no."""
    CANCELED = "canceled"
    """The answer says yes; the private stream then says canceled."""


class DeadMan(NamedTuple):
    """A venue's own switch that cancels orders when the client falls silent."""

    kind: str
    """`timer`: refreshed by requests. `heartbeat`: tied to the private stream."""
    min_s: int
    max_s: int
    scope: str
    """What it cancels."""


class Window(NamedTuple):
    """How long a signed request of a new order can still be executed after it was made."""

    default_ns: int
    field: str = ""
    """The request's field that says so; empty: the venue's own constant, which nothing shortens."""


class Budget(NamedTuple):
    """A venue's limit: `units` in `period_s`, for orders, for queries, or for all requests."""

    scope: str
    units: Decimal
    period_s: Decimal
    header: str = ""
    """Response header that tells what is used or left."""


ByAge = tuple[tuple[int, int], ...]
"""Ages of an order in seconds, rising, and what a request counts below each; 0 above the last."""


class Rules(NamedTuple):
    """One venue's rules for orders."""

    venue: str
    id_field: str
    id_pattern: re.Pattern[str]
    id_words: str
    id_form: str
    """`short` (18 letters and digits) or `uuid`: see client_id.py."""
    unique: Unique
    find: Find
    post_only: PostOnly
    window: Window
    self_trade: dict[str, str]
    """Raw values of the self-trade modes: cancel_new, cancel_resting, cancel_both, decrement."""
    budgets: tuple[Budget, ...]
    fee_from: str
    """`received`, `quote`: the asset that pays the fee, unless the fill says another."""
    fee_sign: int = 1
    """+1 where the venue writes a cost as positive, -1 where as negative."""
    market_buy: str = "quantity"
    """`cost` where the venue sizes a market buy in the quote currency."""
    fill_or_kill: bool = True
    amend: bool = False
    dead_man: DeadMan | None = None
    cancel_all: bool = False
    found_for_ns: int = 0
    """For how long after it was sent a filled order can be found by its client id; 0: always.
    A "not found" that comes later says nothing.
    """
    cancel_by_age: ByAge = ()
    """What a cancel counts among `orders`, which then never refuse it; empty: one, as others do."""
    amend_by_age: ByAge = ()
    """What an amendment counts beside the one of every order."""
    assumed: tuple[str, ...] = ()

    @property
    def same_id_resend(self) -> bool:
        """Whether a second use of a client id can never make a second order."""
        return self.unique is Unique.FOREVER


def _text(longest: int, characters: str) -> re.Pattern[str]:
    return re.compile(rf"[{characters}]{{1,{longest}}}")


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KRAKEN = re.compile(rf"{_UUID.pattern}|[0-9a-f]{{32}}|[A-Za-z0-9_-]{{1,18}}")


def _budget(scope: str, units: str, period_s: str, header: str = "") -> Budget:
    return Budget(scope, Decimal(units), Decimal(period_s), header)


_ALL = (
    Rules(
        venue="binance",
        id_field="newClientOrderId",
        id_pattern=_text(36, ".A-Z:/a-z0-9_-"),
        id_words="1 to 36 of letters, digits and . : / _ -",
        id_form="short",
        unique=Unique.OPEN_ORDERS,
        find=Find.DIRECT,
        post_only=PostOnly.REJECTED,
        window=Window(5 * NS_PER_S, "recvWindow"),
        self_trade={
            "cancel_new": "EXPIRE_TAKER",
            "cancel_resting": "EXPIRE_MAKER",
            "cancel_both": "EXPIRE_BOTH",
            "decrement": "DECREMENT",
        },
        budgets=(
            _budget("all", "6000", "60", "x-mbx-used-weight-1m"),
            _budget("orders", "100", "10", "x-mbx-order-count-10s"),
            _budget("orders", "200000", "86400", "x-mbx-order-count-1d"),
        ),
        fee_from="received",
        amend=True,
        cancel_all=True,
        assumed=("unique", "budgets"),
    ),
    Rules(
        venue="coinbase",
        id_field="client_order_id",
        id_pattern=_text(64, "A-Za-z0-9_-"),
        id_words="1 to 64 of letters, digits and _ -",
        id_form="short",
        unique=Unique.FOREVER,
        find=Find.LISTS,
        post_only=PostOnly.REJECTED,
        window=Window(30 * NS_PER_S, "exp"),
        self_trade={},
        budgets=(_budget("all", "30", "1"), _budget("public", "10", "1")),
        fee_from="quote",
        amend=True,
        assumed=("id_pattern", "unique", "amend"),
    ),
    Rules(
        venue="coinbaseexchange",
        id_field="client_oid",
        id_pattern=_UUID,
        id_words="a UUID in small letters",
        id_form="uuid",
        unique=Unique.OPEN_ORDERS,
        find=Find.DIRECT,
        post_only=PostOnly.REJECTED,
        window=Window(30 * NS_PER_S),
        self_trade={
            "cancel_new": "cn",
            "cancel_resting": "co",
            "cancel_both": "cb",
            "decrement": "dc",
        },
        budgets=(_budget("all", "15", "1"), _budget("public", "10", "1")),
        fee_from="quote",
        cancel_all=True,
        assumed=("unique", "window", "budgets"),
    ),
    Rules(
        venue="kraken",
        id_field="cl_ord_id",
        id_pattern=_KRAKEN,
        id_words="a UUID, 32 hex digits, or 1 to 18 of letters, digits and _ -",
        id_form="short",
        unique=Unique.OPEN_ORDERS,
        find=Find.FILTERED,
        post_only=PostOnly.CANCELED,
        window=Window(5 * NS_PER_S, "deadline"),
        self_trade={
            "cancel_new": "cancel-newest",
            "cancel_resting": "cancel-oldest",
            "cancel_both": "cancel-both",
        },
        budgets=(_budget("queries", "15", "45"), _budget("orders", "60", "60")),
        fee_from="quote",
        fill_or_kill=False,
        amend=True,
        dead_man=DeadMan("timer", 15, 60, "every order of the account"),
        cancel_all=True,
        # https://docs.kraken.com/api/docs/guides/spot-ratelimits, the lowest tier: of each pair
        # there, of all pairs together here.
        cancel_by_age=((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1)),
        amend_by_age=((5, 3), (10, 2), (15, 1)),
        assumed=("budgets", "self_trade"),
    ),
    Rules(
        venue="bybit",
        id_field="orderLinkId",
        id_pattern=_text(36, "A-Za-z0-9_-"),
        id_words="1 to 36 of letters, digits and _ -",
        id_form="short",
        unique=Unique.FOREVER,
        find=Find.DIRECT,
        post_only=PostOnly.CANCELED,
        window=Window(5 * NS_PER_S, "X-BAPI-RECV-WINDOW"),
        self_trade={
            "cancel_new": "CancelTaker",
            "cancel_resting": "CancelMaker",
            "cancel_both": "CancelBoth",
        },
        budgets=(
            _budget("all", "600", "5"),
            _budget("orders", "10", "1", "x-bapi-limit-status"),
        ),
        fee_from="received",
        market_buy="cost",
        amend=True,
        dead_man=DeadMan("heartbeat", 3, 300, "spot orders of the account, once enabled"),
        cancel_all=True,
        found_for_ns=7 * NS_PER_DAY,
        assumed=("id_pattern", "post_only", "self_trade", "dead_man", "found_for_ns"),
    ),
    Rules(
        venue="okx",
        id_field="clOrdId",
        id_pattern=_text(32, "A-Za-z0-9"),
        id_words="1 to 32 of letters and digits",
        id_form="short",
        unique=Unique.FOREVER,
        find=Find.DIRECT,
        post_only=PostOnly.CANCELED,
        window=Window(5 * NS_PER_S, "expTime"),
        self_trade={
            "cancel_new": "cancel_taker",
            "cancel_resting": "cancel_maker",
            "cancel_both": "cancel_both",
        },
        budgets=(_budget("orders", "60", "2"),),
        fee_from="received",
        fee_sign=-1,
        amend=True,
        dead_man=DeadMan("timer", 10, 120, "every order of the account, or of one tag"),
        found_for_ns=7 * NS_PER_DAY,
        assumed=("post_only", "dead_man", "found_for_ns"),
    ),
    Rules(
        venue="htx",
        id_field="client-order-id",
        id_pattern=_text(64, "A-Za-z0-9_-"),
        id_words="1 to 64 of letters, digits and _ -",
        id_form="short",
        unique=Unique.NEVER,  # announced on 27 April 2021: "will no longer be verified"
        find=Find.DIRECT,
        post_only=PostOnly.CANCELED,
        window=Window(300 * NS_PER_S),
        self_trade={"cancel_new": "1"},
        budgets=(_budget("orders", "100", "2"), _budget("all", "50", "2")),
        fee_from="received",
        market_buy="cost",
        dead_man=DeadMan("timer", 5, 86_400, "every order of the account"),
        cancel_all=True,
        found_for_ns=179 * NS_PER_DAY,
        assumed=("post_only", "window", "self_trade", "dead_man"),
    ),
)

RULES = {rules.venue: rules for rules in _ALL}


def canonical(venue: str) -> str:
    """Return the present name of a venue; UsageError `usage.venue` names the nearest."""
    name = ALIASES.get(venue.lower(), venue.lower())
    if name not in RULES:
        raise UsageError(
            "usage.venue",
            f"expected a venue that kimera trades at, was '{venue}'",
            did_you_mean(name, [*RULES, *ALIASES]),
        )
    return name


def rules_of(venue: str) -> Rules:
    """Return a venue's rules, by its present or a former name."""
    return RULES[canonical(venue)]
