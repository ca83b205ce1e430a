"""Clock and markets of a venue while a run trades there, with a venue that is asked."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from journal_steps import PAIR
from msgspec import structs

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.live.upkeep import CLOSED_NS, MARKETS_NS, SOON_NS, Upkeep
from kimera_cli.venues.clients.api import Listing

S = 1_000_000_000


class Venue:
    """A session and its clock, as far as upkeep asks for them."""

    def __init__(self) -> None:
        self.now_ns = 5 * S
        self.world = self.clock = self
        self.due = self.fails = False
        self.listed = Listing(PAIR, "BTCUSDT")
        self.probes = self.learnt = 0
        self.reported: list[str] = []

    def monotonic_ns(self) -> int:
        return self.now_ns

    def listing(self, symbol: str) -> Listing:
        assert symbol == PAIR.symbol
        return self.listed

    async def probe_clock(self) -> None:
        self.probes += 1
        if self.fails:
            raise VenueError("venue.unreachable", "no")
        self.due = False

    async def learn_markets(self) -> None:
        self.learnt += 1
        if self.fails:
            raise VenueError("venue.unreachable", "no")

    def report(self, error: KimeraError) -> None:
        self.reported.append(error.code)


@pytest.fixture
def venue() -> Venue:
    return Venue()


@pytest.fixture
def upkeep(venue: Venue) -> Upkeep:
    session: Any = venue
    return Upkeep(session, [PAIR.symbol], venue.report, lambda: None)


def pass_by(venue: Venue, upkeep: Upkeep, seconds: float) -> None:
    venue.now_ns += int(seconds * S)
    asyncio.run(upkeep.look())


def test_a_clock_is_probed_when_it_is_due(venue: Venue, upkeep: Upkeep) -> None:
    pass_by(venue, upkeep, 1)
    assert venue.probes == 0
    venue.due = True
    pass_by(venue, upkeep, 1)
    assert (venue.probes, venue.due) == (1, False)


def test_without_an_answer_it_stays_due(venue: Venue, upkeep: Upkeep) -> None:
    venue.due = venue.fails = True
    pass_by(venue, upkeep, 1)
    pass_by(venue, upkeep, 1)
    assert venue.probes == 2
    assert venue.reported == ["venue.unreachable"] * 2


def test_markets_are_asked_for_every_ten_minutes(venue: Venue, upkeep: Upkeep) -> None:
    pass_by(venue, upkeep, MARKETS_NS / S)
    assert venue.learnt == 0
    pass_by(venue, upkeep, 1)
    pass_by(venue, upkeep, 1)
    assert venue.learnt == 1


def test_a_swarm_of_refusals_asks_once(venue: Venue, upkeep: Upkeep) -> None:
    pass_by(venue, upkeep, 60)
    for _ in range(8):
        upkeep.suspect()
        pass_by(venue, upkeep, SOON_NS / S / 8)
    assert venue.learnt == 1
    pass_by(venue, upkeep, SOON_NS / S)
    assert venue.learnt == 2


def test_a_halt_is_told_once_and_looked_at_more_often(venue: Venue, upkeep: Upkeep) -> None:
    venue.listed = venue.listed._replace(trading=False, raw_status="BREAK")
    upkeep.suspect()
    pass_by(venue, upkeep, SOON_NS / S + 1)
    pass_by(venue, upkeep, CLOSED_NS / S + 1)
    assert venue.learnt == 2
    assert venue.reported == ["venue.halted"]
    venue.listed = venue.listed._replace(trading=True)
    pass_by(venue, upkeep, CLOSED_NS / S + 1)
    pass_by(venue, upkeep, CLOSED_NS / S + 1)
    assert venue.learnt == 3, "it trades again: the usual pace"


def test_new_steps_are_told(venue: Venue, upkeep: Upkeep) -> None:
    venue.listed = venue.listed._replace(instrument=structs.replace(PAIR, tick=Decimal("0.1")))
    pass_by(venue, upkeep, MARKETS_NS / S + 1)
    pass_by(venue, upkeep, MARKETS_NS / S + 1)
    assert venue.reported == ["venue.steps_changed"]
