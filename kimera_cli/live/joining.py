"""Venues on their way into a run: the others do not wait for one that is away or has doubts.

A run begins as soon as one venue is there and each other one is, too, or has failed once, or has
had its time: DOUBT_S more where orders are in doubt, SLOW_S where answers are slow. A venue that is
missed is told of (`venue.away`, with why and until when), tried again and again, and told of when
it is there (`venue.joined`). What no waiting mends, such as wrong keys, ends a start; later it
leaves the venue out of the run (`venue.left_out`), which goes on elsewhere.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kimera_cli.engine.arrivals import AWAY, JOINED, LEFT_OUT, Arrival
from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.session import RefusedError
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.outcome import Handling

DOUBT_S, SLOW_S = 2.0, 10.0
"""How much longer than the first venue another one may take before the run begins without it."""
LOOK_S = 0.25
AGAIN_NS = 300_000_000_000
"""What is still away is told again after so long."""
PAUSES = Backoff(first_s=0.5, most_s=10.0)
AUTH = frozenset({"venue.auth", "venue.credentials", "venue.not_served", "venue.steps_changed"})
"""Codes of what no waiting mends."""
PERSON = frozenset({"venue.clock", "venue.halted"})
"""Codes of what a person mends, or the venue in its own time: a start fails by it."""
WAITED = frozenset({"risk.order_in_doubt", "run.left_over"})
"""Codes, other than of venues, of what a venue will settle."""


def is_away(error: KimeraError, *, late: bool = False) -> bool:
    """Tell whether a venue may be waited for; `late`: the run goes on without it already."""
    if isinstance(error, RefusedError) and error.code not in PERSON:
        return error.verdict.handling in (Handling.RETRY_LATER, Handling.AMBIGUOUS)
    if error.code in PERSON:
        return late
    return error.code in WAITED or (isinstance(error, VenueError) and error.code not in AUTH)


@dataclass
class Joining:
    """One venue, tried by `run` until it is there."""

    venue: str
    attempt: Callable[[], Awaitable[Arrival]]
    """Brings it into the run; KimeraError when that cannot be, and nothing is left of the try."""
    tell: Callable[[Arrival], None]
    world: World
    pending: Callable[[], KimeraError | None] = lambda: None
    """What the attempt under way waits for, beside an answer; details may have `until_ns`."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at each news; several may share one."""
    joined: bool = False
    error: KimeraError | None = None
    """Of the last attempt."""
    late: bool = False
    """Whether the run goes on without it."""
    task: asyncio.Task[None] = field(init=False)
    """Runs it."""
    _told: tuple[str, int] = ("", 0)

    def start(self) -> None:
        """Begin to try."""
        self.task = asyncio.ensure_future(self.run())

    async def run(self) -> None:
        """Try until it is there. What no waiting mends is raised, or, when late, reported."""
        tries = 0
        while not self.joined:
            try:
                arrival = await self.attempt()
            except KimeraError as error:
                self.error = error
                if not is_away(error, late=self.late):
                    if not self.late:
                        raise
                    self.world.report(left_out(self.venue, error))
                    return
                self._tell_away()
            else:
                self._join(arrival)
            self.changed.set()
            if not self.joined:
                await self.world.sleep(PAUSES.wait_s(tries, self.world.random))
                tries += 1

    def miss(self) -> None:
        """The run begins, or goes on, without this venue."""
        self.late = True
        self._tell_away()

    @property
    def patience_s(self) -> float:
        """How long a run waits for it when another venue is there."""
        if self.error is not None:
            return 0.0
        return SLOW_S if self.pending() is None else DOUBT_S

    def why(self) -> KimeraError:
        """Return why it is not there."""
        nothing = VenueError("venue.no_answer", f"expected {self.venue} to be ready, was not yet")
        return self.pending() or self.error or nothing

    def _join(self, arrival: Arrival) -> None:
        self.joined = True
        if self.late:
            self.world.report(_joined(self.venue))
        self.tell(arrival)

    def _tell_away(self) -> None:
        """Tell it, but not over and over."""
        why, now = self.why(), self.world.monotonic_ns()
        before, told_ns = self._told
        if self.late and (why.code != before or now - told_ns > AGAIN_NS):
            self._told = why.code, now
            self.world.report(away(self.venue, why))


async def first_of(joinings: Sequence[Joining]) -> None:
    """Begin to try all; return when a run may begin, without those that are not there by then.

    Raises what ended one, and the first error when no venue is there and each has failed.
    """
    for each in joinings:
        each.start()
    loop, first_s = asyncio.get_running_loop(), math.inf
    while missing := [each for each in joinings if not each.joined]:
        failed = all(each.error is not None for each in missing)
        if len(missing) == len(joinings):
            if failed:
                raise next(each.error for each in missing if each.error is not None)
            await _news(joinings, math.inf)
            continue
        first_s = min(first_s, loop.time())
        left_s = first_s + max(each.patience_s for each in missing) - loop.time()
        if left_s <= 0:
            break
        await _news(joinings, min(left_s, LOOK_S))
    for each in missing:
        each.miss()


async def _news(joinings: Sequence[Joining], most_s: float) -> None:
    """Wait until something changed, but no longer than this; raise what ended one."""
    changed = joinings[0].changed
    changed.clear()
    news = asyncio.ensure_future(changed.wait())
    tasks = [each.task for each in joinings if not each.task.done()]
    limit = None if most_s == math.inf else most_s
    try:
        await asyncio.wait([news, *tasks], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
    for each in joinings:
        if each.task.done():
            each.task.result()


async def stop(joinings: Sequence[Joining]) -> None:
    """Try no more; what was under way is undone."""
    for each in joinings:
        each.task.cancel()
    await asyncio.wait([each.task for each in joinings])


async def check_markets(client: VenueClient, instruments: Iterable[Instrument]) -> None:
    """See that the venue still has its markets as the run counts in them.

    VenueError `venue.steps_changed`, which a new run mends, and `venue.halted`.
    """
    wanted = list(instruments)
    if not all(client.session.listing(each.symbol).trading for each in wanted):
        await client.session.learn_markets()  # what is known may be old
    for known in wanted:
        listing = client.session.listing(known.symbol)
        now = listing.instrument
        if (now.tick, now.lot) != (known.tick, known.lot):
            raise VenueError(
                "venue.steps_changed",
                f"expected {known.name} in steps of {known.tick} and {known.lot}, as it was when "
                f"last seen, was {now.tick} and {now.lot}",
                "begin a new run, which counts in the new steps",
                venue=known.venue,
            )
        if not listing.trading:
            raise VenueError(
                "venue.halted",
                f"expected {known.name} to be trading, was {listing.raw_status}",
                "nothing is sent there until the venue opens it again",
                venue=known.venue,
            )


def away(venue: str, why: KimeraError) -> VenueError:
    """Return the notice that a run goes on without a venue."""
    until_ns = int(why.details.get("until_ns", 0))
    until = "it answers and journal and venue agree"
    if until_ns:
        moment = datetime.fromtimestamp(until_ns / 1e9, UTC).strftime("%H:%M:%S")
        until = f"that is settled, at about {moment} UTC if it answers"
    return VenueError(
        AWAY,
        f"expected {venue} to be ready, was: {why.message}",
        f"no new order goes to {venue} until {until}; then it joins by itself, the others trade on",
        venue=venue,
        why=why.code,
        until_ns=until_ns,
    )


def left_out(venue: str, why: KimeraError) -> VenueError:
    """Return the notice that a venue will not join this run."""
    return VenueError(
        LEFT_OUT,
        f"expected {venue} to join the run, was: {why.message}",
        f"{why.hint or 'see the venue'}; this run goes on without {venue}",
        venue=venue,
        why=why.code,
    )


def _joined(venue: str) -> VenueError:
    return VenueError(JOINED, f"{venue} is there: orders may go to it from now on", venue=venue)
