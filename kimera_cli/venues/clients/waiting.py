"""Requests of one connection whose answers have not come, with one timer for all of them.

A timer for each request costs more than to build and sign it. This one stands at the first time at
which a request's patience ends; most often that request was answered long before, and the timer
moves on to the next that waits.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Generic, TypeVar

from kimera_cli.errors import VenueError

T = TypeVar("T")
_EARLY_S = 0.002
"""Timers of event loops count whole ms and may be this early."""


class Waiting(Generic[T]):
    """Answers that are waited for, by the number of their request. For one event loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: dict[int, tuple[asyncio.Future[T], float, float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = inf

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, number: int, patience_s: float) -> asyncio.Future[T]:
        """Return the future of an answer; after its patience it is VenueError `venue.no_answer`.

        Whoever asks takes the request off with `drop`, whatever came of it.
        """
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        until = loop.time() + patience_s
        self._asked[number] = (future, until, patience_s)
        if until < self._rings_at:
            self._ring_at(loop, until)
        return future

    def answer(self, number: int, what: T) -> None:
        """Give an answer to whoever waits for it; nobody does when it is late."""
        asked = self._asked.get(number)
        if asked is not None and not asked[0].done():
            asked[0].set_result(what)

    def drop(self, number: int) -> None:
        """Wait for an answer no longer."""
        self._asked.pop(number, None)

    def fail(self, why: str) -> None:
        """Tell all who wait that there will be no answer: VenueError `venue.no_answer`."""
        for future, _, _ in self._asked.values():
            _fail(future, why)
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._rings_at = None, inf

    def _ring_at(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._rings_at = loop.call_at(at, self._ring, loop), at

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        """End the patience of those whose time is over."""
        self._timer, self._rings_at = None, inf
        now, following = loop.time() + _EARLY_S, inf
        for future, until, patience_s in self._asked.values():
            if until <= now:
                _fail(future, f"no answer for {patience_s:g} s")
            elif not future.done():
                following = min(following, until)
        if following < inf:
            self._ring_at(loop, following)


def _fail(future: asyncio.Future[T], why: str) -> None:
    if not future.done():
        future.set_exception(VenueError("venue.no_answer", why))
