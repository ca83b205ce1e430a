"""Memory that two processes share: ordered loads and stores, and fences.

An address is an int64. Words are int64 and lie on multiples of 8, so a load or a store of one is
never torn. The orders are those of C++11 and LLVM: what a thread wrote before `store_release` is
seen by a thread that read the stored value with `load_acquire`; `relaxed` promises only that the
word is whole. The two fences order relaxed accesses around them (Boehm 2012, "Can seqlocks get
along with programming language memory models?"). Without compilation (NUMBA_DISABLE_JIT=1) the same
functions go through ctypes; there the orders are those of the processor.

Nothing here checks an address: the wrappers in kimera_cli/shm do, once.
"""

from __future__ import annotations

import ctypes
import platform
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from kimera_cli.kernels._jit import part
from kimera_cli.kernels.pointers import array_at

LINE = np.dtype([("words", "i8", (8,))])
"""64 bytes, moved as one."""

_I64 = ir.IntType(64)
_WORD = ir.PointerType(_I64)
_HAS_PAUSE = platform.machine().lower() in ("x86_64", "amd64")


def load_acquire(address: Any) -> Any:
    """Return the word; what its writer did before `store_release` is seen after."""
    return np.int64(ctypes.c_int64.from_address(int(address)).value)


def load_relaxed(address: Any) -> Any:
    """Return the word, whole; no order."""
    return np.int64(ctypes.c_int64.from_address(int(address)).value)


def store_release(address: Any, value: Any) -> None:
    """Store the word after everything that came before."""
    ctypes.c_int64.from_address(int(address)).value = int(value)


def store_relaxed(address: Any, value: Any) -> None:
    """Store the word, whole; no order."""
    ctypes.c_int64.from_address(int(address)).value = int(value)


def fence_acquire() -> None:
    """Let no later access move before an earlier load."""


def fence_release() -> None:
    """Let no earlier access move after a later store."""


def pause() -> None:
    """Tell the processor that this is a spin loop (x86; elsewhere nothing)."""


def _load(order: str) -> Any:
    @intrinsic
    def load(typing_context, address):
        def generate(context, builder, signature, arguments):
            return builder.load_atomic(builder.inttoptr(arguments[0], _WORD), order, 8)

        return types.int64(types.int64), generate

    return load


def _store(order: str) -> Any:
    @intrinsic
    def store(typing_context, address, value):
        def generate(context, builder, signature, arguments):
            pointer = builder.inttoptr(arguments[0], _WORD)
            builder.store_atomic(arguments[1], pointer, order, 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return store


def _fence(order: str) -> Any:
    @intrinsic
    def fence(typing_context):
        def generate(context, builder, signature, arguments):
            builder.fence(order)
            return context.get_dummy_value()

        return types.void(), generate

    return fence


@intrinsic
def _pause(typing_context):
    def generate(context, builder, signature, arguments):
        if _HAS_PAUSE:
            kind = ir.FunctionType(ir.VoidType(), [])
            name = "llvm.x86.sse2.pause"
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.void(), generate


_load_acquire = _load("acquire")
_load_relaxed = _load("monotonic")
_store_release = _store("release")
_store_relaxed = _store("monotonic")
_fence_acquire = _fence("acquire")
_fence_release = _fence("release")


@overload(load_acquire)
def _load_acquire_compiled(address):
    return lambda address: _load_acquire(np.int64(address))


@overload(load_relaxed)
def _load_relaxed_compiled(address):
    return lambda address: _load_relaxed(np.int64(address))


@overload(store_release)
def _store_release_compiled(address, value):
    return lambda address, value: _store_release(np.int64(address), np.int64(value))


@overload(store_relaxed)
def _store_relaxed_compiled(address, value):
    return lambda address, value: _store_relaxed(np.int64(address), np.int64(value))


@overload(fence_acquire)
def _fence_acquire_compiled():
    return lambda: _fence_acquire()


@overload(fence_release)
def _fence_release_compiled():
    return lambda: _fence_release()


@overload(pause)
def _pause_compiled():
    return lambda: _pause()


@part
def copy_lines(target, source, n):
    """Copy n whole lines of 64 bytes between addresses; they must not overlap."""
    to = array_at(target, n, LINE)
    of = array_at(source, n, LINE)
    for i in range(n):
        to[i] = of[i]


@part
def put_words(target, source, words):
    """Store words at a shared address, each whole, in no order; `source` is private."""
    for i in range(words):
        store_relaxed(target + 8 * i, load_relaxed(source + 8 * i))


@part
def get_words(target, source, words):
    """Load words from a shared address, each whole, in no order; `target` is private."""
    for i in range(words):
        store_relaxed(target + 8 * i, load_relaxed(source + 8 * i))
