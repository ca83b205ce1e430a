"""An EVENT as the eight words of its cache line, written at once.

Field by field an event is thirteen stores; most of its fields are the same for all levels of a
message, so they are put together once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.parse_layout import (
    FULL,
    MESSAGE_BOOK,
    MESSAGE_CHECKSUM,
    MESSAGE_CHECKSUM_DECIMALS,
    MESSAGE_FILL,
    MESSAGE_FOLLOWS,
    MESSAGE_RESTART,
    MESSAGE_REVERSE,
    REG_CHECKSUM,
    REG_NEWEST,
    REG_REF,
    REG_SEQ,
    REG_TIME,
    RULE,
    SHAPE,
)
from kimera_cli.layouts import CHECKSUM, CLEAR, EVENT, F_LAST, F_NO_EXCH_TIME, NO_SIDE, STATUS

_WORDS = 8
_FIELDS: Mapping[str, Any] = EVENT.fields or {}
_INSTRUMENT, _VENUE, _KIND, _SIDE = (
    8 * (_FIELDS[name][1] - 6 * 8) for name in ("instrument", "venue", "kind", "side")
)
"""Bit of the seventh word at which each of these begins; `flags` begins the eighth."""


@part
def identity(instrument, venue, kind, side):
    """Return the seventh word of an event."""
    return (instrument << _INSTRUMENT) | (venue << _VENUE) | (kind << _KIND) | (side << _SIDE)


def put_words(
    out: Any,
    k: int,
    ts: int,
    local: int,
    px: int,
    qty: int,
    seq: int,
    ref: int,
    who: int,
    flags: int,
) -> None:
    """Write event k of `out`; k must be below its length. reserved and aux become 0."""
    row = out.view(np.ndarray).view(np.int64).reshape(-1, _WORDS)[k]
    row[:] = (ts, local, px, qty, seq, ref, who, flags)


@intrinsic
def _store(typing_context, out, k, words):
    """Store eight int64 at event k."""

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        word = ir.IntType(64)
        base = builder.bitcast(data, ir.PointerType(word))
        first = builder.mul(args[1], ir.Constant(word, _WORDS))
        for place in range(_WORDS):
            at = builder.gep(base, [builder.add(first, ir.Constant(word, place))])
            builder.store(builder.extract_value(args[2], place), at).align = 8
        return context.get_dummy_value()

    return types.void(out, types.int64, types.UniTuple(types.int64, _WORDS)), generate


@overload(put_words)
def _put_words(out, k, ts, local, px, qty, seq, ref, who, flags):
    checked = numba.config.BOUNDSCHECK

    def put(out, k, ts, local, px, qty, seq, ref, who, flags):
        if checked:
            out[k].aux = 0
        words = (
            np.int64(ts),
            np.int64(local),
            np.int64(px),
            np.int64(qty),
            np.int64(seq),
            np.int64(ref),
            np.int64(who),
            np.int64(flags),
        )
        _store(out, k, words)

    return put


@part
def put_event(out, k, feed, instrument, kind, side, px_ticks, qty_lots, flags, ts_local_ns):
    """Write event k with what is known while its message is read."""
    registers = feed.registers
    who = identity(instrument, feed.venue, kind, side)
    time, seq, ref = registers[REG_TIME], registers[REG_SEQ], registers[REG_REF]
    put_words(out, k, time, ts_local_ns, px_ticks, qty_lots, seq, ref, who, flags)


@inner
def finish(feed, symbol, message, ts_local_ns, out, count):
    """Complete the events of a message; return how many they are, or -reason."""
    registers = feed.registers
    if message & MESSAGE_RESTART and registers[REG_SEQ] == 1:
        return np.int64(-RULE)
    needed = count + (1 if message & MESSAGE_CHECKSUM else 0)
    if needed > out.shape[0] or out.shape[0] == 0:
        return np.int64(-FULL)
    if count == 0:
        if message & MESSAGE_BOOK == 0:
            return np.int64(-SHAPE)
        put_event(out, 0, feed, symbol.instrument, STATUS, NO_SIDE, 0, 0, 0, ts_local_ns)
        count += 1
    time, seq, ref = registers[REG_TIME], registers[REG_SEQ], registers[REG_REF]
    if registers[REG_NEWEST] > 0:
        time = registers[REG_NEWEST]
        registers[REG_TIME] = time
    if message & MESSAGE_FOLLOWS:
        ref = seq - 1
    if message & (MESSAGE_FILL | MESSAGE_FOLLOWS):
        for k in range(count):
            event = out[k]
            event.ts_exch_ns = time
            event.seq = seq
            event.ref = ref
    if out[0].kind == CLEAR:
        out[0].ref = 0
    if message & MESSAGE_REVERSE and count > 1:
        if count >= out.shape[0]:
            return np.int64(-FULL)
        for k in range(count // 2):
            out[count] = out[k]
            out[k] = out[count - 1 - k]
            out[count - 1 - k] = out[count]
    told = registers[REG_CHECKSUM] != 0 or message & MESSAGE_CHECKSUM_DECIMALS
    if message & MESSAGE_CHECKSUM and told:
        if count >= out.shape[0]:
            return np.int64(-FULL)
        crc = registers[REG_CHECKSUM]
        put_event(out, count, feed, symbol.instrument, CHECKSUM, NO_SIDE, 0, crc, 0, ts_local_ns)
        event = out[count]
        event.ref = 0
        if message & MESSAGE_CHECKSUM_DECIMALS:
            event.px_ticks = symbol.px_decimals
            event.ref = symbol.qty_decimals
        count += 1
    if time == 0:
        for k in range(count):
            out[k].ts_exch_ns = ts_local_ns
            out[k]["flags"] |= F_NO_EXCH_TIME
    out[count - 1]["flags"] |= F_LAST
    return np.int64(count)
