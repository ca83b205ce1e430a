"""Makes the machine code of a command, once per machine and version of the kernels.

A process of its own does it and ends: the compiler keeps what it worked with, 340 MB after the loop
alone, and the run only loads what was made. So this comes before anything that imports the loop.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kimera_cli.diagnostics import Diagnostics

LABEL = "first run on this machine: compiling the loop, once: half a minute or so"
OTHER_LABEL = "first use on this machine: compiling what this needs, once: up to a minute"
LOOP = ("kimera_cli.kernels.entry",)
LIVE = (
    *LOOP,
    "kimera_cli.kernels.live_entry",
    "kimera_cli.kernels.order_bytes",
    "kimera_cli.feeds.lane",
)
"""Modules that compile when they are imported, or load what was compiled."""


def compile_first(diagnostics: Diagnostics, modules: Sequence[str] = LOOP) -> None:
    """Let modules be compiled, and tell a person why that takes long, unless it was done before.

    A mark in the cache of machine code says so; its name carries the hash of the kernels' sources.
    What stops the process will stop the run as well, and is said there.
    """
    mark = _mark(modules)
    if mark is None or mark.exists():
        return
    runs = tuple(modules) in (LOOP, LIVE)
    with diagnostics.elapsed(LABEL if runs else OTHER_LABEL):
        done = _apart(modules)
    if done:
        with contextlib.suppress(OSError):
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


def _apart(modules: Sequence[str]) -> bool:
    """Import the modules in a process of its own; return whether that went well."""
    from kimera_cli.engine.child import Child
    from kimera_cli.errors import KimeraError

    child = Child("compiling", load, (tuple(modules),), frozenset())
    try:
        return bool(child.result())
    except KimeraError:
        return False
    finally:
        child.stop()


def load(_wire: Any, modules: Sequence[str]) -> bool:
    """Import modules; runs in the process that compiles."""
    for name in modules:
        import_module(name)
    return True


def _mark(modules: Sequence[str]) -> Path | None:
    """Return the file that says that all is compiled; None when nothing is compiled at all."""
    import numba

    from kimera_cli.kernels._jit import CACHE_ROOT, source_hash

    if numba.config.DISABLE_JIT:
        return None
    wanted = tuple(modules)
    known = {LOOP: "run", LIVE: "live"}
    name = known.get(wanted) or wanted[-1].rpartition(".")[2]
    return CACHE_ROOT / f"{name}-{source_hash('entry' if wanted == LOOP else '')}.ready"
