"""The decision table: which cell a market state lies in, and what was decided for that cell.

A cold member publishes a whole table (a TABLE_SIDE); the hot path looks up, in nanoseconds and
without waiting. There are two sides: `table_publish` writes the one that is not read and then says
so (store-release of `sequence`; its last bit tells the side). A reader takes the sequence
(load-acquire), reads, and looks again: a table published meanwhile means that what it read may be
half of each, so it reads anew; after TRIES it says BUSY. This is the seqlock of Boehm (2012) with
two sides, so that a reader is disturbed by the second publication within its few nanoseconds and
not by the first.

Quantiser: an axis has up to 63 rising thresholds; its bin is how many of them are <= x, found by a
search without branches, and a cell is the sum of bin * stride. Thresholds are learned offline
(ensemble/quantiser.py). A used feature that is not finite makes no cell.

Only TABLE_OK allows new risk. Every other status (TABLE_STATUSES) means: cancel and reduce only.
A table may not be used before the end of the data it was learned on (NOT_YET): a replay cannot look
ahead by mistake.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import kernel, part
from kimera_cli.kernels.fence import (
    copy_lines,
    fence_acquire,
    fence_release,
    load_acquire,
    load_relaxed,
    put_words,
    store_relaxed,
    store_release,
)
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import (
    FEATURES,
    TABLE,
    TABLE_BINS,
    TABLE_CELLS,
    TABLE_ENTRY,
    TABLE_SAMPLES,
    TABLE_SIDE,
    TABLE_STATUSES,
    TABLE_USE,
)

OK = TABLE_STATUSES.index("ok")
NO_TABLE = TABLE_STATUSES.index("no_table")
NO_STATE = TABLE_STATUSES.index("no_state")
MISSING = TABLE_STATUSES.index("missing")
EXPIRED = TABLE_STATUSES.index("expired")
TOO_OLD = TABLE_STATUSES.index("too_old")
OLD_VERSION = TABLE_STATUSES.index("old_version")
NOT_YET = TABLE_STATUSES.index("not_yet")
UNSURE = TABLE_STATUSES.index("unsure")
BUSY = TABLE_STATUSES.index("busy")

MAGIC = 0x314C42544B
"""`KTBL1`."""
TRIES = 8


def offset(layout: Any, field: str) -> int:
    """Return where a field of a record begins, in bytes."""
    return int(layout.fields[field][1])


NUMBER = np.dtype([("number", "f8")])
ENTRY_BYTES = TABLE_ENTRY.itemsize

SEQUENCE_AT = offset(TABLE, "sequence")
SIDES_AT = offset(TABLE, "sides")
_SIDE_BYTES = TABLE_SIDE.itemsize
CELLS_AT = offset(TABLE_SIDE, "cells")
_STRIDES = offset(TABLE_SIDE, "strides")
_EDGES = offset(TABLE_SIDE, "edges")
_ENTRIES = offset(TABLE_SIDE, "entries")
ENTRY_AT = offset(TABLE_USE, "entry")
_WORDS = ENTRY_BYTES // 8
_AXIS_BYTES = 8 * TABLE_BINS
_LASTS = offset(TABLE_SIDE, "lasts")
_NOWHERE = -(1 << 40)

_I32 = ir.IntType(32)
_EIGHT = ir.VectorType(ir.DoubleType(), 8)


def count_below(address: Any, x: Any) -> Any:
    """Return how many of the eight float64 at an address are <= x."""
    return np.int64(np.count_nonzero(array_at(address, 8, NUMBER).number <= x))


@intrinsic
def _count_below(typing_context, address, x):
    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], ir.PointerType(_EIGHT))
        edges = builder.load(pointer, align=8)
        first = builder.insert_element(ir.Constant(_EIGHT, ir.Undefined), arguments[1], _I32(0))
        same = builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_I32, 8), None))
        below = builder.bitcast(builder.fcmp_ordered("<=", edges, same), ir.IntType(8))
        return builder.zext(builder.ctpop(below), ir.IntType(64))

    return types.int64(types.int64, types.float64), generate


@overload(count_below)
def _count_below_compiled(address, x):
    return lambda address, x: _count_below(np.int64(address), x)


@part
def _bin(side, axis, x):
    """Return how many of the axis' 63 rising thresholds are <= x (the 64th is +inf).

    First which block of eight, then which edge in it: two comparisons of eight numbers at once and
    no branch, where a binary search mispredicts every other of its six.
    """
    block = count_below(side + _LASTS + 64 * axis, x)
    return 8 * block + count_below(side + _EDGES + _AXIS_BYTES * axis + 64 * block, x)


@part
def _add(side, axis, x, cell):
    """Return the cell so far with one axis; far below zero where x is not finite."""
    stride = load_relaxed(side + _STRIDES + 8 * axis)
    if stride == 0:
        return cell
    if not np.isfinite(x):
        return cell + _NOWHERE
    return cell + stride * _bin(side, axis, x)


@part
def quantise(side, f):
    """Return the cell of a state, or a number below zero when a feature it needs is not finite.

    side: address of a TABLE_SIDE. f: any record with the fields of TABLE_AXES, FEATURES or VIEW.
    """
    cell = _add(side, 0, f.queue_imbalance, np.int64(0))
    cell = _add(side, 1, f.depth_imbalance, cell)
    cell = _add(side, 2, f.ofi, cell)
    cell = _add(side, 3, f.signed_flow, cell)
    cell = _add(side, 4, float(f.best_ask_ticks - f.best_bid_ticks), cell)
    cell = _add(side, 5, f.vol_fast, cell)
    cell = _add(side, 6, f.vol_mid, cell)
    return _add(side, 7, f.vol_slow, cell)


@kernel
def axis_values(f, x):
    """Write the state of a FEATURES or VIEW record to x, shape (8,), in the order of TABLE_AXES."""
    x[0] = f.queue_imbalance
    x[1] = f.depth_imbalance
    x[2] = f.ofi
    x[3] = f.signed_flow
    x[4] = float(f.best_ask_ticks - f.best_bid_ticks)
    x[5] = f.vol_fast
    x[6] = f.vol_mid
    x[7] = f.vol_slow


@part
def _judge(use, entry, now_ns):
    """Return the status of an entry."""
    if entry.version == 0:
        return MISSING
    if now_ns < entry.learned_ns:
        return NOT_YET
    if entry.version < use.min_version:
        return OLD_VERSION
    if now_ns >= entry.expires_ns:
        return EXPIRED
    if use.max_age_ns > 0 and now_ns - entry.learned_ns > use.max_age_ns:
        return TOO_OLD
    if not entry.confidence >= use.min_confidence:
        return UNSURE
    return OK


@part
def _forget(use):
    """Leave nothing of an earlier answer: what is not known must not be read as known."""
    use.cell = -1
    entry = use.entry
    entry.version = 0
    entry.learned_ns = 0
    entry.expires_ns = 0
    entry.expected_ticks = np.nan
    entry.p_sell = 0.0
    entry.p_hold = 1.0
    entry.p_buy = 0.0
    entry.confidence = 0.0
    entry.support = 0.0
    entry.action = 0
    entry.check = 0


@part
def _read(use, side, f):
    """Copy the entry of a state; return its cell, or a number below zero when there is none.

    Half-written strides can point anywhere: the limit keeps the read inside until it is found out.
    """
    cell = quantise(side, f)
    if cell >= TABLE_CELLS:
        return np.int64(-1)
    if cell >= 0:
        copy_lines(use + ENTRY_AT, side + _ENTRIES + ENTRY_BYTES * cell, 1)
    return cell


@part
def _find(reader, use, f):
    """Copy the entry of a state whole into the reader's record; return OK, NO_STATE, NO_TABLE or
    BUSY.
    """
    for _ in range(TRIES):
        sequence = load_acquire(use.table + SEQUENCE_AT)
        if sequence == 0:
            return NO_TABLE
        cell = _read(reader, use.table + SIDES_AT + (sequence & 1) * _SIDE_BYTES, f)
        fence_acquire()
        if load_relaxed(use.table + SEQUENCE_AT) == sequence:
            use.cell = cell
            return OK if cell >= 0 else NO_STATE
    return BUSY


@kernel
def table_look(reader, f, now_ns):
    """Look up the state `f` at `now_ns` for the reader at an address; return the status.

    reader: address of a TABLE_USE: what it asks for goes in, `status`, `cell`, `entry` and counts
    come out. On a status other than OK `entry` says what stood there (EXPIRED, UNSURE ...), or
    nothing (NO_TABLE, NO_STATE, BUSY).
    """
    use = array_at(reader, 1, TABLE_USE)[0]
    status = _find(reader, use, f) if use.table != 0 else NO_TABLE
    if status == OK:
        status = _judge(use, use.entry, now_ns)
    else:
        _forget(use)
    use.status = status
    use.counts[status] += 1
    if status == OK:
        age = now_ns - use.entry.learned_ns
        use.age_sum_ns += age
        use.age_max_ns = max(use.age_max_ns, age)
    return status


@kernel
def _keep_sample(use, f, now_ns):
    if use.n_samples >= TABLE_SAMPLES:
        use.dropped += 1
        return
    sample = use.samples[use.n_samples]
    sample.ts_ns = now_ns
    sample.version = use.entry.version
    sample.cell = use.cell
    sample.action = use.entry.action
    sample.status = use.status
    axis_values(f, sample.x)
    use.n_samples += 1


@kernel
def table_consult(reader, f, now_ns):
    """Look up as `table_look` does, NO_TABLE for address 0 (view.table of a strategy without one).

    Every sample_every-th lookup is kept, so that whoever empties `samples` can compute the same
    decision anew.
    """
    if reader == 0:
        return NO_TABLE
    status = table_look(reader, f, now_ns)
    use = array_at(reader, 1, TABLE_USE)[0]
    if use.sample_every > 0:
        use.until_sample -= 1
        if use.until_sample <= 0:
            use.until_sample = use.sample_every
            _keep_sample(use, f, now_ns)
    return status


@part
def table_use(address):
    """Return the TABLE_USE record at an address that is not 0."""
    return array_at(address, 1, TABLE_USE)[0]


@kernel
def table_publish(table, side):
    """Publish a side (addresses of a TABLE and of a private TABLE_SIDE); return the sequence.

    One publisher at a time. Readers go on with the other side until the last word is there.
    """
    sequence = load_relaxed(table + SEQUENCE_AT) + 1
    fence_release()  # readers see the last sequence before any word of this side
    put_words(table + SIDES_AT + (sequence & 1) * _SIDE_BYTES, side, _SIDE_BYTES // 8)
    store_release(table + SEQUENCE_AT, sequence)
    return sequence


@kernel
def entry_check(address):
    """Return the checksum of the entry at an address: of all its words but the last.

    Xorshift (Marsaglia 2003) between the words: every changed bit changes the sum.
    """
    h = np.int64(_WORDS)
    for i in range(_WORDS - 1):
        h ^= load_relaxed(address + 8 * i)
        h ^= h << 13
        h ^= h >> 7
        h ^= h << 17
    return h


@kernel
def seal_entries(side):
    """Write the checksum of every entry of the TABLE_SIDE at an address."""
    cells = load_relaxed(side + CELLS_AT)
    entries = array_at(side + _ENTRIES, cells, TABLE_ENTRY)
    for cell in range(cells):
        entries[cell].check = entry_check(side + _ENTRIES + cell * ENTRY_BYTES)


@kernel
def count_damaged(side):
    """Return how many entries of the TABLE_SIDE at an address do not match their checksum; all of
    TABLE_CELLS when the number of cells is impossible.
    """
    cells = load_relaxed(side + CELLS_AT)
    if cells < 1 or cells > TABLE_CELLS:
        return TABLE_CELLS
    entries = array_at(side + _ENTRIES, cells, TABLE_ENTRY)
    damaged = 0
    for cell in range(cells):
        if entries[cell].check != entry_check(side + _ENTRIES + cell * ENTRY_BYTES):
            damaged += 1
    return damaged


@kernel
def look_run(reader, states, n, times, answers):
    """Look up n states as a reader does; all arguments but n are addresses.

    reader: a TABLE_USE. states: FEATURES, shape (n,). times: int64, shape (n,). answers: int64,
    shape (n, 3): status, action, cell of each lookup.
    """
    use = array_at(reader, 1, TABLE_USE)[0]
    rows = array_at(states, n, FEATURES)
    for i in range(n):
        status = table_look(reader, rows[i], load_relaxed(times + 8 * i))
        store_relaxed(answers + 24 * i, status)
        store_relaxed(answers + 24 * i + 8, use.entry.action)
        store_relaxed(answers + 24 * i + 16, use.cell)
