"""The way into the loop: one int64 array of addresses.

An array that Python hands to a kernel carries a reference count, and numba counts atomically
wherever a
row of it is passed on: measured, that was two thirds of the loop's time. Arrays made from addresses
carry
none. The caller keeps the memory alive (engine/arrays.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np
from numba import types

from kimera_cli.kernels._jit import kernel, part
from kimera_cli.kernels.book import BOOK
from kimera_cli.kernels.feed import refill
from kimera_cli.kernels.loop import turn_loop
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.stages import STAGES
from kimera_cli.kernels.state import (
    GATE,
    LOOP,
    MARKOUT,
    MESSAGE,
    NEED_DATA,
    OWN,
    REQUEST,
    SLEEVE,
    STRATEGY,
    STREAM,
)
from kimera_cli.layouts import EVENT, FEATURES, I64, INSTRUMENT, RECORD, VIEW

N_ARRAYS = 19
"""Arguments of turn_loop: one address and two lengths (rows, columns) each."""


@part
def _turns(a):
    return turn_loop(
        array_at(a[0], a[1], LOOP),
        array_at(a[3], a[4], GATE),
        array_at(a[6], a[7], STREAM),
        array_at(a[9], (a[10], a[11]), EVENT),
        array_at(a[12], a[13], BOOK),
        array_at(a[15], a[16], FEATURES),
        array_at(a[18], (a[19], a[20]), np.int64),
        array_at(a[21], (a[22], a[23]), FEATURES),
        array_at(a[24], a[25], FEATURES),
        array_at(a[27], a[28], INSTRUMENT),
        array_at(a[30], (a[31], a[32]), OWN),
        array_at(a[33], (a[34], a[35]), REQUEST),
        array_at(a[36], a[37], MESSAGE),
        array_at(a[39], (a[40], a[41]), MARKOUT),
        array_at(a[42], a[43], VIEW),
        array_at(a[45], a[46], SLEEVE),
        array_at(a[48], a[49], STRATEGY),
        array_at(a[51], a[52], RECORD),
        array_at(a[54], a[55], STAGES),
    )


@part
def _refill(a, k):
    stream = array_at(a[6], a[7], STREAM)[k]
    buffer = array_at(a[9], (a[10], a[11]), EVENT)[k]
    return refill(stream, buffer, array_at(stream.chunk_address, stream.chunk_n, EVENT))


@kernel(types.int64(types.int64[::1]))
def _enter(a):
    loop = array_at(a[0], a[1], LOOP)[0]
    while True:
        status = _turns(a)
        if status != NEED_DATA or _refill(a, loop.stream) <= 0:
            return status


@kernel(types.int64(types.int64[::1], types.int64))
def _enter_refill(a, k):
    return _refill(a, k)


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


def advance(table: I64, arrays: tuple[Any, ...], chunks: Sequence[Any]) -> int:
    """Run the loop until it needs something; return why (kernels/state.py)."""
    if not numba.config.DISABLE_JIT:
        return int(_enter(table))
    rows = tuple(a.view(np.recarray) for a in arrays)
    while True:
        status = int(turn_loop(*rows))
        if status != NEED_DATA or take_in(table, arrays, chunks, int(rows[0][0].stream)) <= 0:
            return status


def take_in(table: I64, arrays: tuple[Any, ...], chunks: Sequence[Any], k: int) -> int:
    """Move events of stream k's chunk into its buffer; return as `refill` does."""
    if not numba.config.DISABLE_JIT:
        return int(_enter_refill(table, k))
    stream = arrays[2].view(np.recarray)[k]
    return int(refill(stream, arrays[3][k].view(np.recarray), chunks[k].view(np.recarray)))
