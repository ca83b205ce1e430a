"""Signs of life of an account that a run trades: for the venue's own switch, and for the guard.

Given by the task that sends orders, so that when it is stuck or gone the venue (DeadMan), or a
`kimera trade guard` in another process (Pulse), takes back what rests.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.session import RefusedError
from kimera_cli.venues.clients.stream import PrivateStream
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.dead_man import DeadMan, StreamSwitch
from kimera_cli.venues.guard import Pulse
from kimera_cli.venues.orders.rules import rules_of

BEAT_S = 0.5


class SignsOfLife:
    """Beats until `stop`. `seconds` 0: the venue's own switch is left alone."""

    def __init__(
        self, client: VenueClient, stream: PrivateStream, world: World, folder: Path, seconds: int
    ) -> None:
        self._world = world
        self._pulse = Pulse.of(folder)
        self._switch = _switch(client, stream, world, seconds)
        self._task: asyncio.Task[None] | None = None

    @property
    def is_armed(self) -> bool:
        """Whether the venue's switch is kept from firing here."""
        return self._switch is not None

    async def start(self) -> None:
        """Arm the switch, and go on beating. VenueError when the venue does not take it.

        Where it must be allowed per account, that it is not is reported.
        """
        if self._switch is not None:
            try:
                await self._switch.beat()
            except RefusedError as error:
                if not isinstance(self._switch, StreamSwitch):
                    raise
                self._world.report(error)
                self._switch = None
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


def _switch(
    client: VenueClient, stream: PrivateStream, world: World, seconds: int
) -> DeadMan | StreamSwitch | None:
    """Return the venue's switch, with the time nearest to what is wished that it takes."""
    rules = rules_of(client.venue).dead_man
    if rules is None or not seconds:
        return None
    fit = int(min(max(seconds, rules.min_s), rules.max_s))
    if rules.kind == "timer":
        return DeadMan(client, world, fit)
    return StreamSwitch(client, stream, fit)
