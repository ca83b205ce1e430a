"""A block of named counters, gauges and log2 histograms, which describes itself.

The names are in the file, so a reader needs to know nothing beforehand; the schema hash covers
them. Each cell has one writer (kernels/counters.py), which keeps its address: no name is looked up
while counting. A counter goes on where it was when its writer is started again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from kimera_cli.errors import DataError, UsageError
from kimera_cli.kernels.counters import BUCKETS, CELLS, SUM
from kimera_cli.kernels.fence import load_relaxed
from kimera_cli.shm.block import Block, Side, writer_segment
from kimera_cli.shm.layout import LINE_BYTES, schema_hash
from kimera_cli.shm.segment import Clocks, Segment, Shape, open_segment

WORD = np.dtype("i8")


class Counter(msgspec.Struct, frozen=True):
    """One thing that is counted. `unit` is what a value is in: `ns`, `messages`, `bytes`."""

    name: str
    kind: Literal["counter", "gauge", "histogram"] = "counter"
    unit: str = ""
    help: str = ""

    @property
    def cells(self) -> int:
        """Words that it takes: a line of its own for what is one word, so that nothing shares."""
        return CELLS if self.kind == "histogram" else LINE_BYTES // 8


class Histogram(NamedTuple):
    """Counts of values v with 2^(b-1) <= v < 2^b for b = 0 (0 and below) to 63, and their sum."""

    counts: tuple[int, ...]
    total: int

    @property
    def n(self) -> int:
        """How many values."""
        return sum(self.counts)

    def at_most(self, q: float) -> int | None:
        """Return a bound that at least the share `q` of the values do not exceed; None without any.

        The true quantile lies between half of the bound and the bound.
        """
        wanted, seen = q * self.n, 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return (1 << bucket) - 1
        return None


def counters_shape(counters: Sequence[Counter]) -> Shape:
    """Return the shape of a block of these counters, in this order; names must differ."""
    names = [counter.name for counter in counters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        was = f"twice: {', '.join(twice)}" if twice else "none"
        raise UsageError("usage.counters", f"expected counters of different names, was {was}")
    cells = sum(counter.cells for counter in counters)
    return Shape("counters", WORD, WORD.itemsize, cells, msgspec.json.encode(list(counters)))


class _Cells:
    """Where each counter is."""

    def __init__(self, segment: Segment, counters: Sequence[Counter]) -> None:
        self.segment = segment  # addresses are good as long as it is mapped
        self.addresses: dict[str, int] = {}
        at = segment.address + int(segment.header["data_at"])
        for counter in counters:
            self.addresses[counter.name] = at
            at += 8 * counter.cells


class CounterWriter(Side):
    """The writer: `address(name)` is what `count`, `gauge` and `observe` take."""

    def __init__(
        self,
        path: Path,
        counters: Sequence[Counter],
        clocks: Clocks,
        *,
        replace: bool = False,
    ) -> None:
        segment = writer_segment(path, counters_shape(counters), clocks, replace=replace)
        super().__init__(segment, clocks, "writer")
        self._cells = _Cells(segment, counters)

    def address(self, name: str) -> int:
        """Return the address of a counter's first cell."""
        if name not in self._cells.addresses:
            known = ", ".join(self._cells.addresses)
            raise UsageError("usage.counters", f"expected one of {known}, was {name}")
        return self._cells.addresses[name]


def _told(segment: Segment) -> tuple[Counter, ...]:
    """Return the counters that a file names; DataError when header and names disagree."""
    if schema_hash("counters", WORD, segment.text) == int(segment.header["schema"]):
        counters = tuple(msgspec.json.decode(segment.text, type=list[Counter]))
        if sum(counter.cells for counter in counters) == int(segment.header["capacity"]):
            return counters
    raise DataError(
        "data.block_schema",
        f"expected the names in {segment.path} to be what its header was made from, was changed",
        "delete it when nothing uses it; it is made anew at the next start",
        file=str(segment.path),
    )


class CounterReader(Block):
    """A reader; maps the file read-only and learns the names from it."""

    def __init__(self, path: Path, clocks: Clocks) -> None:
        segment = open_segment(path, "counters", writable=False)
        super().__init__(segment, clocks)
        self.counters = _told(segment)
        self._cells = _Cells(segment, self.counters)

    def values(self) -> dict[str, int | Histogram]:
        """Return every counter's value now; each number is whole, together they are no snapshot."""
        return {c.name: self._value(c) for c in self.counters}

    def _value(self, counter: Counter) -> int | Histogram:
        at = self._cells.addresses[counter.name]
        if counter.kind != "histogram":
            return int(load_relaxed(at))
        counts = tuple(int(load_relaxed(at + 8 * b)) for b in range(BUCKETS))
        return Histogram(counts, int(load_relaxed(at + 8 * SUM)))
