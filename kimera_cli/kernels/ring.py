"""Single-producer/single-consumer ring over shared memory.

Two indices count slots for ever: `tail` is what the producer has published, `head` what the
consumer has taken; a slot's place is its index modulo the capacity, a power of two. Each index lies
on lines of its own and has one writer. Each side keeps a RING_END in memory of its own: its index,
and the other's as last read, which is read again only when it does not suffice (Lamport 1977;
cached indices: Lee et al. 2009, "MCRingBuffer"). So a side that finds the ring neither full nor
empty touches no line that the other writes, but for the slots.

The producer writes slots, then publishes with `store_release`; the consumer reads the index with
`load_acquire`, then the slots, and gives them back with `store_release`, which the producer's
`load_acquire` sees before it writes there again. A process killed anywhere leaves two whole
indices: what was published is there, what was not is not.

A slot is a whole number of 64-byte lines (layouts.EVENT: one). Sources and targets are addresses;
in place: `array_at(end.slots, end.capacity, EVENT)[(end.position + i) & (end.capacity - 1)]` after
`ring_room` or `ring_ready`, then `ring_publish` or `ring_release`. Counts are returned;
RING_BROKEN when the other's index is one that it cannot have (a damaged file, a second writer).
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.fence import copy_lines, load_acquire, pause, store_release
from kimera_cli.kernels.pointers import array_at

RING_BROKEN = -1

RING_END = np.dtype(
    [
        ("own", "i8"),  # address of the index that this side publishes
        ("other", "i8"),  # address of the other side's index
        ("slots", "i8"),  # address of slot 0
        ("capacity", "i8"),  # slots, a power of two
        ("lines", "i8"),  # 64-byte lines of a slot
        ("position", "i8"),  # own index
        ("seen", "i8"),  # the other's index as last read
        ("waits", "i8"),  # how often there was too little after reading the other's index
    ],
    align=True,
)
"""One side of a ring, in its process's own memory; 64 bytes. Made by kimera_cli/shm/ring.py."""


@kernel
def ring_room(end, wanted):
    """Return how many slots the producer may write; looks again only when fewer than `wanted`."""
    free = end.capacity - (end.position - end.seen)
    if free >= wanted:
        return free
    head = load_acquire(end.other)
    free = end.capacity - (end.position - head)
    if head < end.seen or free > end.capacity:
        return np.int64(RING_BROKEN)
    end.seen = head
    if free < wanted:
        end.waits += 1
    return free


@kernel
def ring_publish(end, n):
    """Publish n slots that the producer has written."""
    end.position += n
    store_release(end.own, end.position)


@kernel
def ring_push(end, source, n):
    """Copy up to n slots from `source` into the ring and publish them; return how many."""
    room = ring_room(end, n)
    n = min(n, room)
    if n <= 0:
        return n
    at = end.position & (end.capacity - 1)
    first = min(n, end.capacity - at)
    size = end.lines << 6
    copy_lines(end.slots + at * size, source, first * end.lines)
    if first < n:
        copy_lines(end.slots, source + first * size, (n - first) * end.lines)
    ring_publish(end, n)
    return n


@kernel
def ring_ready(end, wanted):
    """Return how many slots the consumer may read; looks again only when fewer than `wanted`."""
    ready = end.seen - end.position
    if ready >= wanted:
        return ready
    tail = load_acquire(end.other)
    ready = tail - end.position
    if tail < end.seen or ready > end.capacity:
        return np.int64(RING_BROKEN)
    end.seen = tail
    if ready < wanted:
        end.waits += 1
    return ready


@kernel
def ring_release(end, n):
    """Give n slots that the consumer has read back to the producer."""
    end.position += n
    store_release(end.own, end.position)


@kernel
def ring_peek(end, target, n):
    """Copy up to n slots from the ring to `target` without giving them back; return how many."""
    n = min(n, ring_ready(end, 1))
    if n <= 0:
        return n
    at = end.position & (end.capacity - 1)
    first = min(n, end.capacity - at)
    size = end.lines << 6
    copy_lines(target, end.slots + at * size, first * end.lines)
    if first < n:
        copy_lines(target + first * size, end.slots, (n - first) * end.lines)
    return n


@kernel
def ring_pop(end, target, n):
    """Copy up to n slots from the ring to `target` and give them back; return how many."""
    n = ring_peek(end, target, n)
    if n > 0:
        ring_release(end, n)
    return n


@kernel
def ring_wait(end, wanted, spins):
    """Spin until `wanted` slots are ready, at most `spins` times; return how many are."""
    ready = ring_ready(end, wanted)
    for _ in range(spins):
        if ready >= wanted or ready < 0:
            break
        pause()
        ready = ring_ready(end, wanted)
    return ready


# --- from Python: integers only, which cost little at the border ---------------------------------
@kernel
def push_at(end, source, n):
    """`ring_push` on the RING_END at an address."""
    return ring_push(array_at(end, 1, RING_END)[0], source, n)


@kernel
def peek_at(end, target, n):
    """`ring_peek` on the RING_END at an address."""
    return ring_peek(array_at(end, 1, RING_END)[0], target, n)


@kernel
def pop_at(end, target, n):
    """`ring_pop` on the RING_END at an address."""
    return ring_pop(array_at(end, 1, RING_END)[0], target, n)


@kernel
def release_at(end, n):
    """`ring_release` on the RING_END at an address."""
    ring_release(array_at(end, 1, RING_END)[0], n)


@kernel
def ready_at(end):
    """Return how many slots the consumer could read now, by the RING_END at an address."""
    e = array_at(end, 1, RING_END)[0]
    return ring_ready(e, e.seen - e.position + 1)


@kernel
def room_at(end):
    """Return how many slots the producer could write now, by the RING_END at an address."""
    e = array_at(end, 1, RING_END)[0]
    return ring_room(e, e.capacity - (e.position - e.seen) + 1)


@kernel
def wait_at(end, wanted, spins):
    """`ring_wait` on the RING_END at an address."""
    return ring_wait(array_at(end, 1, RING_END)[0], wanted, spins)
