"""Memory by its address: the way to hand arrays to a kernel as integers."""

from __future__ import annotations


from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


@intrinsic
def as_pointer(typing_context, address):
    """Return an integer as an untyped pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@intrinsic
def array_at(typing_context, address, shape, dtype):
    """Return the C-contiguous array of `dtype` at an address; `shape` is a tuple of int64.

    As numba.carray, but it compiles in kernels that keep no reference counts (kernels/_jit.py).
    The caller keeps the memory alive.
    """
    kind = types.Array(dtype.dtype, len(shape), "C")

    def generate(context, builder, signature, arguments):
        array = make_array(kind)(context, builder)
        lengths = cgutils.unpack_tuple(builder, arguments[1])
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

    return kind(types.int64, types.UniTuple(types.int64, len(shape)), dtype), generate


