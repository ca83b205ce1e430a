"""Levels that are objects of their own, each with its side and time: mostly the same bytes again.

A row's text up to its price was looked at byte by byte when the first row of its side was read by
the ops. What follows is compared with that row, 64 bytes at a time; only price and size are new. A
row that differs anywhere is left to the ops, so nothing is accepted here that they would not.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.parse_bytes import (
    WIDE,
    digit_mask,
    load8,
    lowest_bit,
    next_bits,
    point_mask,
    same_wide,
)
from kimera_cli.kernels.parse_event import identity, put_words
from kimera_cli.kernels.parse_layout import REG_REF, REG_SEQ, REG_TIME
from kimera_cli.kernels.parse_match import stands
from kimera_cli.kernels.parse_number import short_steps
from kimera_cli.layouts import ASK, BID, DEPTH

_COMMA, _SHUT = 44, 93


@part
def begins_alike(frame, i, at, length):
    """Tell whether the `length` bytes (WIDE to twice as many) at i are those at `at`."""
    last = length - WIDE
    return same_wide(frame, i, at) & same_wide(frame, i + last, at + last)


@part
def usable(at, length):
    """Return `at` when a row that begins with so many bytes can be compared with, else -1."""
    return at if WIDE <= length <= 2 * WIDE else np.int64(-1)


@inner
def read_rows(feed, frame, i, pc, symbol, flags, ts_local_ns, out, count, rows):
    """Read rows at i as long as they are like those at `rows`; op `pc` is their OP_ROWS.

    rows: (where a bid's row began, bytes up to its price, the same of an ask's), -1: none yet.
    Return (count, cursor, 1 when the list has ended: the cursor is then behind it).
    """
    at, length = usable(rows[0], rows[1]), rows[1]
    other_at, other_length = usable(rows[2], rows[3]), rows[3]
    middle, behind = feed.ops[pc + 6], feed.ops[pc + 8]
    words, masks, mid_length = middle.words, middle.masks, middle.length
    shut, shut_mask, shut_length = behind.words[0], behind.masks[0], behind.length
    shut_byte = np.int64(shut & np.uint64(255))
    px_steps, qty_steps = symbol.px, symbol.qty
    who = identity(symbol.instrument, feed.venue, np.int64(DEPTH), np.int64(BID))
    other_who = identity(symbol.instrument, feed.venue, np.int64(DEPTH), np.int64(ASK))
    registers = feed.registers
    time, seq, ref = registers[REG_TIME], registers[REG_SEQ], registers[REG_REF]
    room = np.int64(out.shape[0])
    while count < room:
        if at < 0 or not begins_alike(frame, i, at, length):
            at, other_at = other_at, at
            length, other_length = other_length, length
            who, other_who = other_who, who
            if at < 0 or not begins_alike(frame, i, at, length):
                break
        p = i + length
        points = point_mask(frame, p)
        others = ~(digit_mask(frame, p) | points)
        px_length = lowest_bit(others)
        qty_at = min(px_length + mid_length, np.int64(WIDE - 1))
        qty_points = points >> np.uint64(qty_at)
        qty_length = lowest_bit(others >> np.uint64(qty_at))
        px_whole = min(lowest_bit(points), px_length)
        qty_whole = min(lowest_bit(qty_points), qty_length)
        px = short_steps(frame, p, px_whole, px_length, px_steps)
        qty = short_steps(frame, p + qty_at, qty_whole, qty_length, qty_steps)
        end = p + qty_at + qty_length
        good = (px > 0) & (qty >= 0) & (load8(frame, end) == shut_byte)
        good &= lowest_bit(next_bits(points)) >= px_length
        good &= lowest_bit(next_bits(qty_points)) >= qty_length
        good &= stands(frame, p + px_length, words[0], masks[0])
        good &= stands(frame, p + px_length + 8, words[1], masks[1])
        good &= stands(frame, p + px_length + 16, words[2], masks[2])
        good &= stands(frame, p + px_length + 24, words[3], masks[3])
        good &= stands(frame, end, shut, shut_mask)
        byte = load8(frame, end + shut_length)
        if not (good & ((byte == _COMMA) | (byte == _SHUT))):
            break
        put_words(out, count, time, ts_local_ns, px, qty, seq, ref, who, flags)
        count += 1
        i = end + shut_length + 1
        if byte == _SHUT:
            return count, i, np.int64(1)
    return count, i, np.int64(0)
