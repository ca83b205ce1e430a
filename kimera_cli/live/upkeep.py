"""What a run knows of a venue, kept true while it trades there: its clock, and its markets.

A probe of the clock is due every half hour, and at once when this host's clock was set. Markets are
asked for every ten minutes, more often while one of the run's does not trade, and as soon as a
refusal says that they are not what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.session import Session

TICK_S = 0.5
MARKETS_NS = 600_000_000_000
CLOSED_NS = 30_000_000_000
"""Age of what is known of the markets while one of the run's does not trade."""
SOON_NS = 5_000_000_000
"""Least time between two questions: refusals come in swarms."""


@dataclass
class Upkeep:
    """One account's; `run` until it is canceled."""

    session: Session
    symbols: Iterable[str]
    report: Callable[[KimeraError], None]
    also: Callable[[], None]
    """Looked at as often: what goes on at the account (live/strangers.py)."""
    _asked_ns: int = 0
    _suspected: bool = False
    _known: dict[str, Listing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._asked_ns = self.session.world.monotonic_ns()
        self._known = {symbol: self.session.listing(symbol) for symbol in self.symbols}

    def suspect(self) -> None:
        """The venue refused an order that fits its market, as far as that is known."""
        self._suspected = True

    async def run(self) -> None:
        """Look after both."""
        while True:
            self.also()
            await self.look()
            await self.session.world.sleep(TICK_S)

    async def look(self) -> None:
        """Ask for what is due; without an answer, it stays due."""
        try:
            if self.session.clock.due:
                await self.session.probe_clock()
            if self._is_due():
                self._asked_ns, self._suspected = self.session.world.monotonic_ns(), False
                await self.session.learn_markets()
                self._compare()
        except VenueError as error:
            self.report(error)

    def _is_due(self) -> bool:
        age_ns = self.session.world.monotonic_ns() - self._asked_ns
        closed = not all(listing.trading for listing in self._known.values())
        longest = CLOSED_NS if closed else MARKETS_NS
        return age_ns > (SOON_NS if self._suspected else longest)

    def _compare(self) -> None:
        for symbol, before in self._known.items():
            now = self._known[symbol] = self.session.listing(symbol)
            if before.trading and not now.trading:
                self.report(_closed(now))
            if (before.instrument.tick, before.instrument.lot) != _steps(now):
                self.report(_changed(before, now))


def _steps(listing: Listing) -> tuple[object, object]:
    return listing.instrument.tick, listing.instrument.lot


def _closed(listing: Listing) -> VenueError:
    return VenueError(
        "venue.halted",
        f"expected {listing.instrument.name} to be trading, was {listing.raw_status}",
        "nothing new is sent there until it trades again; orders can be canceled",
        venue=listing.instrument.venue,
    )


def _changed(before: Listing, now: Listing) -> VenueError:
    old, new = before.instrument, now.instrument
    return VenueError(
        "venue.steps_changed",
        f"expected {new.name} in steps of {old.tick} and {old.lot} as at the start, "
        f"was {new.tick} and {new.lot}",
        "orders that do not fit are not sent; begin a new run, which counts in the new steps",
        venue=new.venue,
    )
