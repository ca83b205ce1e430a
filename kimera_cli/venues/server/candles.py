"""Bars of a market: made of its trades since the server began, and of an invented past before.

The past is a pure function of seed, market and minute, so any stretch of years can be asked for in
any order and is the same in the next process: a sum of waves with noise per minute, which ends at
the market's start price at the minute when the server began. Bars of all intervals agree, because
all are made of the same minutes.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from kimera_cli.venues.server.model import BUY, Candle, Market, Trade

MINUTE_NS = 60_000_000_000
DAY_MINUTES = 1440
WAVES = ((40_320, 0.03), (10_080, 0.02), (1_440, 0.01), (360, 0.004), (60, 0.002), (13, 0.0007))
"""Period in minutes and amplitude as a fraction of the price."""
NOISE = 0.0004
MEAN_LOTS = 50_000
MONDAY = 4 * DAY_MINUTES
"""Minutes from the epoch, a Thursday, to the first Monday: weekly bars begin on Mondays."""
WEEK = 7 * DAY_MINUTES
FIELDS = 9
"""Columns of a minute: open, high, low, close (ticks), lots, ticks*lots, trades, and of takers
that bought: lots, ticks*lots."""
OPEN, HIGH, LOW, CLOSE, LOTS, VALUE, TRADES, BUY_LOTS, BUY_VALUE = range(FIELDS)
KEPT_MINUTES = 30 * DAY_MINUTES

Minutes = Any
"""numpy array of int64, shape (n, FIELDS)."""


class Candles:
    """Bars of one market. Times are UTC nanoseconds."""

    def __init__(self, market: Market, seed: int, started_ns: int) -> None:
        self.market = market
        self.first_live = started_ns // MINUTE_NS
        self._start_px = market.last_px
        self._seed = np.uint64(zlib.crc32(f"{seed}/{market.symbol}".encode()))
        self._origin = float(self._waves(np.array([self.first_live]))[0])
        # A place per minute, found by its number; the system gives memory as rows are written.
        self._rows = np.zeros((KEPT_MINUTES, FIELDS), np.int64)
        self._numbers = np.zeros(KEPT_MINUTES, np.int64)
        self._minute = -1
        self._open: list[int] = []
        """The minute of the newest trade, which is not among the rows yet."""

    def add(self, trade: Trade) -> None:
        """Count a trade in its minute."""
        px, lots = trade.px_ticks, trade.qty_lots
        value = px * lots
        bought = trade.side == BUY
        minute = trade.ts_ns // MINUTE_NS
        if minute != self._minute:
            self._turn_to(minute, px)
        row = self._open
        row[HIGH], row[LOW] = max(row[HIGH], px), min(row[LOW], px)
        row[CLOSE] = px
        row[LOTS] += lots
        row[VALUE] += value
        row[TRADES] += 1
        if bought:
            row[BUY_LOTS] += lots
            row[BUY_VALUE] += value

    def _turn_to(self, minute: int, px: int) -> None:
        """Make a minute the open one; after the clock was set back it may have begun before."""
        self._write()
        at, self._minute = minute % KEPT_MINUTES, minute
        known = self._numbers[at] == minute and self._rows[at, TRADES] > 0
        self._open = self._rows[at].tolist() if known else [px] * 4 + [0] * (FIELDS - 4)

    def _write(self) -> None:
        if self._open:
            at = self._minute % KEPT_MINUTES
            self._rows[at], self._numbers[at] = self._open, self._minute

    def bars(self, interval_ns: int, first_ns: int, until_ns: int) -> list[Candle]:
        """Return the bars that open in [first_ns, until_ns), oldest first; the last may be open.

        interval_ns is a whole number of minutes.
        """
        width = interval_ns // MINUTE_NS
        shift = MONDAY if width % WEEK == 0 else 0
        first = -(-(-(-first_ns // MINUTE_NS) - shift) // width) * width + shift
        n = max(0, -(-(until_ns - first * MINUTE_NS) // interval_ns))
        last = -(-until_ns // MINUTE_NS)  # minutes after it have not begun
        minutes = self.minutes(first, max(first, min(first + n * width, last)))
        return [
            self._bar(first + at, minutes[at : at + width]) for at in range(0, len(minutes), width)
        ]

    def day(self, now_ns: int) -> Candle:
        """Return the last 1440 minutes, the present one included, as one bar."""
        end = now_ns // MINUTE_NS + 1
        return self._bar(end - DAY_MINUTES, self.minutes(end - DAY_MINUTES, end))

    def minutes(self, first: int, end: int) -> Minutes:
        """Return the minutes [first, end), numbered from the epoch."""
        past_end = max(first, min(end, self.first_live))
        parts = [self._past(first, past_end), self._present(max(first, self.first_live), end)]
        return np.concatenate(parts)

    def _bar(self, minute: int, rows: Minutes) -> Candle:
        unit = self.market.notional_atoms
        sums = rows.sum(axis=0).tolist()
        return Candle(
            minute * MINUTE_NS, int(rows[0, OPEN]), int(rows[:, HIGH].max()),
            int(rows[:, LOW].min()), int(rows[-1, CLOSE]), sums[LOTS], sums[VALUE] * unit,
            sums[TRADES], sums[BUY_LOTS], sums[BUY_VALUE] * unit,
        )  # fmt: skip

    def _present(self, first: int, end: int) -> Minutes:
        self._write()
        minutes = np.arange(first, max(first, end))
        places = minutes % KEPT_MINUTES
        rows = self._rows[places]
        traded = (self._numbers[places] == minutes) & (rows[:, TRADES] > 0)
        # A minute without a trade is flat at the close of the last one that had one.
        last = np.maximum.accumulate(np.where(traded, np.arange(len(rows)), -1))
        closes = np.where(last < 0, self._close_before(first), rows[last, CLOSE])
        rows[~traded] = 0
        rows[~traded, :LOTS] = closes[~traded, None]
        return rows

    def _close_before(self, minute: int) -> int:
        if minute <= self.first_live:
            return self._start_px
        earlier = np.where(
            (self._numbers < minute) & (self._rows[:, TRADES] > 0), self._numbers, -1
        )
        latest = int(earlier.argmax())
        return int(self._rows[latest, CLOSE]) if earlier[latest] >= 0 else self._start_px

    def _past(self, first: int, end: int) -> Minutes:
        at = np.arange(first, end + 1)
        path = np.rint(self._start_px * (1 + self._waves(at) - self._origin)).astype(np.int64)
        path = np.maximum(path, 1)
        opens, closes = path[:-1], path[1:]
        rows = np.zeros((len(opens), FIELDS), np.int64)
        wick = np.rint(opens * NOISE * self._uniform(at[:-1], 2)).astype(np.int64)
        rows[:, OPEN], rows[:, CLOSE] = opens, closes
        rows[:, HIGH] = np.maximum(opens, closes) + wick
        rows[:, LOW] = np.maximum(np.minimum(opens, closes) - wick, 1)
        rows[:, LOTS] = 1 + MEAN_LOTS * 2 * self._uniform(at[:-1], 3)
        rows[:, VALUE] = rows[:, LOTS] * ((rows[:, HIGH] + rows[:, LOW]) // 2)
        rows[:, TRADES] = 1 + rows[:, LOTS] // 1000
        rows[:, BUY_LOTS] = rows[:, LOTS] // 2
        rows[:, BUY_VALUE] = rows[:, VALUE] // 2
        return rows

    def _waves(self, minutes: Any) -> Any:
        phase = self._uniform(np.arange(len(WAVES)), 0) * 2 * np.pi
        total = NOISE * (self._uniform(minutes, 1) - 0.5)
        for (period, height), start in zip(WAVES, phase, strict=True):
            total = total + height * np.sin(minutes * (2 * np.pi / period) + start)
        return total

    def _uniform(self, numbers: Any, stream: int) -> Any:
        """Return one number of [0, 1) per integer (splitmix64, Steele et al. 2014)."""
        with np.errstate(over="ignore"):
            z = numbers.astype(np.uint64) * np.uint64(4) + np.uint64(stream)
            z = (z + (self._seed << np.uint64(20))) * np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            z ^= z >> np.uint64(31)
        return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)
