"""A paper run's venues that did not answer before it: a process of its own waits for them.

Their market data come by the feed as soon as it reaches them. Before paper orders go there, clock
and markets are looked at, as they are at the start. With orders at venues the order process does
this (live/orders.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli.engine.arrivals import Arrival
from kimera_cli.engine.child import NEWS, READY, note
from kimera_cli.feeds.client import serve
from kimera_cli.instrument import Instrument
from kimera_cli.live.joining import Joining, check_markets, stop
from kimera_cli.live.markets import Market, ask_venue, keys_of
from kimera_cli.shm.segment import Clocks
from kimera_cli.venues.clients.addresses import addresses_of
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import client_for
from kimera_cli.venues.clients.world import World


class LateArguments(NamedTuple):
    """Who is waited for; secrets of keys are read in the process."""

    markets: Mapping[str, tuple[Instrument, ...]]
    """By venue, as the run counts in them."""
    server: str
    keys: Path | None
    env: Mapping[str, str]
    random_bytes: Callable[[int], bytes]


def await_venues(wire: Any, told: LateArguments, clocks: Clocks) -> None:
    """Tell of each venue that is there, until all are, or the run is gone."""

    async def work() -> None:
        world = World(
            clocks.now_ns, clocks.monotonic_ns, told.random_bytes, lambda error: note(wire, error)
        )
        transport = Transport(addresses_of(told.server), world)
        keys = keys_of(told.keys, told.markets, told.env)

        async def attempt(venue: str) -> Arrival:
            client = client_for(venue, keys.get(venue), transport, world)
            symbols = [each.symbol for each in told.markets[venue]]
            markets = await ask_venue(client, symbols)
            await check_markets(client, told.markets[venue])
            return arrival_of(markets, fees=venue in keys)

        wire.send((READY, None))
        joinings = [
            Joining(venue, partial(attempt, venue), lambda a: wire.send((NEWS, a)), world)
            for venue in told.markets
        ]
        gone = asyncio.Event()
        asyncio.get_running_loop().add_reader(wire.fileno(), gone.set)
        ends: asyncio.Future[Any] = asyncio.ensure_future(gone.wait())
        for each in joinings:
            each.late = True
            each.start()
        try:
            whole: asyncio.Future[Any] = asyncio.gather(*(each.task for each in joinings))
            await asyncio.wait([ends, whole], return_when=asyncio.FIRST_COMPLETED)
            if whole.done():
                whole.result()
        finally:
            ends.cancel()
            await stop(joinings)
            asyncio.get_running_loop().remove_reader(wire.fileno())
            transport.close()

    serve(work)


def arrival_of(markets: list[Market], *, fees: bool) -> Arrival:
    """Return the word that a venue is there, with what was learnt of it."""
    (venue,) = {market.instrument.venue for market in markets}
    paid = {m.instrument.symbol: (m.instrument.maker_fee, m.instrument.taker_fee) for m in markets}
    first = markets[0]
    return Arrival(venue, first.clock_ahead_ns, first.clock_uncertainty_ns, paid if fees else {})
