"""The short way from Python into a kernel.

Numba's dispatcher looks at the type of every argument of every call to choose a version; a kernel
with one signature has nothing to choose, and `direct` gives the compiled entry itself. It converts
its arguments (TypeError or OverflowError for what is no int64) and saves 80 to 100 ns of 200. A
kernel that is done within a microsecond also keeps the interpreter's lock (`nogil=False`): giving
it up costs 30 ns, and getting it back may cost milliseconds when another thread has taken it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def direct(function: Any, signature: Any) -> Callable[..., int]:
    """Return the entry of a kernel for one signature of integers; not compiled, the function."""
    if numba.config.DISABLE_JIT:
        return function  # type: ignore[no-any-return]
    return function.get_compile_result(signature).entry_point  # type: ignore[no-any-return]
