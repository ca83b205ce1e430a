"""Trades of one market, as events of family `trades` (a trade's local time is the venue's).

Venues that take a time to begin at are walked forward from it. The others give their latest trades
only: what they still have is written, and what lies before is told as a gap. A stretch without a
hole is one source of the dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.data.importers.base import Rows
from kimera_cli.errors import UsageError, VenueError
from kimera_cli.layouts import ASK, BID, EVENT, F_LAST, NO_SIDE, TRADE, VENUES, aligned_zeros
from kimera_cli.records import Fetched, Gap, PublicTrade
from kimera_cli.units import NS_PER_MS, NS_PER_S, from_steps, to_steps
from kimera_cli.venues.history.decimals import price_of, text_of
from kimera_cli.venues.history.job import Job

FROM_A_TIME = {"binance": 3600, "binanceusdm": 3600, "binancecoinm": 3600, "kraken": 0}
"""Venues that give the first trades from a time on, and the seconds after it that a page can span
(0: to the end).
"""
MOST = {"okx": 500, "bybit": 60, "htx": 2000}
"""Trades of a page; DEFAULT elsewhere."""
DEFAULT = 1000
WHOLE_SECONDS = ("kraken",)
"""Venues that are asked with whole seconds."""
_SIDES = {"buy": BID, "sell": ASK}
_MAKERS = {"buy": ASK, "sell": BID}
TELLS_MAKER = ("coinbase",)
"""Venues whose `side` is the resting order's, which ccxt hands on as it is."""
_NAMES = {BID: "buy", ASK: "sell"}
_MASK = (1 << 63) - 1


class TradeFetch:
    """One fetch of one market. UsageError `usage.venue` at venues that have no number in events."""

    def __init__(self, job: Job) -> None:
        if job.venue not in VENUES:
            raise UsageError(
                "usage.venue", f"expected a venue whose trades are stored, was {job.venue}",
                ", ".join(VENUES[1:]),
            )  # fmt: skip
        self.job = job
        self.history = job.history("trades")
        self.asker = job.asker()
        self.start, self.end = job.span
        self.most = MOST.get(job.venue, DEFAULT)
        self.reach_s = FROM_A_TIME.get(job.venue)
        self.added = 0
        self.covered: list[tuple[int, int]] = []
        self._shown = (-1, -1)

    async def run(self) -> Fetched:
        """Fetch what is missing; return what came of it."""
        began_ns = self.job.wanted.world.monotonic_ns()
        self.job.wanted.expect((self.end - self.start) // NS_PER_S)
        await (self._latest() if self.reach_s is None else self._forward(self.reach_s))
        self._show(self.end)
        self.history.settle()
        gaps = list(self._gaps())
        for gap in gaps:
            self.job.wanted.emit(gap)
        return Fetched(
            dataset=self.history.name,
            symbol=self.job.symbol,
            start_ns=self.start,
            end_ns=self.end,
            rows=len(self.history.rows(self.start, self.end)),
            added=self.added,
            pages=self.asker.answers,
            gaps=len(gaps),
            seconds=(self.job.wanted.world.monotonic_ns() - began_ns) / 1e9,
        )

    async def _forward(self, reach_s: int) -> None:
        """Walk from the start to the end; a stretch that is held is stepped over."""
        cursor, joins = self.start, False
        while cursor < self.end:
            held = self._held_until(cursor)
            joins = joins or held is not None
            since = self._askable(cursor if held is None else held)
            rows, full = await self._page(since)
            if len(rows):
                self.added += len(self.history.add(rows, joins=joins))
                joins = True
            last = int(rows["ts_local_ns"][-1]) if len(rows) else since
            crowded = full and self._askable(last) == since
            after = since + NS_PER_S if crowded else self._after(since, last, full, reach_s)
            self.covered.append((since, last if crowded else max(last, after)))
            joins = joins and not crowded
            self._advance(cursor, after)
            cursor = after

    def _after(self, since: int, last: int, full: bool, reach_s: int) -> int:
        """Return where to go on; of a full page the last instant is asked for again."""
        if full:
            return last
        return min(self.end, since + reach_s * NS_PER_S) if reach_s else self.end

    def _askable(self, ts_ns: int) -> int:
        """Return the latest time that the venue can be asked with and that is not after a time."""
        unit = NS_PER_S if self.job.venue in WHOLE_SECONDS else NS_PER_MS
        return ts_ns // unit * unit

    async def _latest(self) -> None:
        """Take the latest trades, whatever the time asked for."""
        rows, _ = await self._page(None)
        if not len(rows):
            raise self._nothing()
        first = int(rows["ts_local_ns"][0])
        times = rows["ts_local_ns"]
        if self.end == self.job.now_ns:  # until now: also what was traded since the clock was read
            self.end = max(self.end, int(times[-1]) + 1)
        rows = rows[(times >= self.start) & (times < self.end)]
        if len(rows):
            self.added += len(self.history.add(rows, joins=False))
        if first < self.end:
            self.covered.append((max(first, self.start), self.end))
        self._advance(self.start, self.end)

    async def _page(self, since: int | None) -> tuple[Rows, bool]:
        """Ask for a page; return its trades in order, and whether it was as long as can be."""
        told = await self.asker.ask(
            lambda: self.job.exchange.fetch_trades(
                self.job.symbol, None if since is None else since // NS_PER_MS, self.most
            ),
            f"trades of {self.job.symbol}",
        )
        rows = self._rows(told)
        rows = rows[np.lexsort((rows["seq"], rows["ts_local_ns"]))]
        if since is not None:
            times = rows["ts_local_ns"]
            rows = rows[(times >= since) & (times < self.end)]
        return rows, len(told) >= self.most

    def _rows(self, told: list[Any]) -> Rows:
        rows: Rows = aligned_zeros(len(told), EVENT)
        rows["kind"], rows["flags"], rows["venue"] = TRADE, F_LAST, VENUES.index(self.job.venue)
        grid = self.history.instrument
        sides = _MAKERS if self.job.venue in TELLS_MAKER else _SIDES
        for at, trade in enumerate(told):
            ts_ns = int(trade["timestamp"]) * NS_PER_MS
            price = price_of(trade["price"], f"a price of {self.job.symbol}")
            amount = price_of(trade["amount"], f"a quantity of {self.job.symbol}")
            rows[at]["ts_local_ns"] = rows[at]["ts_exch_ns"] = ts_ns
            rows[at]["px_ticks"] = to_steps(price, grid.tick)
            rows[at]["qty_lots"] = to_steps(amount, grid.lot, "quantity")
            rows[at]["side"] = sides.get(trade["side"], NO_SIDE)
            rows[at]["seq"] = number_of(trade["id"])
        return rows

    def _held_until(self, cursor: int) -> int | None:
        """Return the end of the stretch that holds a time, None when none does."""
        for source in self.history.sources():
            if source.start_ns <= cursor < source.end_ns:
                self.covered.append((cursor, source.end_ns))
                self._advance(cursor, min(source.end_ns, self.end))
                return source.end_ns
        return None

    def _gaps(self) -> Iterator[Gap]:
        stretches = [(s.start_ns, s.end_ns) for s in self.history.sources()]
        at = self.start
        for start, end in sorted([*stretches, *self.covered, (self.end, self.end)]):
            if at < min(start, self.end):
                yield Gap(dataset=self.history.name, start_ns=at, end_ns=min(start, self.end))
            at = max(at, end)

    def _advance(self, start: int, end: int) -> None:
        self._show(end)
        self.job.wanted.progress.advance(max(0, min(end, self.end) - start) // NS_PER_S)

    def _show(self, until: int) -> None:
        """Show the held trades that were not shown yet."""
        start = max(self._shown[0], self.start)
        for row in self.history.rows(start, min(until, self.end)):
            key = int(row["ts_local_ns"]), int(row["seq"])
            if key > self._shown:
                self._shown = key
                self.job.wanted.emit(self._record(row))

    def _record(self, row: Any) -> PublicTrade:
        grid = self.history.instrument
        return PublicTrade(
            dataset=self.history.name,
            ts_ns=int(row["ts_local_ns"]),
            id=int(row["seq"]),
            side=_NAMES.get(int(row["side"]), ""),
            px=text_of(from_steps(int(row["px_ticks"]), grid.tick)) or "0",
            qty=text_of(from_steps(int(row["qty_lots"]), grid.lot)) or "0",
        )

    def _nothing(self) -> VenueError:
        return VenueError(
            "venue.no_data", f"expected trades of {self.job.symbol}, was none",
            f"kimera fetch ticker {self.job.venue} {self.job.symbol} tells if it trades",
        )  # fmt: skip


def number_of(trade_id: Any) -> int:
    """Return a trade's number: its id, or 63 bits of the hash of an id that is no number."""
    text = str(trade_id)
    if text.isdecimal() and int(text) <= _MASK:
        return int(text)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") & _MASK
