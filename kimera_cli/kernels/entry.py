"""The way into the loop: one int64 array of addresses.

An array that Python hands to a kernel carries a reference count, and numba counts atomically
wherever a
row of it is passed on: measured, that was two thirds of the loop's time. Arrays made from addresses
carry
none. The caller keeps the memory alive (engine/arrays.py).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK
from kimera_cli.kernels.latency import prepare_feed
from kimera_cli.kernels.loop import turn_loop
from kimera_cli.kernels.state import (
    GATE,
    LOOP,
    MARKOUT,
    MESSAGE,
    OWN,
    REQUEST,
    SLEEVE,
    STRATEGY,
    STREAM,
)
from kimera_cli.layouts import EVENT, F_NO_EXCH_TIME, FEATURES, I64, INSTRUMENT, RECORD, VIEW

N_ARRAYS = 16
"""Arguments of turn_loop: one address and two lengths (rows, columns) each."""


@intrinsic
def _as_pointer(typing_context, address):
    """Return an integer as an untyped pointer."""

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(types.int64), generate


@kernel(types.int64(types.int64[::1]))
def _enter(a):
    return turn_loop(
        carray(_as_pointer(a[0]), a[1], LOOP),
        carray(_as_pointer(a[3]), a[4], GATE),
        carray(_as_pointer(a[6]), a[7], STREAM),
        carray(_as_pointer(a[9]), (a[10], a[11]), EVENT),
        carray(_as_pointer(a[12]), a[13], BOOK),
        carray(_as_pointer(a[15]), a[16], BOOK),
        carray(_as_pointer(a[18]), a[19], FEATURES),
        carray(_as_pointer(a[21]), a[22], INSTRUMENT),
        carray(_as_pointer(a[24]), (a[25], a[26]), OWN),
        carray(_as_pointer(a[27]), (a[28], a[29]), REQUEST),
        carray(_as_pointer(a[30]), a[31], MESSAGE),
        carray(_as_pointer(a[33]), (a[34], a[35]), MARKOUT),
        carray(_as_pointer(a[36]), a[37], VIEW),
        carray(_as_pointer(a[39]), a[40], SLEEVE),
        carray(_as_pointer(a[42]), a[43], STRATEGY),
        carray(_as_pointer(a[45]), a[46], RECORD),
    )


@kernel
def _enter_feed(a, k, start, stop, model, latency_ns, sigma, shift_ns):
    streams = carray(_as_pointer(a[6]), a[7], STREAM)
    buffers = carray(_as_pointer(a[9]), (a[10], a[11]), EVENT)
    return prepare_feed(
        buffers[k],
        start,
        stop,
        streams[k],
        streams[k],
        model,
        latency_ns,
        sigma,
        shift_ns,
        F_NO_EXCH_TIME,
    )


def addresses(arrays: tuple[Any, ...]) -> I64:
    """Return what `advance` needs to find the arrays, shape (3 * N_ARRAYS,). Valid while they
    live.
    """
    table = np.zeros((N_ARRAYS, 3), np.int64)
    for row, array in zip(table, arrays, strict=True):
        if not array.flags.c_contiguous:
            raise ValueError("expected C-contiguous arrays")
        row[0] = array.ctypes.data
        row[1 : 1 + array.ndim] = array.shape
    return table.ravel()


def advance(table: I64, arrays: tuple[Any, ...]) -> int:
    """Run the loop until it needs something; return why (kernels/state.py)."""
    if numba.config.DISABLE_JIT:
        return int(turn_loop(*(a.view(np.recarray) for a in arrays)))
    return int(_enter(table))


def prepare(
    table: I64,
    arrays: tuple[Any, ...],
    k: int,
    span: tuple[int, int],
    latency: tuple[int, int, float],
    shift_ns: int,
) -> int:
    """Put the feed latency (model, ns, sigma) on new events of stream k; see `prepare_feed`."""
    if numba.config.DISABLE_JIT:
        stream = arrays[2].view(np.recarray)[k]
        events = arrays[3][k].view(np.recarray)
        bad = prepare_feed(events, *span, stream, stream, *latency, shift_ns, F_NO_EXCH_TIME)
    else:
        bad = _enter_feed(table, k, *span, *latency, shift_ns)
    return int(bad)
