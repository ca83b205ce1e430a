"""OKX's private REST: account, orders and fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from kimera_cli.venues.server.admission import tier_of
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects import okx_shapes as shapes
from kimera_cli.venues.server.dialects.okx_balance import Balances
from kimera_cli.venues.server.dialects.okx_public import Query, whole
from kimera_cli.venues.server.dialects.okx_text import (
    NS_PER_MS,
    Names,
    OkxError,
    empty,
    ms,
    wrong,
)
from kimera_cli.venues.server.dialects.okx_trade import MOST_BATCH, Entry, OrderDesk
from kimera_cli.venues.server.keys import Key, Permission
from kimera_cli.venues.server.model import Fill, Market, Order

PAGE = 100
_BATCHES = {"batch-orders": "order", "amend-batch-orders": "amend-order"}
_BATCHES["cancel-batch-orders"] = "cancel-order"
_NO_TRANSFERS = {
    "burningFeeRate": "", "canDep": False, "canInternal": False, "canWd": False, "ctAddr": "",
    "depQuotaFixed": "", "depQuoteDailyLayer2": "", "fee": "0", "logoLink": "", "mainNet": True,
    "maxFee": "0", "maxFeeForCtAddr": "", "maxWd": "0", "minDep": "0",
    "minDepArrivalConfirm": "0", "minFee": "0", "minFeeForCtAddr": "", "minInternal": "0",
    "minWd": "0", "minWdUnlockConfirm": "0", "needTag": False, "usedDepQuotaFixed": "",
    "usedWdQuota": "0", "wdQuota": "0", "wdTickSz": "8",
}  # fmt: skip
Item = TypeVar("Item", Order, Fill)


class Method(NamedTuple):
    """One private method; `entries`: its answer's entries have codes of their own."""

    permission: Permission
    answer: Callable[[Key, Request], list[Any]]
    entries: bool = False


class Private:
    """Answers of the private methods, without their envelope; by HTTP method and path."""

    def __init__(self, desk: OrderDesk, names: Names, balances: Balances) -> None:
        self._desk = desk
        self._exchange = desk.exchange
        self._names = names
        self._balances = balances
        self.methods: dict[tuple[str, str], Method] = {
            ("GET", "account/balance"): Method("read", self.balance),
            ("GET", "account/config"): Method("read", self.config),
            ("GET", "account/trade-fee"): Method("read", self.trade_fee),
            ("GET", "account/instruments"): Method("read", self.instruments),
            ("GET", "asset/currencies"): Method("read", self.currencies),
            ("GET", "trade/order"): Method("read", self.order),
            ("GET", "trade/orders-pending"): Method("read", self.pending),
            ("GET", "trade/orders-history"): Method("read", self.history),
            ("GET", "trade/orders-history-archive"): Method("read", self.history),
            ("GET", "trade/fills"): Method("read", self.fills),
            ("GET", "trade/fills-history"): Method("read", self.fills),
            ("POST", "trade/cancel-all-after"): Method("trade", self.cancel_after),
        }
        for action in desk.actions:
            self.methods["POST", f"trade/{action}"] = Method("trade", self._single(action), True)
        for path, action in _BATCHES.items():
            self.methods["POST", f"trade/{path}"] = Method("trade", self._batch(action), True)

    # account

    def balance(self, key: Key, request: Request) -> list[Any]:
        """Balances, of the currencies asked for."""
        asked = request.query.get("ccy")
        return [self._balances.account(key.account, frozenset(asked.split(",")) if asked else None)]

    def config(self, key: Key, _: Request) -> list[Any]:
        """How the account is set up: simple mode, spot only."""
        names = {"read": "read_only", "trade": "trade", "withdraw": "withdraw"}
        return [
            {
                "acctLv": "1", "acctStpMode": "cancel_maker", "autoLoan": False,
                "contractIsoMode": "automatic", "ctIsoMode": "automatic", "enableSpotBorrow": False,
                "greeksType": "PA", "ip": "", "kycLv": "2", "label": "kimera",
                "level": self._level(key), "levelTmp": "", "liquidationGear": "-1",
                "mainUid": str(key.account), "mgnIsoMode": "automatic", "opAuth": "0",
                "perm": ",".join(names[each] for each in sorted(key.permissions)),
                "posMode": "net_mode", "roleType": "0", "spotBorrowAutoRepay": False,
                "spotOffsetType": "", "spotRoleType": "0", "spotTraderInsts": [],
                "traderInsts": [], "type": "0", "uid": str(key.account),
            }
        ]  # fmt: skip

    def trade_fee(self, key: Key, request: Request) -> list[Any]:
        """Fee rates: negative, because they are paid."""
        if request.query.get("instType") not in ("SPOT", "MARGIN"):
            raise wrong("instType")
        tier = tier_of(self._exchange.rules, self._volume(key))
        unused = dict.fromkeys(
            ("delivery", "exercise", "makerU", "makerUSDC", "takerU", "takerUSDC", "uly"), ""
        )
        return [
            {
                **unused,
                "category": "1",
                "instType": "SPOT",
                "level": self._level(key),
                "maker": f"{-tier.maker.normalize():f}",
                "taker": f"{-tier.taker.normalize():f}",
                "ts": ms(self._exchange.clock.now_ns()),
            }
        ]

    def instruments(self, _: Key, request: Request) -> list[Any]:
        """Instruments that the account may trade."""
        if request.query.get("instType") != "SPOT":
            return []
        chosen = self._of(request.query)
        return [shapes.instrument(m, self._names.code(m)) for m in chosen]

    def currencies(self, _: Key, request: Request) -> list[Any]:
        """Currencies; nothing goes in or out of this venue by a chain."""
        known = dict.fromkeys(a for m in self._exchange.markets for a in (m.base, m.quote))
        asked = request.query.get("ccy")
        return [
            {**_NO_TRANSFERS, "ccy": ccy, "chain": f"{ccy}-Simulated", "name": ccy}
            for ccy in known
            if not asked or ccy in asked.split(",")
        ]

    # orders

    def order(self, key: Key, request: Request) -> list[Any]:
        """One order."""
        return [shapes.order_details(self._desk.find(key, request.query))]

    def pending(self, key: Key, request: Request) -> list[Any]:
        """Open orders, newest first."""
        found = [
            o
            for m in self._of(request.query)
            for o in self._exchange.open_orders(key.account, m.symbol)
            if request.query.get("state") in (None, "", shapes.state(o))
        ]
        found.sort(key=lambda o: o.id)
        return [shapes.order_details(o) for o in _page(found, request.query, lambda o: o.id)]

    def history(self, key: Key, request: Request) -> list[Any]:
        """Ended orders, newest first."""
        query = request.query
        if not query.get("instType"):
            raise empty("instType")
        found = [
            o
            for m in self._of(query)
            for o in self._exchange.orders(key.account, m.symbol, is_open=False)
            if _within(o.created_ns, query) and query.get("state") in (None, "", shapes.state(o))
        ]
        found.sort(key=lambda o: o.id)
        return [shapes.order_details(o) for o in _page(found, query, lambda o: o.id)]

    def fills(self, key: Key, request: Request) -> list[Any]:
        """Fills, newest first."""
        query = request.query
        order_id = query.get("ordId")
        found = [
            f
            for m in self._of(query)
            for f in self._exchange.fills(key.account, m.symbol)
            if _within(f.ts_ns, query) and order_id in (None, "", str(f.order.id))
        ]
        found.sort(key=lambda f: int(shapes.bill_id(f)))
        page = _page(found, query, lambda f: int(shapes.bill_id(f)))
        return [shapes.own_trade(f) for f in page]

    def cancel_after(self, key: Key, request: Request) -> list[Any]:
        """Set the dead-man switch."""
        return self._desk.cancel_after(key, _object(request))

    def _single(self, action: str) -> Callable[[Key, Request], list[Entry]]:
        return lambda key, request: self._desk.run(key, action, [_object(request)])

    def _batch(self, action: str) -> Callable[[Key, Request], list[Entry]]:
        def answer(key: Key, request: Request) -> list[Entry]:
            entries = request.json
            if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
                raise OkxError("50002", "JSON syntax error", 400)
            if not 0 < len(entries) <= MOST_BATCH:
                raise OkxError("51111", f"Maximum {MOST_BATCH} orders can be placed in bulk.")
            return self._desk.run(key, action, entries)

        return answer

    def _of(self, query: Query) -> list[Market]:
        """Return the markets of a query: one by name, all, or none of another type."""
        if query.get("instType") not in (None, "", "SPOT"):
            return []
        return [self._names.of(query)] if query.get("instId") else self._exchange.markets

    def _volume(self, key: Key) -> int:
        return self._exchange.ledger.accounts[key.account].volume

    def _level(self, key: Key) -> str:
        tiers = self._exchange.rules.tiers
        return f"Lv{tiers.index(tier_of(self._exchange.rules, self._volume(key))) + 1}"


def _object(request: Request) -> dict[str, Any]:
    found = request.json
    if not isinstance(found, dict):
        raise OkxError("50002", "JSON syntax error", 400)
    return found


def _within(ts_ns: int, query: Query) -> bool:
    begin, end = whole(query, "begin", 0), whole(query, "end", 1 << 53)
    return begin <= ts_ns // NS_PER_MS <= end


def _page(items: Sequence[Item], query: Query, number: Callable[[Item], int]) -> list[Item]:
    """Return a page, newest first; `after` and `before` are ids, both excluded."""
    limit = whole(query, "limit", PAGE)
    if not 1 <= limit <= PAGE:
        raise wrong("limit")
    older = whole(query, "after", 0) if query.get("after") else None
    newer = whole(query, "before", 0)
    chosen = [i for i in items if number(i) > newer and (older is None or number(i) < older)]
    return list(reversed(chosen))[:limit]
