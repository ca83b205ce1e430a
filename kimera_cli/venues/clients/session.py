"""Requests of one account at one venue: budget, clock, signature, connection, and what came back.

A question that changes nothing is asked again when no answer comes; anything else is sent once.
What a venue says against it is a `RefusedError` that carries the verdict of the reasons table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import msgspec

from kimera_cli.errors import DataError, VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.plain_text import excerpt
from kimera_cli.venues.clients.ages import Ages
from kimera_cli.venues.clients.api import Answer, Listing, Page, Refusal, VenueApi
from kimera_cli.venues.clients.budget import Budget, Kind
from kimera_cli.venues.clients.clock import PROBES, VenueClock
from kimera_cli.venues.clients.credentials import Redactor
from kimera_cli.venues.clients.http import Response
from kimera_cli.venues.clients.limits import budget_for, pause_s
from kimera_cli.venues.clients.rest import UNREADABLE, Query, message, parsed, target
from kimera_cli.venues.clients.signing import CoinbaseSigner, Signer
from kimera_cli.venues.clients.transport import NoAnswerError, NotSentError, Transport
from kimera_cli.venues.clients.values import UnreadableError
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.outcome import Handling, Reason
from kimera_cli.venues.orders.reasons import Verdict, judge
from kimera_cli.venues.orders.rules import rules_of

T = TypeVar("T")
ATTEMPTS = 4
SERIAL = frozenset({"kraken"})
"""Venues whose signed requests must arrive in the order of their nonces."""
TELLING = (401, 418, 429)
"""HTTP statuses that are a refusal by themselves."""
NO_SHAPE = (KeyError, IndexError, TypeError, ValueError, AttributeError, DataError)
"""What reading an answer raises when it is not what the venue documents."""
Make = Callable[[int], bytes | memoryview]


class RefusedError(VenueError):
    """The venue answered no; `venue.refused`, `.auth`, `.clock`, `.rate_limit`, `.maintenance`."""

    def __init__(self, venue: str, verdict: Verdict, code: str, text: str) -> None:
        name, hint = _FAMILY.get(verdict.handling, ("refused", ""))
        if verdict.reason is Reason.MAINTENANCE:
            name, hint = "maintenance", "see the venue's status page; try again later"
        said = " ".join(part for part in (code, text) if part)
        super().__init__(
            f"venue.{name}",
            f"expected {venue} to answer, was refused ({verdict.reason}): {said}",
            hint,
            venue=venue,
            reason=str(verdict.reason),
        )
        self.verdict, self.raw_code, self.raw_text = verdict, code, text


_FAMILY = {
    Handling.AUTH: ("auth", "check key, secret, passphrase and permissions in the keys file"),
    Handling.CLOCK: ("clock", "set this host's clock (chronyc makestep, timedatectl)"),
    Handling.RETRY_LATER: ("rate_limit", "wait, then try again"),
}


class Session:
    """One account at one venue."""

    def __init__(
        self, api: VenueApi, transport: Transport, world: World, signer: Signer | None = None
    ) -> None:
        self.api, self.transport, self.world, self.signer = api, transport, world, signer
        self.budget: Budget = budget_for(api.venue, world)
        self.ages = Ages(rules_of(api.venue), world)
        self.clock = VenueClock(api.venue, world, api.time_step_ns)
        self.backoff = Backoff(first_s=0.1, most_s=5.0)
        self.redactor = Redactor()
        """Takes the account's secrets out of answers: a venue may say back what it was asked."""
        self.answered = 0
        """Answers so far, good or bad."""
        self._lane: AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if api.venue in SERIAL else nullcontext()
        )

    @property
    def host(self) -> str:
        """The venue's REST host."""
        return self.api.wire.way.host

    async def start(self) -> None:
        """Learn clock, markets and account."""
        await self.probe_clock()
        if not self.api.listings:
            await self.learn_markets()
        if self.signer is not None and (query := self.api.account()):
            await self.ask(query, self.api.read_account)

    async def learn_markets(self) -> None:
        """Ask for all markets: their steps, minima and states may have changed."""
        self.api.learn(await self.ask(self.api.markets(), self.api.read_markets))

    async def ask(self, query: Query, read: Callable[[Answer], T]) -> T:
        """Return what an answer reads as; RefusedError or VenueError `venue.unreadable`."""
        answer = await self.answer(query)
        try:
            return read(answer)
        except NO_SHAPE as error:
            raise self.odd(query, answer, error) from None

    async def ask_all(
        self, query: Query | None, read: Callable[[Answer, Query], Page]
    ) -> list[Any]:
        """Return the items of all pages of a list."""
        found: list[Any] = []
        while query is not None:
            asked = query
            page = await self.ask(asked, lambda answer, asked=asked: read(answer, asked))  # type: ignore[misc]
            found += page.items
            query = page.more
        return found

    async def answer(self, query: Query) -> Answer:
        """Return a readable answer that is no refusal; asks again where that is safe."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._once(query)
            except VenueError as error:
                if attempt + 1 == ATTEMPTS or not self._again(query, error):
                    raise _of_question(query, error) from None
                if isinstance(error, RefusedError) and error.verdict.handling is Handling.CLOCK:
                    if attempt:  # a clock that was just set right is refused again
                        raise
                    await self.reset_clock()
            await self.world.sleep(self.backoff.wait_s(attempt, self.world.random))
        raise AssertionError("the last attempt returns or raises")

    async def send(self, kind: Kind, weight: int, make: Make, units: int = 1) -> Response:
        """Wait for the budget, build and sign with the venue's time, and send once."""
        if not self.budget.takes(kind, weight, units):
            await self.budget.take(kind, weight, units)
        async with self._lane:
            response = await self.transport.exchange(self.host, make(self.clock.now_ns()))
        self.answered += 1
        self.budget.told(self.api.left(response.headers))
        body = self.redactor.data(response.body)
        return response if body is response.body else response._replace(body=body)

    def read(self, response: Response) -> Answer:
        """Return an answer; its JSON is UNREADABLE when the body is none."""
        return Answer(response.status, parsed(response.body), response.headers)

    def refused(self, answer: Answer) -> RefusedError | None:
        """Return the venue's no, weighed; None when the answer is none.

        Some statuses say enough, whatever the body is.
        """
        no = None if answer.json is UNREADABLE else self.api.refusal(answer)
        if no is None and answer.status in TELLING:
            no = Refusal("", f"HTTP {answer.status}")
        if no is None:
            return None
        verdict = judge(self.api.venue, no.code, no.text, answer.status)
        self._hold(verdict.reason, answer)
        return RefusedError(self.api.venue, verdict, no.code, no.text)

    def signed(self, query: Query, ts_ns: int) -> bytes:
        """Return a query's bytes."""
        if not query.signed:
            return message(query.method, self.host, target(query), ())
        if self.signer is None:
            raise VenueError(
                "venue.credentials",
                f"expected credentials of {self.api.venue}, was none",
                "give a keys file with --keys",
            )
        return self.signer.sign(query, ts_ns)

    def authorize(self, path: str, ts_ns: int) -> None:
        """Give the wire's next request its token, at the venue that wants one per request."""
        if isinstance(self.signer, CoinbaseSigner):
            self.signer.authorize(path, ts_ns)

    async def probe_clock(self, probes: int = PROBES) -> None:
        """Ask the venue's time a few times."""
        for _ in range(probes):
            sent = self.world.now_ns()
            venue_ns = await self.ask(self.api.time(), self.api.read_time)
            self.clock.add(sent, venue_ns, self.world.now_ns())

    async def reset_clock(self) -> None:
        """Forget what is known of the venue's clock, and ask anew."""
        self.clock.forget()
        await self.probe_clock()

    def listing(self, symbol: str) -> Listing:
        """Return a known market."""
        return self.api.listing(symbol)

    def odd(self, query: Query, answer: Answer, error: Exception) -> VenueError:
        """Return the error of an answer that is JSON, and not what the venue documents."""
        return self.unreadable(query, _odd(answer, error))

    def unreadable(self, query: Query, was: str) -> VenueError:
        """Return the error of an answer that cannot be read."""
        return VenueError(
            "venue.unreadable",
            f"{self.host}{query.path}: expected the venue's answer, was {was}",
            "a maintenance page or a proxy answers so; try again later",
            venue=self.api.venue,
        )

    async def _once(self, query: Query) -> Answer:
        response = await self.send(query.kind, query.weight, lambda ts: self.signed(query, ts))
        answer = self.read(response)
        if (no := self.refused(answer)) is not None:
            raise no
        if answer.json is UNREADABLE or response.status >= 400:
            raise self.unreadable(query, shown(response))
        return answer

    def _again(self, query: Query, error: VenueError) -> bool:
        """Whether asking once more may help and does no harm."""
        if not query.safe or error.code in ("venue.banned", "venue.credentials"):
            return False
        if isinstance(error, RefusedError):
            handling, reason = error.verdict.handling, error.verdict.reason
            failing = reason in (Reason.VENUE_FAILURE, Reason.NO_ANSWER)
            return failing or handling in (Handling.RETRY_LATER, Handling.CLOCK)
        if isinstance(error, NotSentError):
            return self.answered > 0
        if isinstance(error, NoAnswerError):
            return self.answered > 0 or "waited_s" not in error.details
        return error.code == "venue.unreadable"

    def _hold(self, reason: Reason, answer: Answer) -> None:
        """Leave the venue alone as long as it asks to be."""
        if reason in (Reason.RATE_LIMIT, Reason.BANNED):
            ban = reason is Reason.BANNED
            self.budget.pause(pause_s(answer.headers, ban=ban), ban=ban)


def shown(response: Response) -> str:
    """Return the status and the beginning of an answer."""
    return f"HTTP {response.status}: {excerpt(response.body)}"


def _odd(answer: Answer, error: Exception) -> str:
    if isinstance(error, DataError | UnreadableError):
        return str(error)
    text = excerpt(msgspec.json.encode(answer.json))
    return f"{text}, which has no {error}" if isinstance(error, KeyError) else text


def _of_question(query: Query, error: VenueError) -> VenueError:
    """A question that changes nothing left nothing behind that must be looked up."""
    if query.safe and isinstance(error, NoAnswerError):
        error.hint = "nothing was changed by the question; try again later"
    return error
