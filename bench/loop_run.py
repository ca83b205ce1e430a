"""The engine's loop on events in memory, without journal and files: what a simulator alone does.

Everything else is as in `kimera run`: feed with its own buffers, venue, queue, latency, fees, gate,
strategy by pointer, audit records (which are counted and dropped where a run would store them).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kimera_cli.engine import setup
from kimera_cli.engine.feed import Feed
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.errors import RunError
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.state import DONE, FLUSH, NEED_DATA, TIME_LIMIT
from kimera_cli.layouts import R_FILL, Events
from kimera_cli.settings import Latency, Portfolio, Profile, Queue, Risk
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve


class MemorySource:
    """Events in memory as the feed reads them from a dataset."""

    family = "l2"
    source_hash = ""

    def __init__(self, name: str, instrument: Instrument, events: Events) -> None:
        self.dataset, self.instrument, self.events = name, instrument, events
        self.rows = len(events)
        self.start_ns, self.end_ns = int(events["ts_local_ns"][0]), int(events["ts_local_ns"][-1])
        self.min_latency_ns = int((events["ts_local_ns"] - events["ts_exch_ns"]).min())

    def chunks(self, size: int) -> Iterator[Events]:
        """Yield the events, `size` at a time."""
        for begin in range(0, self.rows, size):
            yield self.events[begin : begin + size]


@dataclass(frozen=True)
class LoopOutcome:
    """What one run of the loop came to."""

    submits: int
    cancels: int
    fills: int
    rejects: int
    denied: int
    steps: int


def comparable_profile(entry_ns: int, response_ns: int, queue_exponent: float) -> Profile:
    """Return settings under which the peer simulates the same: see docs/performance.md.

    Limits are wide open, so that every check is made and none refuses; an order fills as a whole.
    """
    return Profile(
        portfolio=Portfolio(cash=1e12),
        latency=Latency(entry_ns=entry_ns, response_ns=response_ns, min_feed_ns=0),
        queue=Queue(model="power", exponent=queue_exponent, partial_fills=False),
        risk=Risk(
            max_order_fraction=1.0,
            max_position_fraction=1.0,
            max_asset_fraction=1.0,
            max_open_orders=10_000,
            max_orders_per_s=1e9,
            order_burst=100_000,
            collar_bps=10_000.0,
            max_drawdown=1.0,
            max_daily_loss=1.0,
            stale_after="1d",
            self_trade="cancel_resting",
            spot_short=True,
        ),
    )


def sleeved(name: str, interval_ns: int, **params: float) -> Sleeved:
    """Return a built-in strategy called at this interval."""
    spec = replace(load(name), interval_ns=interval_ns)
    return Sleeved(spec, resolve(spec, params))


class LoopRun:
    """One run, ready to go; `run` takes it to the end."""

    def __init__(self, source: MemorySource, strategy: Sleeved, profile: Profile) -> None:
        sources: Sequence[Any] = [source]  # what the feed reads of an EventSource
        request = RunRequest(
            source="replay", sources=sources, strategies=[strategy], profile=profile, seed=1
        )
        self.arrays, _ = setup.build(request)
        self.feed = Feed(request.sources, self.arrays, profile.latency, 0)
        self.fills: list[Any] | None = None

    def run(self) -> None:
        """Advance to the end of the events."""
        loop = self.arrays.loop[0]
        status = NEED_DATA
        while status not in (DONE, TIME_LIMIT):
            status = self.arrays.advance()
            if status == NEED_DATA:
                self.feed.fill(int(loop["stream"]))
            elif status not in (FLUSH, DONE, TIME_LIMIT):
                raise RunError("run.bench_loop", f"expected the loop to go on, was status {status}")
            self._drop_records()

    def _drop_records(self) -> None:
        loop = self.arrays.loop[0]
        if self.fills is not None:
            rows = self.arrays.records[: int(loop["n_records"])]
            self.fills.append(rows[rows["kind"] == R_FILL].copy())
        loop["n_records"] = 0

    def outcome(self) -> LoopOutcome:
        """Read the counters of a run that has ended."""
        loop = self.arrays.loop[0]
        return LoopOutcome(
            submits=int(loop["n_intents"]),
            cancels=int(loop["n_cancels"]),
            fills=int(loop["n_fills"]),
            rejects=int(loop["n_rejects"]),
            denied=int(loop["n_denied"]),
            steps=int(self.arrays.strategies["calls"].sum()),
        )


def fills_of(run: LoopRun) -> set[tuple[int, int, int]]:
    """Run to the end and return (venue time, price, side) of every fill."""
    run.fills = []
    run.run()
    rows = np.concatenate(run.fills)
    return set(
        zip(
            rows["ts_exch_ns"].tolist(),
            rows["px_ticks"].tolist(),
            rows["side"].tolist(),
            strict=True,
        )
    )
