"""Asking a venue whether the silence of a book is right, because nothing has happened.

How depends on what the venue tells (docs/reference/feeds.md): by a book over REST; by a book that
is asked for on the socket; or by the channel subscribed anew, which begins with the whole book. The
book stays shown meanwhile. An answer over REST may be older or newer than the stream, so that one
which differs proves nothing, and takes nothing away either; the book's limit for silence goes on.

A channel that was taken back to be asked for anew brings nothing until its whole book comes. If
that is not there soon, the book is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from kimera_cli.errors import VenueError
from kimera_cli.feeds.dialect import BookRule, Dialect
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.pace import Pace
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument

AT_ONCE = 20
"""Books that are asked for on the socket in one go, once a second at most."""
AGAIN_S = 2.0
"""How long a channel that is subscribed anew may take to bring its whole book."""
_NS = 1_000_000_000


class Prover:
    """One connection's. `silent` is told of a book whose channel did not come back."""

    def __init__(
        self,
        intake: Intake,
        instruments: Mapping[int, Instrument],
        around: Surroundings,
        pace: Pace,
        silent: Callable[[int], None],
    ) -> None:
        self.intake, self.instruments = intake, instruments
        self.around, self.pace = around, pace
        self._silent = silent
        self._dialect: Dialect = intake.reader.dialect
        self._rule: BookRule | None = self._dialect.books
        self._send: Callable[[bytes], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._due: list[int] = []
        self._flushed_ns = 0
        self._again: dict[int, tuple[int, int]] = {}

    def connected(self, send: Callable[[bytes], None]) -> None:
        """A connection came about."""
        self._send = send

    def lost(self) -> None:
        """The connection is gone."""
        self._send = None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        self._due.clear()
        self._again.clear()

    def can(self, number: int) -> bool:
        """Tell whether a book is one that silence may be right of, and the venue can be asked."""
        rule, book = self._rule, self.intake.books.get(number)
        asks = rule is not None and bool(rule.proof or rule.request or rule.again)
        return asks and book is not None and book.good

    def ask(self, number: int) -> None:
        """Ask whether anything has happened."""
        assert self._rule is not None
        if self._rule.proof is not None:
            url = self._rule.proof(self.instruments[number])
            task = asyncio.ensure_future(self._ask(number, url))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif number not in self._due and number not in self._again:
            self._due.append(number)

    def check(self) -> None:
        """Send what is due, and notice channels that did not come back."""
        now = self.around.monotonic_ns()
        for number, (asked_ns, answers) in list(self._again.items()):
            book = self.intake.books[number]
            if not book.good or book.answers != answers:
                del self._again[number]
            elif now - asked_ns >= AGAIN_S * _NS:
                del self._again[number]
                self._silent(number)
        if self._due and now - self._flushed_ns >= _NS:
            self._flushed_ns = now
            numbers, self._due = self._due[:AT_ONCE], self._due[AT_ONCE:]
            self._flush([each for each in numbers if self.can(each)], now)

    def _flush(self, numbers: list[int], now: int) -> None:
        rule, send = self._rule, self._send
        if not numbers or rule is None or send is None:
            return
        instruments = [self.instruments[each] for each in numbers]
        if rule.request is not None:
            for each in instruments:
                send(rule.request(each))
            return
        assert self._dialect.wire is not None
        for number in numbers:
            self._again[number] = now, self.intake.books[number].answers
            self.intake.watch(number)
        wire = self._dialect.wire
        for text in (
            *wire.unsubscribe(instruments, ("depth",)),
            *wire.subscribe(instruments, ("depth",)),
        ):
            send(text)

    async def _ask(self, number: int, url: str) -> None:
        heard = self.intake.heard(number, "depth")

        def still() -> bool:
            return self.can(number) and self.intake.heard(number, "depth") == heard

        try:
            await self.pace.turn()
            if still():
                payload = await self.pace.ask(url)
                if still():  # else a change has answered
                    self.intake.prove(number, payload, self.around.now_ns())
        except VenueError as error:
            self.around.report(error)
