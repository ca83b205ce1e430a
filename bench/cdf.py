"""Latency distributions as a few points: what `kimera bench page` draws of a saved record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .stats import quantile

SHARES = (
    *(0.01, 0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95, 0.98, 0.99),
    *(0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999),
)
"""Where the distribution is read; shares beyond what n values can tell are left out."""

Points = list[list[float]]
"""(share, ns) pairs; both rise."""


def of_samples(values_ns: Sequence[float]) -> Points:
    """Return the points of observed durations."""
    ordered = sorted(values_ns)
    return [[share, round(quantile(ordered, share), 3)] for share in _seen(len(ordered)) if ordered]


def of_histogram(row: Any) -> Points:
    """Return the points of a HISTOGRAM record that a kernel filled."""
    from kimera_cli.telemetry.histogram import decode

    found = decode(row)
    shares = _seen(found.get_total_count())
    values = found.get_percentile_to_value_dict([100.0 * share for share in shares])
    return [[share, float(values[100.0 * share])] for share in shares]


def _seen(n: int) -> list[float]:
    """Return the shares beyond which n values leave at least one."""
    return [share for share in SHARES if n * (1.0 - share) >= 1.0 - 1e-9]
