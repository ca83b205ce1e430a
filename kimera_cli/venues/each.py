"""Several things asked for at once: what fails at one is reported, and holds up none of the others.

The functions return whether all went well, and raise the first error when nothing did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from kimera_cli.errors import KimeraError
from kimera_cli.records import Record
from kimera_cli.venues.trading import Trading

Records = Sequence[Record]
Emit = Callable[[Record], None]


async def at_venues(trading: Trading, ask: Callable[[str], Awaitable[Records]], emit: Emit) -> bool:
    """Ask all venues of an invocation side by side; tell their records venue by venue."""
    asked = [asyncio.ensure_future(ask(venue)) for venue in trading.venues()]
    try:
        return await _tell(trading, asked, emit)
    finally:
        for each in asked:
            each.cancel()


async def one_by_one(
    trading: Trading, names: Iterable[str], do: Callable[[str], Awaitable[Record]], emit: Emit
) -> bool:
    """Do something about each name, one after the other, and tell what came of it."""

    async def about(name: str) -> Records:
        return [await do(name)]

    return await _tell(trading, map(about, names), emit)


async def _tell(trading: Trading, asked: Iterable[Awaitable[Records]], emit: Emit) -> bool:
    failed: list[KimeraError] = []
    good = 0
    for each in asked:
        try:
            records = await each
        except KimeraError as error:
            failed.append(error)
            continue
        good += 1
        for record in records:
            emit(record)
    if failed and not good:
        raise failed[0]
    for one in failed:
        trading.world.report(one)
    return not failed
