"""One question to a venue: asked again while that can help, and else told as kimera's own error.

Everything here reads, so asking twice does no harm.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from kimera_cli.errors import KimeraError, UsageError, VenueError
from kimera_cli.plain_text import excerpt
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.exchange import TIMEOUT_MS

TRIES = 5
FIRST_WAIT_S = 1.0
LIMITED_WAIT_S = 10.0
"""First pause after a refusal for too many requests."""
LONGEST_WAIT_S = 900.0
"""A venue that asks for a longer pause (a ban) ends the command."""
FIRST_TRIES = 2
"""Of a command's first question: what is wrong from the beginning is told soon."""
TRANSIENT = frozenset(
    f"venue.{each}"
    for each in ("dns", "unreachable", "no_answer", "timeout", "rate_limited", "answer")
)
AT_ONCE = frozenset(("venue.dns", "venue.unreachable", "venue.timeout"))
"""What ends a command whose first question meets it."""


@dataclass
class Asker:
    """Asks one venue, with pauses that double; `questions` counts the answers."""

    venue: str
    world: World
    first: bool = False
    """Whether this is the first question of a command."""
    answers: int = field(default=0)

    async def ask(self, question: Callable[[], Awaitable[Any]], what: str) -> Any:
        """Return the answer; VenueError, UsageError when there is none."""
        tries = FIRST_TRIES if self.first else TRIES
        for attempt in range(1, tries + 1):
            try:
                answer = await question()
            except KimeraError:
                raise
            except Exception as error:
                failure = translated(error, self.venue, what)
                if failure is None:
                    raise
                asked_s = getattr(error, "retry_after_s", 0.0)
                if attempt == tries or not self._again(failure) or asked_s > LONGEST_WAIT_S:
                    raise failure from None
                await self._pause(failure, attempt, asked_s)
            else:
                self.answers += 1
                return answer
        raise AssertionError("unreachable")

    def _again(self, failure: KimeraError) -> bool:
        """Whether asking once more may help; no network from the first is no passing trouble."""
        if self.first and failure.code in AT_ONCE:
            return False
        return failure.code in TRANSIENT

    async def _pause(self, failure: KimeraError, attempt: int, asked_s: float) -> None:
        """Wait as long as the venue asks for; else the longer the more often it failed."""
        first = LIMITED_WAIT_S if failure.code == "venue.rate_limited" else FIRST_WAIT_S
        chance = self.world.random()
        seconds = asked_s + chance if asked_s else first * 2 ** (attempt - 1) * (0.5 + chance)
        failure.details["again_in_s"] = seconds
        self.world.report(failure)
        await self.world.sleep(seconds)


def translated(error: Exception, venue: str, what: str) -> KimeraError | None:
    """Return kimera's error for one of ccxt; None for anything else, which is a bug."""
    from ccxt.base import errors as ccxt

    if not isinstance(error, (ccxt.BaseError, *_ODD)):
        return None
    said = _said(error, venue)
    if isinstance(error, ccxt.BadSymbol):
        return UsageError("usage.symbol", f"expected a market of {venue}, was: {said}")
    if isinstance(error, ccxt.NotSupported):
        return UsageError("usage.not_offered", f"expected {what} of {venue}, was not offered")
    code, hint = _code(error)
    return VenueError(code, f"expected {what} of {venue}, was {said}", hint, venue=venue)


_ODD = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What reading an answer raises when it is not what the venue documents."""
_SHOWN = 200
_CUT_SHORT = "again later goes on where it stopped"
_MAINTENANCE = f"a maintenance page or a proxy answers so; {_CUT_SHORT}"
_NETWORK = "check the network and the name servers of this host"


def _said(error: Exception, venue: str) -> str:
    """Return what went wrong: the venue's words, or the network's."""
    from ccxt.base import errors as ccxt

    if not isinstance(error, ccxt.BaseError):
        return f"an answer of another shape ({type(error).__name__}: {excerpt(str(error))})"
    text = excerpt(str(error).removeprefix(f"{venue} "), _SHOWN)
    cause = error.__cause__
    if cause is None:
        return text
    if isinstance(cause, TimeoutError):
        return f"{text}: nothing for {TIMEOUT_MS // 1000} s"
    words = getattr(cause, "message", "") or getattr(cause, "strerror", "") or str(cause)
    return f"{text}: {excerpt(str(words).partition(chr(10))[0] or type(cause).__name__, _SHOWN)}"


def _code(error: Exception) -> tuple[str, str]:
    from ccxt.base import errors as ccxt

    if (network := _of_network(error.__cause__)) is not None:
        return network
    table: tuple[tuple[type[Exception], str, str], ...] = (
        (ccxt.RateLimitExceeded, "venue.rate_limited", "wait a while; what came is kept"),
        (ccxt.DDoSProtection, "venue.rate_limited", "wait a while; what came is kept"),
        (ccxt.RequestTimeout, "venue.timeout", _CUT_SHORT),
        (ccxt.ExchangeNotAvailable, "venue.answer", _MAINTENANCE),
        (ccxt.NetworkError, "venue.unreachable", _CUT_SHORT),
        (ccxt.AuthenticationError, "venue.auth", "this needs an account at the venue"),
        (ccxt.ExchangeError, "venue.refused", "these are the venue's own words"),
    )
    for kind, code, hint in table:
        if isinstance(error, kind):
            return code, hint
    return "venue.answer", _MAINTENANCE


def _of_network(cause: BaseException | None) -> tuple[str, str] | None:
    """Return code and mend of what the connection died of; None when it did not."""
    import aiohttp

    if isinstance(cause, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "venue.dns", _NETWORK
    if isinstance(cause, aiohttp.ClientSSLError | ssl.SSLError):
        return "venue.tls", "check the clock of this host, and that nothing stands in between"
    if isinstance(cause, aiohttp.ClientConnectorError):
        return "venue.unreachable", _NETWORK
    if isinstance(cause, TimeoutError):
        return "venue.timeout", _CUT_SHORT
    if isinstance(cause, aiohttp.ClientError):
        return "venue.no_answer", _CUT_SHORT
    return None
