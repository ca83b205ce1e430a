"""The way into the loop for what comes from outside; imported only by runs on live feeds.

Addresses are those of kernels/entry.py `addresses`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK
from kimera_cli.kernels.outside import TOLD, bring, take_live
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.state import LOOP, MARKOUT, MESSAGE, STREAM
from kimera_cli.layouts import EVENT, I64


@kernel(types.int64(types.int64[::1], types.int64, types.int64, types.int64, types.int64))
def _enter_events(a, address, n, first, origin):
    return take_live(
        array_at(a[6], a[7], STREAM),
        array_at(a[9], (a[10], a[11]), EVENT),
        array_at(address, n, EVENT),
        first,
        origin,
    )


@kernel(types.int64(types.int64[::1], types.int64))
def _enter_answer(a, address):
    return bring(
        array_at(a[0], a[1], LOOP)[0],
        array_at(a[6], a[7], STREAM),
        array_at(a[12], a[13], BOOK),
        array_at(a[36], a[37], MESSAGE),
        array_at(a[39], (a[40], a[41]), MARKOUT),
        array_at(address, 1, TOLD)[0],
    )


def take_events(table: I64, arrays: tuple[Any, ...], events: Any, first: int, origin: int) -> int:
    """Append live events to their streams' buffers; return as `take_live` does."""
    if not numba.config.DISABLE_JIT:
        return int(_enter_events(table, events.ctypes.data, len(events), first, origin))
    streams, buffers = (arrays[i].view(np.recarray) for i in (2, 3))
    return int(take_live(streams, buffers, events.view(np.recarray), first, origin))


def bring_answer(table: I64, arrays: tuple[Any, ...], told: Any) -> int:
    """Let one answer, shape (1,) of dtype TOLD, in; return 0, or an error when there is no room."""
    if not numba.config.DISABLE_JIT:
        return int(_enter_answer(table, told.ctypes.data))
    loop, *rows = (arrays[i].view(np.recarray) for i in (0, 2, 4, 12, 13))
    return int(bring(loop[0], *rows, told.view(np.recarray)[0]))
