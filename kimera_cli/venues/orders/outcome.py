"""The vocabulary of order entry: what is meant, what a venue answered, what it says it holds.

A venue's client turns its answers and messages into these types; everything behind them (machine,
ledger, reconciliation, journal) knows no venue. Prices, quantities and money are exact decimals,
times are ns since the Unix epoch, UTC, 0 where the venue gives none. `symbol` is the instrument's
own name (`Instrument.symbol`) everywhere, however the venue's message spelt it.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Literal

import msgspec

from kimera_cli.errors import UsageError

Side = Literal["buy", "sell"]
OrderKind = Literal["limit", "market"]
TimeInForce = Literal["gtc", "ioc", "fok", "post_only"]
Status = Literal["open", "filled", "canceled", "expired", "rejected"]
"""What a venue says of an order; `open` may be partly filled."""

TERMINAL: frozenset[str] = frozenset({"filled", "canceled", "expired", "rejected"})


class Handling(enum.StrEnum):
    """What follows from an answer that is not an acceptance."""

    DEFINITE = "definite"
    """The venue has refused: there is no order, and the same one would be refused again."""
    AMBIGUOUS = "ambiguous"
    """There may be an order: it must be looked up and not be sent again."""
    RETRY_LATER = "retry_later"
    """Not executed; it may be sent again after a pause, or a new login."""
    CLOCK = "clock"
    """Not executed: time or nonce was refused. Probe the clock, send once more, then halt."""
    AUTH = "auth"
    """Not executed: key, signature, passphrase or permission. Halt."""


class Reason(enum.StrEnum):
    """Why a venue refused, one name for what each venue calls otherwise."""

    FUNDS = "funds"
    PRICE_STEP = "price_step"
    QUANTITY_STEP = "quantity_step"
    MIN_QUANTITY = "min_quantity"
    MAX_QUANTITY = "max_quantity"
    MIN_NOTIONAL = "min_notional"
    PRICE_BAND = "price_band"
    POST_ONLY = "post_only"
    FILL_OR_KILL = "fill_or_kill"
    SELF_TRADE = "self_trade"
    DUPLICATE_ID = "duplicate_id"
    BAD_ID = "bad_id"
    BAD_SYMBOL = "bad_symbol"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    ALREADY_CLOSED = "already_closed"
    HALTED = "halted"
    CANCEL_ONLY = "cancel_only"
    OPEN_ORDERS = "open_orders"
    POSITION_LIMIT = "position_limit"
    LIQUIDITY = "liquidity"
    RESTRICTED = "restricted"
    RATE_LIMIT = "rate_limit"
    BANNED = "banned"
    MAINTENANCE = "maintenance"
    CLOCK = "clock"
    NONCE = "nonce"
    EXPIRED = "expired"
    KEY = "key"
    SIGNATURE = "signature"
    PASSPHRASE = "passphrase"
    PERMISSION = "permission"
    ADDRESS = "address"
    SESSION = "session"
    REFUSED = "refused"
    """Refused for certain, for a reason that the table does not know."""
    VENUE_FAILURE = "venue_failure"
    NO_ANSWER = "no_answer"
    UNREADABLE = "unreadable"
    UNMAPPED = "unmapped"


class Intent(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """A new order as it was meant; in the journal before a byte of it is sent.

    A limit order has price and quantity; a market order has either quantity or cost (the money to
    spend, in the quote currency).
    """

    number: int
    """Position in the intents journal, from 1; the client id follows from it."""
    client_id: str
    venue: str
    account: str
    symbol: str
    side: Side
    kind: OrderKind
    tif: TimeInForce
    created_ns: int
    price: Decimal | None = None
    quantity: Decimal | None = None
    cost: Decimal | None = None
    strategy: str = ""
    resends: str = ""
    """Client id of an intent that never reached the venue and that this one stands for."""

    def __post_init__(self) -> None:
        sizes = (self.price is not None, self.quantity is not None, self.cost is not None)
        if sizes not in _SIZES[self.kind]:
            raise UsageError(
                "usage.order",
                f"expected {_WHOLE[self.kind]}, was price {self.price}, "
                f"quantity {self.quantity}, cost {self.cost}",
            )
        for amount in (self.price, self.quantity, self.cost):
            if amount is not None and not (amount.is_finite() and amount > 0):
                raise UsageError("usage.order", f"expected amounts above zero, was {amount}")
        if self.kind == "market" and self.tif in ("gtc", "post_only"):
            raise UsageError("usage.order", f"expected ioc or fok at market, was {self.tif}")

    @property
    def post_only(self) -> bool:
        """Whether the order may only rest."""
        return self.tif == "post_only"


_SIZES = {
    "limit": {(True, True, False)},
    "market": {(False, True, False), (False, False, True)},
}
"""Which of price, quantity and cost an order has."""
_WHOLE = {
    "limit": "a limit order with price and quantity",
    "market": "a market order with either quantity or cost",
}


class CancelIntent(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """The wish to cancel one order, by our client id or (a foreign order) by the venue's id."""

    number: int
    venue: str
    account: str
    symbol: str
    created_ns: int
    client_id: str = ""
    venue_order_id: str = ""


class AmendIntent(msgspec.Struct, frozen=True, kw_only=True, tag="amend"):
    """The wish to change price or quantity of one order; None leaves a value as it is."""

    number: int
    venue: str
    account: str
    symbol: str
    created_ns: int
    client_id: str = ""
    venue_order_id: str = ""
    price: Decimal | None = None
    quantity: Decimal | None = None


AnyIntent = Intent | CancelIntent | AmendIntent


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue tells it; None where this message of the venue does not say."""

    venue: str
    symbol: str
    venue_order_id: str
    status: Status
    client_id: str = ""
    side: Side | None = None
    kind: OrderKind | None = None
    tif: TimeInForce | None = None
    price: Decimal | None = None
    quantity: Decimal | None = None
    filled: Decimal | None = None
    """Cumulative, in the base currency."""
    cost: Decimal | None = None
    """Cumulative, in the quote currency."""
    created_ns: int = 0
    updated_ns: int = 0
    version: int = 0
    """A number that rises with each change, where the venue has one; 0 where not."""
    raw_status: str = ""
    reason: Reason | None = None
    """Why it is over, where the venue says."""

    @property
    def average(self) -> Decimal | None:
        """Average price of what was filled; None when that is nothing or not told."""
        return self.cost / self.filled if self.filled and self.cost is not None else None

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more can happen to the order (fills of it may still be on their way)."""
        return self.status in TERMINAL


class VenueFill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution; (venue, symbol, trade id) is its name, however often it is told.

    `fee` is what was paid, positive; negative is a rebate.
    """

    venue: str
    symbol: str
    trade_id: str
    venue_order_id: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    ts_ns: int
    maker: bool | None = None
    client_id: str = ""
    cost: Decimal | None = None
    """In the quote currency, where the venue rounds it; None: price x quantity."""

    @property
    def name(self) -> tuple[str, str, str]:
        """What makes two tellings the same fill."""
        return self.venue, self.symbol, self.trade_id

    @property
    def money(self) -> Decimal:
        """What changed hands in the quote currency, without the fee."""
        return self.price * self.quantity if self.cost is None else self.cost


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has of one asset."""

    asset: str
    free: Decimal
    held: Decimal = Decimal(0)
    """Bound by open orders."""

    @property
    def total(self) -> Decimal:
        """Free and held."""
        return self.free + self.held


class Accepted(msgspec.Struct, frozen=True, kw_only=True, tag="accepted"):
    """The venue has the order (or did the cancel, the amendment) and named it."""

    venue_order_id: str
    ts_ns: int
    order: VenueOrder | None = None
    """The order, where the answer tells more than its id."""

    def __post_init__(self) -> None:
        if not self.venue_order_id:
            raise ValueError("an answer without an order id is Unknown, never Accepted")


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="rejected"):
    """The venue did not execute the request, for certain; `handling` says what may follow."""

    reason: Reason
    raw: str
    """The venue's own code and text."""
    handling: Handling = Handling.DEFINITE
    ts_ns: int = 0
    retry_after_ns: int = 0
    """How long the venue wants to be left alone; 0 where it does not say."""

    def __post_init__(self) -> None:
        if self.handling is Handling.AMBIGUOUS:
            raise ValueError("an ambiguous answer is Unknown, never Rejected")


class Unknown(msgspec.Struct, frozen=True, kw_only=True, tag="unknown"):
    """The request may have been executed or not: look it up, do not send it again."""

    why: Reason
    detail: str
    """What was seen: an exception's name, an HTTP status, the first characters of a body."""
    ts_ns: int = 0


Outcome = Accepted | Rejected | Unknown


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """A lookup's answer: the venue has this order."""

    order: VenueOrder


class Absent(msgspec.Struct, frozen=True, kw_only=True, tag="absent"):
    """A lookup's answer: the venue searched all it has and knows no such order."""

    asked_ns: int
    """When the question was sent, by the venue's clock."""


class NoAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="no_answer"):
    """A lookup without an answer says nothing about the order."""

    why: str


Lookup = Found | Absent | NoAnswer


class OrderUpdate(msgspec.Struct, frozen=True, kw_only=True, tag="order_update"):
    """A venue told an order: on the private stream, in an answer, in a list."""

    order: VenueOrder


class FillUpdate(msgspec.Struct, frozen=True, kw_only=True, tag="fill_update"):
    """A venue told an execution."""

    fill: VenueFill


class BalanceUpdate(msgspec.Struct, frozen=True, kw_only=True, tag="balance_update"):
    """A venue told a balance; it may be older or newer than the fills around it."""

    venue: str
    account: str
    balance: Balance
    ts_ns: int


class StreamUp(msgspec.Struct, frozen=True, kw_only=True, tag="stream_up"):
    """The private stream is subscribed: what follows is told; what was before must be asked."""

    venue: str
    account: str
    ts_ns: int


class StreamDown(msgspec.Struct, frozen=True, kw_only=True, tag="stream_down"):
    """The private stream is lost: from here on events may be missing."""

    venue: str
    account: str
    ts_ns: int
    why: str


PrivateEvent = OrderUpdate | FillUpdate | BalanceUpdate | StreamUp | StreamDown
