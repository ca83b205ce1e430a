"""The wire for minutes: does the rate hold, is nothing lost, does memory stay flat?

The same client, server and consumer as in bench/wire.py, on one connection that lasts as long as
asked. The client then hangs up, and the consumer has what it took: as many events, with the same
sum of hashes, as an offline parser reads in the frames that the client counted. What conflated
because the consumer was kept from its core is told apart from what is lost (there must be none).

`detail.intervals` has rate and memory of each tenth of the time, at least a second and at most a
minute long. Memory is the client's, without the ring. Its receive buffer grows to the largest
backlog that the socket has held, so what is judged is the second half of the time: there it must
not grow by more than SLACK_KB.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
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

from .harness import steady
from .parse_frames import FORMS, Form
from .request import Request
from .stats import quantile
from .targets import Goal, judge
from .wire import CHUNK, GOAL, SHAPE, cores, rss_kb
from .wire_peer import drain, flood, running, text_frame
from .wire_work import tally

SAMPLE_S = 0.5
SLACK_KB = 1_024
ENDLESS = 1 << 40
"""Chunks that the server would send, and events that the consumer waits for: it ends when nothing
has come for wire_peer.PATIENCE_S.
"""
_NS = 1_000_000_000


class Cycle:
    """Frames that are sent again and again, and what an offline parser reads in them."""

    def __init__(self, form: Form, count: int) -> None:
        self.form, self.frames = form, form.frames("depth", count)
        reader = FrameReader(form.dialect, [form.instrument])
        self.after = np.zeros((count + 1, 2), np.uint64)  # (events, sum of hashes) of so many
        for number, frame in enumerate(self.frames, 1):
            n = reader.take(frame, 1)
            self.after[number] = self.after[number - 1]
            tally(reader.events[:n].view(np.recarray), self.after[number])

    def read(self, frames: int) -> tuple[int, int]:
        """Return (events, hash) of so many frames from the first on."""
        rounds, rest = divmod(frames, len(self.frames))
        events, hashed = (
            int(a) * rounds + int(b) for a, b in zip(self.after[-1], self.after[rest], strict=True)
        )
        return events, hashed % (1 << 64)


class Samples:
    """(time, frames, memory) while a client runs; room for all is there before it begins."""

    def __init__(self, seconds: float) -> None:
        self.rows = np.zeros((int(seconds / SAMPLE_S) + 8, 3), np.int64)
        self.n = 0

    def take(self, frames: int) -> None:
        """Note the state now."""
        if self.n < len(self.rows):
            self.rows[self.n] = time.monotonic_ns(), frames, rss_kb()
            self.n += 1

    def intervals(self, seconds: float) -> list[dict[str, float]]:
        """Return what happened in stretches of about `seconds`."""
        rows, found = self.rows[: self.n], list[dict[str, float]]()
        step = max(1, round(seconds / SAMPLE_S))
        for begin in range(0, len(rows) - 1, step):
            first, last = rows[begin], rows[min(begin + step, len(rows) - 1)]
            passed = float(last[0] - first[0]) / _NS
            if passed < 0.5 * seconds and found:
                break
            frames = int(last[1] - first[1])
            rate = round(frames / passed)
            found.append(
                {
                    "seconds": round(passed, 3),
                    "frames": frames,
                    "rate_per_s": rate,
                    "rss_kb": int(last[2]),
                }
            )
        return found


@dataclass(frozen=True)
class Soaked:
    """What came of a run."""

    frames: int
    seconds: float
    expected: tuple[int, int]
    found: tuple[int, int]
    conflated: int
    samples: Samples
    reports: Sequence[KimeraError]
    cpu_s: float

    @property
    def lost(self) -> int:
        """Events that are neither in the ring nor conflated."""
        return self.expected[0] - self.found[0] - self.conflated

    @property
    def whole(self) -> bool:
        """Whether nothing is lost and what is there is what was sent."""
        return self.lost == 0 and (self.conflated > 0 or self.found == self.expected)


def row(request: Request, seconds: float) -> Bench:
    """Run for so many seconds."""
    ours, theirs = cores()
    cycle = Cycle(FORMS[0], CHUNK)
    shared = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with (
        TemporaryDirectory(prefix="kimera-soak-", dir=shared) as folder,
        running(flood, theirs) as server,
        running(drain, theirs, Path(folder) / "ring") as consumer,
        steady(),
    ):
        server.ask({"depth": b"".join(map(text_frame, cycle.frames))})
        url = f"ws://127.0.0.1:{server.answer()}/depth/{ENDLESS}"
        consumer.answer()
        producer = ConflatingProducer(Path(folder) / "ring", SHAPE, from_process())
        producer.put(np.zeros(0, EVENT))  # compile now: it takes longer than the consumer waits
        producer.drain()
        consumer.ask(ENDLESS)
        soaked = _soak(cycle, producer, url, seconds, consumer.answer)
    return _told(request, soaked, seconds, (ours, theirs))


def _soak(
    cycle: Cycle, producer: ConflatingProducer, url: str, seconds: float, answer: Any
) -> Soaked:
    clocks = from_process()
    form, reports = cycle.form, list[KimeraError]()
    pump = Pump(FrameReader(form.dialect, [form.instrument]), producer)
    around = Surroundings(clocks.now_ns, clocks.monotonic_ns, Random(1).random, reports.append)
    client = FeedClient(pump, Link(url, silence_s=60.0), around)
    samples = Samples(seconds)

    async def watch() -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            samples.take(client.counts.messages)
            await asyncio.sleep(SAMPLE_S)
        samples.take(client.counts.messages)
        client.stop()

    async def session() -> None:
        watching = asyncio.ensure_future(watch())
        try:
            await client.session()
        finally:
            watching.cancel()
        while pump.drain():
            await asyncio.sleep(0)

    before = os.times()
    serve(session)
    after = os.times()
    rows, frames = samples.rows[: samples.n], client.counts.messages
    return Soaked(
        frames=frames,
        seconds=float(rows[-1, 0] - rows[0, 0]) / _NS,
        expected=cycle.read(frames),
        found=answer(),
        conflated=producer.conflation.merged,
        samples=samples,
        reports=reports,
        cpu_s=after.user + after.system - before.user - before.system,
    )


def _told(
    request: Request, soaked: Soaked, seconds: float, cores: tuple[int | None, int | None]
) -> Bench:
    intervals = soaked.samples.intervals(min(60.0, max(1.0, seconds / 10)))
    slowest = min(each["rate_per_s"] for each in intervals)
    memory = soaked.samples.rows[: soaked.samples.n, 2]
    warm = int(memory[len(memory) // 10])
    grown_kb = int(memory[-1] - memory[len(memory) // 2])
    target, met = judge(_goals(soaked, slowest, grown_kb, None in cores))
    each = [1e9 / max(1.0, interval["rate_per_s"]) for interval in intervals]
    return Bench(
        name="soak",
        n=soaked.frames,
        median_ns=round(quantile(each, 0.5), 1),
        p99_ns=round(quantile(each, 0.99), 1),
        p999_ns=round(quantile(each, 0.999), 1),
        max_ns=round(max(each), 1),
        rate_per_s=round(soaked.frames / max(soaked.seconds, 1e-9)),
        target=target,
        met=met,
        machine=request.machine,
        commit=request.commit,
        detail={
            "kind": f"stretches of {intervals[0]['seconds']:g} s",
            "seconds": round(soaked.seconds, 3),
            "events": soaked.expected[0],
            "lost": soaked.lost,
            "conflated": soaked.conflated,
            "same_hash": soaked.found == soaked.expected,
            "cpu_ns": round(soaked.cpu_s * 1e9 / max(1, soaked.frames), 1),
            "rss_kb": {
                "begin": int(memory[0]),
                "after_tenth": warm,
                "half_way": int(memory[len(memory) // 2]),
                "most": int(memory.max()),
                "end": int(memory[-1]),
            },
            "intervals": intervals,
            "reports": [each.message for each in soaked.reports],
            "cores": list(cores),
            "load_1m": request.load,
        },
    )


def _goals(soaked: Soaked, slowest: float, grown_kb: int, shared: bool) -> list[Goal]:
    """Judge; the rate tells nothing where client and server share a core."""
    return [
        Goal("every stretch >= 150 k frames/s", None if shared else slowest >= GOAL),
        Goal("no event lost", soaked.whole),
        Goal("memory grows by less than 1 MiB in the second half", grown_kb < SLACK_KB),
    ]
