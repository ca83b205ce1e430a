"""Counting zero bits: one machine instruction in a kernel, plain Python when not compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_I64 = ir.IntType(64)
_I1 = ir.IntType(1)


def ctlz(word: Any) -> Any:
    """Return the number of zero bits above the highest set bit of a uint64; word must not be 0."""
    return np.uint64(64 - int(word).bit_length())


def cttz(word: Any) -> Any:
    """Return the number of zero bits below the lowest set bit of a uint64; word must not be 0."""
    value = int(word)
    return np.uint64((value & -value).bit_length() - 1)


def _count_zeros(name: str) -> Any:
    @intrinsic
    def count(typing_context: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            kind = ir.FunctionType(_I64, [_I64, _I1])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            return builder.call(function, [args[0], ir.Constant(_I1, 1)])

        return types.uint64(types.uint64), generate

    return count


_ctlz = _count_zeros("llvm.ctlz.i64")
_cttz = _count_zeros("llvm.cttz.i64")


@overload(ctlz)
def _ctlz_compiled(word):
    return lambda word: _ctlz(np.uint64(word))


@overload(cttz)
def _cttz_compiled(word):
    return lambda word: _cttz(np.uint64(word))
