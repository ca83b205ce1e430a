"""The way from Python into the parse kernel: three integers, no arrays.

Handing three arrays to a kernel costs 0.3 us a call, a third of what reading a frame takes, and
makes numba count references in the loop. So `enter` is given the address of a table of addresses
(as kernels/entry.py does for the loop). The caller keeps the memory alive and checks that the
frame fits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.direct import direct
from kimera_cli.kernels.parse import read_frame
from kimera_cli.kernels.parse_layout import FEED
from kimera_cli.kernels.pointers import array_at
from kimera_cli.layouts import EVENT, I64


def table_of(feed: Any, frame: Any, out: Any) -> I64:
    """Return what `enter` needs to find the arrays, shape (6,). Valid while they live."""
    for array in (feed, frame, out):
        if not array.flags.c_contiguous:
            raise ValueError("expected C-contiguous arrays")
    rows = [(array.ctypes.data, len(array)) for array in (feed, frame, out)]
    return np.array(rows, np.int64).ravel()


_TAKES = types.int64(types.int64, types.int64, types.int64)


@kernel(_TAKES, nogil=False)
def _enter(address, n, ts_local_ns):
    """Call `read_frame` on the arrays of the table at `address`."""
    a = array_at(address, 6, np.int64)
    return read_frame(
        array_at(a[0], a[1], FEED)[0],
        array_at(a[2], a[3], np.uint8),
        n,
        ts_local_ns,
        array_at(a[4], a[5], EVENT),
    )


enter = direct(_enter, _TAKES)
"""`enter(address of the table, bytes of the frame, ts_local_ns)`."""
