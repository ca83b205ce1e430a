"""Tick to decision: from a due event to the order's slot, one message at a time.

Open loop: messages are due on a schedule that does not wait for us, and a latency runs from the due
time to the end. A stall is therefore seen by every message that it held up (no coordinated
omission); `detail.service` is what a closed loop would have shown. Everything but the schedule is
the engine's own: book, features, a strategy called by its address that consults a decision table
and asks for an order every time, the gate, the order table, the audit record, the request.

`tick`: every level or trade of the tape is a message. `message`: the tape's own messages, as the
venue cut them. `stage`: the same ticks with the stage recorder on. `recorder`: what that costs.
`stamps`: the same clock readings around nothing: that is inside every other row, and what this host
does to a loop that does nothing is what it does to any. `frame_to_order` and its stages: see
bench/frame.py.

The yardstick is limit/loop.cpp (see bench/tick.py), on the same ticks: it goes from the event to a
slot of 64 bytes, without a view, a strategy, an order table, an audit record and a request.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kimera_cli.host.pool import Pool
from kimera_cli.host.preparation import Prepared, Wanted, prepare
from kimera_cli.layouts import CLEAR, DEPTH, F_LAST, TRADE
from kimera_cli.records import Bench
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import Clock, calibrate
from kimera_cli.telemetry.histogram import Summary

from . import frame, tick
from .harness import Timing, Watch
from .latency_row import Gathered, holds, latency_row
from .latency_world import Meters, World
from .limit import ABSENT
from .request import Request, row
from .tape import Tape, tapes
from .targets import Goal
from .yardstick import yardstick

EVENTS = 300_000
RATE = 1_000_000
"""Messages due per second."""
GAP_NS = 1e9 / RATE
WARM_UP = 0.2
"""Share of the tape that builds the book and warms the caches before anything is measured."""
POOL_BYTES = 96 << 20
LIMIT_RUNS = 3
P50_NS, P999_NS, TIMES_CPP, RECORDER_NS = 120, 1_000, 2.0, 20
FILLED = 4
"""Histograms that a chain fills here, with as many clock readings: book, decision, gate and total
(no wire, no bytes). The first reading begins the chain."""


@dataclass
class Counts:
    """What happened in all repeats."""

    late: int = 0
    """Messages that were due before the one before them was done."""
    orders: int = 0
    denied: int = 0


def rows(request: Request) -> Iterator[Bench]:
    """Measure on the synthetic tape and on every recording that was named."""
    clock = calibrate()
    with prepare(Wanted(pool_bytes=POOL_BYTES)) as prepared:
        for line in prepared.warnings:
            request.note(line)
        meters = Meters(clock, prepared.pool)
        facts = surroundings(prepared, clock)
        stamps = _stamps(request, meters)
        floor = histogram.summarise(stamps["response"].total)
        facts["stamps_ns"] = histogram.summarise(stamps["service"].total).median_ns
        yield latency_row(request, "latency.stamps", stamps, [], **facts)
        yield from frame.rows(request, clock, prepared.pool, facts)
        for tape in tapes(request, EVENTS):
            yield from _tape_rows(request, tape, meters, prepared.pool, floor, facts)


def surroundings(prepared: Prepared, clock: Clock) -> dict[str, Any]:
    """Return what the figures were taken under, as read back."""
    return {
        "prepared": {r.item: r.status for r in prepared.records},
        "clock": "time-stamp counter" if clock.source.tsc else "clock_gettime",
        "clock_source": clock.source.current,
        "due_per_s": RATE,
    }


def _tape_rows(
    request: Request,
    tape: Tape,
    meters: Meters,
    pool: Pool,
    floor: Summary,
    facts: dict[str, Any],
) -> Iterator[Bench]:
    single = replace(tape, events=ticks_of(tape).view(np.recarray))
    world = World(single.events, tape.instrument, meters, pool)
    limit_ns = _limit(request, single)
    yield _tick_row(request, tape.name, world, floor, limit_ns, facts)
    whole = World(messages_of(tape), tape.instrument, meters, pool)
    found, counts = _measure(request, whole, meters.rows)
    levels = round(len(whole.events) / len(whole.ends), 2)
    facts = {**facts, "events_per_message": levels, **vars(counts)}
    yield latency_row(request, f"latency.message.{tape.name}", found, [], **facts)
    yield from _stage_rows(request, tape.name, world, facts)
    yield _recorder_row(request, tape.name, _drained(request, world))


def _tick_row(
    request: Request,
    name: str,
    world: World,
    floor: Summary,
    limit_ns: float | None,
    facts: dict[str, Any],
) -> Bench:
    found, counts = _measure(request, world, world.meters.rows)
    response = histogram.summarise(found["response"].total)
    service = histogram.summarise(found["service"].total)
    ratio = round(service.median_ns / limit_ns, 3) if limit_ns else None
    quiet = floor.p999_ns <= P999_NS
    goals = [
        Goal(f"p50 <= {P50_NS} ns", holds(response.median_ns, service.median_ns, P50_NS, quiet)),
        Goal("p99.9 <= 1 us", holds(response.p999_ns, service.p999_ns, P999_NS, quiet)),
        Goal(f"<= {TIMES_CPP:g} x C++", ratio <= TIMES_CPP if ratio else None),
    ]
    facts = {**facts, **vars(counts), "stamps_p999_ns": floor.p999_ns}
    facts |= {"limit_ns": limit_ns} if limit_ns else {"compared": ABSENT}
    return latency_row(request, f"latency.tick.{name}", found, goals, ratio, **facts)


def ticks_of(tape: Tape) -> Any:
    """Return every level and trade as a message of its own."""
    events = _relevant(tape.events).copy()
    events["flags"] |= F_LAST
    return events


def messages_of(tape: Tape) -> Any:
    """Return the venue's messages of levels and trades; what follows the last end is left out."""
    events = _relevant(tape.events)
    ends = np.flatnonzero(events["flags"] & F_LAST)
    return events[: ends[-1] + 1].copy() if ends.size else events[:0]


def _relevant(events: Any) -> Any:
    rows = events.view(np.ndarray)
    return rows[np.isin(rows["kind"], (DEPTH, TRADE, CLEAR))]


def _limit(request: Request, tape: Tape) -> float | None:
    """Return the p50 of the C++ loop on the same ticks; None without a compiler."""
    setup = tick.make_setup(tape)
    inputs = [tape.events, setup.table, setup.gate, setup.instrument()]
    with yardstick(request, "loop", inputs, tick.SLEEVES, setup.lots) as limit:
        if limit is None:
            return None
        return statistics.median(float(limit.run().detail["p50"]) for _ in range(LIMIT_RUNS))


def _measure(
    request: Request, world: World, into: Mapping[str, Any]
) -> tuple[dict[str, Gathered], Counts]:
    """Run the tape `repeats` times in an open loop, after one run that is thrown away.

    `into` are the HISTOGRAM records that fill meanwhile.
    """
    gathered, counts = {name: Gathered() for name in into}, Counts()
    world.run(GAP_NS, WARM_UP)
    for _ in range(request.repeats):
        for one in into.values():
            histogram.clear(one)
        counts.late += world.run(GAP_NS, WARM_UP)
        counts.orders += world.orders
        counts.denied += world.denied
        for name, one in into.items():
            gathered[name].add(one)
    return gathered, counts


def _stamps(request: Request, meters: Meters) -> dict[str, Gathered]:
    gathered = {name: Gathered() for name in meters.rows}
    for repeat in range(request.repeats + 1):
        for one in meters.rows.values():
            histogram.clear(one)
        meters.stamps(min(request.size(EVENTS), EVENTS), GAP_NS)
        for name, one in meters.rows.items():
            if repeat:
                gathered[name].add(one)
    return gathered


def _drained(request: Request, world: World) -> dict[str, Timing]:
    """Run ticks back to back, stage recorder off and on in turn; the first of each is dropped."""
    timings = {"off": Timing(), "on": Timing()}
    for repeat in range(request.repeats + 1):
        for name, timing in timings.items():
            world.meters.recorder.switch(name == "on")
            watch = Watch(request.clock)
            world.drain(watch, WARM_UP)
            if repeat:
                timing.add(watch.laps)
    world.meters.recorder.switch(False)
    return timings


def _stage_rows(
    request: Request, name: str, world: World, facts: dict[str, Any]
) -> Iterator[Bench]:
    recorder = world.meters.recorder
    recorder.switch(True)
    found, _ = _measure(request, world, recorder.rows())
    recorder.switch(False)
    for stage, gathered in found.items():
        if gathered.total.counts.any():
            pair = {"response": gathered, "service": gathered}
            yield latency_row(request, f"latency.stage.{stage}.{name}", pair, [], **facts)


def _recorder_row(request: Request, name: str, drained: dict[str, Timing]) -> Bench:
    """Time ticks back to back with the recorder on; `added_ns` is what that costs an event."""
    on, off = drained["on"], drained["off"]
    added = min(on.repeats_ns) - min(off.repeats_ns)  # what else the host does only adds
    per_stage = added / FILLED
    return row(
        request,
        f"latency.recorder.{name}",
        on,
        kind="batches of messages back to back, stage recorder on",
        goals=[Goal(f"<= {RECORDER_NS} ns a stage", per_stage <= RECORDER_NS)],
        added_ns=round(added, 3),
        per_stage_ns=round(per_stage, 3),
        histograms=FILLED,
        off_ns=round(off.median_ns, 3),
    )
