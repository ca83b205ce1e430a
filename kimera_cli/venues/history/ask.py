"""One question to a venue: asked again while that can help, and else told as kimera's own error.

Everything here reads, so asking twice does no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from kimera_cli.errors import KimeraError, UsageError, VenueError
from kimera_cli.venues.clients.world import World

TRIES = 5
FIRST_WAIT_S = 1.0
LIMITED_WAIT_S = 10.0
"""First pause after a refusal for too many requests."""
TRANSIENT = ("venue.unreachable", "venue.timeout", "venue.rate_limited", "venue.answer")


@dataclass
class Asker:
    """Asks one venue, with pauses that double; `questions` counts the answers."""

    venue: str
    world: World
    tries: int = TRIES
    answers: int = field(default=0)

    async def ask(self, question: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Return the answer; VenueError, UsageError when there is none."""
        for attempt in range(1, self.tries + 1):
            try:
                answer = await question()
            except KimeraError:
                raise
            except Exception as error:
                failure = translated(error, self.venue, what)
                if failure is None:
                    raise
                if failure.code not in TRANSIENT or attempt == self.tries:
                    raise failure from None
                await self._pause(failure, attempt, getattr(error, "retry_after_s", 0.0))
            else:
                self.answers += 1
                return answer
        raise AssertionError("unreachable")

    async def _pause(self, failure: KimeraError, attempt: int, asked_s: float) -> None:
        """Wait as long as the venue asks for, and the longer the more often it failed."""
        first = LIMITED_WAIT_S if failure.code == "venue.rate_limited" else FIRST_WAIT_S
        seconds = first * 2 ** (attempt - 1) * (0.5 + self.world.random())
        self.world.report(failure)
        await self.world.sleep(max(seconds, asked_s))


def translated(error: Exception, venue: str, what: str) -> KimeraError | None:
    """Return kimera's error for one of ccxt; None for anything else, which is a bug."""
    from ccxt.base import errors as ccxt

    if not isinstance(error, ccxt.BaseError | KeyError | TypeError | ValueError | AttributeError):
        return None
    said = " ".join(str(error).split())[:300]
    if isinstance(error, ccxt.BadSymbol):
        return UsageError("usage.symbol", f"expected a market of {venue}, was: {said}")
    if isinstance(error, ccxt.NotSupported):
        return UsageError("usage.not_offered", f"expected {what} of {venue}, was not offered")
    code, hint = _code(error)
    return VenueError(code, f"expected {what} of {venue}, was: {said or type(error).__name__}",
                      hint, venue=venue)  # fmt: skip


def _code(error: Exception) -> tuple[str, str]:
    from ccxt.base import errors as ccxt

    table: tuple[tuple[type[Exception], str, str], ...] = (
        (ccxt.RateLimitExceeded, "venue.rate_limited", "wait a while; what came is kept"),
        (ccxt.DDoSProtection, "venue.rate_limited", "wait a while; what came is kept"),
        (ccxt.RequestTimeout, "venue.timeout", "again later goes on where it stopped"),
        (ccxt.NetworkError, "venue.unreachable", "again later goes on where it stopped"),
        (ccxt.AuthenticationError, "venue.auth", "this needs an account at the venue"),
        (ccxt.ExchangeError, "venue.refused", ""),
    )
    for kind, code, hint in table:
        if isinstance(error, kind):
            return code, hint
    return "venue.answer", "the venue, or something on the way to it, gave no answer of its own"
