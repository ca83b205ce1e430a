"""The tape of a market: its newest trades, by number and by time.

A trade is kept as numbers and made anew when somebody asks for it, so that it keeps no order alive.
"""

from __future__ import annotations

from collections.abc import Iterator

from kimera_cli.venues.server.model import BUY, SELL, Market, Trade
from kimera_cli.venues.server.ring import Ring

KEPT_TRADES = 10_000
FIRST_TRADE = 500_001
SERIAL, PX, LOTS, TS, MAKER, TAKER, WHAT = range(7)
"""Columns of a trade."""
SOLD, BY_MARKET = 1, 2
"""Bits of WHAT: the taker sold; its order was a market order."""


class Prints:
    """Trades of one market. Venues number each market's by themselves: from FIRST_TRADE on."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self._ring = Ring(7, KEPT_TRADES, FIRST_TRADE)

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Trade]:
        return iter(self.newest())

    @property
    def ids(self) -> range:
        """Numbers of the trades that are kept."""
        return self._ring.ids

    @property
    def next_id(self) -> int:
        """Number of the market's next trade."""
        return self._ring.ids.stop

    @property
    def last_id(self) -> int:
        """Number of the newest trade, 0 before the first."""
        return self._ring.ids.stop - 1 if self._ring.ids else 0

    def add(self, trade: Trade) -> None:
        """Keep a trade, whose number is next_id."""
        what = SOLD * (trade.side == SELL) | BY_MARKET * (trade.taker_kind == "market")
        self._ring.append(
            (
                trade.serial, trade.px_ticks, trade.qty_lots, trade.ts_ns, trade.maker_id,
                trade.taker_id, what,
            )
        )  # fmt: skip

    def newest(self, n: int | None = None) -> list[Trade]:
        """Return the newest n trades (None: all), oldest first."""
        ids = self.ids
        return self.between(ids.start if n is None else ids.stop - n, ids.stop)

    def between(self, first: int, end: int) -> list[Trade]:
        """Return the trades numbered in [first, end), oldest first."""
        return [self._trade(number, row) for number, row in self._ring.between(first, end)]

    def after(self, ts_ns: int) -> list[Trade]:
        """Return the trades later than a time, oldest first."""
        late = (self._ring.column(TS) > ts_ns).nonzero()[0]
        if not len(late):
            return []
        # A clock that was set back leaves earlier ones between them.
        return [t for t in self.between(self.ids[int(late[0])], self.next_id) if t.ts_ns > ts_ns]

    def _trade(self, number: int, row: list[int]) -> Trade:
        what = row[WHAT]
        return Trade(
            number, row[SERIAL], self.market, row[PX], row[LOTS], SELL if what & SOLD else BUY,
            row[TS], row[MAKER], row[TAKER], "market" if what & BY_MARKET else "limit",
        )  # fmt: skip
