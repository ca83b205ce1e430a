"""Latency draws of the loop: constant, lognormal, or the feed's own at that moment.

The random state lives in the loop record, so that a run is repeatable from its seed and does not
depend on
how the events were cut. Generator: SplitMix64 (Steele, Lea, Flood 2014); normals by Box and Muller
(1958).
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.state import LATENCY_CONSTANT, LATENCY_LOGNORMAL
from kimera_cli.layouts import CLEAR, F_GAP, F_LAST, FUNDING, MARK

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30 = np.uint64(30)
_S27 = np.uint64(27)
_S31 = np.uint64(31)
_S11 = np.uint64(11)
_TWO_PI = 2.0 * math.pi
_INV53 = 1.0 / 9007199254740992.0


@kernel
def next_uniform(holder):
    """Return a uniform draw in (0, 1]; `holder.rng` (u8) moves on."""
    state = np.uint64(holder.rng) + _GOLDEN
    holder.rng = state
    z = (state ^ (state >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return (np.float64(z >> _S11) + 1.0) * _INV53


@kernel
def next_normal(holder):
    """Return a standard normal draw."""
    radius = math.sqrt(-2.0 * math.log(next_uniform(holder)))
    return radius * math.cos(_TWO_PI * next_uniform(holder))


@kernel
def draw_latency(holder, model, latency_ns, sigma, feed_ns):
    """Return one latency in ns, never negative.

    Lognormal: median `latency_ns`, shape `sigma`. Recorded: `feed_ns`, the latency of the last
    arrival.
    """
    if model == LATENCY_CONSTANT:
        return latency_ns
    if model == LATENCY_LOGNORMAL:
        return np.int64(latency_ns * math.exp(sigma * next_normal(holder)))
    return max(np.int64(0), np.int64(feed_ns))


@kernel
def prepare_feed(
    events, start, stop, stream, holder, model, latency_ns, sigma, shift_ns, no_time_flag
):
    """Put the feed latency of a run on events[start:stop] in place; no time goes backwards.

    Venue time becomes the running maximum of the venue's own stamps. Recorded: local stamps move by
    `shift_ns` (one clock correction for the whole run). Constant and lognormal: venue time plus the
    draw, one draw per venue message.
    An arrival is never before its venue time, nor before the arrival that precedes it (one
    connection keeps its order). `stream.feed_exch_ns` and `stream.feed_local_ns` carry the maxima
    from call to call; `stream.special` comes to stand behind the last of the few events that
    arrival must look at (a clear, a gap, funding). Returns the index of the first event with a
    local time before 1970, else -1.
    """
    if model == LATENCY_LOGNORMAL:
        return _drawn_feed(
            events, start, stop, stream, holder, latency_ns, sigma, shift_ns, no_time_flag
        )
    constant = model == LATENCY_CONSTANT
    exch = stream.feed_exch_ns
    local = stream.feed_local_ns
    for i in range(start, stop):
        e = events[i]
        told_ns = e.ts_local_ns
        if told_ns <= 0:
            return i
        exch = _venue_time(e, exch, shift_ns, no_time_flag)
        local = max(local, exch, exch + latency_ns if constant else told_ns + shift_ns)
        if _is_special(e):
            stream.special = stream.passed + i + 1
        e.ts_exch_ns = exch
        e.ts_local_ns = local
    stream.feed_exch_ns = exch
    stream.feed_local_ns = local
    return -1


@inner
def _venue_time(e, exch, shift_ns, no_time_flag):
    """Return the running maximum of the venue's times; its own arrival where there is none yet."""
    if (e["flags"] & no_time_flag) == 0:
        return max(exch, e.ts_exch_ns)
    return exch if exch != 0 else e.ts_local_ns + shift_ns


@inner
def _is_special(e):
    """Return True for what arrival must look at one by one."""
    kind = e.kind
    return kind == CLEAR or kind == FUNDING or kind == MARK or (e["flags"] & F_GAP) != 0


@inner
def _drawn_feed(events, start, stop, stream, holder, latency_ns, sigma, shift_ns, no_time_flag):
    """Do the same with one lognormal draw per venue message."""
    exch = stream.feed_exch_ns
    local = stream.feed_local_ns
    for i in range(start, stop):
        e = events[i]
        if e.ts_local_ns <= 0:
            return i
        exch = _venue_time(e, exch, shift_ns, no_time_flag)
        if stream.feed_inside == 0:
            stream.feed_draw_ns = draw_latency(
                holder, LATENCY_LOGNORMAL, latency_ns, sigma, np.int64(0)
            )
        stream.feed_inside = 1 if (e["flags"] & F_LAST) == 0 else 0
        local = max(local, exch, exch + stream.feed_draw_ns)
        if _is_special(e):
            stream.special = stream.passed + i + 1
        e.ts_exch_ns = exch
        e.ts_local_ns = local
    stream.feed_exch_ns = exch
    stream.feed_local_ns = local
    return -1
