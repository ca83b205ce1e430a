"""Axes: round ticks for numbers and for time, and min/max thinning of long series."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.units import NS_PER_S

_TIME_STEPS_S: tuple[int, ...] = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1_800,
    3_600,
    7_200,
    10_800,
)
_TIME_STEPS_S += (21_600, 43_200, 86_400, 172_800, 432_000, 864_000, 2_592_000, 7_776_000)

_NOTHING = 1e-9
"""Values closer than this are drawn as equal."""


class Axis(NamedTuple):
    """A range of values with the ticks inside it and their labels."""

    low: float
    high: float
    ticks: list[float]
    labels: list[str]

    def fraction(self, values: F64) -> F64:
        """Return where values lie between low (0) and high (1)."""
        return np.asarray((values - self.low) / (self.high - self.low), dtype=np.float64)


def number_axis(values: F64, wanted: int = 5, *, zero: bool = False) -> Axis:
    """Return an axis around finite values with ticks at 1, 2 or 5 times a power of ten.

    `zero` keeps 0 on the axis. Equal values get room around them.
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= max(1e-12 * max(abs(low), abs(high)), _NOTHING):
        room = 5e-4 * abs(high)
        room = room if room > _NOTHING and not zero else 0.5
        low, high = low - room, high + room
    margin = 0.04 * (high - low)
    low = low - margin if not zero or low < 0.0 else low
    high = high + margin if not zero or high > 0.0 else high
    step = _round_step((high - low) / wanted)
    first = math.ceil(low / step - 1e-9)
    ticks = [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]
    return Axis(low, high, ticks, _labels(ticks, step))


def time_axis(first_ns: int, last_ns: int, wanted: int = 6) -> Axis:
    """Return an axis in ns with ticks at whole UTC seconds, minutes, hours or days."""
    last_ns = max(last_ns, first_ns + 1_000_000)  # floats of ns are 256 ns apart
    span = (last_ns - first_ns) / NS_PER_S
    step = next((s for s in _TIME_STEPS_S if span / s <= wanted), _TIME_STEPS_S[-1])
    at = range(-(-first_ns // (step * NS_PER_S)) * step, last_ns // NS_PER_S + 1, step)
    ticks = [float(s * NS_PER_S) for s in at]
    return Axis(float(first_ns), float(last_ns), ticks, [_time_label(s, step) for s in at])


def thin(ts: I64, values: F64, buckets: int) -> tuple[I64, F64]:
    """Keep at most four points per bucket of time: first, least, greatest, last, in their order.

    What is drawn at one bucket per pixel looks exactly as all points would.
    """
    if ts.size <= 4 * buckets:
        return ts, values
    span = max(int(ts[-1] - ts[0]), 1)
    bucket = ((ts - ts[0]) * (buckets / (span + 1.0))).astype(np.int64)
    edges = np.flatnonzero(np.diff(bucket)) + 1
    first = np.concatenate(([0], edges))
    last = np.concatenate((edges, [ts.size])) - 1
    by_value = np.lexsort((values, bucket))
    keep = np.unique(np.concatenate((first, last, by_value[first], by_value[last])))
    return ts[keep], values[keep]


def _round_step(rough: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(rough))
    borders = ((1.0, 1.41), (2.0, 3.16), (5.0, 7.07), (10.0, 11.0))
    return next(m * power for m, border in borders if rough <= border * power)


def _labels(ticks: list[float], step: float) -> list[str]:
    from kimera_cli.report.figures import number

    greatest = max((abs(t) for t in ticks), default=0.0)
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        scale = 1e3 if suffix == "k" else limit
        if greatest >= limit and step >= scale / 1000:
            return [
                number(t / scale, _decimals(step / scale)) + (suffix if t else "") for t in ticks
            ]
    return [number(t, _decimals(step)) for t in ticks]


def _decimals(step: float) -> int:
    return max(0, min(10, -math.floor(math.log10(step) + 1e-9)))


def _time_label(second: int, step: int) -> str:
    at = datetime.fromtimestamp(second, UTC)
    if step >= 86_400:
        return f"{at:%d %b}"
    return f"{at:%H:%M}" if step >= 60 else f"{at:%H:%M:%S}"
