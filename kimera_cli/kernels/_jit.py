"""The one way a kernel is compiled.

`cache=True` keeps machine code between processes. `error_model="numpy"` gives inf and nan where
Python
would raise, because a kernel cannot. Never `fastmath` (it licenses ignoring NaN) and never
`parallel`.
A kernel keeps no reference counts (`_nrt`), because it allocates nothing: numba would count each
view of an array, a function call that costs as much as the work (a third of the loop's time). What
allocates does not compile; strategies of users are no kernels and may.
Checks live once in the wrapper; `NUMBA_BOUNDSCHECK=1` in the tests proves that no index leaves its
array.

Numba does not see edits in imported modules, so the cache folder of a kernel carries a hash of its
own module and of every kernel module below it: an edit compiles anew what depends on it, nothing
else, and nothing stale is ever run.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.errors import NumbaExperimentalFeatureWarning
from numba.core.types.misc import unliteral

F = TypeVar("F", bound=Callable[..., Any])


_HERE = Path(__file__).parent
_IMPORT = re.compile(r"^\s*(?:from|import) kimera_cli\.kernels\.(\w+)", re.MULTILINE)


@cache
def _imports(name: str) -> frozenset[str]:
    """Return the kernel modules that kernels/NAME.py names in its imports."""
    text = (_HERE / f"{name}.py").read_text()
    return frozenset(_IMPORT.findall(text))


@cache
def source_hash(module: str = "") -> str:
    """Return 12 hex digits over the sources that a kernel module is compiled from.

    These are layouts.py, this file, the module and all kernel modules below it; without a module
    every kernel there is.
    """
    wanted = {module, "_jit"} if module else {path.stem for path in _HERE.glob("*.py")}
    new = set(wanted)
    while new:
        new = set().union(*(_imports(name) for name in new)) - wanted
        wanted |= new
    digest = hashlib.sha256(numba.__version__.encode())
    for path in [_HERE.parent / "layouts.py", *(_HERE / f"{name}.py" for name in sorted(wanted))]:
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _cache_root() -> Path:
    base = (
        os.environ.get("KIMERA_CACHE")
        or os.environ.get("XDG_CACHE_HOME")
        or str(Path.home() / ".cache")
    )
    return Path(base) / "kimera"


CACHE_ROOT = Path(os.environ.get("NUMBA_CACHE_DIR") or _cache_root())
"""Where machine code is kept; numba's own variable wins."""
_OWN_CACHE = not os.environ.get("NUMBA_CACHE_DIR")

if _OWN_CACHE:  # for what is compiled elsewhere and calls kernels: strategies
    numba.config.CACHE_DIR = str(CACHE_ROOT / f"numba-{source_hash()}")


def _compile(function: Callable[..., Any], args: tuple[Any, ...], settings: dict[str, Any]) -> Any:
    """Compile with the cache folder of the function's module; numba reads it while it decorates."""
    package, _, module = function.__module__.rpartition(".")
    if package != "kimera_cli.kernels":
        return numba.njit(*args, **settings)(function)
    settings.setdefault("_nrt", False)
    if not _OWN_CACHE:
        return numba.njit(*args, **settings)(function)
    kept = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_ROOT / f"kernels-{source_hash(module)}")
    try:
        return numba.njit(*args, **settings)(function)
    finally:
        numba.config.CACHE_DIR = kept


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
        return _without_literals(_compile(args[0], (), settings))
    return lambda function: _without_literals(_compile(function, args, settings))


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
