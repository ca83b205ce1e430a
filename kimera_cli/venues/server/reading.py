"""What can be asked of an exchange: markets, orders, balances, books, bars. Changes nothing."""

from __future__ import annotations

from kimera_cli.venues.server.accounts import Ledger
from kimera_cli.venues.server.admission import Rates, rates_of
from kimera_cli.venues.server.candles import MINUTE_NS
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.desk import Desk
from kimera_cli.venues.server.model import Candle, Fill, Market, Order, Reject, Ticker, Trade
from kimera_cli.venues.server.rules import Rules


class Reading:
    """The reading half of Exchange."""

    clock: Clock
    rules: Rules
    ledger: Ledger
    desks: dict[str, Desk]
    orders_by_id: dict[int, Order]

    @property
    def markets(self) -> list[Market]:
        """The markets, in the order given."""
        return [desk.market for desk in self.desks.values()]

    def market(self, symbol: str) -> Market:
        """Return a market; Reject bad_symbol when there is none."""
        return self.desk(symbol).market

    def desk(self, symbol: str) -> Desk:
        """Return a market's desk; Reject bad_symbol when there is none."""
        desk = self.desks.get(symbol)
        if desk is None:
            raise Reject("bad_symbol", f"no market {symbol}")
        return desk

    def balances(self, account: int) -> dict[str, tuple[int, int]]:
        """Return (free, held) in atoms by asset."""
        held = self.ledger.accounts[account].balances
        return {asset: (balance.free, balance.held) for asset, balance in held.items()}

    def rates(self, account: int) -> Rates:
        """Return an account's fee rates in 1e-9."""
        return rates_of(self.rules, self.ledger.accounts[account].volume)

    def find(self, account: int, order_id: int | None = None, client_id: str = "") -> Order:
        """Return an order of an account by either id, open or not; Reject not_found."""
        owner = self.ledger.accounts[account]
        if order_id is not None:
            found = self.orders_by_id.get(order_id)
        else:
            found = owner.by_client_id.get(client_id)
        if found is None or found.account != account:
            raise Reject("not_found", f"no order {order_id if order_id is not None else client_id}")
        return found

    def open_orders(self, account: int, symbol: str = "") -> list[Order]:
        """Return an account's open orders (of one market), oldest first."""
        found = self.ledger.accounts[account].open.values()
        return [o for o in found if not symbol or o.market.symbol == symbol]

    def orders(
        self, account: int, symbol: str = "", *, is_open: bool | None = None, since_ns: int = 0
    ) -> list[Order]:
        """Return an account's orders by id: open, ended (is_open False) or all."""
        owner = self.ledger.accounts[account]
        chosen: list[Order] = [] if is_open else list(owner.closed)
        if is_open is not False:
            chosen += owner.open.values()
        wanted = [
            o
            for o in chosen
            if (not symbol or o.market.symbol == symbol) and o.created_ns >= since_ns
        ]
        return sorted(wanted, key=lambda o: o.id)

    def fills(
        self, account: int, symbol: str = "", *, since_ns: int = 0, order_id: int | None = None
    ) -> list[Fill]:
        """Return an account's fills, oldest first."""
        return [
            f
            for f in self.ledger.accounts[account].fills
            if f.ts_ns >= since_ns
            and (not symbol or f.order.market.symbol == symbol)
            and (order_id is None or f.order.id == order_id)
        ]

    def book(self, symbol: str, n: int | None = None) -> tuple[Levels, Levels]:
        """Return the best n (price in ticks, lots) of bids and asks, best first."""
        depth = self.desk(symbol).depth
        return depth.levels("buy", n), depth.levels("sell", n)

    def trades(self, symbol: str, n: int | None = None) -> list[Trade]:
        """Return the newest n trades of a market, oldest first."""
        return self.desk(symbol).trades.newest(n)

    def ticker(self, symbol: str) -> Ticker:
        """Return a market's last 24 hours and its best prices."""
        return self.desk(symbol).ticker(self.clock.now_ns())

    def candles(
        self,
        symbol: str,
        interval_ns: int,
        *,
        since_ns: int | None = None,
        until_ns: int | None = None,
        limit: int = 500,
    ) -> list[Candle]:
        """Return at most `limit` bars that open in [since_ns, until_ns), oldest first.

        Without since_ns the newest ones before until_ns (default: now, the open bar included).
        """
        if interval_ns <= 0 or interval_ns % MINUTE_NS:
            raise Reject("bad_request", "bars are of whole minutes")
        end = self.clock.now_ns() + 1
        if until_ns is not None:
            end = min(end, until_ns)
        candles = self.desk(symbol).candles
        if since_ns is None:
            return candles.bars(interval_ns, end - limit * interval_ns, end)[-limit:]
        return candles.bars(interval_ns, since_ns, min(end, since_ns + limit * interval_ns))
