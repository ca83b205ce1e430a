"""One venue's exchange: markets, accounts, orders. Synchronous, without I/O, exact.

Every request either raises Reject and changes nothing, or is carried out to its end; what happened
is told to the subscribers while it happens: OrderChanged "new", then per trade Traded and
OrderChanged "trade" of maker and taker, then OrderChanged "canceled" or "expired" where a rest
goes, then BalanceChanged of every balance that moved, one BookChanged, and RequestDone. A
subscriber reads, it must not trade. After each request the invariants of invariants.py are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import count

from kimera_cli.venues.server import amounts, invariants
from kimera_cli.venues.server.accounts import Account, Ledger
from kimera_cli.venues.server.admission import (
    check_client_id,
    check_funds,
    check_market,
    check_open_orders,
    hold_of,
    limit_size,
    market_size,
)
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.desk import Desk, engine_side
from kimera_cli.venues.server.execution import Execution
from kimera_cli.venues.server.model import (
    BalanceChanged,
    Deposited,
    Event,
    Market,
    MarketChanged,
    MarketStatus,
    Order,
    OrderChanged,
    OrderRequest,
    Reject,
    RequestDone,
)
from kimera_cli.venues.server.reading import Reading
from kimera_cli.venues.server.rules import Rules

Listener = Callable[[Event], None]
FIRST_ORDER = 10_000_001
REFUSALS = {
    "post_only_would_cross": "post_only",
    "fok_not_filled": "fok",
    "price_band": "price_band",
    "book_full": "book_full",
    "bad_order": "bad_request",
}


class Exchange(Reading):
    """The state of one venue. Account 1 collects the fees; others come from open_account."""

    def __init__(
        self,
        venue: str,
        markets: Iterable[Market],
        clock: Clock,
        seed: int = 0,
        rules: Rules | None = None,
    ) -> None:
        self.venue = venue
        self.clock = clock
        self.seed = seed
        self.rules = rules or Rules()
        self.ledger = Ledger()
        self.started_ns = clock.now_ns()
        self.desks = {m.symbol: Desk(m, seed, self.started_ns) for m in markets}
        self.orders_by_id: dict[int, Order] = {}
        self.trade_count = 0
        self._order_ids = count(FIRST_ORDER)
        self._listeners: list[Listener] = []
        self.on_bug: Callable[[Exception], None] | None = None
        """Takes what a subscriber raises; None: it is raised."""

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` for every event; the answer ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        """Tell the subscribers; a bug in one of them must not cut a request in two."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as error:
                if self.on_bug is None:
                    raise
                self.on_bug(error)

    # accounts

    def open_account(self, name: str, deposits: dict[str, str] | None = None) -> Account:
        """Open an account with deposits by asset, in units."""
        account = self.ledger.open(name)
        account.kept = self.rules.kept_orders
        for asset, amount in (deposits or {}).items():
            self.deposit(account.id, asset, amount)
        return account

    def deposit(self, account: int, asset: str, amount: Decimal | str) -> None:
        """Bring an amount (units; negative: a withdrawal) into an account's free balance."""
        moved = amounts.atoms(amount)
        if moved < 0:
            check_funds(self.ledger.accounts[account], asset, -moved)
        self.ledger.deposit(account, asset, moved)
        self.emit(Deposited(account, asset, moved, self.clock.now_ns()))
        self._finish()

    # orders

    def place(self, account: int, request: OrderRequest) -> Order:
        """Carry out an order; Reject says why not."""
        desk = self.desk(request.symbol)
        owner = self.ledger.accounts[account]
        check_market(desk)
        check_client_id(owner, request.client_id, self.rules, self.clock.now_ns())
        check_open_orders(owner, self.rules)
        order = self._admit(desk, owner, request)
        self._match(desk, owner, order)
        return order

    def check(self, account: int, request: OrderRequest) -> None:
        """Raise the Reject that place would raise before matching; changes nothing."""
        desk = self.desk(request.symbol)
        owner = self.ledger.accounts[account]
        check_market(desk)
        check_client_id(owner, request.client_id, self.rules, self.clock.now_ns())
        order = self._admit(desk, owner, request)
        self.ledger.hold(account, order.hold_asset, -order.hold)
        self.ledger.take_touched()

    def _admit(self, desk: Desk, owner: Account, request: OrderRequest) -> Order:
        """Check a request and hold its funds; the order has no id yet."""
        market = desk.market
        mode = request.self_trade or self.rules.self_trade
        rates = self.rates(owner.id)
        px = 0
        if request.kind == "limit":
            if request.price is None:
                raise Reject("bad_request", "a limit order needs a price")
            px = market.ticks(request.price)
            size = limit_size(desk, owner, request, px)
        else:
            size = market_size(desk, owner, request, mode, rates, self.rules)
        now = self.clock.now_ns()
        order = Order(
            0, request.client_id, owner.id, market, request.side, request.kind, request.tif,
            request.post_only, px, size.lots, size.quote_qty, now, now, mode, extra=request.extra,
        )  # fmt: skip
        order.hold_asset = market.quote if request.side == "buy" else market.base
        order.hold = hold_of(order, size.lots, size.cost, rates, self.rules)
        need, order_hold = order.hold, order.hold_asset
        check_funds(owner, order_hold, need)
        self.ledger.hold(owner.id, order_hold, need)
        return order

    def _match(self, desk: Desk, owner: Account, order: Order) -> None:
        answer = desk.engine.submit(
            engine_side(order.side), order.qty_lots, order.px_ticks or None, account=owner.id,
            order_type=order.kind, tif="post_only" if order.post_only else order.tif,
            self_trade=order.self_trade,
        )  # fmt: skip
        run = Execution(self, desk, order.updated_ns)
        refusal = REFUSALS.get(answer.code)
        if refusal is not None and not self._accepts(refusal):
            run.undo(order)
            raise Reject(refusal, f"{order.side} {desk.market.symbol}")  # type: ignore[arg-type]
        order.id = next(self._order_ids)
        run.accept(order, answer, refusal)
        self._finish(run)

    def _accepts(self, refusal: str) -> bool:
        """Whether this venue acknowledges such an order and cancels it afterwards."""
        rules = self.rules
        if refusal == "post_only":
            return rules.post_only_cross == "cancel"
        return refusal == "fok" and rules.fok_unfilled == "expire"

    def cancel(
        self, account: int, order_id: int | None = None, client_id: str = "", reason: str = "user"
    ) -> Order:
        """Cancel an open order; Reject not_found (with `order` when it has ended already)."""
        order = self.find(account, order_id, client_id)
        if not order.is_open:
            raise Reject("not_found", f"order {order.id} is {order.status}", order)
        run = Execution(self, self.desks[order.market.symbol], self.clock.now_ns())
        run.cancel(order, reason)
        self._finish(run)
        return order

    def cancel_all(self, account: int, symbol: str = "", reason: str = "user") -> list[Order]:
        """Cancel an account's open orders (of one market); return them."""
        if symbol:
            self.desk(symbol)
        return [
            self.cancel(account, o.id, reason=reason) for o in self.open_orders(account, symbol)
        ]

    def amend(
        self,
        account: int,
        order_id: int | None = None,
        client_id: str = "",
        *,
        price: Decimal | str | None = None,
        qty: Decimal | str | None = None,
    ) -> Order:
        """Give an open order a new price, a new total quantity, or both; its id stays.

        Less quantity at the same price keeps the place in the queue; anything else may trade.
        """
        order = self.find(account, order_id, client_id)
        if not order.is_open:
            raise Reject("not_found", f"order {order.id} is {order.status}", order)
        desk = self.desks[order.market.symbol]
        check_market(desk)
        px = order.px_ticks if price is None else order.market.ticks(price)
        wanted = OrderRequest(order.market.symbol, order.side, qty=self._new_qty(order, qty))
        size = limit_size(desk, self.ledger.accounts[account], wanted, px)
        if size.lots <= order.filled_lots + order.prevented_lots:
            raise Reject("bad_request", f"order {order.id} has filled more than {qty}")
        run = Execution(self, desk, self.clock.now_ns())
        run.amend(order, px, size.lots)
        self._finish(run)
        return order

    @staticmethod
    def _new_qty(order: Order, qty: Decimal | str | None) -> Decimal | str:
        return order.market.qty(order.qty_lots) if qty is None else qty

    # dead-man switch

    def cancel_all_after(self, account: int, delay_ns: int, symbol: str = "") -> int:
        """Cancel all orders (of one market) unless called again in time; 0 switches it off.

        Returns when it fires, 0 when off. tick() fires it.
        """
        timers = self.ledger.accounts[account].dead_man_ns
        timers.pop(symbol, None)
        if delay_ns:
            timers[symbol] = self.clock.now_ns() + delay_ns
        return timers.get(symbol, 0)

    def tick(self) -> None:
        """Do what is due by the exchange's clock."""
        now = self.clock.now_ns()
        for account in self.ledger.accounts.values():
            for symbol in [s for s, due in account.dead_man_ns.items() if due <= now]:
                del account.dead_man_ns[symbol]
                self.cancel_all(account.id, symbol, "dead_man")

    # the venue's own acts

    def set_status(self, symbol: str, status: MarketStatus) -> None:
        """Halt, restrict, delist (open orders are cancelled) or resume a market."""
        market = self.market(symbol)
        market.status = status
        if status == "delisted":
            for order in list(self.desks[symbol].resting.values()):
                self.cancel(order.account, order.id, reason="delisted")
        self.emit(MarketChanged(market, self.clock.now_ns()))
        self._finish()

    def check_conservation(self) -> None:
        """Check every invariant over the whole state; RunError names what does not hold."""
        invariants.check_all(self)

    def _finish(self, run: Execution | None = None) -> None:
        now = self.clock.now_ns()
        for account, asset in self.ledger.take_touched():
            balance = self.ledger.accounts[account].balance(asset)
            self.emit(BalanceChanged(account, asset, balance.free, balance.held, now))
        if run is not None:
            run.publish()
            invariants.check_uncrossed(run.desk)
        invariants.check_sums(self.ledger)
        self.emit(RequestDone(now))

    def next_serial(self) -> int:
        """Count a trade and return its number among all trades of the exchange."""
        self.trade_count += 1
        return self.trade_count

    def order_changed(self, event: OrderChanged) -> None:
        """Count a change of an order and tell it."""
        event.order.version += 1
        self.emit(event)
