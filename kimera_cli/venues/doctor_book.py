"""A live book watched for a while: whether it was in step, and stayed so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.live import BookState, LiveFeed, Stream
from kimera_cli.feeds.live import World as FeedWorld
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.feeds.sync import SyncCounts
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, Events
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.clients.addresses import Addresses
from kimera_cli.venues.clients.world import World

PATIENCE_S = 20.0
"""How long the book may take to be in step at all."""
TICK_S = 0.05


@dataclass
class Watched:
    """What came of it."""

    good: bool = False
    reason: str = ""
    """Why the book is not good at the end."""
    counts: SyncCounts = field(default_factory=SyncCounts)
    events: int = 0
    bid: Decimal | None = None
    ask: Decimal | None = None
    errors: list[KimeraError] = field(default_factory=list)
    """What was mended, or was not."""


async def watch(
    instrument: Instrument, addresses: Addresses, world: World, seconds: float
) -> Watched:
    """Follow the book of a market for some seconds from when it is first in step."""
    found = Watched()

    def take(events: Events, n: int) -> None:
        found.events += n

    around = Surroundings(world.now_ns, world.monotonic_ns, world.random, found.errors.append)
    async with RestClient(addresses) as rest:
        outside = FeedWorld(around, rest.fetch, addresses)
        feed = LiveFeed([Stream((instrument,))], FunctionOutput(take), outside)
        running = asyncio.ensure_future(feed.run())
        try:
            await _until_good(feed, running, world)
            await asyncio.wait((running,), timeout=seconds)
            (state,) = feed.states()
            _take(found, state)
        finally:
            feed.stop()
            await running
    return found


async def _until_good(feed: LiveFeed, running: asyncio.Future[None], world: World) -> None:
    end_ns = world.monotonic_ns() + int(PATIENCE_S * NS_PER_S)
    while not feed.states()[0].good and world.monotonic_ns() < end_ns and not running.done():
        await asyncio.wait((running,), timeout=TICK_S)


def _take(found: Watched, state: BookState) -> None:
    found.good, found.reason, found.counts = state.good, state.reason, replace(state.counts)
    if state.good:
        tick = state.instrument.tick
        found.bid, found.ask = (
            levels[0][0] * tick if (levels := state.best(side, 1)) else None for side in (BID, ASK)
        )
