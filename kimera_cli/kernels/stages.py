"""Latency per stage, recorded inside the loop: one clock reading and one counter per stage.

A chain is one message on its way: `stage_start` when its bytes (or its event) are taken up,
`stage_mark` after each stage, `stage_end` when the last one is reached. A stage takes the time
since the mark before it, so one reading ends a stage and begins the next. A message that leads to
no order ends its chain early, and only a chain that reached `stage_end` counts in the total.

`every` = n measures one chain of n, for a loop in which even that is too much. Switched off (`on` =
0, as the record is made) every call is one load and one branch.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.histogram import HIGHEST, HISTOGRAM, cell_of
from kimera_cli.kernels.tsc import ticks

WIRE_TO_EVENT = 0
EVENT_TO_BOOK = 1
BOOK_TO_DECISION = 2
DECISION_TO_GATE = 3
GATE_TO_BYTES = 4
TOTAL = 5

STAGE_NAMES = (
    "wire_to_event",
    "event_to_book",
    "book_to_decision",
    "decision_to_gate",
    "gate_to_bytes",
    "total",
)
"""Public names by index. Append only."""

SCALE_BITS = 24
"""Of a fixed-point factor: an integer product costs 3 ns less a mark than going through floats, and
is as exact as 1e-7 of the time."""

STAGES = np.dtype(
    [
        ("on", "i8"),  # set from outside, between calls of the loop
        ("live", "i8"),  # 1 while a chain is being measured
        ("began", "i8"),  # ticks at the start of the chain
        ("mark", "i8"),  # ticks at the last mark
        ("tsc", "i8"),  # this and the next two: the clock, as in tsc.CLOCK
        ("address", "i8"),
        ("clock_id", "i8"),
        ("scale", "i8"),  # ns per tick in units of 2^-SCALE_BITS
        ("most", "i8"),  # ticks of the longest time that has a cell
        ("every", "i8"),  # 1: every chain is measured; n: one of n
        ("left", "i8"),  # chains until the next one that is measured
        ("reserved", "i8", (5,)),
        ("histograms", HISTOGRAM, (len(STAGE_NAMES),)),
    ],
    align=True,
)
"""The recorder: its own fields fill two cache lines, then one histogram per stage."""


_HALF = 1 << (SCALE_BITS - 1)
_ONE = float(1 << SCALE_BITS)


def fixed_point(ns_per_tick: float) -> tuple[int, int]:
    """Return `scale` and `most` for a clock's rate: the product of both has the last cell."""
    scale = round(ns_per_tick * (1 << SCALE_BITS))
    return scale, (((HIGHEST + 1) << SCALE_BITS) - 1 - _HALF) // scale


@kernel
def _chosen(stages):
    """Return whether this chain is measured: every `every`-th one while the recorder is on."""
    if stages.on == 0:
        stages.live = 0
        return False
    stages.left -= 1
    if stages.left > 0:
        stages.live = 0
        return False
    stages.left = stages.every
    stages.live = 1
    return True


@kernel
def stage_start(stages):
    """Begin a chain now."""
    if _chosen(stages):
        now = ticks(stages)
        stages.began = now
        stages.mark = now


@kernel
def stage_start_at(stages, at_ticks):
    """Begin a chain at a reading taken before, such as that of the frame's arrival."""
    if _chosen(stages):
        stages.began = at_ticks
        stages.mark = at_ticks


@kernel
def _count(stages, stage, passed):
    """Count a time in ticks; the product of two factors below the limit stays below 2^62."""
    h = stages.histograms[stage]
    if 0 <= passed <= stages.most:
        ns = (passed * stages.scale + _HALF) >> SCALE_BITS
        h.counts[cell_of(ns)] += 1
    elif passed < 0:
        h.under += 1
    else:
        h.over += 1
        h.largest_over = max(h.largest_over, long_ns(stages, passed))


@kernel
def long_ns(stages, passed):
    """Return ticks as ns where the exact product would be too large."""
    return np.int64(passed * (stages.scale / _ONE))


@kernel
def stage_mark(stages, stage):
    """End `stage` (an index into STAGE_NAMES) now; the next stage begins here."""
    if stages.live != 0:
        now = ticks(stages)
        _count(stages, stage, now - stages.mark)
        stages.mark = now


@kernel
def stage_drop(stages):
    """End a chain that is not counted further: it is interrupted, or leads nowhere."""
    stages.live = 0


@kernel
def stage_total(stages):
    """Count the whole chain up to its last mark and let it go on: more may come of it."""
    if stages.live != 0:
        _count(stages, TOTAL, stages.mark - stages.began)


@kernel
def stage_end(stages):
    """Count the whole chain, from its start to its last mark. Reads no clock."""
    if stages.live != 0:
        stages.live = 0
        _count(stages, TOTAL, stages.mark - stages.began)
