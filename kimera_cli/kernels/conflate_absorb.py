"""Takes events in while a consumer lags: what each kind becomes is said in kernels/conflate.py."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.conflate_state import LAST_CHECKSUM, LAST_CLEAR, LAST_QUOTE, LASTS, PENDING
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    EVENT,
    F_GAP,
    F_NO_EXCH_TIME,
    F_STALE,
    MAX_INSTRUMENTS,
    NO_SIDE,
    QUOTE,
)

BOTH = (1 << BID) | (1 << ASK)
"""Bits of `cleared` when both sides were."""
_MIX = np.uint64(2654435769)
_LOW32 = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


@inner
def _cell_of(c, levels, cells, e):
    """Return the cell that holds the level of event e, or the free one where it would go."""
    mask = 2 * c.n_levels_max - 1
    key = (np.uint64(e.px_ticks) * np.uint64(2 * MAX_INSTRUMENTS)) & _LOW32
    key ^= np.uint64(2 * e.instrument + e.side)
    spread = (key * _MIX) & _LOW32
    cell = np.int64((spread * np.uint64(mask + 1)) >> _32)
    while cells[cell] != 0:
        held = levels[cells[cell] - 1]
        if held.px_ticks == e.px_ticks and held.side == e.side and held.instrument == e.instrument:
            break
        cell = (cell + 1) & mask
    return cell


@inner
def _absorb_level(c, p, e):
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    cells = array_at(c.cells, 2 * c.n_levels_max, np.int64)
    cell = _cell_of(c, levels, cells, e)
    number = cells[cell] - 1
    if number >= 0:
        c.n_merged += levels[number].kind == DEPTH  # else a CLEAR forgot it, and counted it
        levels[number] = e
        return
    number = c.n_levels
    c.n_levels += 1
    cells[cell] = number + 1
    levels[number] = e
    array_at(c.cell_of, c.n_levels_max, np.int64)[number] = cell
    link = array_at(c.link, c.n_levels_max, np.int64)
    link[number] = -1
    if p.first < 0:
        p.first = number
    else:
        link[p.last] = number
    p.last = number


@inner
def _absorb_clear(c, p, e):
    levels = array_at(c.levels, c.n_levels_max, EVENT)
    link = array_at(c.link, c.n_levels_max, np.int64)
    number = p.first
    while number >= 0:
        level = levels[number]
        if level.kind == DEPTH and (e.side == NO_SIDE or e.side == level.side):
            level.kind = 0
            c.n_merged += 1
        number = link[number]
    p.cleared |= BOTH if e.side == NO_SIDE else 1 << e.side


@inner
def _set_last(c, p, e, which):
    """Keep the latest event of its kind; return whether one was replaced."""
    lasts = array_at(c.lasts, LASTS * MAX_INSTRUMENTS, EVENT)
    lasts[e.instrument * LASTS + which] = e
    replaced = (p.lasts >> which) & 1
    p.lasts |= 1 << which
    return replaced


@inner
def _absorb_book(c, p, e):
    """Take in a DEPTH or CLEAR that changes the book."""
    if p.messages == 0:
        p.ref = e.ref
    if p.message != c.n_messages:
        p.message = c.n_messages
        p.messages += 1
    p.seq = e.seq
    p.ts_exch_ns = e.ts_exch_ns
    p.marks = (p.marks & F_GAP) | (e["flags"] & (F_GAP | F_NO_EXCH_TIME))
    if (p.lasts >> LAST_CHECKSUM) & 1:
        p.lasts &= ~(1 << LAST_CHECKSUM)
        c.n_unchecked += 1
    if e.kind == DEPTH:
        _absorb_level(c, p, e)
    else:
        _absorb_clear(c, p, e)
        _set_last(c, p, e, LAST_CLEAR)


@inner
def _keep(c, e):
    kept = array_at(c.kept, c.n_kept_max, EVENT)
    kept[c.n_kept] = e
    c.n_kept += 1
    c.n_delayed += 1


@inner
def absorb(c, e):
    """Take in one event."""
    if c.n_pending == 0:
        c.ts_first_ns = e.ts_local_ns
    c.n_pending += 1
    c.ts_last_ns = max(c.ts_last_ns, e.ts_local_ns)
    if e.instrument < 0 or e.instrument >= MAX_INSTRUMENTS:
        _keep(c, e)
        return
    p = array_at(c.pending, MAX_INSTRUMENTS, PENDING)[e.instrument]
    if p.lossless:
        _keep(c, e)
    elif e.kind == DEPTH and (e["flags"] & F_STALE) != 0:
        c.n_merged += 1
    elif e.kind == DEPTH or e.kind == CLEAR:
        _absorb_book(c, p, e)
    elif e.kind == CHECKSUM:
        c.n_unchecked += _set_last(c, p, e, LAST_CHECKSUM)
    elif e.kind == QUOTE and e.side <= ASK:
        c.n_merged += _set_last(c, p, e, LAST_QUOTE + e.side)
    else:
        _keep(c, e)
