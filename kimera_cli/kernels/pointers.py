"""Memory by its address: the way to hand arrays to a kernel as integers."""

from __future__ import annotations

import ctypes
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


def _array_in_python(address: Any, shape: Any, dtype: Any) -> Any:
    """Return the array when nothing is compiled."""
    lengths = tuple(int(n) for n in shape) if isinstance(shape, tuple) else (int(shape),)
    array = numba.carray(ctypes.c_void_p(int(address)), lengths, dtype)
    return array.view(np.recarray) if np.dtype(dtype).names else array


@intrinsic
def _array_in_kernel(typing_context, address, shape, dtype):
    """Return an array struct that has no owner."""
    several = isinstance(shape, types.BaseTuple)
    n = len(shape) if several else 1
    kind = types.Array(dtype.dtype, n, "C")

    def generate(context, builder, signature, arguments):
        array = make_array(kind)(context, builder)
        lengths = cgutils.unpack_tuple(builder, arguments[1]) if several else [arguments[1]]
        itemsize = cgutils.intp_t(context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        step, strides = itemsize, []
        for length in reversed(lengths):
            strides.insert(0, step)
            step = builder.mul(step, length)
        populate_array(
            array,
            data=builder.inttoptr(arguments[0], array.data.type),
            shape=lengths,
            strides=strides,
            itemsize=itemsize,
            meminfo=None,
        )
        return array._getvalue()

    taken = types.UniTuple(types.int64, n) if several else types.int64
    return kind(types.int64, taken, dtype), generate


array_at = _array_in_python if numba.config.DISABLE_JIT else _array_in_kernel
"""`array_at(address, shape, dtype)`: the C-contiguous array at an address; `shape` as in numpy.

As numba.carray, but it compiles in kernels, which keep no reference counts (kernels/_jit.py). The
caller keeps the memory alive.
"""
