"""Events from a chunk in memory into a stream's buffer, with the run's latency put on them.

The buffer is small, so that what the loop reads lies in the cache; a chunk may be as large as a row
group of a file. Python brings chunks and is not asked in between.
"""

from __future__ import annotations

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.latency import prepare_feed
from kimera_cli.layouts import F_NO_EXCH_TIME

SLICE = 256
"""Events that are copied and prepared in one go: 16 KiB stay in the first-level cache."""


@inner
def drop_passed(stream, buffer):
    """Move the events that are still wanted to the start of the buffer."""
    low = min(stream.head_exch, stream.head_local)
    if low == 0:
        return
    for i in range(low, stream.n):
        buffer[i - low] = buffer[i]
    stream.head_exch -= low
    stream.head_local -= low
    stream.n -= low
    stream.passed += low


@kernel
def refill(stream, buffer, chunk):
    """Append what is left of `chunk` as far as there is room; return how many events that were.

    0: the chunk is used up, or the buffer is full of events on their way. Minus (1 + index) of the
    first event of the chunk whose local time is before 1970.
    """
    drop_passed(stream, buffer)
    n = stream.n
    start = n
    while stream.chunk_at < stream.chunk_n and n < buffer.shape[0]:
        at = stream.chunk_at
        m = min(SLICE, min(stream.chunk_n - at, buffer.shape[0] - n))
        for i in range(m):
            buffer[n + i] = chunk[at + i]
        bad = prepare_feed(
            buffer,
            n,
            n + m,
            stream,
            stream,
            stream.feed_model,
            stream.feed_constant_ns,
            stream.feed_sigma,
            stream.feed_shift_ns,
            F_NO_EXCH_TIME,
        )
        if bad >= 0:
            return n - bad - 1 - at
        n += m
        stream.n = n
        stream.chunk_at = at + m
    return n - start
