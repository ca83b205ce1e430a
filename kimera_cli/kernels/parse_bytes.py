"""Eight bytes of a frame at a time: loads, digits, words. The primitives of the parse kernels.

Compiled, a load is one machine instruction without a bounds check. That no load leaves the buffer
is the callers' doing: a cursor never passes a byte that it did not accept, the byte behind the
frame is zero (`read_frame` writes it) and no accepted byte is zero, so a cursor stays at or below
the frame's length, and PAD bytes of buffer follow that. With `NUMBA_BOUNDSCHECK=1` every load is
made of checked byte reads instead; not compiled, the functions here are their own plain reference.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from kimera_cli.kernels.bits import cttz

PAD = 128
"""Bytes of buffer behind the largest frame: no load at a cursor reaches further."""

WIDE = 64
"""Bytes that masks tell of and `same_wide` compares."""

_M64 = (1 << 64) - 1
_ONES = 0x0101010101010101
_HIGH = 0x8080808080808080
_LOW7 = 0x7F7F7F7F7F7F7F7F
_ZEROS = 0x3030303030303030
_ABOVE_NINE = 0x7676767676767676
_GOLDEN = 0x9E3779B97F4A7C15


def load8(frame: Any, i: int) -> Any:
    """Return the byte at i."""
    return int(frame[i])


def load64(frame: Any, i: int) -> Any:
    """Return the eight bytes at i as a little-endian uint64: the first byte is the lowest."""
    return np.uint64(int.from_bytes(bytes(frame[i : i + 8]), "little"))


def digits_ahead(word: Any) -> Any:
    """Return how many of the word's bytes, from the first on, are ASCII digits (0 to 8)."""
    text = int(word).to_bytes(8, "little")
    return next((k for k in range(8) if not 48 <= text[k] <= 57), 8)


def spelled(word: Any, k: int) -> Any:
    """Return the number that the word's first k bytes spell, k from 1 to 8; if they are digits."""
    return sum((b & 15) * 10**p for p, b in enumerate(int(word).to_bytes(8, "little")[k - 1 :: -1]))


def digits_value(word: Any, k: int) -> Any:
    """Return the number that the word's first k bytes spell, 0 for none; they must be digits."""
    return spelled(word, k) if k else 0


def digit_mask(frame: Any, i: int) -> Any:
    """Return a uint64 whose bit k tells whether frame[i + k] is an ASCII digit, for 64 bytes."""
    return np.uint64(sum(1 << k for k in range(64) if 48 <= frame[i + k] <= 57))


def point_mask(frame: Any, i: int) -> Any:
    """Return a uint64 whose bit k tells whether frame[i + k] is a point, for 64 bytes."""
    return np.uint64(sum(1 << k for k in range(64) if frame[i + k] == 46))


def same_wide(frame: Any, i: int, j: int) -> Any:
    """Tell whether the WIDE bytes at i are those at j."""
    return bytes(frame[i : i + WIDE]) == bytes(frame[j : j + WIDE])


def lowest_bit(mask: Any) -> Any:
    """Return the index of the lowest set bit of a uint64; 64 when there is none."""
    value = int(mask)
    return (value & -value).bit_length() - 1 if value else 64


def next_bits(mask: Any) -> Any:
    """Return the mask without its lowest set bit."""
    return np.uint64(int(mask) & (int(mask) - 1) if mask else 0)


def find_byte(word: Any, byte: int) -> Any:
    """Return the index of the first byte of the word that equals `byte`; 8: there is none."""
    at = int(word).to_bytes(8, "little").find(int(byte))
    return at if at >= 0 else 8


def first_bytes(word: Any, k: int) -> Any:
    """Return the word with all but its first k bytes zeroed; k of 8 or more keeps all."""
    return np.uint64(int(word) & ((1 << 8 * max(0, min(8, int(k)))) - 1))


def mixed(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return a hash of four words, 0 to 255."""
    folded = int(a) ^ (int(b) << 7) ^ (int(c) << 19) ^ (int(d) << 31)
    return ((folded & _M64) * _GOLDEN & _M64) >> 56


def exact_steps(value: int, inverse: Any, shift: int, most: Any) -> Any:
    """Return value / divisor when that is whole, else -1 (Granlund and Montgomery 1994, sec. 9).

    `inverse` is that of the divisor's odd part modulo 2^64 (times the numerator, if any), `shift`
    its power of two, `most` the largest quotient. The product of what is no multiple, turned right
    by `shift`, is above every quotient.
    """
    turned = (int(value) * int(inverse)) & _M64
    turned = (turned >> int(shift)) | (turned << (64 - int(shift))) & _M64
    return turned if turned <= int(most) else -1


def _raw_load(bits: int) -> Any:
    @intrinsic
    def load(typing_context: Any, frame: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            word = ir.IntType(bits)
            at = builder.bitcast(builder.gep(data, [args[1]]), ir.PointerType(word))
            loaded = builder.load(at)
            loaded.align = 1
            return loaded if bits == 64 else builder.zext(loaded, ir.IntType(64))

        return (types.uint64 if bits == 64 else types.int64)(frame, types.intp), generate

    return load


def _raw_mask(first: int, last: int) -> Any:
    """Compare 64 bytes at once; LLVM makes of it what the processor has."""

    @intrinsic
    def mask(typing_context: Any, frame: Any, i: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, args[0]).data
            line = ir.VectorType(ir.IntType(8), 64)
            at = builder.bitcast(builder.gep(data, [args[1]]), ir.PointerType(line))
            loaded = builder.load(at)
            loaded.align = 1
            low, span = (ir.Constant(line, [value] * 64) for value in (first, last - first))
            inside = builder.icmp_unsigned("<=", builder.sub(loaded, low), span)
            return builder.bitcast(inside, ir.IntType(64))

        return types.uint64(frame, types.intp), generate

    return mask


@intrinsic
def _same_wide(typing_context, frame, i, j):
    """Compare 64 bytes with 64 others."""

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        line = ir.VectorType(ir.IntType(8), WIDE)
        loaded = [
            builder.load(builder.bitcast(builder.gep(data, [at]), ir.PointerType(line)), align=1)
            for at in args[1:]
        ]
        unlike = builder.bitcast(builder.icmp_unsigned("!=", *loaded), ir.IntType(WIDE))
        return builder.icmp_unsigned("==", unlike, ir.Constant(ir.IntType(WIDE), 0))

    return types.boolean(frame, types.intp, types.intp), generate


@intrinsic
def _lowest(typing_context, mask):
    """Count trailing zeros; 64 for nought."""

    def generate(context, builder, signature, args):
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word, ir.IntType(1)])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.cttz.i64")
        return builder.call(function, [args[0], ir.Constant(ir.IntType(1), 0)])

    return types.int64(types.uint64), generate


_raw8 = _raw_load(8)
_raw64 = _raw_load(64)
_raw_digits = _raw_mask(48, 57)
_raw_points = _raw_mask(46, 46)


@overload(load8)
def _load8(frame, i):
    if numba.config.BOUNDSCHECK:
        return lambda frame, i: np.int64(frame[i])
    return lambda frame, i: _raw8(frame, i)


@overload(load64)
def _load64(frame, i):
    def checked(frame, i):
        word = np.uint64(0)
        for k in range(8):
            word |= np.uint64(frame[i + k]) << np.uint64(8 * k)
        return word

    return checked if numba.config.BOUNDSCHECK else lambda frame, i: _raw64(frame, i)


@overload(digits_ahead)
def _digits_ahead(word):
    low7, above, high = np.uint64(_LOW7), np.uint64(_ABOVE_NINE), np.uint64(_HIGH)
    zeros = np.uint64(_ZEROS)

    def ahead(word):
        x = word ^ zeros
        other = (((x & low7) + above) | x) & high
        if other == np.uint64(0):
            return np.int64(8)
        return np.int64(cttz(other) >> np.uint64(3))

    return ahead


@overload(digits_value)
def _digits_value(word, k):
    return lambda word, k: spelled(word, k) if k > 0 else np.int64(0)


@overload(spelled)
def _spelled(word, k):
    nibbles, pairs, fours = (
        np.uint64(n) for n in (0x0F0F0F0F0F0F0F0F, 0x00FF00FF00FF00FF, 0x0000FFFF0000FFFF)
    )
    tens, hundreds, thousands = (np.uint64(n) for n in (2561, 6553601, 42949672960001))

    def value(word, k):
        x = (word << np.uint64(64 - 8 * k)) & nibbles
        x = ((x * tens) >> np.uint64(8)) & pairs
        x = ((x * hundreds) >> np.uint64(16)) & fours
        return np.int64((x * thousands) >> np.uint64(32))

    return value


@overload(digit_mask)
def _digit_mask(frame, i):
    return _checked_digits if numba.config.BOUNDSCHECK else lambda frame, i: _raw_digits(frame, i)


def _checked_digits(frame, i):
    mask = np.uint64(0)
    for k in range(64):
        mask |= np.uint64(48 <= frame[i + k] <= 57) << np.uint64(k)
    return mask


@overload(point_mask)
def _point_mask(frame, i):
    return _checked_points if numba.config.BOUNDSCHECK else lambda frame, i: _raw_points(frame, i)


def _checked_points(frame, i):
    mask = np.uint64(0)
    for k in range(64):
        mask |= np.uint64(frame[i + k] == 46) << np.uint64(k)
    return mask


@overload(same_wide)
def _same_wide_compiled(frame, i, j):
    if numba.config.BOUNDSCHECK:
        return _checked_same
    return lambda frame, i, j: _same_wide(frame, i, j)


def _checked_same(frame, i, j):
    same = True
    for k in range(WIDE):
        same &= frame[i + k] == frame[j + k]
    return same


@overload(lowest_bit)
def _lowest_bit(mask):
    return lambda mask: _lowest(mask)


@overload(next_bits)
def _next_bits(mask):
    return lambda mask: mask & (mask - np.uint64(1))


@overload(find_byte)
def _find_byte(word, byte):
    ones, high = np.uint64(_ONES), np.uint64(_HIGH)

    def find(word, byte):
        x = word ^ (np.uint64(byte) * ones)
        zero = (x - ones) & ~x & high
        if zero == np.uint64(0):
            return np.int64(8)
        return np.int64(cttz(zero) >> np.uint64(3))

    return find


@overload(first_bytes)
def _first_bytes(word, k):
    def first(word, k):
        if k >= 8:
            return word
        if k <= 0:
            return np.uint64(0)
        return word & ((np.uint64(1) << np.uint64(8 * k)) - np.uint64(1))

    return first


@overload(mixed)
def _mixed(a, b, c, d):
    factor = np.uint64(_GOLDEN)

    def mix(a, b, c, d):
        folded = a ^ (b << np.uint64(7)) ^ (c << np.uint64(19)) ^ (d << np.uint64(31))
        return np.int64((folded * factor) >> np.uint64(56))

    return mix


@overload(exact_steps)
def _exact_steps(value, inverse, shift, most):
    def steps(value, inverse, shift, most):
        x = np.uint64(value) * inverse
        right = np.uint64(shift)
        left = (np.uint64(64) - right) & np.uint64(63)
        turned = (x >> right) | (x << left)
        return np.int64(turned) if turned <= most else np.int64(-1)

    return steps
