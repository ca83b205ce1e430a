"""`kimera fetch consolidated`: the books of one asset on several venues, live, as one.

Every venue has connections of its own and is shown as soon as, and only while, its book is in step
with it. A venue that cannot be reached is left out and named; only when none can be is it an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from kimera_cli.engine.setup import settle_rate, with_fees
from kimera_cli.errors import DataError, KimeraError, UsageError, VenueError
from kimera_cli.feeds.client import serve
from kimera_cli.feeds.live import LiveFeed, World
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.rest import RestClient
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument, common_name
from kimera_cli.layouts import ASK, BID
from kimera_cli.live.markets import ask_each, keys_of, parse_markets, venue_world
from kimera_cli.live.streams import streams_by_venue
from kimera_cli.market.consolidated import ConsolidatedBook
from kimera_cli.profile import load, parse_sets
from kimera_cli.records import ConsolidatedLevel, ConsolidatedTop, Record
from kimera_cli.units import NS_PER_S, parse_duration_ns
from kimera_cli.venues.clients.addresses import addresses_of
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.trading import keys_file

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.settings import Profile

PATIENCE_S = 10.0
"""How long the first look waits for books that are not good yet."""
POLL_S = 0.02
Show = Callable[[Sequence[Record]], None]


@dataclass(frozen=True)
class BookPlan:
    """What to show, as typed. `duration` None: one look."""

    markets: Sequence[str]
    depth: int = 10
    duration: str | None = None
    every: str = "1s"
    server: str = ""
    keys: Path | None = None
    settings: Sequence[str] = ()

    @property
    def looks(self) -> int:
        """How many times to look; UsageError `usage.duration`."""
        try:
            every = parse_duration_ns(self.every)
            asked = every if self.duration is None else parse_duration_ns(self.duration)
        except ValueError as error:
            raise UsageError("usage.duration", str(error)) from None
        if every <= 0:
            raise UsageError("usage.duration", f"expected --every above zero, was {self.every}")
        return max(1, asked // every)


def show_consolidated(plan: BookPlan, world: Context, show: Show) -> None:
    """Show the book over all venues, again and again while `plan.duration` lasts.

    UsageError for what is no market, or not of one asset; ProfileError `profile.rate`; VenueError
    when no venue answers or no book comes; DataError `data.consolidated` for prices beyond 2^40
    common units.
    """
    _ = plan.looks
    profile = load(world.profile, world.env, parse_sets(plan.settings)).profile
    instruments, away = _instruments(plan, profile, world)
    rates = {each.quote: Decimal(repr(settle_rate(each, profile))) for each in instruments}
    try:
        book = ConsolidatedBook(instruments, rates, profile.risk.stale_after_ns)
    except DataError as error:
        raise UsageError("usage.market", error.message, "name markets of one asset") from error
    look = _Look(book, profile.portfolio.currency, away)
    serve(_Session(plan, world, look, show).run)


def _instruments(
    plan: BookPlan, profile: Profile, world: Context
) -> tuple[list[Instrument], dict[str, str]]:
    """Return the markets that answer, with the account's or the profile's fees, and the others."""
    wanted, addresses = parse_markets(list(plan.markets)), addresses_of(plan.server)
    keys = keys_of(keys_file(plan.keys, plan.server or None, world.home), wanted, world.env)
    found: list[Instrument] = []
    away: dict[str, str] = {}
    errors: list[KimeraError] = []
    for venue, markets in ask_each(wanted, addresses, keys, world).items():
        if isinstance(markets, UsageError):
            raise markets
        if isinstance(markets, KimeraError):
            errors.append(markets)
            away |= {f"{venue}/{symbol}": str(markets.message) for symbol in wanted[venue]}
            continue
        found += [with_fees(market.instrument, profile.fees) for market in markets]
    if not found:
        raise errors[0]
    for error in errors:
        world.diagnostics.error(error)
    if profile.fees.taker is None and (free := [v for v in wanted if v not in keys]):
        world.diagnostics.warning(
            f"the fees of {', '.join(free)} depend on an account and are taken as 0: "
            "give --keys FILE, or --set fees.taker=..."
        )
    return found, away


class _Look:
    """One look at the books, as records."""

    def __init__(self, book: ConsolidatedBook, currency: str, away: Mapping[str, str]) -> None:
        self.book, self.currency, self.away = book, currency, away

    def records(self, depth: int, now_ns: int, reasons: Mapping[str, str]) -> Iterator[Record]:
        """Yield levels and top; `reasons` tell why books are not in step."""
        for side in (BID, ASK):
            for number, level in enumerate(self.book.levels(side, depth, now_ns), 1):
                yield ConsolidatedLevel(
                    side="bid" if side == BID else "ask",
                    level=number,
                    market=level.instrument.name,
                    px=plain(level.px),
                    qty=plain(level.qty),
                    gross=plain(level.gross),
                    net=plain(level.net),
                )
        yield self._top(now_ns, reasons)

    def _top(self, now_ns: int, reasons: Mapping[str, str]) -> ConsolidatedTop:
        book, top = self.book, self.book.top(now_ns)
        out = {name: reasons.get(name) or why for name, why in book.left_out(now_ns).items()}
        bid, ask = top.bid, top.ask
        return ConsolidatedTop(
            ts_ns=now_ns,
            asset=common_name(book.instruments[0].base),
            currency=self.currency,
            bid=plain(bid.net) if bid else "",
            bid_qty=plain(bid.qty) if bid else "",
            bid_market=bid.instrument.name if bid else "",
            ask=plain(ask.net) if ask else "",
            ask_qty=plain(ask.qty) if ask else "",
            ask_market=ask.instrument.name if ask else "",
            crossed_bps=top.crossed_bps,
            arbitrage=top.arbitrage,
            markets=len(book.instruments) - len(out),
            left_out={**self.away, **out},
            rates={quote: plain(rate) for quote, rate in book.rates.items()},
            taker_fees={each.name: repr(each.taker_fee) for each in book.instruments},
        )


class _Session:
    """Feeds of all venues, and a look at every interval."""

    def __init__(self, plan: BookPlan, world: Context, look: _Look, show: Show) -> None:
        self.plan, self.world, self.look, self.show = plan, world, look, show

    async def run(self) -> None:
        """Connect, wait for the books, show them, and end."""
        addresses = addresses_of(self.plan.server)
        report = venue_world(self.world).report
        around = Surroundings(self.world.now_ns, self.world.monotonic_ns, self._random, report)
        streams = streams_by_venue(self.look.book.instruments, ("depth",))
        async with RestClient(addresses) as rest:
            output = FunctionOutput(self.look.book.apply)
            feed = LiveFeed(streams, output, World(around, rest.fetch, addresses))
            running = asyncio.ensure_future(feed.run())
            try:
                await self._look_on(feed, running)
            finally:
                feed.stop()
                await running

    async def _look_on(self, feed: LiveFeed, running: asyncio.Future[None]) -> None:
        loop, every_s = asyncio.get_running_loop(), parse_duration_ns(self.plan.every) / NS_PER_S
        until = loop.time() + PATIENCE_S
        while not all(s.good for s in feed.states()) and loop.time() < until and not running.done():
            await asyncio.sleep(POLL_S)
        if not any(state.good for state in feed.states()):
            why = "; ".join(f"{s.instrument.name}: {s.reason}" for s in feed.states())
            raise VenueError("venue.no_book", f"expected a book within {PATIENCE_S:g} s, was {why}")
        next_s = loop.time()
        for number in range(self.plan.looks):
            if number:
                await asyncio.sleep(max(0.0, next_s - loop.time()))
            next_s += every_s
            reasons = {s.instrument.name: s.reason for s in feed.states() if s.reason}
            self.show(list(self.look.records(self.plan.depth, self.world.now_ns(), reasons)))

    def _random(self) -> float:
        """Return a number from [0, 1)."""
        return int.from_bytes(self.world.random_bytes(6), "little") / (1 << 48)
