"""What the two sides of the ring's benchmark and of its stress test do: numbered, checked messages.

Message i carries i in `seq`, and in six further words a hash of (i, word): a slot that was torn,
repeated or skipped cannot pass. `light` messages have one hash in their last word, which costs the
consumer about what looking at a message costs. Every function returns how far it came, or the
negative status below; it returns early when it has spun LONG times, so that its caller can look
whether the other side still lives.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import kernel, part
from kimera_cli.kernels.fence import pause
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.ring import (
    RING_END,
    ring_publish,
    ring_ready,
    ring_release,
    ring_room,
)
from kimera_cli.kernels.seqlock import state_write
from kimera_cli.kernels.tsc import CLOCK, ticks

BROKEN = -1
"""The other side's index cannot be."""
WRONG = -2
"""A message was not the expected one, or torn."""

LONG = 1 << 18
WORDS = 8
MESSAGE = np.dtype([("words", "i8", (WORDS,))])
HEAD_START = 1_000
RELEASE = 256
"""Messages that a consumer takes before it gives their slots back."""

_MIX = np.uint64(0x9E3779B97F4A7C15)


@part
def _hash(i, word):
    mixed = (np.uint64(i) * np.uint64(WORDS) + np.uint64(word) + np.uint64(1)) * _MIX
    return np.int64((mixed ^ (mixed >> np.uint64(29))) * _MIX)


@part
def _fill(message, i, light):
    message.words[0] = i
    if not light:
        for word in range(1, WORDS - 1):
            message.words[word] = _hash(i, word)
    message.words[WORDS - 1] = _hash(i, WORDS - 1)


@part
def _is_whole(message, i, light):
    good = message.words[0] == i and message.words[WORDS - 1] == _hash(i, WORDS - 1)
    if not light:
        for word in range(1, WORDS - 1):
            good = good and message.words[word] == _hash(i, word)
    return good


@kernel
def produce(end_at, stop, batch, light):
    """Publish messages up to number `stop`, at most `batch` at once, as fast as there is room."""
    end = array_at(end_at, 1, RING_END)[0]
    slots = array_at(end.slots, end.capacity, MESSAGE)
    mask = end.capacity - 1
    spins = 0
    while end.position < stop:
        n = min(batch, stop - end.position, ring_room(end, 1))
        if n < 0:
            return np.int64(BROKEN)
        if n == 0:
            spins += 1
            if spins == LONG:
                break
            pause()
            continue
        for i in range(end.position, end.position + n):
            _fill(slots[i & mask], i, light)
        ring_publish(end, n)
    return end.position


@kernel
def consume(end_at, stop, light):
    """Check every message up to number `stop`, in its slot."""
    end = array_at(end_at, 1, RING_END)[0]
    slots = array_at(end.slots, end.capacity, MESSAGE)
    mask = end.capacity - 1
    spins = 0
    while end.position < stop:
        n = min(ring_ready(end, 1), RELEASE)
        if n < 0:
            return np.int64(BROKEN)
        if n == 0:
            spins += 1
            if spins == LONG:
                break
            pause()
            continue
        for i in range(end.position, end.position + n):
            if not _is_whole(slots[i & mask], i, light):
                return np.int64(WRONG)
        ring_release(end, n)
    return end.position


@kernel
def consume_once(end_at, stop, state, slot, copy_bytes):
    """The same with results: `state` is (position, digest), kept in a state block at `slot`.

    The results are stored before the slots are given back, in one step that a kill cannot halve:
    a new consumer that goes on at the stored position sees every message once.
    """
    end = array_at(end_at, 1, RING_END)[0]
    slots = array_at(end.slots, end.capacity, MESSAGE)
    result = array_at(state, 2, np.int64)
    mask = end.capacity - 1
    spins = 0
    while end.position < stop:
        n = min(ring_ready(end, 1), RELEASE)
        if n < 0:
            return np.int64(BROKEN)
        if n == 0:
            spins += 1
            if spins == LONG:
                break
            pause()
            continue
        for i in range(end.position, end.position + n):
            if not _is_whole(slots[i & mask], i, False):
                return np.int64(WRONG)
            result[1] = _digest(result[1], i)
        result[0] = end.position + n
        state_write(slot, state, 2, copy_bytes, 0)
        ring_release(end, n)
    return end.position


@part
def _digest(digest, i):
    return np.int64((np.uint64(digest) ^ np.uint64(i + 1)) * _MIX)


@kernel
def digest_of(stop):
    """Return the digest of a consumer that saw messages 0 to stop - 1 once each, in order."""
    digest = np.int64(0)
    for i in range(stop):
        digest = _digest(digest, i)
    return digest


@kernel
def produce_paced(end_at, n, clock_at, ticks_per_message):
    """Publish n messages on a schedule that does not wait: each carries when it was due.

    The schedule is open loop: a message that is late because the ring was full, or the producer
    held up, carries the time at which it should have left (coordinated omission, Tene 2013). It
    begins HEAD_START messages from now.
    """
    clock = array_at(clock_at, 1, CLOCK)[0]
    end = array_at(end_at, 1, RING_END)[0]
    begin = ticks(clock) + np.int64(HEAD_START * ticks_per_message)
    slots = array_at(end.slots, end.capacity, MESSAGE)
    for i in range(n):
        due = begin + np.int64(i * ticks_per_message)
        while ticks(clock) < due:
            pass
        while True:
            room = ring_room(end, 1)
            if room != 0:
                break
            pause()
        if room < 0:
            return np.int64(BROKEN)
        message = slots[end.position & (end.capacity - 1)]
        message.words[0] = i
        message.words[WORDS - 1] = due
        ring_publish(end, 1)
    return end.position


@kernel
def consume_paced(end_at, n, clock_at, late):
    """Store at `late`, shape (n,) int64, by how many ticks each message came after it was due."""
    clock = array_at(clock_at, 1, CLOCK)[0]
    end = array_at(end_at, 1, RING_END)[0]
    slots = array_at(end.slots, end.capacity, MESSAGE)
    out = array_at(late, n, np.int64)
    taken = 0
    while taken < n:
        ready = ring_ready(end, 1)
        if ready < 0:
            return np.int64(BROKEN)
        for _ in range(ready):
            message = slots[end.position & (end.capacity - 1)]
            now = ticks(clock)
            if message.words[0] != taken:
                return np.int64(WRONG)
            out[taken] = now - message.words[WORDS - 1]
            ring_release(end, 1)
            taken += 1
    return end.position
