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

SLACK = 32
"""`copy_text` moves 32 bytes at a time: so much more may be read and written behind the text."""
DIGITS = 19
"""The longest int64."""

PAIRS = np.frombuffer("".join(f"{i:02d}" for i in range(100)).encode(), np.uint8).copy()
POWERS = np.array([10**i for i in range(DIGITS)], np.int64)

DOT, ZERO = ord("."), ord("0")


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


@inner
def put_number(out, at, value):
    """Write value (at least 0) in decimal."""
    n = 1
    while n < DIGITS and value >= POWERS[n]:
        n += 1
    return put_digits(out, at, value, n)


@inner
def put_digits(out, at, value, n):
    """Write the last n decimal digits of value, with leading zeros."""
    left = np.uint64(value)
    place = at + n
    while place - at >= 2:
        rest = left // np.uint64(100)
        pair = np.int64(left - rest * np.uint64(100)) * 2
        out[place - 1] = PAIRS[pair + 1]
        out[place - 2] = PAIRS[pair]
        left = rest
        place -= 2
    if place > at:
        out[at] = ZERO + np.int64(left % np.uint64(10))
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
    at = put_digits(out, at + 1, fraction, digits)
    while out[at - 1] == ZERO:
        at -= 1
    return at
