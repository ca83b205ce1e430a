"""Ask the processor to bring a cache line near before it is read; nothing when not compiled."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

_I8P = ir.IntType(8).as_pointer()
_I32 = ir.IntType(32)
_READ, _KEEP, _DATA = 0, 2, 1
"""Arguments of llvm.prefetch: for reading, into the second-level cache, data."""


def prefetch(address: Any) -> None:
    """Begin to load the line at `address` (an integer; one that is not mapped does no harm)."""


@intrinsic
def _prefetch(typing_context: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [_I8P, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        pointer = builder.inttoptr(args[0], _I8P)
        builder.call(
            function,
            [pointer, ir.Constant(_I32, _READ), ir.Constant(_I32, _KEEP), ir.Constant(_I32, _DATA)],
        )
        return context.get_dummy_value()

    return types.void(types.int64), generate


@overload(prefetch)
def _prefetch_compiled(address):
    return lambda address: _prefetch(address)
