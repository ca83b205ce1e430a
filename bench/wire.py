"""Frames through a loopback websocket into the shared ring, while a consumer drains it.

A server process sends Binance frames as fast as the socket takes them; the client (picows, uvloop,
parse kernel, conflating producer) is on a core of its own; server and consumer share the other one.
The consumer counts events and sums their hashes: `detail.lost` is what is missing of what an
offline parser reads in the same frames, and `detail.conflated` what was replaced because the
consumer lagged. `cpu_ns` is the client's processor time for a frame, system calls included.

Peers get the same bytes: websockets and aiohttp on uvloop, with orjson into a dict of float prices.
`kimera bench soak` lets the same run for minutes (bench/soak.py).
"""

from __future__ import annotations

import asyncio
import math
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from kimera_cli.context import from_process
from kimera_cli.errors import KimeraError
from kimera_cli.feeds.client import FeedClient, Link, serve
from kimera_cli.feeds.pump import Pump
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.layouts import EVENT
from kimera_cli.records import Bench
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.folder import SHARED_MEMORY
from kimera_cli.shm.ring import ring_shape

from . import targets, wire_clients
from .harness import Case, Timing, Watch
from .machine import package
from .parse_frames import FORMS, Form
from .request import Peer, Request, row
from .wire_peer import Process, drain, flood, running, text_frame
from .wire_work import tally

FRAMES = 200_000
CHUNK = 2_000
"""Different frames; a run sends them again and again."""
GOAL = 150_000.0
SHAPE = ring_shape(EVENT, 1 << 18)
SAMPLE_S = 0.25
PEER_SHARE = 8
"""A peer's run has so many times fewer frames."""


@dataclass
class Load:
    """The frames of one row, and what an offline parser reads in them."""

    kind: str
    form: Form
    chunks: int
    per_chunk: int
    frames: list[bytes]
    events: int = 0
    hash: int = 0

    def __post_init__(self) -> None:
        reader = FrameReader(self.form.dialect, [self.form.instrument])
        totals = np.zeros(2, np.uint64)
        for frame in self.frames:
            n = reader.take(frame, 1)
            tally(reader.events[:n].view(np.recarray), totals)
        self.events = int(totals[0]) * self.chunks
        self.hash = int(totals[1]) * self.chunks % (1 << 64)


@dataclass
class Seen:
    """What was noted in each run besides its time."""

    cpu_ns: list[float] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    conflated: list[int] = field(default_factory=list)
    same: list[bool] = field(default_factory=list)
    rss_kb: list[list[int]] = field(default_factory=list)
    """Resident memory of each run, every SAMPLE_S and at its end."""


def rows(request: Request) -> Iterator[Bench]:
    """Time depth messages of 20 + 20 levels, and trades."""
    for kind in ("depth", "trade"):
        yield _row(request, kind)


def _row(request: Request, kind: str) -> Bench:
    load = _load(request, kind)
    ours, theirs = cores()
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with (
        TemporaryDirectory(prefix="kimera-wire-", dir=shared) as folder,
        running(flood, theirs) as server,
        running(drain, theirs, Path(folder) / "ring") as consumer,
    ):
        server.ask({kind: b"".join(map(text_frame, load.frames))})
        url = f"ws://127.0.0.1:{server.answer()}/{kind}/"
        consumer.answer()
        seen = Seen()
        cases = [_ours(request, Path(folder) / "ring", url, load, consumer, seen)]
        if request.peers:
            cases += wire_clients.cases(url, load.form, max(1, load.chunks // PEER_SHARE), CHUNK)
        timings = request.measure(cases)
    return _told(request, load, timings, seen, (ours, theirs))


def _told(
    request: Request, load: Load, timings: dict[str, Timing], seen: Seen, cores: tuple[Any, Any]
) -> Bench:
    ours = timings["kimera"]
    peers = [Peer(f"{n} {package(n)}", timings[n]) for n in wire_clients.NAMES if n in timings]
    whole = not any(seen.lost) and not any(seen.conflated) and all(seen.same)
    goals = [targets.Goal("every event in the ring, none conflated", whole)]
    if load.kind == "depth":
        goals.insert(0, targets.rate(ours, GOAL, "frames"))
    if None in cores:
        goals = [targets.Goal(goal.text, None) for goal in goals]
    samples = seen.rss_kb[-1]
    return row(
        request,
        f"wire.{load.kind}",
        ours,
        kind=f"whole runs of {load.chunks * load.per_chunk} frames",
        peer=peers[0] if peers else None,
        others=peers[1:],
        goals=goals,
        bytes_per_frame=round(sum(map(len, load.frames)) / len(load.frames), 1),
        events_per_run=load.events,
        cpu_ns=[round(each, 1) for each in seen.cpu_ns[1:]],
        lost=seen.lost[1:],
        conflated=seen.conflated[1:],
        rss_kb={
            "begin": samples[0],
            "after_tenth": samples[len(samples) // 10],
            "most": max(samples),
            "end": samples[-1],
        },
        cores=list(cores),
    )


def _load(request: Request, kind: str) -> Load:
    form = FORMS[0]
    wanted = request.size(FRAMES)
    per_chunk = min(CHUNK, wanted)
    return Load(kind, form, math.ceil(wanted / per_chunk), per_chunk, form.frames(kind, per_chunk))


def cores() -> tuple[int | None, int | None]:
    """Return the client's core (the harness pins to the last), and the others' one."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return (allowed[-1], allowed[0]) if len(allowed) > 1 else (None, None)


def _ours(
    request: Request, path: Path, url: str, load: Load, consumer: Process, seen: Seen
) -> Case:
    producer = ConflatingProducer(path, SHAPE, from_process())
    pump = Pump(FrameReader(load.form.dialect, [load.form.instrument]), producer)
    link = Link(f"{url}{load.chunks}", silence_s=60.0)
    reports: list[KimeraError] = []
    clocks = from_process()
    around = Surroundings(
        now_ns=clocks.now_ns,
        monotonic_ns=clocks.monotonic_ns,
        random=Random(1).random,
        report=reports.append,
    )

    async def session() -> None:
        seen.rss_kb.append([rss_kb()])
        samples = asyncio.ensure_future(_sample(seen.rss_kb[-1]))
        client = FeedClient(pump, link, around)
        try:
            await client.session()
            while pump.drain():
                await asyncio.sleep(0)
        finally:
            samples.cancel()
            seen.rss_kb[-1].append(rss_kb())

    def run(_: Any, watch: Watch) -> None:
        merged, before = producer.conflation.merged, _cpu_ns()
        consumer.ask(load.events)
        watch.start()
        serve(session)
        watch.lap(load.chunks * load.per_chunk)
        seen.cpu_ns.append((_cpu_ns() - before) / (load.chunks * load.per_chunk))
        seen.conflated.append(producer.conflation.merged - merged)

    def done(_: Any) -> None:
        events, hashed = consumer.answer()
        seen.lost.append(load.events - events - seen.conflated[-1])
        seen.same.append(hashed == load.hash)

    return Case("kimera", lambda: None, run, done)


async def _sample(noted: list[int]) -> None:
    while True:
        noted.append(rss_kb())
        await asyncio.sleep(SAMPLE_S)


def rss_kb() -> int:
    """Return the resident memory of this process, without the shared ring's pages."""
    import psutil

    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0)) >> 10


def _cpu_ns() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e9
