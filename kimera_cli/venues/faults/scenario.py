"""What a scenario is: a text that is the same for every venue, and what it expects."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from kimera_cli.venues.orders.rules import Rules

if TYPE_CHECKING:
    from kimera_cli.venues.clients.stream import Patience
    from kimera_cli.venues.faults.feed_stage import FeedStage
    from kimera_cli.venues.faults.stage import Stage

Path = Literal["rest", "websocket", "feed"]
"""Where the fault is met: requests; orders or private events by websocket; market data."""
GUARD_S = 30.0
"""Real seconds that something may take to come about: a machine may be busy with other things."""
TURN_S = 0.002


class FaultFailedError(Exception):
    """The client did not do what the scenario expects of it."""


def expect(true: object, text: str) -> None:
    """FaultFailedError with what was expected and what was, when it is not so."""
    if not true:
        raise FaultFailedError(text)


async def until(true: Callable[[], object], text: str) -> None:
    """Wait for something to come about."""
    try:
        async with asyncio.timeout(GUARD_S):
            while not true():
                await asyncio.sleep(TURN_S)
    except TimeoutError:
        raise FaultFailedError(f"{text}: not within {GUARD_S:g} s") from None


def never(_: Rules) -> str:
    """Return why a scenario cannot happen at a venue: it can at each."""
    return ""


class Scenario(NamedTuple):
    """One fault by one path."""

    fault: str
    path: Path
    text: str
    """What happens, and what the client makes of it."""
    play: Callable[[Stage], Awaitable[None]] | None = None
    feed: Callable[[FeedStage], Awaitable[None]] | None = None
    """Of market data; else it is of orders."""
    absent: Callable[[Rules], str] = never
    """Why it cannot happen at a venue, in words; empty where it can."""
    speaks: bool = False
    """Whether its orders go by websocket, where a venue takes them so."""
    listens: bool = False
    """Whether the private stream is up before it begins."""
    patience: Patience | None = None
    """That stream's, where it is not the usual one."""
    foreign: bool = False
    """Whether orders of others are at the account afterwards."""


def both_ways(
    fault: str,
    text: str,
    play: Callable[[Stage], Awaitable[None]],
    absent: Callable[[Rules], str] = never,
) -> list[Scenario]:
    """Return a scenario of orders by REST, and the same one of orders by websocket."""
    by_rest = Scenario(fault, "rest", text, play, absent=absent)
    return [by_rest, by_rest._replace(path="websocket", speaks=True)]
