"""One request's way through a market: what the engine answered, carried out and told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kimera_cli.market.matching import Answer
from kimera_cli.market.matching import Execution as Report
from kimera_cli.venues.server.admission import check_funds, hold_of, rates_of
from kimera_cli.venues.server.desk import Desk
from kimera_cli.venues.server.model import (
    BookChanged,
    Fill,
    Order,
    OrderChanged,
    Reject,
    Side,
    Status,
    Trade,
    Traded,
    What,
)
from kimera_cli.venues.server.settlement import release, settle, shrink_hold

if TYPE_CHECKING:
    from kimera_cli.venues.server.exchange import Exchange

WHY_GONE = {
    "ioc_expired": "ioc",
    "no_liquidity": "no_liquidity",
    "self_trade": "self_trade",
    "ok": "self_trade",
}


class Execution:
    """The effects of one request on one market, at one time."""

    def __init__(self, exchange: Exchange, desk: Desk, now_ns: int) -> None:
        self.exchange = exchange
        self.desk = desk
        self.now_ns = now_ns
        self._levels: dict[tuple[Side, int], int] = {}

    def undo(self, order: Order) -> None:
        """Give back what was held for an order that is refused."""
        release(self.exchange.ledger, order)
        self.exchange.ledger.take_touched()

    def accept(self, order: Order, answer: Answer, refusal: str | None) -> None:
        """Register an order and carry out what the engine did with it."""
        self._register(order)
        self._tell(order, "new")
        if refusal is not None:  # acknowledged, then cancelled by the venue
            self._end(order, "canceled" if refusal == "post_only" else "expired", refusal)
            return
        self._trades(order, answer)
        self._rest(order, answer)

    def cancel(self, order: Order, reason: str) -> None:
        """Take a resting order out of the book."""
        self.desk.engine.cancel(order.engine_id, order.account)
        self._level(order.side, order.px_ticks, -order.left_lots)
        self._end(order, "canceled", reason)

    def amend(self, order: Order, px_ticks: int, qty_lots: int) -> None:
        """Change price and total size of a resting order; Reject changes nothing."""
        left = qty_lots - order.filled_lots - order.prevented_lots
        more = self._hold_more(order, px_ticks, left)
        before_px, before_left = order.px_ticks, order.left_lots
        answer = self.desk.engine.amend(order.engine_id, px_ticks, left, order.account)
        if answer.code in ("post_only_would_cross", "price_band", "bad_order"):
            self._hold(order, -more)
            self.exchange.ledger.take_touched()
            raise Reject("post_only" if answer.code.startswith("post") else "price_band")
        self._level(order.side, before_px, -before_left)
        self.desk.resting.pop(order.engine_id, None)
        order.px_ticks, order.qty_lots, order.updated_ns = px_ticks, qty_lots, self.now_ns
        self._tell(order, "amended")
        self._trades(order, answer)
        self._rest(order, answer)
        if order.is_open:
            self._shrink_hold(order)

    def publish(self) -> None:
        """Tell the levels that changed, as one event."""
        if not self._levels:
            return
        market = self.desk.market
        first = market.seq + 1
        market.seq += len(self._levels)
        changes = tuple((side, px, lots) for (side, px), lots in self._levels.items())
        self.exchange.emit(BookChanged(market, first, market.seq, changes, self.now_ns))

    def _hold_more(self, order: Order, px_ticks: int, left: int) -> int:
        """Hold what the amended order needs beyond what it holds; return how much that was."""
        account = self.exchange.ledger.accounts[order.account]
        rates = rates_of(self.exchange.rules, account.volume)
        cost = order.market.cost(px_ticks, left)
        more = max(0, hold_of(order, left, cost, rates, self.exchange.rules) - order.hold)
        check_funds(account, order.hold_asset, more)
        self._hold(order, more)
        return more

    def _shrink_hold(self, order: Order) -> None:
        account = self.exchange.ledger.accounts[order.account]
        rates = rates_of(self.exchange.rules, account.volume)
        shrink_hold(self.exchange.ledger, self.exchange.rules, order, rates)

    def _hold(self, order: Order, amount: int) -> None:
        self.exchange.ledger.hold(order.account, order.hold_asset, amount)
        order.hold += amount

    def _register(self, order: Order) -> None:
        exchange = self.exchange
        owner = exchange.ledger.accounts[order.account]
        exchange.orders_by_id[order.id] = order
        owner.open[order.id] = order
        if order.client_id:
            owner.by_client_id[order.client_id] = order

    def _trades(self, order: Order, answer: Answer) -> None:
        for report in answer.executions:
            maker = self.desk.resting[report.maker_id]
            self._level(maker.side, report.px_ticks, -report.qty_lots)
            if report.kind == "trade":
                self._trade(maker, order, report)
            elif report.kind == "cancel":
                self._end(maker, "canceled", "self_trade")
            else:
                self._prevent(maker, order, report.qty_lots)

    def _trade(self, maker: Order, taker: Order, report: Report) -> None:
        exchange, market = self.exchange, self.desk.market
        trade = Trade(
            self.desk.trades.next_id, exchange.next_serial(), market, report.px_ticks,
            report.qty_lots, taker.side, self.now_ns, maker.id, taker.id, taker.kind,
        )  # fmt: skip
        self.desk.record(trade)
        fills = settle(exchange.ledger, exchange.rules, trade, maker, taker)
        exchange.emit(Traded(market, trade, maker, taker))
        for order, fill in zip((maker, taker), fills, strict=True):
            if order.left_lots == 0:
                self._close(order, "canceled" if order.prevented_lots else "filled")
            self._tell(order, "trade", fill)

    def _prevent(self, maker: Order, taker: Order, lots: int) -> None:
        """Both orders of one account lose lots without a trade."""
        for order in (maker, taker):
            order.prevented_lots += lots
            if order.left_lots == 0:
                self._end(order, "canceled", "self_trade")
            elif order.kind == "limit":
                self._shrink_hold(order)

    def _rest(self, order: Order, answer: Answer) -> None:
        """What the newcomer has left rests, or goes."""
        if not order.is_open:
            return
        if answer.left_lots:
            order.engine_id = answer.order_id
            self.desk.resting[answer.order_id] = order
            self._level(order.side, order.px_ticks, answer.left_lots)
        elif order.left_lots:
            why = WHY_GONE[answer.code]
            self._end(order, "expired", order.tif if why == "ioc" else why)

    def _end(self, order: Order, status: Status, reason: str) -> None:
        order.reason = reason
        order.updated_ns = self.now_ns
        self._close(order, status)
        self._tell(order, "expired" if status == "expired" else "canceled")

    def _close(self, order: Order, status: Status) -> None:
        exchange = self.exchange
        owner = exchange.ledger.accounts[order.account]
        order.status = status
        self.desk.resting.pop(order.engine_id, None)
        release(exchange.ledger, order)
        owner.open.pop(order.id, None)
        owner.closed.append(order)
        if len(owner.closed) > owner.kept:
            self._forget(owner.closed.popleft())
        while len(owner.fills) > owner.kept:
            owner.fills.popleft()

    def _forget(self, order: Order) -> None:
        exchange = self.exchange
        exchange.orders_by_id.pop(order.id, None)
        ids = exchange.ledger.accounts[order.account].by_client_id
        if ids.get(order.client_id) is order:
            del ids[order.client_id]

    def _level(self, side: Side, px_ticks: int, lots: int) -> None:
        self._levels[side, px_ticks] = self.desk.depth.add(side, px_ticks, lots)

    def _tell(self, order: Order, what: What, fill: Fill | None = None) -> None:
        self.exchange.order_changed(OrderChanged(order, what, fill, self.now_ns))
