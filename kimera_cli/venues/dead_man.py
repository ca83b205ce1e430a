"""A venue's own dead-man switch, kept from firing by whoever sends the orders.

`beat` belongs into the task that sends orders: when that is stuck, or gone, the venue cancels what
rests. It is refreshed at a third of its time, so that two refreshes may be lost. Which venues have
one, and what it cancels, is in the rules (`dead_man`); where there is none, `kimera trade guard`
watches from another process.

Bybit's is tied to the private stream (`StreamSwitch`): whoever keeps the stream keeps it quiet.
"""

from __future__ import annotations

from dataclasses import dataclass

from kimera_cli.errors import UsageError
from kimera_cli.venues.clients.stream import PrivateStream
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import rules_of

_NS = 1_000_000_000


@dataclass
class StreamSwitch:
    """The switch of a venue that has tied it to the private stream."""

    client: VenueClient
    stream: PrivateStream
    seconds: int

    async def beat(self) -> bool:
        """Set how long a silence may last, and tie the switch to the stream, both once.

        RefusedError where the account may not have it.
        """
        if self.stream.protected_s:
            return False
        await self.client.queries.dead_man(self.seconds)
        self.stream.protect(self.seconds)
        return True

    async def disarm(self) -> None:
        """Untie it: at an orderly end, when what rests is meant to stay."""
        self.stream.protect(0)


@dataclass
class DeadMan:
    """The switch of one account."""

    client: VenueClient
    world: World
    seconds: int
    _next_ns: int = 0

    def __post_init__(self) -> None:
        switch = rules_of(self.client.venue).dead_man
        if switch is None or switch.kind != "timer":
            raise UsageError(
                "usage.dead_man",
                f"expected a venue with a timer of its own, was {self.client.venue}",
                "kimera trade guard watches from another process",
            )
        if not switch.min_s <= self.seconds <= switch.max_s:
            raise UsageError(
                "usage.dead_man",
                f"expected {switch.min_s} to {switch.max_s} s at {self.client.venue}, "
                f"was {self.seconds}",
            )

    async def beat(self) -> bool:
        """Set the timer anew when a third of it has passed; return whether it was set."""
        now = self.world.monotonic_ns()
        if now < self._next_ns:
            return False
        await self.client.queries.dead_man(self.seconds)
        self._next_ns = now + self.seconds * _NS // 3
        return True

    async def disarm(self) -> None:
        """Switch it off: at an orderly end, when what rests is meant to stay."""
        await self.client.queries.dead_man(0)
        self._next_ns = 0
