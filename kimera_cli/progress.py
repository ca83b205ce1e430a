"""Progress on a terminal: one line that is redrawn at most ten times a second.

Nothing is imported, drawn or timed when progress is off: `SILENT` does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

INTERVAL_NS = 100_000_000
BAR = 24


class Progress:
    """A context manager with `advance`; this base class is the silent one."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def advance(self, n: int = 1) -> None:
        """Count n more units as done."""

    def expect(self, total: int) -> None:
        """Say how many units there are once that is known."""

    def clear(self) -> None:
        """Take the line away so that another line can be written."""


SILENT = Progress()


class TerminalProgress(Progress):
    """Draws label, bar, count, rate and remaining time."""

    def __init__(
        self,
        stream: TextIO,
        label: str,
        total: int | None,
        unit: str,
        clock_ns: Callable[[], int],
        width: int,
    ) -> None:
        self.stream = stream
        self.label = label
        self.total = total
        self.unit = unit
        self.clock_ns = clock_ns
        self.width = width
        self.done = 0
        self.started_ns = clock_ns()
        self._next_ns = self.started_ns + INTERVAL_NS
        self._drawn = False

    def advance(self, n: int = 1) -> None:
        """Count n more units and redraw when it is time."""
        self.done += n
        now = self.clock_ns()
        if now >= self._next_ns:
            self._next_ns = now + INTERVAL_NS
            line = self.line(now)[: self.width - 1]
            self.stream.write(f"\r\x1b[2K{line}")
            self.stream.flush()
            self._drawn = True

    def expect(self, total: int) -> None:
        """Say how many units there are once that is known."""
        self.total = total

    def clear(self) -> None:
        """Take the line away so that another line can be written."""
        if self._drawn:
            self.stream.write("\r\x1b[2K")
            self.stream.flush()
            self._drawn = False

    def line(self, now_ns: int) -> str:
        """Return the text of the line at a time."""
        seconds = max((now_ns - self.started_ns) / 1e9, 1e-9)
        rate = self.done / seconds
        parts = [self.label]
        if self.total:
            share = min(self.done / self.total, 1.0)
            filled = int(share * BAR)
            parts.append(f"[{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%}")
        parts.append(f"{self.done:,} {self.unit}".rstrip())
        parts.append(f"{_short(rate)}/s")
        if self.total and rate > 0:
            parts.append(f"ETA {_clock(max(self.total - self.done, 0) / rate)}")
        return "  ".join(parts)


def _short(value: float) -> str:
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.1f} {suffix}"
    return f"{value:.0f}"


def _clock(seconds: float) -> str:
    whole = int(seconds + 0.5)
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{secs:02}" if hours else f"{minutes}:{secs:02}"


class ElapsedProgress(Progress):
    """Draws how long something takes that cannot count its steps, from a thread of its own."""

    def __init__(self, stream: TextIO, label: str, clock_ns: Callable[[], int], width: int) -> None:
        self.stream = stream
        self.label = label
        self.clock_ns = clock_ns
        self.width = width
        self.started_ns = clock_ns()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="elapsed", daemon=True)
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self.clear()

    def clear(self) -> None:
        """Take the line away so that another line can be written."""
        with self._lock:
            self.stream.write("\r\x1b[2K")
            self.stream.flush()

    def line(self, now_ns: int) -> str:
        """Return the text of the line at a time."""
        return f"{self.label}  {_clock((now_ns - self.started_ns) // 1_000_000_000)}"

    def _draw(self) -> None:
        while True:
            text = self.line(self.clock_ns())[: self.width - 1]
            with self._lock:
                self.stream.write(f"\r\x1b[2K{text}")
                self.stream.flush()
            if self._done.wait(INTERVAL_NS / 1e9):
                return
