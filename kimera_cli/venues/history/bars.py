"""Bars of one market: what is missing in the catalog is asked for, page by page.

A page begins at the first bar that is missing and is as long as the venue allows. What it brings is
written before the next is asked. A bar that the venue does not give stays missing, is told as a
gap, and is asked for again by the next fetch. The grid of bars (weeks, a venue's days) is learnt
from the bars themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.data.importers.base import Rows
from kimera_cli.errors import VenueError
from kimera_cli.layouts import I64, OHLCV, aligned_zeros
from kimera_cli.records import Candle, Fetched, Gap
from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.history.decimals import as_double, decimal_of, exact, price_of, text_of
from kimera_cli.venues.history.job import Job
from kimera_cli.venues.history.names import step_of

PRICES = ("open", "high", "low", "close")
MOST_BARS = {"kraken": 720, "okx": 300, "coinbase": 300, "coinbaseexchange": 300}
"""Bars of a page; DEFAULT_BARS elsewhere, and at venues that give fewer the next page begins where
the last one ended.
"""
DEFAULT_BARS = 1000
TOLD_END = ("htx",)
"""Venues that give the latest bars of [since, now) unless they are told where to end."""


class BarFetch:
    """One fetch of one market."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.timeframe = job.wanted.timeframe
        self.step = step_of(self.timeframe, job.exchange.timeframes, job.venue)
        self.history = job.history(f"ohlcv-{self.timeframe}")
        self.asker = job.asker()
        self.start, self.end = job.span.start_ns, job.span.end_ns
        self.complete_ns = min(self.end, job.now_ns - self.step + 1)
        """A bar that begins before this is over."""
        self.held = self.history.times(self.start, self.complete_ns)
        self.anchor = int(self.held[0]) % self.step if len(self.held) else None
        self.added = self.inexact = 0

    async def run(self) -> Fetched:
        """Fetch what is missing; return what came of it.

        VenueError `venue.no_data` when the venue has no bar at all of that time.
        """
        began_ns = self.job.wanted.world.monotonic_ns()
        self.job.wanted.expect(self._missing_bars())
        cursor = self.start
        while (missing := self._next_missing(cursor)) < self.complete_ns:
            self._show(self.history.rows(cursor, missing))
            cursor = await self._page(missing)
        self._show(self.history.rows(cursor, self.complete_ns))
        self.history.settle()
        gaps = list(self._gaps())
        for gap in gaps:
            self.job.wanted.emit(gap)
        if self.job.wanted.show_open:
            await self._show_open()
        if not len(self.held):
            raise self._nothing()
        return Fetched(
            dataset=self.history.name,
            symbol=self.job.symbol,
            start_ns=self.start,
            end_ns=self.end,
            rows=len(self.held),
            added=self.added,
            pages=self.asker.answers,
            gaps=len(gaps),
            seconds=(self.job.wanted.world.monotonic_ns() - began_ns) / 1e9,
            inexact=self.inexact,
        )

    async def _page(self, start: int) -> int:
        """Ask for bars from a time on, write and show them; return the time that is next."""
        most = MOST_BARS.get(self.job.venue, DEFAULT_BARS)
        limit = min(most, -(-(self.complete_ns - start) // self.step))
        told = [bar for bar in await self._ask(start, limit) if start <= bar[0] < self.complete_ns]
        after = told[-1][0] + self.step if told else start + limit * self.step
        if told:
            if self.anchor is None:
                self.anchor = told[0][0] % self.step
            self._take(told)
        self.job.wanted.progress.advance((min(after, self.complete_ns) - start) // self.step)
        return after

    async def _ask(self, start: int, limit: int) -> list[list[Any]]:
        """Return bars as [start ns, open, high, low, close, volume], by time."""
        params = {}
        if self.job.venue in TOLD_END:
            params["until"] = (start + (limit - 1) * self.step) // NS_PER_MS
        since = -(-start // NS_PER_MS)
        answer = await self.asker.ask(
            lambda: self.job.exchange.fetch_ohlcv(
                self.job.symbol, self.timeframe, since, limit, params
            ),
            f"bars of {self.job.symbol}",
        )
        bars = {int(bar[0]) * NS_PER_MS: [int(bar[0]) * NS_PER_MS, *bar[1:]] for bar in answer}
        return [bars[ts] for ts in sorted(bars)]

    def _take(self, told: list[list[Any]]) -> None:
        """Write a page; show its bars, and what was held between them, in order."""
        rows = aligned_zeros(len(told), OHLCV)
        rows["quote_volume"], rows["trades"] = np.nan, -1
        for at, bar in enumerate(told):
            rows[at]["ts_ns"] = bar[0]
            for name, value in zip(PRICES, bar[1:5], strict=True):
                rows[at][name] = as_double(price_of(value, f"{name} of {self.job.symbol}"))
            rows[at]["volume"] = as_double(decimal_of(bar[5]))
        fresh = self.history.add(rows)
        self.added += len(fresh)
        texts = {bar[0]: bar for bar in told}
        self.inexact += sum(_rounded(texts[int(ts)]) for ts in fresh["ts_ns"])
        self.held = np.union1d(self.held, fresh["ts_ns"])
        shown = set(fresh["ts_ns"].tolist())
        for row in self.history.rows(told[0][0], told[-1][0] + 1):
            ts = int(row["ts_ns"])
            self.job.wanted.emit(self._candle(texts[ts]) if ts in shown else self._held(row))

    def _next_missing(self, cursor: int) -> int:
        """Return the start of the first bar from `cursor` on that is not held."""
        if self.anchor is None:
            return cursor
        first = self._on_grid(cursor)
        run = self.held[np.searchsorted(self.held, first) :]
        other = np.flatnonzero(run != first + self.step * np.arange(len(run)))
        return first + self.step * int(other[0] if len(other) else len(run))

    def _on_grid(self, ts_ns: int) -> int:
        """Return the first start of a bar that is not before a time."""
        anchor = self.anchor or 0
        return -(-(ts_ns - anchor) // self.step) * self.step + anchor

    def _grid(self) -> I64:
        return np.arange(self._on_grid(self.start), self.complete_ns, self.step, np.int64)

    def _missing_bars(self) -> int:
        return len(np.setdiff1d(self._grid(), self.held))

    def _gaps(self) -> Iterator[Gap]:
        missing = np.setdiff1d(self._grid(), self.held)
        for run in np.split(missing, np.flatnonzero(np.diff(missing) != self.step) + 1):
            if len(run):
                yield Gap(
                    dataset=self.history.name,
                    start_ns=int(run[0]),
                    end_ns=int(run[-1]) + self.step,
                    bars=len(run),
                )

    def _show(self, rows: Rows) -> None:
        for row in rows:
            self.job.wanted.emit(self._held(row))

    async def _show_open(self) -> None:
        """Show the bar that is not over, if it is asked for; it is not written."""
        start = self._on_grid(self.complete_ns)
        if start < self.end:
            for bar in await self._ask(start, 1):
                if start <= bar[0] < self.end:
                    self.job.wanted.emit(self._candle(bar, complete=False))

    def _candle(self, bar: list[Any], *, complete: bool = True) -> Candle:
        prices = (f"{price_of(value, 'a price'):f}" for value in bar[1:5])
        values = dict(zip(PRICES, map(str, map(text_of, prices)), strict=True))
        return Candle(dataset=self.history.name, ts_ns=bar[0], volume=text_of(bar[5]),
                      complete=complete, **values)  # fmt: skip

    def _held(self, row: Any) -> Candle:
        values = [float(row[name]) for name in (*PRICES, "volume")]
        return self._candle([int(row["ts_ns"]), *values])

    def _nothing(self) -> VenueError:
        return VenueError(
            "venue.no_data",
            f"expected bars of {self.job.symbol} in the time asked for, was none",
            f"{self.job.venue} may not go back that far; ask for a later time",
        )


def _rounded(bar: list[Any]) -> bool:
    numbers = (decimal_of(value) for value in bar[1:6])
    return not all(exact(number) for number in numbers if number is not None)
