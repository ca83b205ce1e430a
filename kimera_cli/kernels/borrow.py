"""Arrays without a reference count.

An array that Python hands to compiled code outside of kernels/ carries a reference count, and numba
counts atomically where the array is passed on: about 5 ns for each array and call.
`borrowed(array)` is the same memory without a count, so the caller must outlive it, as it does when
it borrows its own argument. Loops that are compiled in bench/ and tests/ begin with it. Kernels
keep no counts at all (kernels/_jit.py).
"""

from __future__ import annotations

from typing import Any

import numba
from numba.core import cgutils
from numba.extending import intrinsic


def _same(array: Any) -> Any:
    return array


@intrinsic
def _borrow(typing_context, array):
    """Return an array struct with the same data and no owner."""

    def generate(context, builder, signature, arguments):
        kind = signature.args[0]
        source = context.make_array(kind)(context, builder, arguments[0])
        made = context.make_array(kind)(context, builder)
        cgutils.copy_struct(made, source)
        made.meminfo = cgutils.get_null_value(made.meminfo.type)
        made.parent = cgutils.get_null_value(made.parent.type)
        return made._getvalue()

    return array(array), generate


borrowed = _same if numba.config.DISABLE_JIT else _borrow
"""Return the same array, not counted; when not compiled, the array itself."""
