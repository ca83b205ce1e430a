"""Signs of life of an account that a run trades: for the venue's own switch, and for the guard.

Given by the task that sends orders, so that when it is stuck or gone the venue (DeadMan), or a
`kimera trade guard` in another process (Pulse), takes back what rests.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.dead_man import DeadMan
from kimera_cli.venues.guard import Pulse
from kimera_cli.venues.orders.rules import rules_of

BEAT_S = 0.5


class SignsOfLife:
    """Beats until `stop`. `seconds` 0: the venue's own switch is left alone."""

    def __init__(self, client: VenueClient, world: World, folder: Path, seconds: int) -> None:
        self._world = world
        self._pulse = Pulse.of(folder)
        self._switch = DeadMan(client, world, _fit(client, seconds)) if seconds else None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_armed(self) -> bool:
        """Whether the venue's switch is kept from firing here."""
        return self._switch is not None

    async def start(self) -> None:
        """Arm the switch, and go on beating. VenueError when the venue does not take it."""
        if self._switch is not None:
            await self._switch.beat()
        self._task = asyncio.ensure_future(self._beat())

    async def stop(self) -> None:
        """No more signs are to be expected."""
        if self._task is None:
            return
        self._task.cancel()
        self._pulse.stop()
        if self._switch is not None:
            try:
                await self._switch.disarm()
            except VenueError as error:
                self._world.report(error)

    async def _beat(self) -> None:
        while True:
            self._pulse.beat()
            if self._switch is not None:
                try:
                    await self._switch.beat()
                except VenueError as error:  # two more may fail before it fires
                    self._world.report(error)
            await self._world.sleep(BEAT_S)


def has_switch(venue: str) -> bool:
    """Whether a venue has a timer that a client can keep from firing."""
    switch = rules_of(venue).dead_man
    return switch is not None and switch.kind == "timer"


def _fit(client: VenueClient, seconds: int) -> int:
    """Return the time nearest to what is wished that the venue takes."""
    switch = rules_of(client.venue).dead_man
    assert switch is not None
    return int(min(max(seconds, switch.min_s), switch.max_s))
