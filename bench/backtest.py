"""A whole backtest against nautilus_trader's: the replay of `bench replay` on fewer events.

Both sides get the same messages, 1 ms to the venue, the same fees, and the decisions of the same
strategy: `watch` looks every 100 ms and never trades, `grid` is strategies/grid.py. What differs:

- the peer's venue has no queue position: it fills a resting order when the market trades at or
  through its price. Fills are therefore no measure here, and the counts of both are in `detail`;
- its strategies are Python, called by its message bus, as users of it write them. Kimera's are
  compiled into the loop, as users of kimera write them;
- its risk engine is off, which is its fastest; kimera's gate judges every order;
- it has no answer latency of its own: 1 ms is put on the way to the venue only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from importlib.util import find_spec
from typing import Any

import numpy as np

from kimera_cli.records import Bench
from kimera_cli.units import NS_PER_MS

from . import replay, targets
from .harness import Case, Timing, Watch
from .machine import package
from .request import Peer, Request, row
from .tape import Tape, tapes

EVENTS = 200_000
INTERVAL_MS = 100
LATENCY_NS = NS_PER_MS
TIMES = 100.0
NAUTILUS = "nautilus_trader"


def rows(request: Request) -> Iterator[Bench]:
    """Time both strategies on the beginning of the synthetic tape and of every recording."""
    peers = request.peers and find_spec(NAUTILUS) is not None
    if request.peers and not peers:
        request.note(f"{NAUTILUS} is not installed: not compared with it")
    for tape in tapes(request, EVENTS):
        source = replay.memory_source(_beginning(tape, request.size(EVENTS)))
        for name, params in (("noop", {}), ("grid", replay.grid_params())):
            what = replay.setting(tape.name, source, name, INTERVAL_MS, params)
            yield _row(request, what, peers)


def _beginning(tape: Tape, n: int) -> Tape:
    return Tape(tape.name, tape.instrument, tape.events[:n])


def _row(request: Request, what: replay.Setting, peers: bool) -> Bench:
    run = what.loop()
    run.run()
    cases = [Case("kimera", what.loop, lambda run, watch: _time(run, watch, what.source.rows))]
    trades = what.strategy == "grid"
    counts: dict[str, Any] = {"kimera_counts": asdict(run.outcome())}
    if peers:
        other = _Nautilus(what)
        cases.append(Case("peer", other.fresh, other.run, other.done))
    timings = request.measure(cases)
    peer: Timing | None = timings.get("peer")
    if peers:
        counts["peer_counts"] = asdict(other.counts)
    return row(
        request,
        what.name.replace("replay.", "backtest.", 1),
        timings["kimera"],
        kind="whole runs, one per repeat; n counts events",
        peer=Peer(f"{NAUTILUS} {package(NAUTILUS)}", peer) if peer else None,
        goals=[targets.faster(timings["kimera"], peer, TIMES, NAUTILUS)] if trades else [],
        **counts,
    )


def _time(run: Any, watch: Watch, n: int) -> None:
    watch.start()
    run.run()
    watch.lap(n)


class _Nautilus:
    """The same setting on the peer: objects are made once, engines anew for every repeat."""

    def __init__(self, what: replay.Setting) -> None:
        from . import peer_nautilus

        self.module = peer_nautilus
        self.what = what
        self.data = peer_nautilus.data_of(np.asarray(what.source.events), what.source.instrument)
        self.counts: Any = None

    def fresh(self) -> tuple[Any, Any]:
        """Return an engine with its strategy, and the strategy."""
        instrument = self.what.source.instrument
        strategy: Any
        if self.what.strategy == "noop":
            strategy = self.module.Watcher(self.what.interval_ns)
        else:
            strategy = self.module.Grid(
                self.what.interval_ns,
                self.what.params,
                float(instrument.tick),
                float(instrument.lot),
            )
        return self.module.engine_for(self.data, strategy, instrument, LATENCY_NS), strategy

    def run(self, state: tuple[Any, Any], watch: Watch) -> None:
        """Run to the end."""
        watch.start()
        state[0].run()
        watch.lap(self.what.source.rows)

    def done(self, state: tuple[Any, Any]) -> None:
        """Keep the counts and close the engine."""
        self.counts = state[1].counts
        state[0].dispose()
