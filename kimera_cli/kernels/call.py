"""Calls a compiled strategy by its address.

Numba's own first-class functions do the same, but handing eight of them to a kernel costs 0.3 ms
each
time (they are unboxed one by one); an address is an integer, handed over once. The call itself is
the
same: numba's calling convention, exceptions travel on. Without compilation (NUMBA_DISABLE_JIT=1)
the
address is an index into a list of Python functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kimera_cli.kernels.strategy import STRATEGY_SIG

_PLAIN: list[Callable[[Any], int]] = []


def strategy_address(function: Callable[[Any], int]) -> int:
    """Return what `call_strategy` needs to call a function compiled to STRATEGY_SIG."""
    if numba.config.DISABLE_JIT:
        if function not in _PLAIN:
            _PLAIN.append(function)
        return _PLAIN.index(function)
    compiled = function.get_compile_result(STRATEGY_SIG)  # type: ignore[attr-defined]
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))


@intrinsic
def _call_address(typing_context, address, view):
    """Call the function at `address` with one VIEW record; return its int64."""

    def generate(context, builder, signature, arguments):
        view_type = STRATEGY_SIG.args[0]
        convention = context.call_conv
        function_type = convention.get_function_type(STRATEGY_SIG.return_type, (view_type,))
        pointer = builder.inttoptr(arguments[0], ir.PointerType(function_type))
        status, result = convention.call_function(
            builder, pointer, STRATEGY_SIG.return_type, (view_type,), [arguments[1]]
        )
        with cgutils.if_unlikely(builder, status.is_error):
            convention.return_status_propagate(builder, status)
        return result

    return STRATEGY_SIG.return_type(types.int64, STRATEGY_SIG.args[0]), generate


def _call_plain(address: int, view: Any) -> int:
    return _PLAIN[address](view)


call_strategy = _call_plain if numba.config.DISABLE_JIT else _call_address
