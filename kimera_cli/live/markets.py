"""What a live run asks its venues before it begins: markets, fees, and how far their clocks are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from kimera_cli.errors import KimeraError, UsageError, VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.addresses import Addresses
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.credentials import (
    Credentials,
    from_environment,
    from_file,
    venues_in,
)
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import canonical

if TYPE_CHECKING:
    from kimera_cli.context import Context


class Market(NamedTuple):
    """One market of the run."""

    instrument: Instrument
    clock_ahead_ns: int
    """The venue's clock minus this host's."""
    clock_uncertainty_ns: int


def parse_markets(typed: Sequence[str]) -> dict[str, list[str]]:
    """Return symbols by venue of `binance/BTCUSDT`, in the order typed; aliases are resolved."""
    found: dict[str, list[str]] = {}
    for text in typed:
        venue, slash, symbol = text.partition("/")
        if not slash or not venue or not symbol:
            raise UsageError(
                "usage.market",
                f"expected --market as VENUE/SYMBOL, was '{text}'",
                "for example: --market binance/BTCUSDT --market kraken/XBTUSD",
            )
        found.setdefault(canonical(venue), []).append(symbol)
    if not found:
        raise UsageError(
            "usage.market",
            "expected at least one --market with --source venue, was none",
            "for example: --market binance/BTCUSDT",
        )
    return found


def ask_markets(
    wanted: dict[str, list[str]],
    addresses: Addresses,
    keys: dict[str, Credentials],
    world: Context,
) -> list[Market]:
    """Ask all venues at once; VenueError when one does not answer, UsageError for no such market.

    VenueError `venue.clock` when a clock is more than a second off.
    """
    markets: list[Market] = []
    for found in ask_each(wanted, addresses, keys, world).values():
        if isinstance(found, KimeraError):
            raise found
        markets += found
    return markets


Keep = Callable[[str, Iterable[Listing]], None]
Found = list[Market] | KimeraError


def ask_each(
    wanted: dict[str, list[str]],
    addresses: Addresses,
    keys: dict[str, Credentials],
    world: Context,
    *,
    limit_s: float = math.inf,
    keep: Keep = lambda venue, listings: None,
) -> dict[str, Found]:
    """Ask all venues at once; return what each has, or its error, as `ask_markets` raises it.

    When one has answered, others are not waited for beyond `limit_s`. `keep` is given all markets
    of each venue that answered.
    """
    around = venue_world(world)

    async def ask() -> dict[str, Found]:
        transport = Transport(addresses, around)

        async def one(venue: str) -> Found:
            client = client_for(venue, keys.get(venue), transport, around)
            try:
                found = await ask_venue(client, wanted[venue])
            except KimeraError as error:
                return error
            keep(venue, _with_fees(client, found))
            return found

        tasks = {venue: asyncio.ensure_future(one(venue)) for venue in wanted}
        try:
            await _within(set(tasks.values()), limit_s)
            return {v: t.result() if t.done() else _silent(v, limit_s) for v, t in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()
            transport.close()

    return asyncio.run(ask())


async def _within(tasks: set[asyncio.Task[Found]], limit_s: float) -> None:
    """Wait for all, but when one has an answer no longer than this."""
    loop = asyncio.get_running_loop()
    ends_s, answered = loop.time() + limit_s, False
    while tasks and (not answered or loop.time() < ends_s):
        limit = ends_s - loop.time() if answered and limit_s < math.inf else None
        done, tasks = await asyncio.wait(tasks, timeout=limit, return_when="FIRST_COMPLETED")
        answered = answered or any(isinstance(task.result(), list) for task in done)


def _silent(venue: str, limit_s: float) -> VenueError:
    return VenueError(
        "venue.no_answer",
        f"expected {venue} to answer within {limit_s:g} s of the start, was nothing",
        "look at the network and at the venue's status page",
        venue=venue,
    )


def _with_fees(client: VenueClient, markets: Iterable[Market]) -> Iterable[Listing]:
    """Return all markets of a venue; these with what the account pays there."""
    known = dict(client.session.api.listings)
    for market in markets:
        symbol = market.instrument.symbol
        known[symbol] = known[symbol]._replace(instrument=market.instrument)
    return known.values()


def venue_world(world: Context) -> World:
    """Return the surroundings of venue clients in this process; what they mend is a warning."""

    def report(error: KimeraError) -> None:
        world.diagnostics.warning(str(error))

    return World(world.now_ns, world.monotonic_ns, world.random_bytes, report)


async def ask_venue(client: VenueClient, symbols: Sequence[str]) -> list[Market]:
    """Return these markets of one venue, asked for with its clock; VenueError, UsageError."""
    session = client.session
    await session.start()
    client.check_clock()
    offset = session.clock.offset
    assert offset is not None
    found = []
    for symbol in dict.fromkeys(symbols):
        listing = session.listing(symbol)
        instrument = listing.instrument
        if not listing.trading:
            raise VenueError(
                "venue.halted",
                f"expected {instrument.name} to be trading, was {listing.raw_status}",
                "choose another market, or wait until the venue opens it again",
                venue=instrument.venue,
            )
        if session.signer is not None:
            fees = await client.queries.fees(instrument.symbol)
            instrument = replace(
                instrument, maker_fee=float(fees.maker), taker_fee=float(fees.taker)
            )
        ahead = session.clock.correction_ns
        found.append(Market(instrument, ahead, offset.uncertainty_ns))
    return found


def keys_of(
    file: Path | None, venues: Iterable[str], env: Mapping[str, str]
) -> dict[str, Credentials]:
    """Return the credentials of these venues: from the file, or what the environment holds."""
    if file is not None:
        known = set(venues_in(file))
        return {venue: from_file(file, venue, env) for venue in venues if venue in known}
    found = {venue: from_environment(venue, env) for venue in venues}
    return {venue: keys for venue, keys in found.items() if keys is not None}
