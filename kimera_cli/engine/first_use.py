"""Says that machine code is being made; it happens once per machine and version of the kernels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kimera_cli.diagnostics import Diagnostics

LABEL = "first run on this machine: compiling the loop, once: half a minute or so"


@contextlib.contextmanager
def compiling(diagnostics: Diagnostics) -> Iterator[None]:
    """Tell a person why the block takes long, unless it was gone through before.

    A mark in the cache of machine code says so; its name carries the hash of the kernels' sources.
    """
    mark = _mark()
    if mark is None or mark.exists():
        yield
        return
    with diagnostics.elapsed(LABEL):
        yield
    with contextlib.suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _mark() -> Path | None:
    """Return the file that says that all is compiled; None when nothing is compiled at all."""
    import numba

    from kimera_cli.kernels._jit import CACHE_ROOT, source_hash

    if numba.config.DISABLE_JIT:
        return None
    return CACHE_ROOT / f"run-{source_hash('entry')}.ready"
