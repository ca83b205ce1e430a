"""Live market data of several venues at once: connections, books in step, one output.

feed = LiveFeed([Stream(instruments, ("depth", "trade"))], output, world, addresses)
await feed.run()                      # until feed.stop(), in the loop's thread

`feed.instruments[k]` is what `event["instrument"] == k` speaks of. The output is a
feeds/output.py: `RingOutput(producer)` for another process that runs the engine, or
`FunctionOutput(take)`, which is given every frame's events in the feed's own thread, before the
next frame is read:

    def take(events, n): ...          # rows events[:n]; good until it returns

Each venue address has a connection and a task of its own, so that an outage of one never holds up
the others. What a venue or the network does is reported through `world.report` and mended. A book
is shown only while it is the venue's (feeds/sync.py); `feed.states()` says which are, and why not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from typing import NamedTuple

import numpy as np

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.feeds.attend import GAP_S, Attendant, Patience
from kimera_cli.feeds.client import FeedClient, link_for
from kimera_cli.feeds.dialect import Dialect, Kind
from kimera_cli.feeds.dialects import dialect_of
from kimera_cli.feeds.intake import Intake, sync_rows
from kimera_cli.feeds.network import Addresses, Direct
from kimera_cli.feeds.output import Output
from kimera_cli.feeds.pace import Pace
from kimera_cli.feeds.reader import Checks, FrameReader, Payload
from kimera_cli.feeds.surroundings import Fetch, Surroundings
from kimera_cli.feeds.sync import BookSync, SyncCounts
from kimera_cli.feeds.sync_count import Numbering
from kimera_cli.feeds.tap import Note, TappedIntake
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.parse_layout import MAX_SYMBOLS
from kimera_cli.kernels.sync import LINK
from kimera_cli.layouts import MAX_INSTRUMENTS


class Stream(NamedTuple):
    """What to read of one venue; all instruments are of it."""

    instruments: Sequence[Instrument]
    kinds: Sequence[Kind] = ("depth", "trade")


@dataclass(frozen=True)
class World:
    """What a live feed may not reach for by itself. `fetch` gets a REST answer (feeds/rest.py)."""

    around: Surroundings
    fetch: Fetch
    addresses: Addresses = field(default_factory=Direct)
    patience: Patience = field(default_factory=Patience)
    silence_s: float = 10.0
    """A connection without any message for so long is given up."""
    paces: dict[str, Pace] = field(default_factory=dict)
    """By venue; one for all its connections."""

    def pace(self, dialect: Dialect) -> Pace:
        """Return how fast a venue is asked for proofs and audits."""
        if dialect.venue not in self.paces:
            gap_s = GAP_S if dialect.books is None else dialect.books.gap_s
            self.paces[dialect.venue] = Pace(self.fetch, self.around, gap_s)
        return self.paces[dialect.venue]


class BookState(NamedTuple):
    """How one book is."""

    instrument: Instrument
    good: bool
    reason: str
    """Why it is not; empty when it is."""
    counts: SyncCounts
    best: Callable[[int, int], list[tuple[int, int]]]
    """Its best levels: BookSync.best."""


class Connection:
    """One address of one venue."""

    def __init__(
        self,
        dialect: Dialect,
        numbered: Sequence[tuple[int, Instrument]],
        kinds: Sequence[Kind],
        output: Output,
        world: World,
        note: Note | None = None,
    ) -> None:
        around = world.around
        make: Callable[..., Intake] = Intake
        if note is not None:
            make = partial(TappedIntake, note=note, now_ns=around.now_ns)
        self.intake = intake_of(dialect, numbered, kinds, output, make)
        self.kinds = tuple(kinds)
        pace = world.pace(dialect)
        self.attendant = Attendant(self.intake, kinds, around, world.fetch, world.patience, pace)
        instruments = [instrument for _, instrument in numbered]
        link = link_for(dialect, instruments, kinds, addresses=world.addresses)
        link = replace(link, silence_s=world.silence_s)
        self.client = FeedClient(self.intake, link, around, self.attendant)


class LiveFeed:
    """The market data of some instruments. UsageError `usage.feed`: they cannot be read at once.

    `note(connection, local ns, what, content, instrument)` is told of all that comes in, as
    feeds/recording.py writes it.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        output: Output,
        world: World,
        note: Callable[[int, int, str, Payload, int], None] | None = None,
    ) -> None:
        self.output, self.world, self._note = output, world, note
        self.instruments: tuple[Instrument, ...] = tuple(
            each for stream in streams for each in stream.instruments
        )
        if not 0 < len(self.instruments) <= MAX_INSTRUMENTS:
            expected = f"expected 1 to {MAX_INSTRUMENTS} instruments"
            raise UsageError("usage.feed", f"{expected}, was {len(self.instruments)}")
        self.connections = self._connections(streams)

    def _connections(self, streams: Sequence[Stream]) -> list[Connection]:
        found: list[Connection] = []
        first = 0
        for stream in streams:
            for group in groups(stream, first):
                note = None if self._note is None else partial(self._note, len(found))
                found.append(Connection(*group, self.output, self.world, note))
            first += len(stream.instruments)
        return found

    async def run(self) -> None:
        """Read until `stop`. RunError `run.feed_undelivered`: the consumer left events.

        DataError `data.block_broken`: the ring is damaged; then all connections end.
        """
        now_ns = self.world.around.now_ns()
        for connection in self.connections:
            connection.intake.begin(now_ns)
        try:
            async with asyncio.TaskGroup() as tasks:
                for connection in self.connections:
                    tasks.create_task(connection.client.run())
        except* KimeraError as errors:
            raise errors.exceptions[0] from None

    def stop(self) -> None:
        """End all connections and `run`; to be called in the loop's thread."""
        for connection in self.connections:
            connection.client.stop()

    def states(self) -> list[BookState]:
        """Return how each book is, in the order of `instruments`."""
        books: dict[int, BookSync] = {}
        for connection in self.connections:
            books.update(connection.intake.books)
        return [
            BookState(self.instruments[number], book.good, book.reason, book.counts, book.best)
            for number, book in sorted(books.items())
        ]


Group = tuple[Dialect, list[tuple[int, Instrument]], list[Kind]]


def groups(stream: Stream, first: int) -> list[Group]:
    """Return what goes over one connection each: same venue, same address, MAX_SYMBOLS at most.

    `first` is the number of the stream's first instrument.
    """
    venues = sorted({each.venue for each in stream.instruments})
    if len(venues) != 1 or not stream.kinds:
        raise UsageError(
            "usage.feed", f"expected instruments of one venue, was {', '.join(venues) or 'none'}"
        )
    dialect = dialect_of(venues[0])
    assert dialect.wire is not None
    found: dict[tuple[str, tuple[Kind, ...]], list[tuple[int, Instrument]]] = {}
    for number, instrument in enumerate(stream.instruments, first):
        addresses: dict[str, list[Kind]] = {}
        for kind in dict.fromkeys(stream.kinds):
            addresses.setdefault(dialect.wire.url(instrument, kind), []).append(kind)
        for url, kinds in addresses.items():
            found.setdefault((url, tuple(kinds)), []).append((number, instrument))
    return [
        (dialect, members[k : k + MAX_SYMBOLS], list(kinds))
        for (_, kinds), members in found.items()
        for k in range(0, len(members), MAX_SYMBOLS)
    ]


def intake_of(
    dialect: Dialect,
    numbered: Sequence[tuple[int, Instrument]],
    kinds: Sequence[Kind],
    output: Output,
    make: Callable[..., Intake] = Intake,
) -> Intake:
    """Return the intake of one connection: reader, and a state machine for each book."""
    numbers, instruments = zip(*numbered, strict=True)
    checks = Checks(sync_rows(), np.zeros(1, LINK))
    reader = FrameReader(dialect, instruments, numbers=numbers, checks=checks)
    rule, books = dialect.books, {}
    if rule is None and "depth" in kinds:
        raise UsageError("usage.feed", f"expected books of another venue, was {dialect.venue}")
    numbering = Numbering(checks.link[0]) if rule is not None and rule.numbered else None
    if rule is not None and "depth" in kinds:
        rows, sync = checks.syncs, _sync_class(rule.sync)
        books = {number: sync(rows[number], number, each) for number, each in numbered}
    return make(reader, checks, books, output, numbering)


def _sync_class(target: str) -> Callable[..., BookSync]:
    module, _, name = target.partition(":")
    found: Callable[..., BookSync] = getattr(import_module(module), name)
    return found
