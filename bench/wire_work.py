"""What the consumer of the wire's bench does with events: count them and sum a hash of each."""

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.ring import RING_END, ring_ready, ring_release
from kimera_cli.layouts import CLEAR, EVENT

_PX = np.uint64(0x9E3779B97F4A7C15)
_QTY = np.uint64(0xC2B2AE3D27D4EB4F)
_SEQ = np.uint64(0x165667B19E3779F9)
_WHAT = np.uint64(0x27D4EB2F165667C5)


@kernel
def _hash(e):
    """Return 64 bits over what the venue told in one event."""
    h = np.uint64(e.px_ticks) * _PX
    h ^= np.uint64(e.qty_lots) * _QTY
    h ^= np.uint64(e.seq) * _SEQ
    return h ^ (np.uint64(e.kind * 4 + e.side) * _WHAT)


@kernel
def tally(events, totals):
    """Add the number of events and their hashes to `totals` (2,); marks of loss do not count."""
    for i in range(events.shape[0]):
        if events[i].kind != CLEAR:
            totals[0] += np.uint64(1)
            totals[1] += _hash(events[i])


@kernel
def consume(end, totals):
    """Take all that is ready from the ring at `end`; `totals` is an address too.

    Returns how many events were taken, or RING_BROKEN.
    """
    e = array_at(end, 1, RING_END)[0]
    sums = array_at(totals, 2, np.uint64)
    ready = ring_ready(e, 1)
    if ready <= 0:
        return ready
    at = e.position & (e.capacity - 1)
    ready = min(ready, e.capacity - at)
    tally(array_at(e.slots + (at << 6), ready, EVENT), sums)
    ring_release(e, ready)
    return ready
