"""`kimera fetch record`: what a venue sends, into a file that importers read."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.feeds.client import TICK_S, serve
from kimera_cli.feeds.dialect import KINDS, Kind
from kimera_cli.feeds.live import LiveFeed, Stream, World
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.recorder import Recorder
from kimera_cli.feeds.recording import Header, Part
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import F_GAP, Events
from kimera_cli.live.markets import ask_markets, venue_world
from kimera_cli.names import did_you_mean
from kimera_cli.records import Recording
from kimera_cli.units import NS_PER_S, parse_duration_ns
from kimera_cli.venues.clients.addresses import Addresses, addresses_of
from kimera_cli.venues.orders.rules import canonical

if TYPE_CHECKING:
    from kimera_cli.context import Context

FLUSH_EVERY = round(1.0 / TICK_S)
"""Ticks between two hand-overs to the operating system: a killed recorder loses a second."""

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that end a recording as it should."""


@dataclass(frozen=True)
class RecordPlan:
    """What to record, as typed. `duration` None: until it is interrupted."""

    venue: str
    symbols: Sequence[str]
    out: Path
    kinds: Sequence[str] = KINDS
    duration: str | None = None
    server: str = ""

    @property
    def seconds(self) -> float | None:
        """How long; UsageError `usage.duration`."""
        try:
            return None if self.duration is None else parse_duration_ns(self.duration) / NS_PER_S
        except ValueError as error:
            raise UsageError("usage.duration", str(error)) from None


def record(
    plan: RecordPlan, world: Context, progress: Callable[[int], None] = lambda _: None
) -> Recording:
    """Record until the time is over or the process is asked to stop; return what was written.

    `progress` is told of messages. Errors of the venue before it begins (VenueError, UsageError);
    `data.write` at any time. What was written before is in the file, or in FILE.part.
    """
    addresses = addresses_of(plan.server)
    wanted = {canonical(plan.venue): list(dict.fromkeys(plan.symbols))}
    kinds, seconds = _kinds(plan.kinds), plan.seconds
    markets = ask_markets(wanted, addresses, {}, world)
    stream = Stream(tuple(market.instrument for market in markets), kinds)
    session = _Session(plan.out, seconds, stream, addresses, world, progress)
    serve(session.run)
    return session.result()


def _kinds(typed: Sequence[str]) -> tuple[Kind, ...]:
    found: list[Kind] = [kind for kind in KINDS if kind in typed]
    for each in typed:
        if each not in KINDS:
            raise UsageError(
                "usage.kind",
                f"expected --kinds of {', '.join(KINDS)}, was '{each}'",
                did_you_mean(each, KINDS),
            )
    return tuple(found)


@contextmanager
def _told_to(stop: Callable[[], None]) -> Iterator[None]:
    """Let signals call `stop`: from before there is a file until it has its name."""
    loop = asyncio.get_running_loop()
    for each in ENDING:
        loop.add_signal_handler(each, stop)
    try:
        yield
    finally:
        for each in ENDING:
            loop.remove_signal_handler(each)


class _Session:
    """One recording while it is made."""

    def __init__(
        self,
        out: Path,
        seconds: float | None,
        stream: Stream,
        addresses: Addresses,
        world: Context,
        progress: Callable[[int], None],
    ) -> None:
        self.out, self.seconds = out, seconds
        self.stream, self.addresses = stream, addresses
        self.world, self.progress = world, progress
        self.events = self.marks = 0
        self.started_ns = world.now_ns()
        self.ended_ns = 0
        self.recorder: Recorder | None = None
        self.feed: LiveFeed | None = None
        self.failure: KimeraError | None = None
        self._lost: int | None = None
        """How often books were lost before the end."""

    async def run(self) -> None:
        """Record until the end."""
        report = venue_world(self.world).report
        around = Surroundings(self.world.now_ns, self.world.monotonic_ns, self._random, report)
        async with RestClient(self.addresses) as rest:
            world = World(around, rest.fetch, self.addresses)
            output = FunctionOutput(self._count)
            self.feed = feed = LiveFeed([self.stream], output, world, self._note)
            with _told_to(self._stop):
                self.recorder = Recorder(self.out, self._header(feed, self.stream.instruments))
                try:
                    await self._record(feed)
                finally:
                    self._end()

    async def _record(self, feed: LiveFeed) -> None:
        if self.seconds is not None:
            asyncio.get_running_loop().call_later(self.seconds, self._stop)
        flushing = asyncio.ensure_future(self._flush())
        try:
            await feed.run()
        finally:
            flushing.cancel()

    def result(self) -> Recording:
        """Return what was written."""
        assert self.recorder is not None
        assert self.feed is not None
        counts = self.recorder.counts
        return Recording(
            file=str(self.out),
            venue=self.stream.instruments[0].venue,
            symbols=[each.symbol for each in self.stream.instruments],
            kinds=list(self.stream.kinds),
            seconds=(self.ended_ns - self.started_ns) / 1e9,
            messages=counts.messages,
            answers=counts.answers,
            bytes=counts.bytes,
            stored_bytes=self.out.stat().st_size,
            events=self.events,
            synced=sum(state.counts.synced for state in self.feed.states()),
            lost=self._losses() if self._lost is None else self._lost,
        )

    def _stop(self) -> None:
        """End the recording; that its books end with it is no loss."""
        assert self.feed is not None
        if self._lost is None:
            self._lost = self._losses()
        self.feed.stop()

    def _losses(self) -> int:
        assert self.feed is not None
        return sum(state.counts.lost for state in self.feed.states())

    def _header(self, feed: LiveFeed, instruments: Sequence[Instrument]) -> Header:
        parts = [Part(each.intake.reader.numbers, each.kinds) for each in feed.connections]
        return Header(
            venue=instruments[0].venue,
            started_ns=self.started_ns,
            instruments=tuple(instruments),
            connections=tuple(parts),
        )

    def _note(
        self, connection: int, ts_ns: int, what: str, content: bytes | memoryview, instrument: int
    ) -> None:
        """Write a line; when that fails, all ends, and the error is told once.

        That the recorder began says nothing of the market, and is left out.
        """
        assert self.recorder is not None
        assert self.feed is not None
        if self.failure is not None or what == "begin":
            return
        try:
            self.recorder.note(connection, ts_ns, what, content, instrument)
        except KimeraError as error:
            self.failure = error
            self.feed.stop()
        if what == "text":
            self.progress(1)

    def _random(self) -> float:
        """Return a number from [0, 1)."""
        return int.from_bytes(self.world.random_bytes(6), "little") / (1 << 48)

    def _count(self, events: Events, n: int) -> None:
        """Count what an import will have: marks count when something comes behind them."""
        if n == 1 and events[0]["flags"] & F_GAP:
            self.marks += self.events > 0
            return
        self.events += self.marks + n
        self.marks = 0

    async def _flush(self) -> None:
        assert self.recorder is not None
        assert self.feed is not None
        while self.failure is None:
            await asyncio.sleep(FLUSH_EVERY * TICK_S)
            try:
                self.recorder.flush()
            except KimeraError as error:
                self.failure = error
                self.feed.stop()

    def _end(self) -> None:
        assert self.recorder is not None
        self.ended_ns = self.world.now_ns()
        if self.failure is not None:
            raise self.failure
        self.recorder.close(self.ended_ns)
