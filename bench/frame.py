"""From a frame's callback to signed order bytes, one frame at a time, with every stage.

`latency.frame_to_order`: the callback is given a Binance depth frame in a receive buffer and comes
to the bytes of a signed order, one for each frame: copy, clock, parse kernel, book and features, a
strategy that consults a decision table, gate with order table, audit record and request, REST
request with HMAC-SHA256. Open loop: frames are due on a schedule, a latency runs from the due time;
`detail.service` begins with the call. Reading the socket and sending are not part of it.

Frames are made up, 20 + 20 levels each; with --recording those of a raw Binance recording, where
the row counts frames of up to 40 levels (all are taken, `detail.larger` tells of the others).
Peers take the same bytes between the same stamps, back to back (bench/frame_peers.py), and a
callback that does nothing takes them on kimera's schedule: `detail.host` is what the host adds.
`latency.frame_stage` is the same with the stage recorder on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import numpy as np

from kimera_cli.context import from_process
from kimera_cli.host.pool import Pool
from kimera_cli.records import Bench
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import Clock

from .frame_tape import LEVELS, FrameTape, made_up, recorded
from .frame_world import Contender, Nothing, Ours, Timer
from .latency_row import Gathered, figures, holds, latency_row
from .latency_world import Meters
from .machine import package
from .request import Request
from .targets import Goal

FRAMES = 5_000
GAP_NS = 50_000.0
"""20,000 frames a second."""
WARM_UP = 0.2
P50_NS, P99_NS, TIMES_PYTHON, TIMES_CCXT = 2_500, 5_000, 3.5, 50.0
SHARES = {"orjson": 2, "ccxt": 10}
"""A peer takes so many times fewer of the measured frames."""
WORDS = {"orjson": "orjson + dict book + hmac", "ccxt": "ccxt"}
KIND = "single frames, from the time they were due (open loop)"
NORMAL, LARGER = 0, 1


def rows(request: Request, clock: Clock, pool: Pool, facts: dict[str, Any]) -> Iterator[Bench]:
    """Measure on frames that are made up, and on every raw Binance recording that was named.

    facts: for `detail`.
    """
    facts = {k: v for k, v in facts.items() if k != "due_per_s"}
    yield from _tape_rows(request, made_up(request.size(FRAMES)), clock, pool, facts)
    for path in request.recordings:
        tape = recorded(path, request.events)
        if tape is not None:
            yield from _tape_rows(request, tape, clock, pool, facts)


def _tape_rows(
    request: Request,
    tape: FrameTape,
    clock: Clock,
    pool: Pool,
    facts: dict[str, Any],
) -> Iterator[Bench]:
    ours = Ours(tape, Meters(clock, pool), pool, from_process().now_ns)
    run = FrameRun(tape, ours.counts, ours.timer)
    with ExitStack() as stack:
        others = _peers(request, tape, stack)
        found = run.measure(request.repeats, [ours, Nothing(), *others])
    facts = {**facts, **_facts(tape, ours, run, found)}
    yield _main_row(request, tape, found, facts)
    yield from _stage_rows(request, tape, ours, run, facts)


class FrameRun:
    """The frames of a tape, those that only warm up, and which series each of the others is in."""

    def __init__(self, tape: FrameTape, levels: Any, timer: Timer) -> None:
        self.frames, self.timer = tape.frames, timer
        self.warm = max(1, round(len(tape.frames) * WARM_UP))
        self.series = np.where(levels <= 2 * LEVELS, NORMAL, LARGER).tolist()
        self.late = 0

    def measure(self, repeats: int, all_: Sequence[Contender]) -> dict[str, list[dict[str, Any]]]:
        """Let the contenders take the frames in turn; return what each came to, by series."""
        found = {
            who.name: [{"response": Gathered(), "service": Gathered()} for _ in (NORMAL, LARGER)]
            for who in all_
        }
        for repeat in range(repeats + 1):
            for who in all_:
                self.once(who)
                for series in (NORMAL, LARGER) if repeat else ():
                    for name, row in self.timer.rows(series).items():
                        found[who.name][series][name].add(row)
        return found

    def once(self, who: Contender) -> None:
        """Let one take the frames: kimera on schedule, a peer back to back and fewer of them."""
        share = SHARES.get(who.name, 1)
        end = self.warm + max(1, (len(self.frames) - self.warm) // share)
        who.restart(self.frames[: self.warm])
        self.timer.clear(GAP_NS if share == 1 else 0.0)
        self.timer.run(who, self.frames[self.warm : end], self.series[self.warm : end])
        if share == 1:
            self.late += int(self.timer.row.late)


def _peers(request: Request, tape: FrameTape, stack: ExitStack) -> list[Contender]:
    """Return the peers that were asked for and are installed; says which are not."""
    if not request.peers:
        return []
    from .frame_peers import Ccxt, PlainPython

    found: list[Contender] = []
    for name in WORDS:
        if find_spec(name) is None:
            request.note(f"{name} is not installed: not compared with it")
        elif name == "orjson":
            found.append(PlainPython(tape, from_process().now_ns))
        elif tape.instrument.symbol == "BTCUSDT":
            ccxt = Ccxt(tape)
            stack.callback(ccxt.close)
            found.append(ccxt)
    return found


def _main_row(
    request: Request,
    tape: FrameTape,
    found: dict[str, list[dict[str, Any]]],
    facts: dict[str, Any],
) -> Bench:
    ours = found["kimera"][NORMAL]
    response, service = (histogram.summarise(ours[name].total) for name in ("response", "service"))
    medians = {
        name: histogram.summarise(series[NORMAL]["service"].total).median_ns
        for name, series in found.items()
    }
    ratios = {name: round(ns / medians["kimera"], 2) for name, ns in medians.items()}
    quiet = facts["host"]["p99_ns"] <= P99_NS  # else the tail is the host's: a core taken away
    goals = [
        Goal("p50 <= 2.5 us", holds(response.median_ns, service.median_ns, P50_NS, quiet)),
        Goal("p99 <= 5 us", True if response.p99_ns <= P99_NS else False if quiet else None),
        _faster(ratios.get("orjson"), TIMES_PYTHON, WORDS["orjson"]),
        _faster(ratios.get("ccxt"), TIMES_CCXT, "ccxt"),
    ]
    first = next((name for name in WORDS if name in ratios), "")
    peer = (f"{WORDS[first]} ({first} {package(first)})", ratios[first]) if first else ("", 0.0)
    facts["peers"] = {
        f"{name} {package(name)}": {
            **figures(found[name][NORMAL]["service"].total),
            "ratio": ratios[name],
        }
        for name in WORDS
        if name in ratios
    }
    name = f"latency.frame_to_order.{tape.name}"
    return latency_row(request, name, ours, goals, kind=KIND, peer=peer, **facts)


def _faster(ratio: float | None, times: float, name: str) -> Goal:
    return Goal(f">= {times:g} x {name}", None if ratio is None else ratio >= times)


def _facts(
    tape: FrameTape, ours: Ours, run: FrameRun, found: dict[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    larger = found["kimera"][LARGER]["service"].total
    measured = slice(run.warm, None)
    sizes = [len(frame) for frame in tape.frames[measured]]
    counts = ours.reader.counts
    return {
        "due_per_s": round(1e9 / GAP_NS),
        "late": run.late,
        "bytes_per_frame": round(sum(sizes) / max(1, len(sizes)), 1),
        "levels_per_frame": round(float(ours.counts[measured].mean()), 1),
        "orders": ours.world.orders,
        "denied": ours.world.denied,
        "slow_frames": sum(n for name, n in counts.items() if name.startswith("slow.")),
        "order_bytes": ours.length,
        "larger": figures(larger) if larger.counts.any() else None,
        "host": figures(found["nothing"][NORMAL]["response"].total),
        "stamps_ns": figures(found["nothing"][NORMAL]["service"].total)["median_ns"],
    }


def _stage_rows(
    request: Request, tape: FrameTape, ours: Ours, run: FrameRun, facts: dict[str, Any]
) -> Iterator[Bench]:
    recorder = ours.world.meters.recorder
    gathered = {name: Gathered() for name in recorder.rows()}
    recorder.switch(True)
    for repeat in range(request.repeats + 1):
        recorder.clear()
        run.once(ours)
        for name, row in recorder.rows().items() if repeat else ():
            gathered[name].add(row)
    recorder.switch(False)
    facts = {k: v for k, v in facts.items() if k not in ("peers", "larger", "host")}
    for name, each in gathered.items():
        pair = {"response": each, "service": each}
        stage = f"latency.frame_stage.{name}.{tape.name}"
        kind = "single frames, the stage's share of each"
        yield latency_row(request, stage, pair, [], kind=kind, **facts)
