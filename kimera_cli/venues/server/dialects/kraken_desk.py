"""Orders of Kraken's accounts, carried out for REST and websocket alike, refused in its words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

from kimera_cli.venues.server.dialects import kraken_names as names
from kimera_cli.venues.server.dialects.kraken_auth import KrakenError, bad
from kimera_cli.venues.server.dialects.kraken_limits import Limits
from kimera_cli.venues.server.dialects.kraken_text import NS, error_text
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Reject, decimal

RATE_LIMIT = "EOrder:Rate limit exceeded"
MOST_TIMEOUT_S = 86_400


class OrderDesk:
    """Places, changes and cancels; every refusal is a KrakenError."""

    def __init__(self, exchange: Exchange, pairs: names.Pairs, limits: Limits) -> None:
        self.exchange = exchange
        self.pairs = pairs
        self.limits = limits
        self._amends = 0

    def place(self, key: Key, request: OrderRequest) -> Order:
        """Place an order."""
        with self._in_words(request.symbol):
            if not self.limits.order(key.account, request.symbol, self._now()):
                raise KrakenError(RATE_LIMIT)
            return self.exchange.place(key.account, request)

    def check(self, key: Key, request: OrderRequest) -> Order:
        """Return the order that `place` would make, without making it."""
        with self._in_words(request.symbol):
            self.exchange.check(key.account, request)
            market = self.exchange.market(request.symbol)
            px = market.ticks(request.price) if request.price and request.kind == "limit" else 0
            lots = market.lots(request.qty) if request.qty else 0
            return Order(
                0, request.client_id, key.account, market, request.side, request.kind,
                request.tif, request.post_only, px, lots, 0, 0, 0,
            )  # fmt: skip

    def find(self, key: Key, transaction: str, client_id: str = "") -> Order:
        """Return an order of the account by its id, or else by its client id."""
        number = names.number_of(transaction) if transaction.startswith("O") else None
        with self._in_words():
            if number is not None:
                return self.exchange.find(key.account, number)
            return self.exchange.find(key.account, client_id=client_id)

    def cancel(self, key: Key, order: Order) -> Order:
        """Cancel an order."""
        with self._in_words(order.market.symbol):
            self.exchange.cancel(key.account, order.id)
        self.limits.cancel(order, self._now())
        return order

    def cancel_reference(self, key: Key, userref: int) -> int:
        """Cancel all open orders of a user reference; return how many."""
        found = [
            o
            for o in self.exchange.open_orders(key.account)
            if userref and o.extra.get("userref") == userref
        ]
        if not found:
            raise KrakenError("EOrder:Unknown order")
        for order in found:
            self.cancel(key, order)
        return len(found)

    def cancel_all(self, key: Key) -> list[Order]:
        """Cancel all open orders."""
        return self.exchange.cancel_all(key.account)

    def cancel_after(self, key: Key, timeout: object) -> int:
        """Set the dead-man switch; return when it fires, 0 when it is off."""
        text = str(timeout)
        if not text.isdecimal() or int(text) > MOST_TIMEOUT_S:
            raise bad("timeout")
        return self.exchange.cancel_all_after(key.account, int(text) * NS)

    def amend(
        self, key: Key, order: Order, *, qty: object, price: object, post_only: bool
    ) -> Order:
        """Change an order; a size that is filled already cancels what is left."""
        if qty is None and price is None:
            raise bad("order_qty")
        with self._in_words(order.market.symbol):
            if not self.limits.amend(order, self._now()):
                raise KrakenError(RATE_LIMIT)
            if qty is not None and order.is_open and _lots(order, qty) <= order.filled_lots:
                return self.exchange.cancel(key.account, order.id)
            if post_only and price is not None and self._crosses(order, decimal(str(price))):
                raise Reject("post_only")
            return self.exchange.amend(
                key.account, order.id,
                price=None if price is None else str(price), qty=None if qty is None else str(qty),
            )  # fmt: skip

    def amend_id(self) -> str:
        """Return the id of a new amend."""
        self._amends += 1
        return names.transaction("T", -self._amends)

    def _crosses(self, order: Order, price: Decimal) -> bool:
        bids, asks = self.exchange.book(order.market.symbol, 1)
        best = (asks if order.side == "buy" else bids)[:1]
        if not best:
            return False
        other = order.market.price(best[0][0])
        return price >= other if order.side == "buy" else price <= other

    def _now(self) -> int:
        return self.exchange.clock.now_ns()

    @contextmanager
    def _in_words(self, symbol: str = "") -> Iterator[None]:
        """Put a refusal of the exchange into the venue's words."""
        try:
            yield
        except Reject as reject:
            raise KrakenError(error_text(reject, self._market(symbol))) from None

    def _market(self, symbol: str) -> Market | None:
        desk = self.exchange.desks.get(symbol)
        return desk.market if desk else None


def _lots(order: Order, qty: object) -> int:
    wanted = decimal(str(qty), "volume")
    return order.market.lots(wanted) if wanted else 0
