"""A full replay: two clocks, latency, queue position, fees, gate, strategy, audit records.

`watch` looks and never trades; `grid` is strategies/grid.py (5 x 5 orders). Each runs by timer, at
100 ms and at 10 ms. With --peers hftbacktest runs the same events, latencies, fees, queue function
and decisions in turn with kimera; the counts of both, and how many fills are the same to the
nanosecond, are in `detail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from kimera_cli.layouts import empty_events
from kimera_cli.records import Bench
from kimera_cli.settings import Profile
from kimera_cli.units import NS_PER_MS

from . import peer
from .harness import Case, Timing, Watch
from .loop_run import LoopRun, MemorySource, comparable_profile, fills_of, sleeved
from .peer_events import comparable, in_order
from .request import Peer, Request, row
from .tape import Tape, tapes

EVENTS = 1_000_000
INTERVALS_MS = (100, 10)
LATENCY_NS = NS_PER_MS
QUEUE_EXPONENT = 3.0
ORDER_LOTS = 10.0
MAX_UNITS = 100.0
AT_LEAST = 4.0
WITHIN = 0.05
"""Submits, cancels and fills must be this near to the peer's."""
KIND = "whole runs, one per repeat; n counts events"


@dataclass(frozen=True)
class Setting:
    """One market and one strategy, as both sides run them."""

    name: str
    source: MemorySource
    strategy: str
    interval_ns: int
    params: dict[str, float]
    profile: Profile

    def loop(self) -> LoopRun:
        """Return a fresh run of kimera."""
        strategy = sleeved(self.strategy, self.interval_ns, **self.params)
        return LoopRun(self.source, strategy, self.profile)


def rows(request: Request) -> Iterator[Bench]:
    """Time each strategy and interval on the synthetic tape and on every recording named."""
    for tape in tapes(request, EVENTS):
        source = memory_source(tape)
        for name, params in (("noop", {}), ("grid", grid_params())):
            for ms in INTERVALS_MS:
                yield _row(request, setting(tape.name, source, name, ms, params))


def memory_source(tape: Tape) -> MemorySource:
    """Return what both simulators replay: the comparable events, times put in order once."""
    events = in_order(comparable(tape.events), least_ns=LATENCY_NS // 10)
    aligned = empty_events(len(events))
    aligned[...] = events
    return MemorySource(tape.name, tape.instrument, aligned)


def setting(
    tape: str, source: MemorySource, strategy: str, ms: int, params: dict[str, float]
) -> Setting:
    """Return one comparison."""
    label = {"noop": "watch"}.get(strategy, strategy)
    return Setting(
        name=f"replay.{tape}.{label}-{ms}ms",
        source=source,
        strategy=strategy,
        interval_ns=ms * NS_PER_MS,
        params=params,
        profile=comparable_profile(LATENCY_NS, LATENCY_NS, QUEUE_EXPONENT),
    )


def grid_params() -> dict[str, float]:
    """Return the grid's own parameters with a fixed size and a wide position limit."""
    from kimera_cli.strategies.grid import PARAMS

    return {**PARAMS, "order_lots": ORDER_LOTS, "max_units": MAX_UNITS}


def _row(request: Request, what: Setting) -> Bench:
    run = what.loop()
    run.run()
    ours = run.outcome()
    cases = [Case("kimera", what.loop, lambda run, watch: _time_loop(run, watch, what))]
    if not request.peers:
        timing = request.measure(cases)["kimera"]
        return row(request, what.name, timing, kind=KIND, kimera_counts=asdict(ours))
    other = PeerRun(what)
    theirs = other.outcome()
    timings = request.measure([*cases, other.case()])
    compared = _compared(what, other, asdict(ours), asdict(theirs))
    return row(
        request,
        what.name,
        timings["kimera"],
        kind=KIND,
        peer=Peer(peer.name(), timings["peer"], AT_LEAST),
        met=compared["largest_difference"] <= WITHIN,
        kimera_counts=asdict(ours),
        **compared,
    )


def _time_loop(run: LoopRun, watch: Watch, what: Setting) -> None:
    watch.start()
    run.run()
    watch.lap(what.source.rows)


class PeerRun:
    """The same setting on the peer."""

    def __init__(self, what: Setting) -> None:
        peer.require()
        from . import peer_grid

        self.compiled = peer_grid
        self.what = what
        instrument = what.source.instrument
        self.simulator = peer.Simulator(
            what.source.events,
            peer.Market(
                tick=float(instrument.tick),
                lot=float(instrument.lot),
                maker_fee=instrument.maker_fee,
                taker_fee=instrument.taker_fee,
                entry_ns=what.profile.latency.entry_ns,
                response_ns=what.profile.latency.response_ns,
                queue_exponent=what.profile.queue.exponent,
            ),
        )
        first = what.source.events[0]
        self.lead_ns = int(first["ts_local_ns"] - first["ts_exch_ns"])

    def fresh(self) -> tuple[Any, Any]:
        """Return a run whose clock stands at the first arrival, as kimera's timers begin there."""
        run = self.simulator.build()
        run.elapse(self.lead_ns)
        return run, np.zeros(self.compiled.COUNTS, np.int64)

    def case(self) -> Case:
        """Return the case to time in turn with kimera's."""

        def time(state: tuple[Any, Any], watch: Watch) -> None:
            watch.start()
            self._go(*state)
            watch.lap(self.what.source.rows)

        return Case("peer", self.fresh, time, lambda state: state[0].close())

    def outcome(self) -> peer.Outcome:
        """Run once and return the counts."""
        run, counts = self.fresh()
        self._go(run, counts)
        return self.simulator.outcome(run, counts)

    def fills(self) -> set[tuple[int, int, int]]:
        """Run once and return (venue time, price, side) of every fill."""
        run, counts = self.fresh()
        fills = np.zeros(self.what.source.rows, self.compiled.FILL).view(np.recarray)
        params = peer.grid_params(self.what.params)
        self.compiled.grid_fills(run, self.what.interval_ns, params, counts, fills)
        run.close()
        return {
            (int(f.ts_exch_ns), int(f.px_ticks), int(f.side))
            for f in fills[: counts[self.compiled.FILLS]]
        }

    def _go(self, run: Any, counts: Any) -> None:
        if self.what.strategy == "noop":
            self.compiled.watch(run, self.what.interval_ns, counts)
        else:
            params = peer.grid_params(self.what.params)
            self.compiled.grid(run, self.what.interval_ns, params, counts)


def _compared(
    what: Setting, other: PeerRun, ours: dict[str, Any], theirs: dict[str, Any]
) -> dict[str, Any]:
    """Return the counts of the peer, the largest relative difference, and the fills in common."""
    apart = [
        abs(ours[key] - theirs[key]) / max(theirs[key], 1)
        for key in ("submits", "cancels", "fills")
    ]
    found: dict[str, Any] = {"peer_counts": theirs, "largest_difference": round(max(apart), 5)}
    if what.strategy != "noop":
        mine, its = fills_of(what.loop()), other.fills()
        found |= {"same_fills": len(mine & its), "distinct_fills": len(mine | its)}
    return found


__all__ = ["PeerRun", "Setting", "Timing", "grid_params", "memory_source", "rows", "setting"]
