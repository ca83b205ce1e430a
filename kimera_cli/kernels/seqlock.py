"""State records that one process writes and many read: a reader never sees a torn one.

A slot is a version word on a line of its own and two copies of the record, each led by the time it
was written. Version v says that copy v & 1 is whole; the writer fills the other copy, then stores
v + 1. A reader copies and looks at the version again: when it moved, it reads anew. So the reader
fails only against a writer that writes twice during each of its copies, and a writer that is killed
half-way leaves its last whole record behind, where a lock word left odd would leave none.
Orders as in Boehm 2012 ("Can seqlocks get along with programming language memory models?").
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.fence import (
    fence_acquire,
    fence_release,
    get_words,
    load_acquire,
    load_relaxed,
    put_words,
    store_relaxed,
    store_release,
)

STATE_EMPTY = 0
"""Never written."""
STATE_BUSY = -1
"""The writer was faster than every try."""

STATE_LEAD = 64
"""Bytes before the first copy."""


@kernel
def state_write(slot, source, words, stride, ts_ns):
    """Write a record of `words` from `source`; `stride` is the bytes of one copy. One writer."""
    version = load_relaxed(slot) + 1
    copy = slot + STATE_LEAD + (version & 1) * stride
    fence_release()
    store_relaxed(copy, ts_ns)
    put_words(copy + 8, source, words)
    store_release(slot, version)


@kernel
def state_read(slot, target, words, stride, tries):
    """Copy time and record (1 + words) to `target`; return the version, STATE_EMPTY or STATE_BUSY.

    The version counts writes.
    """
    for _ in range(tries):
        version = load_acquire(slot)
        if version == 0:
            return np.int64(STATE_EMPTY)
        get_words(target, slot + STATE_LEAD + (version & 1) * stride, words + 1)
        fence_acquire()
        if load_relaxed(slot) == version:
            return version
    return np.int64(STATE_BUSY)
