"""One-to-many ring: the writer never waits, a reader that is too slow knows what it lost.

The writer announces in `claim` how far it is about to write, writes the slots, and publishes
`tail`. A reader copies slots below `tail` and then looks at `claim`: every slot below claim -
capacity may have been overwritten while it copied. If one of its own is, it drops what it copied,
counts what it did not deliver, and goes on near the newest. So no torn record is ever delivered,
whatever the writer does or wherever it is killed, and a reader writes nothing that anybody else
reads: it may map the file read-only. Slots are stored and loaded word by word with relaxed atomics
(Boehm 2012).
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
from kimera_cli.kernels.pointers import array_at

CAST_LOST = -1
"""The reader was overrun: `lost` has grown, and it goes on at its new place."""
CAST_BROKEN = -2
"""The writer's index is behind the reader's: another writer, or another file."""

CAST_END = np.dtype(
    [
        ("claim", "i8"),  # address of the index that the writer is about to reach
        ("tail", "i8"),  # address of the index that the writer has published
        ("slots", "i8"),  # address of slot 0
        ("capacity", "i8"),  # slots, a power of two
        ("words", "i8"),  # 64-bit words of a record
        ("stride", "i8"),  # bytes from slot to slot
        ("position", "i8"),  # index of the next slot to write or read
        ("lost", "i8"),  # reader: slots that it will never deliver
        ("overruns", "i8"),  # reader: how often it was overrun
        ("keep", "i8"),  # reader: how many of the newest slots to keep when it was overrun
        ("floor", "i8"),  # writer: what an earlier writer claimed and may have half written
        ("reserved", "i8", (5,)),
    ],
    align=True,
)
"""One end of a broadcast ring, in its process's own memory; 128 bytes."""


@kernel
def cast_write(end, source, n):
    """Publish n records from `source`; never waits. The records lie without gaps."""
    while n > 0:
        now = min(n, end.capacity >> 1)
        goal = end.position + now
        store_relaxed(end.claim, max(goal, end.floor))
        fence_release()
        for i in range(end.position, goal):
            slot = end.slots + (i & (end.capacity - 1)) * end.stride
            put_words(slot, source, end.words)
            source += end.words << 3
        store_release(end.tail, goal)
        end.position = goal
        n -= now


@kernel
def cast_skip(end, tail):
    """Give up what was overrun: count it, and go on at the newest slots."""
    goal = max(end.position, tail - end.keep)
    end.lost += goal - end.position
    end.overruns += 1
    end.position = goal
    return np.int64(CAST_LOST)


@kernel
def cast_read(end, target, n):
    """Copy up to n records to `target`; return how many, CAST_LOST or CAST_BROKEN."""
    tail = load_acquire(end.tail)
    ready = tail - end.position
    if ready < 0:
        return np.int64(CAST_BROKEN)
    if ready > end.capacity:
        return cast_skip(end, tail)
    n = min(n, ready)
    for i in range(end.position, end.position + n):
        slot = end.slots + (i & (end.capacity - 1)) * end.stride
        get_words(target, slot, end.words)
        target += end.words << 3
    fence_acquire()
    if end.position < load_relaxed(end.claim) - end.capacity:
        return cast_skip(end, load_acquire(end.tail))
    end.position += n
    return n


# --- from Python: integers only ------------------------------------------------------------------
@kernel
def cast_write_at(end, source, n):
    """`cast_write` on the CAST_END at an address."""
    cast_write(array_at(end, 1, CAST_END)[0], source, n)


@kernel
def cast_read_at(end, target, n):
    """`cast_read` on the CAST_END at an address."""
    return cast_read(array_at(end, 1, CAST_END)[0], target, n)
