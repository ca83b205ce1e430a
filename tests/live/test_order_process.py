"""The order process as a whole: whatever ends it, what rests is taken back first."""

from __future__ import annotations

import asyncio
from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest

from kimera_cli.engine.arrivals import Arrival
from kimera_cli.engine.outbound import CLOSED
from kimera_cli.errors import VenueError
from kimera_cli.live.joining import Joining, first_of
from kimera_cli.live.orders import _Process
from kimera_cli.venues.clients.world import World


class Side:
    """An account, as far as the process asks for it."""

    def __init__(self, venue: str) -> None:
        self.venue = venue
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.running = asyncio.ensure_future(self._run())
        self.refused = asyncio.Event()
        self.over = asyncio.Event()
        self.closed = False
        self.stream = self
        self.joined = True

    async def _run(self) -> None:
        await asyncio.sleep(0)
        waits = [asyncio.ensure_future(e.wait()) for e in (self.refused, self.over)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if self.refused.is_set():
            raise VenueError("venue.auth", "expected a login, was refused")

    def stop(self) -> None:
        self.over.set()

    async def close(self) -> None:
        self.closed = True

    def fared(self) -> dict[str, Any]:
        return {"closed": self.closed}


def joining(side: Side) -> Joining:
    """An account that is there at once."""

    async def attempt() -> Arrival:
        return Arrival(side.venue, 0, 0)

    world = World(lambda: 0, lambda: 0, bytes, lambda error: None)
    return Joining(side.venue, attempt, lambda arrival: None, world)


class Ring:
    """An empty ring, and one that keeps what is pushed."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def ready(self) -> int:
        return 0

    def push(self, row: Any) -> int:
        self.rows.append(np.copy(row))
        return 1


async def ended_by(what: str) -> tuple[Any, list[Side], Ring]:
    """Run the process until this happens; return what it came to."""
    here, there = Pipe()
    sides, answers = [Side("kraken"), Side("okx")], Ring()
    joinings = [joining(side) for side in sides]
    await first_of(joinings)
    accounts: Any = dict(enumerate(sides))
    process = _Process(there, accounts, joinings, Ring(), answers)  # type: ignore[arg-type]
    work = asyncio.ensure_future(process.run())
    await asyncio.sleep(0)
    if what == "stop":
        here.send("stop")
    elif what == "gone":
        here.close()
    elif what == "refused":
        sides[0].refused.set()
    else:
        sides[0].failure.set_exception(KeyError(what))
    (found,) = await asyncio.gather(work, return_exceptions=True)
    return found, sides, answers


@pytest.mark.parametrize(
    ("what", "error"),
    [("stop", None), ("gone", None), ("refused", VenueError), ("a bug", KeyError)],
)
def test_every_account_is_closed_whatever_ends_it(what: str, error: type | None) -> None:
    found, sides, answers = asyncio.run(ended_by(what))
    assert [side.closed for side in sides] == [True, True]
    assert [int(row["kind"][0]) for row in answers.rows] == [CLOSED]
    if error is None:
        assert found == {"kraken": {"closed": True}, "okx": {"closed": True}}
    else:
        assert isinstance(found, error)
