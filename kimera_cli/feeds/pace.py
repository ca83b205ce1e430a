"""Questions over REST that nobody waits for, one after the other: a venue's budget is for orders.

One Pace serves all connections to a venue. A pause that the venue names holds all of them.
"""

from __future__ import annotations

from kimera_cli.errors import VenueError
from kimera_cli.feeds.surroundings import Fetch, Surroundings

_NS = 1_000_000_000


class Pace:
    """The questions to one venue, `gap_s` apart at least."""

    def __init__(self, fetch: Fetch, around: Surroundings, gap_s: float) -> None:
        self._fetch, self._around = fetch, around
        self._gap_ns = int(gap_s * _NS)
        self._next_ns = self._held_ns = 0

    async def turn(self) -> None:
        """Wait until the next question may be asked."""
        now_ns = self._around.monotonic_ns
        while True:
            at = max(now_ns(), self._next_ns)
            self._next_ns = at + self._gap_ns
            while (wait := at - now_ns()) > 0:
                await self._around.sleep(wait / _NS)
            if at >= self._held_ns:
                return

    async def ask(self, url: str) -> bytes:
        """Ask now; VenueError as `Fetch` has it. A pause that it names is kept."""
        try:
            return await self._fetch(url)
        except VenueError as error:
            pause_ns = int(float(error.details.get("retry_after_s", 0.0)) * _NS)
            self._held_ns = max(self._held_ns, self._around.monotonic_ns() + pause_ns)
            self._next_ns = max(self._next_ns, self._held_ns)
            raise

    async def fetch(self, url: str) -> bytes:
        """Wait for the turn, then ask."""
        await self.turn()
        return await self.ask(url)
