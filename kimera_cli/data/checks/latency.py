"""How late a feed is: quantiles of local minus exchange time.

They are told, not judged: a recorder's clock may be behind the venue's, so that a latency is
negative. Only a median beyond an hour is refused: then units or clocks are mixed up.
"""

from __future__ import annotations

from collections.abc import Iterator

from kimera_cli.data.checks.histogram import Histogram
from kimera_cli.records import Check
from kimera_cli.units import NS_PER_S

ABSURD_NS = 3_600 * NS_PER_S
QUANTILES = (("latency_p50", 0.5), ("latency_p99", 0.99))


def results(latency: Histogram, dataset: str) -> Iterator[Check]:
    """Yield `latency_p0`, `latency_p50`, `latency_p99`, `latency_max` in ns; nothing without
    times."""
    if not latency.count:
        return
    values = {name: latency.quantile(q) for name, q in QUANTILES}
    absurd = abs(values["latency_p50"]) > ABSURD_NS
    values = {"latency_p0": latency.least, **values, "latency_max": latency.largest}
    why = "expected a median latency below an hour: are clocks or units mixed up?"
    for name, value in values.items():
        yield Check(
            check=name,
            dataset=dataset,
            passed=0 if absurd else latency.count,
            total=latency.count,
            ok=not absurd,
            detail=why if absurd else "",
            value=float(value),
            unit="ns",
        )
