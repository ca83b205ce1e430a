"""Bybit's private REST: orders, executions, wallet, account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from kimera_cli.venues.server.admission import tier_of
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects import bybit_shapes as shapes
from kimera_cli.venues.server.dialects.bybit_dcp import Protection
from kimera_cli.venues.server.dialects.bybit_entry import Parameters
from kimera_cli.venues.server.dialects.bybit_public import Query, whole
from kimera_cli.venues.server.dialects.bybit_text import (
    NS_PER_MS,
    BybitError,
    Names,
    check_category,
    ms,
    name_of,
    wrong,
)
from kimera_cli.venues.server.dialects.bybit_trade import OrderDesk
from kimera_cli.venues.server.dialects.bybit_wallet import Wallets
from kimera_cli.venues.server.keys import Key, Permission
from kimera_cli.venues.server.model import Fill, Order

PAGE, MOST_ORDERS, MOST_FILLS = 20, 50, 100
RECENT = 500
BATCHES = {"create-batch": "create", "amend-batch": "amend", "cancel-batch": "cancel"}
Item = TypeVar("Item", Order, Fill)
Result = dict[str, Any]


class Method(NamedTuple):
    """One private method; its answer is the result and retExtInfo."""

    permission: Permission
    answer: Callable[[Key, Request], tuple[Result, Result]]
    size: Callable[[Request], int] = lambda _: 1
    """How many requests it counts as."""


class Private:
    """Answers of the private methods, without their envelope; by HTTP method and path."""

    def __init__(
        self, desk: OrderDesk, names: Names, wallets: Wallets, protection: Protection
    ) -> None:
        self._desk = desk
        self._exchange = desk.exchange
        self._names = names
        self._wallets = wallets
        self._protection = protection
        self.methods: dict[tuple[str, str], Method] = {
            ("POST", f"order/{path}"): Method("trade", self._batch(action), _batch_size)
            for path, action in BATCHES.items()
        }
        for action, run in desk.actions.items():
            self.methods["POST", f"order/{action}"] = Method("trade", _posted(run))
        self.methods["POST", "order/cancel-all"] = Method("trade", _posted(desk.cancel_all))
        dcp = _posted(self.set_protection)
        self.methods["POST", "order/disconnected-cancel-all"] = Method("trade", dcp)
        for path, get in {
            "order/realtime": self.realtime,
            "order/history": self.history,
            "execution/list": self.executions,
            "account/wallet-balance": self.wallet,
            "account/info": self.account,
            "account/fee-rate": self.fees,
            "account/query-dcp-info": self.protection,
            "asset/coin/query-info": self.coins,
            "user/query-api": self.api_key,
        }.items():
            self.methods["GET", path] = Method("read", _got(get))

    # orders and executions

    def realtime(self, key: Key, query: Query) -> Result:
        """Open orders; by id also ended ones, and with openOnly=1 the ended ones only."""
        found = self._orders(key, query)
        if not query.get("orderId") and not query.get("orderLinkId"):
            if query.get("openOnly", "0") == "0":
                found = [o for o in found if o.is_open]
            else:
                found = [o for o in found if not o.is_open][-RECENT:]
        return self._listed(found, query)

    def history(self, key: Key, query: Query) -> Result:
        """Ended orders, newest first."""
        found = [o for o in self._orders(key, query) if not o.is_open]
        wanted = query.get("orderStatus")
        found = [o for o in found if not wanted or shapes.status(o) == wanted]
        return self._listed([o for o in found if _within(o.created_ns, query)], query)

    def executions(self, key: Key, query: Query) -> Result:
        """Executions, newest first."""
        spot = check_category(query)
        symbol = self._symbol(query)
        found = [
            f
            for f in (self._exchange.fills(key.account, symbol) if spot else [])
            if _within(f.ts_ns, query)
            and query.get("orderId") in (None, "", str(f.order.id))
            and query.get("orderLinkId") in (None, "", f.order.client_id)
        ]
        found.sort(key=_fill_number)
        page, cursor = _page(found, query, _fill_number, MOST_FILLS, MOST_ORDERS)
        entries = [shapes.execution(f) for f in page]
        return {"category": query["category"], "nextPageCursor": cursor, "list": entries}

    def set_protection(self, key: Key, parameters: Parameters) -> Result:
        """Set the window of the disconnect protection."""
        self._protection.set(key.account, parameters)
        return {}

    # account

    def wallet(self, key: Key, query: Query) -> Result:
        """The unified wallet."""
        if query.get("accountType") != "UNIFIED":
            raise wrong("accountType")
        coins = frozenset(query["coin"].split(",")) if query.get("coin") else None
        return {"list": [self._wallets.wallet(key.account, coins)]}

    def account(self, _: Key, __: Query) -> Result:
        """How the account is set up."""
        return {
            "unifiedMarginStatus": 6,
            "marginMode": "REGULAR_MARGIN",
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
            "updatedTime": ms(self._exchange.started_ns),
            "dcpStatus": "ON",
            "timeWindow": 10,
            "smpGroup": 0,
        }

    def fees(self, key: Key, query: Query) -> Result:
        """Fee rates."""
        spot = check_category(query)
        tier = tier_of(self._exchange.rules, self._exchange.ledger.accounts[key.account].volume)
        rates = {
            "takerFeeRate": f"{tier.taker.normalize():f}",
            "makerFeeRate": f"{tier.maker.normalize():f}",
        }
        wanted = query.get("symbol")
        chosen = [self._names.traded(wanted)] if wanted else self._exchange.markets
        entries = [{"symbol": name_of(m), **rates} for m in chosen if spot]
        return {"category": query["category"], "list": entries}

    def protection(self, key: Key, _: Query) -> Result:
        """The window of the disconnect protection."""
        window = str(self._protection.window_s(key.account))
        return {"dcpInfos": [{"product": "SPOT", "dcpStatus": "ON", "timeWindow": window}]}

    def coins(self, _: Key, query: Query) -> Result:
        """Coins; nothing goes in or out of this venue by a chain."""
        known = dict.fromkeys(a for m in self._exchange.markets for a in (m.base, m.quote))
        rows = [
            {"name": coin, "coin": coin, "remainAmount": "0", "chains": []}
            for coin in known
            if query.get("coin") in (None, "", coin)
        ]
        return {"rows": rows}

    def api_key(self, key: Key, _: Query) -> Result:
        """What the key is and may do."""
        spot = ["SpotTrade"] if key.may("trade") else []
        wallet = ["Withdraw"] if key.may("withdraw") else []
        return {
            "id": str(key.account), "note": "kimera", "apiKey": key.key,
            "readOnly": int(not key.may("trade")), "secret": "",
            "permissions": {"Spot": spot, "Wallet": wallet},
            "ips": ["*"], "type": 1, "deadlineDay": 90, "vipLevel": "No VIP", "mktMakerLevel": "0",
            "affiliateID": 0, "rsaPublicKey": "", "isMaster": True, "parentUid": "0", "uta": 1,
            "kycLevel": "LEVEL_1", "userID": key.account, "unified": 0,
        }  # fmt: skip

    def _batch(self, action: str) -> Callable[[Key, Request], tuple[Result, Result]]:
        return lambda key, request: self._desk.batch(key, action, _object(request))

    def _orders(self, key: Key, query: Query) -> list[Order]:
        if not check_category(query):
            return []
        return [
            o
            for o in self._exchange.orders(key.account, self._symbol(query))
            if query.get("orderId") in (None, "", str(o.id))
            and query.get("orderLinkId") in (None, "", o.client_id)
        ]

    def _symbol(self, query: Query) -> str:
        return self._names.traded(query["symbol"]).symbol if query.get("symbol") else ""

    @staticmethod
    def _listed(orders: Sequence[Order], query: Query) -> Result:
        page, cursor = _page(orders, query, lambda o: o.id, MOST_ORDERS, PAGE)
        entries = [shapes.order_details(o) for o in page]
        return {"nextPageCursor": cursor, "category": query["category"], "list": entries}


def _object(request: Request) -> dict[str, Any]:
    found = request.json
    if not isinstance(found, dict):
        raise BybitError(10001, "params error: body is not JSON")
    return found


def _posted(
    run: Callable[[Key, Parameters], Result],
) -> Callable[[Key, Request], tuple[Result, Result]]:
    return lambda key, request: (run(key, _object(request)), {})


def _got(run: Callable[[Key, Query], Result]) -> Callable[[Key, Request], tuple[Result, Result]]:
    return lambda key, request: (run(key, request.query), {})


def _batch_size(request: Request) -> int:
    entries = request.json.get("request") if isinstance(request.json, dict) else None
    return max(1, len(entries)) if isinstance(entries, list) else 1


def _fill_number(fill: Fill) -> int:
    return int(shapes.execution_id(fill))


def _within(ts_ns: int, query: Query) -> bool:
    begin, end = whole(query, "startTime", 0), whole(query, "endTime", 1 << 53)
    return begin <= ts_ns // NS_PER_MS <= end


def _page(
    items: Sequence[Item], query: Query, number: Callable[[Item], int], most: int, default: int
) -> tuple[list[Item], str]:
    """Return a page, newest first, and the cursor of the next one, empty when there is none."""
    limit = min(whole(query, "limit", default), most)
    before = whole(query, "cursor", 0) if query.get("cursor") else None
    chosen = [i for i in reversed(items) if before is None or number(i) < before]
    page = chosen[:limit]
    return page, str(number(page[-1])) if len(chosen) > limit else ""
