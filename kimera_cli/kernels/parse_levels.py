"""Lists of price levels to DEPTH events, most of the bytes that a venue sends."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.parse_bytes import (
    digit_mask,
    load8,
    lowest_bit,
    next_bits,
    point_mask,
)
from kimera_cli.kernels.parse_event import identity, put_words
from kimera_cli.kernels.parse_json import exponent_steps
from kimera_cli.kernels.parse_layout import FULL, PRICE, REG_REF, REG_SEQ, REG_TIME, SHAPE
from kimera_cli.kernels.parse_match import stands
from kimera_cli.kernels.parse_number import decimal_steps, short_steps, unsigned_integer
from kimera_cli.layouts import DEPTH

_OPEN, _SHUT = 91, 93
_SEEN = 63
"""Bytes from the first digit of a price on that the masks tell of."""


@inner
def read_levels(feed, frame, i, op, symbol, flags, ts_local_ns, out, count):
    """Read a list of levels at i as DEPTH events behind out[:count].

    Return (count or -reason, cursor).
    """
    words, masks = op.words, op.masks
    shut, shut_mask = words[6], masks[6]
    shut_byte = np.int64(shut & np.uint64(255))
    start = np.int64(load8(frame, i) == _OPEN and load8(frame, i + 1) == _SHUT)
    if start:
        return count, i + 2
    if not (stands(frame, i, words[0], masks[0]) and stands(frame, i + 8, words[1], masks[1])):
        return np.int64(-SHAPE), i
    i += op.length
    mid, mid_mask, mid_length = words[2], masks[2], op.b
    between, between_mask = words[4], masks[4]
    behind, behind_mask, between_length = words[5], masks[5], op.c
    px_steps, qty_steps = symbol.px, symbol.qty
    who = identity(symbol.instrument, feed.venue, np.int64(DEPTH), op.a)
    registers = feed.registers
    time, seq, ref = registers[REG_TIME], registers[REG_SEQ], registers[REG_REF]
    room = np.int64(out.shape[0])
    while True:
        # Digits and points of the next 64 bytes tell where both numbers end
        begin = i
        points = point_mask(frame, i)
        others = ~(digit_mask(frame, i) | points)
        px_length = lowest_bit(others)
        qty_at = min(px_length + mid_length, np.int64(63))
        qty_points = points >> np.uint64(qty_at)
        qty_length = lowest_bit(others >> np.uint64(qty_at))
        px_whole = min(lowest_bit(points), px_length)
        qty_whole = min(lowest_bit(qty_points), qty_length)
        px = short_steps(frame, i, px_whole, px_length, px_steps)
        qty = short_steps(frame, i + qty_at, qty_whole, qty_length, qty_steps)
        if (
            (px > 0)
            & (qty >= 0)
            & stands(frame, i + px_length, mid, mid_mask)
            & (load8(frame, i + qty_at + qty_length) == shut_byte)
            & (lowest_bit(next_bits(points)) >= px_length)
            & (lowest_bit(next_bits(qty_points)) >= qty_length)
        ):
            i += qty_at + qty_length
        else:
            if op.exponents:
                px, i = exponent_steps(frame, i, px_steps)
            else:
                px, i = decimal_steps(frame, i, px_steps)
            if px <= 0:
                return (px if px < 0 else np.int64(-PRICE)), i
            if not stands(frame, i, mid, mid_mask):
                return np.int64(-SHAPE), i
            i += mid_length
            if op.exponents:
                qty, i = exponent_steps(frame, i, qty_steps)
            else:
                qty, i = decimal_steps(frame, i, qty_steps)
            if qty < 0:
                return qty, i
        if count >= room:
            return np.int64(-FULL), i
        put_words(out, count, time, ts_local_ns, px, qty, seq, ref, who, flags)
        count += 1
        if op.most:
            # OKX: ,"0","<number of orders>" behind price and size
            for _ in range(op.most):
                if not stands(frame, i, mid, mid_mask):
                    return np.int64(-SHAPE), i
                i += mid_length
                seen = min(i - begin, np.int64(_SEEN))
                digits = lowest_bit((others | points) >> np.uint64(seen))
                if digits > 0 and seen + digits < _SEEN:
                    i += digits
                else:
                    rest, i = unsigned_integer(frame, i)
                    if rest < 0:
                        return rest, i
        if stands(frame, i, between, between_mask) & (
            (between_length <= 8) | stands(frame, i + 8, behind, behind_mask)
        ):
            i += between_length
        elif stands(frame, i, shut, shut_mask):
            return count, i + op.d
        else:
            return np.int64(-SHAPE), i
