"""Funding rates of one perpetual swap, as family `funding-8h` (the rate is in `open`)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kimera_cli.data.history import History
from kimera_cli.errors import UsageError, VenueError
from kimera_cli.layouts import OHLCV, aligned_zeros
from kimera_cli.records import Fetched, FundingRate, Gap
from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.history.decimals import decimal_of, text_of
from kimera_cli.venues.history.job import Job

MOST = {"bybit": 200, "okx": 100, "htx": 100}
"""Rates of a page; DEFAULT elsewhere."""
DEFAULT = 100
HOUR_NS = 3600 * NS_PER_S
Rates = dict[int, str]
"""Rate by its time."""


class FundingFetch:
    """One fetch of one market; UsageError `usage.not_offered` where there is no funding."""

    def __init__(self, job: Job) -> None:
        if not job.exchange.has.get("fetchFundingRateHistory") or not job.market.get("swap"):
            raise UsageError(
                "usage.not_offered",
                f"expected a perpetual swap with funding, was {job.symbol} of {job.venue}",
                f"kimera fetch markets {job.venue} --swaps",
            )
        self.job = job
        self.asker = job.asker()
        self.start, self.end = job.span
        self.added = 0
        self._history: History | None = None
        self._step = 0

    async def run(self) -> Fetched:
        """Fetch from the first time on that is not held; return what came of it."""
        began_ns = self.job.wanted.world.monotonic_ns()
        self.job.wanted.expect((self.end - self.start) // HOUR_NS)
        cursor = self.start
        while cursor < self.end:
            rates = await self._page(cursor)
            after = max(rates) + NS_PER_MS if rates else self.end
            self._take(rates)
            self.job.wanted.progress.advance((min(after, self.end) - cursor) // HOUR_NS)
            cursor = after
        if self._history is None:
            raise self._nothing()
        self._history.settle()
        gaps = list(self._gaps(self._history))
        for gap in gaps:
            self.job.wanted.emit(gap)
        return Fetched(
            dataset=self._history.name,
            symbol=self.job.symbol,
            start_ns=self.start,
            end_ns=self.end,
            rows=len(self._history.times(self.start, self.end)),
            added=self.added,
            pages=self.asker.answers,
            gaps=len(gaps),
            seconds=(self.job.wanted.world.monotonic_ns() - began_ns) / 1e9,
        )

    async def _page(self, since: int) -> Rates:
        most = MOST.get(self.job.venue, DEFAULT)
        told = await self.asker.ask(
            lambda: self.job.exchange.fetch_funding_rate_history(
                self.job.symbol, -(-since // NS_PER_MS), most
            ),
            f"funding rates of {self.job.symbol}",
        )
        found = {int(each["timestamp"]) * NS_PER_MS: each["fundingRate"] for each in told}
        return {ts: found[ts] for ts in sorted(found) if since <= ts < self.end}

    def _take(self, rates: Rates) -> None:
        if not rates:
            return
        history = self._history = self._history or self._dataset(rates)
        rows = aligned_zeros(len(rates), OHLCV)
        for name in ("high", "low", "close", "volume", "quote_volume"):
            rows[name] = np.nan
        rows["trades"] = -1
        for at, (ts_ns, text) in enumerate(rates.items()):
            rate = decimal_of(text)
            if rate is None:
                raise VenueError("venue.answer", f"expected a funding rate, was {text!r}")
            rows[at]["ts_ns"], rows[at]["open"] = ts_ns, float(rate)
            self.job.wanted.emit(
                FundingRate(dataset=history.name, ts_ns=ts_ns, rate=text_of(text) or "0")
            )
        self.added += len(history.add(rows))

    def _dataset(self, rates: Rates) -> History:
        """Return the dataset: its interval is the commonest step between rates."""
        steps = np.diff(np.array(sorted(rates), np.int64))
        hours = np.maximum(1, np.rint(steps / HOUR_NS)).astype(int)
        self._step = int(np.bincount(hours).argmax()) if len(hours) else 8
        return self.job.history(f"funding-{self._step}h")

    def _gaps(self, history: History) -> Iterator[Gap]:
        times = history.times(self.start, self.end)
        step = self._step * HOUR_NS
        for before, after in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
            missing = round((after - before) / step) - 1
            if missing > 0:
                yield Gap(dataset=history.name, start_ns=before + step, end_ns=after, bars=missing)

    def _nothing(self) -> VenueError:
        return VenueError(
            "venue.no_data",
            f"expected funding rates of {self.job.symbol} in the time asked for, was none",
            f"{self.job.venue} may not go back that far; ask for a later time",
        )
