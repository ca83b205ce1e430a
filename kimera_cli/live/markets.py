"""What a live run asks its venues before it begins: markets, fees, and how far their clocks are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from kimera_cli.errors import KimeraError, UsageError, VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.addresses import Addresses
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


def ask_each(
    wanted: dict[str, list[str]],
    addresses: Addresses,
    keys: dict[str, Credentials],
    world: Context,
) -> dict[str, list[Market] | KimeraError]:
    """Ask all venues at once; return what each has, or its error, as `ask_markets` raises it."""
    around = venue_world(world)

    async def ask() -> dict[str, list[Market] | KimeraError]:
        transport = Transport(addresses, around)

        async def one(venue: str, symbols: Sequence[str]) -> list[Market] | KimeraError:
            try:
                return await _of_venue(
                    client_for(venue, keys.get(venue), transport, around), symbols
                )
            except KimeraError as error:
                return error

        try:
            found = await asyncio.gather(*(one(*each) for each in wanted.items()))
        finally:
            transport.close()
        return dict(zip(wanted, found, strict=True))

    return asyncio.run(ask())


def venue_world(world: Context) -> World:
    """Return the surroundings of venue clients in this process; what they mend is a warning."""

    def report(error: KimeraError) -> None:
        world.diagnostics.warning(str(error))

    return World(world.now_ns, world.monotonic_ns, world.random_bytes, report)


async def _of_venue(client: VenueClient, symbols: Sequence[str]) -> list[Market]:
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


def keys_of(file: Path | None, venues: Iterable[str], world: Context) -> dict[str, Credentials]:
    """Return the credentials of these venues: from the file, or what the environment holds."""
    if file is not None:
        known = set(venues_in(file))
        return {venue: from_file(file, venue, world.env) for venue in venues if venue in known}
    found = {venue: from_environment(venue, world.env) for venue in venues}
    return {venue: keys for venue, keys in found.items() if keys is not None}
