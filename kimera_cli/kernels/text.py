"""Bytes into a buffer: copies, whole numbers, exact decimals.

Every writer takes the place to write at and returns the place after what it wrote. Room for all of
it plus SLACK bytes is the caller's promise (order_bytes.py proves it when a program is made).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.bits import ctlz, cttz

SLACK = 32
"""`copy_text` moves 32 bytes at a time: so much more may be read and written behind the text."""
DIGITS = 19
"""The longest int64."""

POWERS = np.array([10**i for i in range(DIGITS)], np.int64)
EIGHT = 8
TEN_8 = np.uint64(10**8)
DOT, ZERO = ord("."), ord("0")
ZEROS = np.uint64(0x3030303030303030)
LAST_BYTE = np.uint64(1 << 56)


@intrinsic
def _move_32(typing_context: Any, out: Any, at: Any, source: Any, begin: Any) -> Any:
    """Copy 32 bytes, all read before the first is written."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        many = ir.VectorType(ir.IntType(8), SLACK).as_pointer()
        to = context.make_array(signature.args[0])(context, builder, args[0]).data
        source = context.make_array(signature.args[2])(context, builder, args[2]).data
        loaded = builder.load(builder.bitcast(builder.gep(source, [args[3]]), many), align=1)
        builder.store(loaded, builder.bitcast(builder.gep(to, [args[1]]), many), align=1)
        return context.get_dummy_value()

    return types.void(out, types.intp, source, types.intp), generate


def _move(out: Any, at: Any, source: Any, begin: Any) -> None:
    out[at : at + SLACK] = source[begin : begin + SLACK].copy()


@overload(_move)
def _move_compiled(out, at, source, begin):
    return lambda out, at, source, begin: _move_32(out, at, source, begin)


@inner
def copy_text(out, at, source, begin, n):
    """Copy source[begin : begin + n] to out[at:]; a later place of the same buffer will do."""
    done = np.int64(0)
    while done < n:
        _move(out, at + done, source, begin + done)
        done += 32
    return at + n


def _store_word(*, swapped: bool) -> Any:
    """Return an intrinsic that writes the eight bytes of a word, unaligned."""

    @intrinsic
    def store(typing_context: Any, out: Any, at: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            to = context.make_array(signature.args[0])(context, builder, args[0]).data
            place = builder.bitcast(builder.gep(to, [args[1]]), ir.IntType(64).as_pointer())
            value = builder.bswap(args[2]) if swapped else args[2]
            builder.store(value, place, align=1)
            return context.get_dummy_value()

        return types.void(out, types.intp, types.uint64), generate

    return store


_store_low_first = _store_word(swapped=False)
_store_high_first = _store_word(swapped=True)


def put_word(out: Any, at: Any, word: Any) -> None:
    """Write the eight bytes of a uint64, the lowest first."""
    out[at : at + EIGHT] = np.frombuffer(int(word).to_bytes(EIGHT, "little"), np.uint8)


@overload(put_word)
def _put_word_compiled(out, at, word):
    return lambda out, at, word: _store_low_first(out, at, word)


def put_word_big(out: Any, at: Any, word: Any) -> None:
    """Write the eight bytes of a uint64, the highest first."""
    out[at : at + EIGHT] = np.frombuffer(int(word).to_bytes(EIGHT, "big"), np.uint8)


@overload(put_word_big)
def _put_word_big_compiled(out, at, word):
    return lambda out, at, word: _store_high_first(out, at, word)


@inner
def _eight(value):
    """Return the eight digits of a value below 10^8 as the bytes of a word, the first the lowest.

    Halves, quarters and eighths are split at once, by multiplying with rounded reciprocals that are
    exact in their range: 5243 / 2^19 for x // 100 below 10^4, 103 / 2^10 for x // 10 below 100.
    """
    high = value // np.uint64(10_000)
    word = high | ((value - high * np.uint64(10_000)) << np.uint64(32))
    part = ((word * np.uint64(5_243)) >> np.uint64(19)) & np.uint64(0x0000_007F_0000_007F)
    word = part | ((word - part * np.uint64(100)) << np.uint64(16))
    part = ((word * np.uint64(103)) >> np.uint64(10)) & np.uint64(0x000F_000F_000F_000F)
    return part | ((word - part * np.uint64(10)) << np.uint64(8))


@inner
def eight_digits(value):
    """Return a value below 10^8 as eight characters for `put_word`, with leading zeros."""
    return _eight(value) | ZEROS


@inner
def put_number(out, at, value):
    """Write value (at least 0) in decimal. Up to 8 bytes behind it are written over."""
    left = np.uint64(value)
    if left < TEN_8:
        return _put_first(out, at, left)
    top = left // TEN_8
    if top < TEN_8:
        at = _put_first(out, at, top)
    else:
        most = top // TEN_8
        at = _put_first(out, at, most)
        put_word(out, at, _eight(top - most * TEN_8) | ZEROS)
        at += EIGHT
    put_word(out, at, _eight(left - top * TEN_8) | ZEROS)
    return at + EIGHT


@inner
def _put_first(out, at, value):
    """Write a value below 10^8 without leading zeros."""
    word = _eight(value)
    skipped = np.int64(cttz(word | LAST_BYTE)) >> 3
    put_word(out, at, (word | ZEROS) >> np.uint64(8 * skipped))
    return at + EIGHT - skipped


@inner
def put_digits(out, at, value, n):
    """Write the last n decimal digits of value, with leading zeros. 8 bytes are written over."""
    left = np.uint64(value)
    place = at + n
    while place - at >= EIGHT:
        rest = left // TEN_8
        place -= EIGHT
        put_word(out, place, _eight(left - rest * TEN_8) | ZEROS)
        left = rest
    some = place - at
    if some > 0:
        word = (_eight(left % TEN_8) | ZEROS) >> np.uint64(8 * (EIGHT - some))
        for i in range(some):
            out[at + i] = (word >> np.uint64(8 * i)) & np.uint64(255)
    return at + n


@inner
def put_steps(out, at, steps, multiple, digits):
    """Write steps x multiple / 10^digits as an exact decimal without trailing zeros.

    `steps` x `multiple` must fit int64: the caller holds steps to a limit.
    """
    value = steps * multiple
    if digits == 0:
        return put_number(out, at, value)
    whole = value // POWERS[digits]
    fraction = value - whole * POWERS[digits]
    at = put_number(out, at, whole)
    if fraction == 0:
        return at
    out[at] = DOT
    if digits > EIGHT:
        at = put_digits(out, at + 1, fraction, digits)
        while out[at - 1] == ZERO:
            at -= 1
        return at
    word = _eight(np.uint64(fraction)) >> np.uint64(8 * (EIGHT - digits))
    put_word(out, at + 1, word | ZEROS)
    return at + 1 + EIGHT - (np.int64(ctlz(word)) >> 3)
