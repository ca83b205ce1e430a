"""Checks of bars: each bar possible in itself, in order, on its grid, none missing or twice.

Funding series hold one rate per row (in `open`): only their times are checked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import Tally
from kimera_cli.layouts import F64, I64
from kimera_cli.records import Check
from kimera_cli.units import parse_duration_ns

Mask = NDArray[np.bool_]

PRICES = ("open", "high", "low", "close")
JUMP = 3.0
"""Open and close of a bar, and its open and the close before, differ by less than this factor."""


class BarChecks(Checker):
    """`ohlc`, `prices`, `volume`, `jumps`, `bar_order`, `bar_grid`, `bar_duplicates`,
    `missing_bars`, `future` of one series."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        content, _, interval = subject.family.rpartition("-")
        self._interval_ns = parse_duration_ns(interval)
        self._rates = content == "funding"
        names = ("bar_order", "bar_grid", "bar_duplicates", "missing_bars", "future")
        values = () if self._rates else ("ohlc", "prices", "volume", "jumps")
        self._tallies = {name: Tally(subject) for name in (*values, *names)}
        self._gaps = 0
        self.start()

    def start(self) -> None:
        """Begin a series: nothing is missing before its first bar."""
        self._last_ns: int | None = None
        self._last_close = np.nan

    def see(self, rows: NDArray[np.void]) -> None:
        """Take the next bars."""
        if not self._rates:
            self._values(rows)
        times = rows["ts_ns"]
        self._judge("bar_grid", rows, times % self._interval_ns == 0, "a bar at a whole interval")
        self._judge("future", rows, times <= self.subject.now_ns, "a bar before now")
        before = int(times[0]) - self._interval_ns if self._last_ns is None else self._last_ns
        steps = np.diff(times, prepend=before)
        self._last_ns = int(times[-1])
        self._judge("bar_order", rows, steps >= 0, "a bar after the one before it")
        self._judge("bar_duplicates", rows, steps != 0, "a new bar")
        self._missing(rows, steps)

    @np.errstate(divide="ignore", invalid="ignore")
    def _values(self, rows: NDArray[np.void]) -> None:
        prices = np.stack([rows[name] for name in PRICES])
        finite = np.isfinite(np.sum(prices, axis=0))
        high, low = rows["high"], rows["low"]
        body = np.stack([rows["open"], rows["close"]])
        sane = finite & (high >= np.max(body, axis=0)) & (low <= np.min(body, axis=0))
        self._judge("ohlc", rows, sane, "low <= open, close <= high")
        above = np.min(prices, axis=0) > 0
        self._judge("prices", rows, np.asarray(above), "prices above zero")
        before = np.concatenate(([self._last_close], rows["close"][:-1]))
        self._last_close = float(rows["close"][-1])
        inside, between = rows["open"] / rows["close"], rows["open"] / before
        calm = _within(inside) & (_within(between) | np.isnan(before))
        self._judge("jumps", rows, calm, f"open and close within a factor of {JUMP:g}")
        volume = rows["volume"]
        self._judge("volume", rows, np.isnan(volume) | (volume >= 0), "no volume below zero")

    def _judge(self, name: str, rows: NDArray[np.void], good: Mask, expected: str) -> None:
        bad = np.flatnonzero(~good)
        tally = self._tallies[name]
        tally.good(len(rows) - len(bad))
        if len(bad):
            row = rows[int(bad[0])]
            values = ", ".join(f"{column} {row[column]:g}" for column in (*PRICES, "volume"))
            said = f"expected {expected}, was {_moment(row['ts_ns'])}: {values}"
            tally.bad(int(row["line"]), said, len(bad))

    def _missing(self, rows: NDArray[np.void], steps: I64) -> None:
        tally = self._tallies["missing_bars"]
        tally.good(len(rows))
        gaps = np.flatnonzero(steps > self._interval_ns)
        self._gaps += len(gaps)
        for at in gaps.tolist():
            lost = int((steps[at] - 1) // self._interval_ns)
            row = rows[at]
            before = _moment(row["ts_ns"] - steps[at])
            tally.bad(int(row["line"]), f"expected a bar after {before}, was {lost} missing", lost)

    def results(self) -> Iterator[Check]:
        """Yield the records; `missing_bars` also tells how many gaps there are."""
        for name, tally in self._tallies.items():
            record = tally.record(name)
            if name != "missing_bars":
                yield record
                continue
            yield Check(
                check=name,
                dataset=record.dataset,
                passed=record.passed,
                total=record.total,
                ok=record.ok,
                detail=record.detail,
                file=record.file,
                line=record.line,
                value=float(self._gaps),
                unit="gaps",
            )


def _within(ratio: F64) -> Mask:
    """Tell where a ratio is between 1/JUMP and JUMP; NaN is not."""
    return (ratio < JUMP) & (ratio > 1 / JUMP)


def _moment(ts_ns: int) -> str:
    """Return a UTC time to the second, for a person."""
    return f"{np.datetime64(int(ts_ns), 'ns').astype('datetime64[s]')}Z"
