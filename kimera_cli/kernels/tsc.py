"""One monotonic clock inside kernels: the processor's time-stamp counter, or clock_gettime.

A reading is a number of ticks; `CLOCK.ns_per_tick` makes nanoseconds of a difference of two. Which
source is read, and the rate, are found by telemetry/clock.py: the counter is read only where it
runs at one rate in every power state, else `clock_gettime` is called by its address and a tick is
one nanosecond. Without compilation (NUMBA_DISABLE_JIT=1) a reading is Python's monotonic clock.

`ticks` does not wait for the instructions before it: the processor may read the counter up to a few
ns early. `ticks_after` waits until they have executed (rdtscp), and costs a few ns more.
"""

from __future__ import annotations

import platform
import time
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import kernel

HAS_COUNTER = platform.machine().lower() in ("x86_64", "amd64") and not numba.config.DISABLE_JIT
"""Whether kernels can read a time-stamp counter at all; elsewhere the instruction may trap."""

CLOCK = np.dtype(
    [
        ("tsc", "i8"),  # 1: ticks are the time-stamp counter's; 0: ns of clock_gettime
        ("address", "i8"),  # of clock_gettime
        ("clock_id", "i8"),  # CLOCK_MONOTONIC on this system
        ("ns_per_tick", "f8"),
        ("base_ticks", "i8"),
        ("base_ns", "i8"),  # the clock's time at base_ticks
        ("reserved", "i8", (2,)),
    ],
    align=True,
)
"""One calibrated clock; 64 bytes. Written by telemetry/clock.py, read by kernels."""

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


def counter() -> Any:
    """Return the counter now; without compilation ns of Python's monotonic clock."""
    return np.int64(time.monotonic_ns())


def counter_after() -> Any:
    """Return the counter once every earlier instruction has executed."""
    return np.int64(time.monotonic_ns())


def system_ns(address: Any, clock_id: Any) -> Any:
    """Return ns of the system's clock, by the address of clock_gettime; -1 when it fails."""
    return np.int64(time.clock_gettime_ns(int(clock_id)))


@intrinsic
def _rdtsc(typing_context):
    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_I64, [])
        read = cgutils.get_or_insert_function(builder.module, kind, "llvm.readcyclecounter")
        return builder.call(read, [])

    return types.int64(), generate


@intrinsic
def _rdtscp(typing_context):
    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.LiteralStructType([_I64, _I32]), [])
        read = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.rdtscp")
        return builder.extract_value(builder.call(read, []), 0)

    return types.int64(), generate


@intrinsic
def _clock_gettime(typing_context, address, clock_id):
    """Call clock_gettime with a timespec on the stack (two 64-bit words on every 64-bit system)."""

    def generate(context, builder, signature, arguments):
        spec = cgutils.alloca_once(builder, ir.ArrayType(_I64, 2))
        kind = ir.FunctionType(_I32, [_I32, ir.PointerType(ir.ArrayType(_I64, 2))])
        function = builder.inttoptr(arguments[0], ir.PointerType(kind))
        failed = builder.call(function, [builder.trunc(arguments[1], _I32), spec])
        seconds = builder.extract_value(builder.load(spec), 0)
        ns = builder.extract_value(builder.load(spec), 1)
        total = builder.add(builder.mul(seconds, ir.Constant(_I64, 1_000_000_000)), ns)
        bad = builder.icmp_signed("!=", failed, ir.Constant(_I32, 0))
        return builder.select(bad, ir.Constant(_I64, -1), total)

    return types.int64(types.int64, types.int64), generate


@overload(counter)
def _counter_compiled():
    if HAS_COUNTER:
        return lambda: _rdtsc()
    return lambda: np.int64(0)


@overload(counter_after)
def _counter_after_compiled():
    if HAS_COUNTER:
        return lambda: _rdtscp()
    return lambda: np.int64(0)


@overload(system_ns)
def _system_ns_compiled(address, clock_id):
    return lambda address, clock_id: _clock_gettime(np.int64(address), np.int64(clock_id))


@kernel
def ticks(clock):
    """Return the clock's reading now. `clock` has CLOCK's `tsc`, `address` and `clock_id`."""
    if clock.tsc != 0:
        return counter()
    return system_ns(clock.address, clock.clock_id)


@kernel
def ticks_after(clock):
    """Return the clock's reading once every earlier instruction has executed."""
    if clock.tsc != 0:
        return counter_after()
    return system_ns(clock.address, clock.clock_id)


@kernel
def ns_between(clock, before, after):
    """Return the nearest whole ns from one reading to a later one (0.5 is added, then cut off)."""
    return np.int64((after - before) * clock.ns_per_tick + 0.5)


@kernel
def now_ns(clock):
    """Return the calibrated monotonic time in ns (CLOCK_MONOTONIC within the stated error)."""
    return clock.base_ns + ns_between(clock, clock.base_ticks, ticks(clock))


@kernel
def read_pair(clock, tries, out):
    """Read counter and system clock as near together as `tries` attempts get.

    out, shape (3,) int64: ticks half-way, ns of the system clock, width of the attempt in ticks.
    The system's reading lies somewhere inside the width.
    """
    best = np.int64(1) << np.int64(62)
    for _ in range(tries):
        before = counter_after()
        ns = system_ns(clock.address, clock.clock_id)
        after = counter_after()
        if ns < 0:
            return False
        if 0 <= after - before < best:
            best = after - before
            out[0] = before + best // 2
            out[1] = ns
            out[2] = best
    return best < np.int64(1) << np.int64(62)
