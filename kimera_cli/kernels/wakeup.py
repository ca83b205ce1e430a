"""How late a thread wakes up, and how evenly events pass: what a quiet host is measured by.

Both loops read the clock themselves, so that neither Python nor its lock is in the figures. Where
nothing is compiled (NUMBA_DISABLE_JIT=1) they are the same loops in Python and much slower.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.book import BOOK_OK, book_clear, book_set
from kimera_cli.kernels.features import features_book, features_trade
from kimera_cli.kernels.tsc import system_ns
from kimera_cli.layouts import CLEAR, DEPTH, F_LAST, TRADE

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)
_ABSOLUTE = 1  # TIMER_ABSTIME of <time.h>
_SECOND = 1_000_000_000


def sleep_until(address: Any, clock_id: Any, due_ns: Any) -> Any:
    """Sleep until `due_ns` of a system clock, by the address of clock_nanosleep; 0 when done.

    Not 0 when a signal came first.
    """
    time.sleep(max(0, int(due_ns) - time.clock_gettime_ns(int(clock_id))) / 1e9)
    return np.int64(0)


@intrinsic
def _clock_nanosleep(typing_context, address, clock_id, seconds, nanoseconds):
    def generate(context, builder, signature, arguments):
        spec = cgutils.alloca_once(builder, ir.ArrayType(_I64, 2))
        pointer = ir.PointerType(ir.ArrayType(_I64, 2))
        whole = builder.insert_value(ir.Constant(ir.ArrayType(_I64, 2), None), arguments[2], 0)
        builder.store(builder.insert_value(whole, arguments[3], 1), spec)
        kind = ir.FunctionType(_I32, [_I32, _I32, pointer, pointer])
        function = builder.inttoptr(arguments[0], ir.PointerType(kind))
        clock = builder.trunc(arguments[1], _I32)
        nothing = ir.Constant(pointer, None)
        answer = builder.call(function, [clock, ir.Constant(_I32, _ABSOLUTE), spec, nothing])
        return builder.sext(answer, _I64)

    return types.int64(types.int64, types.int64, types.int64, types.int64), generate


@overload(sleep_until)
def _sleep_until_compiled(address, clock_id, due_ns):
    return lambda address, clock_id, due_ns: _clock_nanosleep(
        np.int64(address), np.int64(clock_id), due_ns // _SECOND, due_ns % _SECOND
    )


@kernel
def wakeups(now_address, sleep_address, clock_id, interval_ns, late):
    """Sleep to a moment each `interval_ns`; write ns from that moment to the wake-up into `late`.

    `late` has shape (n,), int64. Returns how many were measured: less than n after a signal. A
    moment that is already past when its turn comes is left out, not slept for late.
    """
    due = system_ns(now_address, clock_id) + interval_ns
    for i in range(late.shape[0]):
        if sleep_until(sleep_address, clock_id, due) != 0:
            return i
        now = system_ns(now_address, clock_id)
        late[i] = now - due
        due += interval_ns
        if due <= now:
            due = now + interval_ns
    return late.shape[0]


@kernel
def event_laps(now_address, clock_id, book, f, events, batch, laps):
    """Run events through book and features; write ns of each `batch` events into `laps`.

    `laps` has shape (n,), int64, n >= events / batch. Returns how many laps, or minus the book's
    status when a level could not be set. A lap holds one reading of the clock (about 20 ns).
    """
    n = 0
    begun = system_ns(now_address, clock_id)
    for i in range(events.shape[0]):
        event = events[i]
        if event.kind == DEPTH:
            status = book_set(book, event.side, event.px_ticks, event.qty_lots)
            if status != BOOK_OK:
                return -status
        elif event.kind == CLEAR:
            book_clear(book, event.side)
        elif event.kind == TRADE:
            features_trade(f, event.side, event.px_ticks, event.qty_lots, event.ts_local_ns)
        if event["flags"] & F_LAST != 0:
            features_book(f, book, event.ts_local_ns)
        if (i + 1) % batch == 0:
            now = system_ns(now_address, clock_id)
            laps[n] = now - begun
            n += 1
            begun = now
    return n
