"""The one way a kernel is compiled.

`cache=True` keeps machine code between processes. `error_model="numpy"` gives inf and nan where
Python
would raise, because a kernel cannot. Never `fastmath` (it licenses ignoring NaN) and never
`parallel`.
Checks live once in the wrapper; `NUMBA_BOUNDSCHECK=1` in the tests proves that no index leaves its
array.

Numba does not see edits in imported modules, so the cache folder's name carries a hash of every
kernel source: an edit anywhere compiles anew, and nothing stale is ever run.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.types.misc import unliteral

F = TypeVar("F", bound=Callable[..., Any])


def source_hash() -> str:
    """Return 12 hex digits over the sources that kernels are compiled from (kernels/ and
    layouts.py).
    """
    package = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for path in [package.parent / "layouts.py", *sorted(package.glob("*.py"))]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _default_cache_dir() -> Path:
    base = (
        os.environ.get("KIMERA_CACHE")
        or os.environ.get("XDG_CACHE_HOME")
        or str(Path.home() / ".cache")
    )
    return Path(base) / "kimera" / f"numba-{source_hash()}"


if not os.environ.get("NUMBA_CACHE_DIR"):
    numba.config.CACHE_DIR = str(_default_cache_dir())

# Strategies are first-class functions called by pointer: stable since numba 0.49, still labelled
# experimental.
warnings.filterwarnings("ignore", category=NumbaExperimentalFeatureWarning)


def kernel(*args: Any, **options: Any) -> Any:
    """Compile a kernel: `@kernel`, or `@kernel(signature)` to compile at once.

    Constant arguments do not make versions of their own: numba would compile `answer(..., R_FILL)`
    and `answer(..., R_CANCELLED)` twice, and the loop a third slower.
    """
    settings = {"cache": True, "error_model": "numpy", "fastmath": False, "nogil": True, **options}
    if len(args) == 1 and callable(args[0]) and not options:
        return _without_literals(numba.njit(**settings)(args[0]))
    decorate = numba.njit(*args, **settings)
    return lambda function: _without_literals(decorate(function))


def _without_literals(dispatcher: Any) -> Any:
    """Let calls from other kernels see plain int64 where they pass a constant."""
    if not numba.config.DISABLE_JIT:
        plain = dispatcher.get_call_template

        def template(args: Any, kws: Any) -> Any:
            return plain(
                tuple(unliteral(a) for a in args), {k: unliteral(a) for k, a in kws.items()}
            )

        dispatcher.get_call_template = template
    return dispatcher


def inner(function: F) -> F:
    """Compile a part of a larger kernel: only other kernels call it, so Python's wrappers are left
    out.

    They cost a third of the compile time of the loop (measured), which every first start pays.
    """
    return kernel(no_cpython_wrapper=True, no_cfunc_wrapper=True)(function)  # type: ignore[no-any-return]


def part(function: F) -> F:
    """Compile into the one kernel that calls it, before types are known.

    For what happens to every event, and for the outer shells of the loop: each level of kernels
    optimises all below it once more, which took 8 s a level.
    """
    return kernel(inline="always")(function)  # type: ignore[no-any-return]
