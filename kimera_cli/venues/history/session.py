"""One fetch command: a venue, several markets at once, one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.ingest import writing
from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.records import Record
from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.clients.addresses import Addresses, addresses_of
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.ask import Asker
from kimera_cli.venues.history.exchange import opened, options_of, venues
from kimera_cli.venues.history.job import Job, Wanted
from kimera_cli.venues.history.names import market_of, venue_of

if TYPE_CHECKING:
    from kimera_cli.context import Context

Work = Callable[[Job], Awaitable[Record]]


@dataclass(frozen=True)
class Place:
    """Where to ask, as typed. `server` empty: the venue itself."""

    venue: str
    symbols: Sequence[str] = ()
    server: str = ""
    swaps: bool = False


def world_of(context: Context) -> World:
    """Return the surroundings of a command's clients; what is mended by itself is a note."""

    def report(error: KimeraError) -> None:
        seconds = error.details.get("again_in_s", 0)
        context.diagnostics.note(f"{error.message} [{error.code}]; asking again in {seconds:.0f} s")

    return World(context.now_ns, context.monotonic_ns, context.random_bytes, report)


def fetch(place: Place, wanted: Wanted, work: Work, failed: Callable[[KimeraError], None]) -> None:
    """Do the work for each symbol at once; its record is emitted when it is done.

    The error of one market goes to `failed`, and the others go on; when all fail, it is raised.
    """
    run(place, lambda venue, exchange: _fetch(venue, exchange, place, wanted, work, failed))


def run(place: Place, work: Callable[[str, Any], Awaitable[Any]]) -> Any:
    """Return `await work(venue, client of ccxt)` for a venue; UsageError for one that is none."""
    addresses: Addresses = addresses_of(place.server)
    venue = venue_of(place.venue, venues())
    options = options_of(venue, place.symbols, swaps=place.swaps)

    async def whole() -> Any:
        async with opened(venue, options, addresses) as exchange:
            return await work(venue, exchange)

    return asyncio.run(whole())


async def markets_of(venue: str, exchange: Any, world: World) -> Any:
    """Return all markets of a venue by ccxt's symbol; VenueError when there are none."""
    markets = await Asker(venue, world, first=True).ask(exchange.load_markets, "markets")
    if not markets:
        raise VenueError(
            "venue.answer",
            f"expected markets of {venue}, was none",
            "the venue may be in maintenance; try again later",
        )
    return markets


async def _fetch(
    venue: str,
    exchange: Any,
    place: Place,
    wanted: Wanted,
    work: Work,
    failed: Callable[[KimeraError], None],
) -> None:
    markets = await markets_of(venue, exchange, wanted.world)
    found = [market_of(symbol, markets, venue) for symbol in place.symbols]
    unique = {market["symbol"]: market for market in found}
    now_ns = await _now_ns(venue, exchange, wanted.world)
    jobs = [Job(venue, exchange, market, wanted, now_ns) for market in unique.values()]
    failures: list[KimeraError] = []
    with writing(wanted.data):
        wanted.data.mkdir(parents=True, exist_ok=True)
        Catalog(wanted.data).tidy()

    async def one(job: Job) -> None:
        try:
            with writing(wanted.data):
                wanted.emit(await work(job))
        except KimeraError as error:
            failures.append(error)
            if len(failures) < len(jobs):
                failed(error)

    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(one(job))
    except ExceptionGroup as several:
        raise several.exceptions[0] from None  # such as a reader of our records who has left
    if len(failures) == len(jobs):
        raise failures[-1]


async def _now_ns(venue: str, exchange: Any, world: World) -> int:
    """Return the earlier of the venue's time and this host's."""
    if not exchange.has.get("fetchTime"):
        return world.now_ns()
    told = await Asker(venue, world).ask(exchange.fetch_time, "the time")
    return min(world.now_ns(), int(told) * NS_PER_MS) if told else world.now_ns()
