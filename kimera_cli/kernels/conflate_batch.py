"""Makes one batch of what waits: a state that each book really had, in messages that end."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.conflate_absorb import BOTH
from kimera_cli.kernels.conflate_state import LAST_CHECKSUM, LAST_CLEAR, LAST_QUOTE, LASTS, PENDING
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import (
    DEPTH,
    EVENT,
    F_CONFLATED,
    F_GAP,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    MAX_INSTRUMENTS,
    NO_SIDE,
)


@inner
def _emit(c, e):
    """Append an event to the batch and return it there."""
    out = array_at(c.out, c.n_out + 1, EVENT)
    out[c.n_out] = e
    c.n_out += 1
    return out[c.n_out - 1]


@inner
def _stamp(c, p, e):
    """Make an event part of the instrument's one message."""
    e.ts_local_ns = c.ts_last_ns
    e.ts_exch_ns = p.ts_exch_ns
    e.seq = p.seq
    more = F_CONFLATED if p.messages > 1 else 0
    e["flags"] = (e["flags"] & F_SNAPSHOT) | (p.marks & F_NO_EXCH_TIME) | more
    return e


@inner
def _freeze_book(c, p, instrument):
    """Write the message of one instrument's book."""
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    begin = c.n_out
    if p.cleared != 0:
        e = _stamp(c, p, _emit(c, lasts[instrument * LASTS + LAST_CLEAR]))
        e.ref = p.ref
        if p.cleared == BOTH:
            e.side = NO_SIDE
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    link = array_at(c.link, c.n_levels_max, np.int64)
    number = p.first
    while number >= 0:
        if levels[number].kind == DEPTH:
            e = _stamp(c, p, _emit(c, levels[number]))
            e.ref = p.ref
            if (p.cleared >> e.side) & 1:
                e["flags"] |= F_SNAPSHOT
        number = link[number]
    if (p.lasts >> LAST_CHECKSUM) & 1:  # its ref is not a sequence number: left alone
        e = _emit(c, lasts[instrument * LASTS + LAST_CHECKSUM])
        e.ts_local_ns = c.ts_last_ns
        if p.messages != 0:
            _stamp(c, p, e)
    if c.n_out > begin:
        out = array_at(c.out, c.n_out, EVENT)
        out[begin]["flags"] |= p.marks & F_GAP
        out[c.n_out - 1]["flags"] |= F_LAST


@inner
def _freeze_quotes(c, p, instrument):
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    for which in range(LAST_QUOTE, LASTS):
        if (p.lasts >> which) & 1:
            e = _emit(c, lasts[instrument * LASTS + which])
            e.ts_local_ns = c.ts_last_ns
            e["flags"] |= F_LAST


@inner
def freeze(c):
    """Make one batch of all that is pending, and begin to gather anew."""
    kept = array_at(c.kept, c.n_kept_max, EVENT)
    for i in range(c.n_kept):
        _emit(c, kept[i])
    pending = array_at(c.pending, MAX_INSTRUMENTS, PENDING)
    for k in range(MAX_INSTRUMENTS):
        p = pending[k]
        if p.messages != 0 or p.lasts != 0:
            _freeze_book(c, p, k)
            _freeze_quotes(c, p, k)
            p.first = -1
            p.messages = p.marks = p.cleared = p.lasts = 0
    _forget(c)
    c.ts_out_ns = c.ts_first_ns
    c.n_levels = c.n_kept = c.n_pending = 0
    c.n_batches += 1


@inner
def _forget(c):
    """Empty the hash table."""
    cells = array_at(c.cells, 2 * c.n_levels_max, np.int64)
    cell_of = array_at(c.cell_of, c.n_levels_max, np.int64)
    for number in range(c.n_levels):
        cells[cell_of[number]] = 0
