"""The order websocket of one account of a live run, where orders go by one.

Without it, and at venues that have none, orders go by REST: nothing waits for it but the start.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kimera_cli.venues.clients.order_entry import OrderEntry
from kimera_cli.venues.clients.socket_entry import SocketEntry

UP_S = 10.0
"""How long the start waits for it."""


@dataclass
class OrderSocket:
    """Keeps the websocket of an account's order entry up; does nothing where there is none."""

    entry: OrderEntry
    failure: asyncio.Future[None]
    """Holds what ended it: a refused login ends the run, like one of the private stream."""
    _running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Bring it up; VenueError `venue.auth` when the venue refuses the login."""
        entry = self.entry
        if not isinstance(entry, SocketEntry):
            return
        self._running = asyncio.ensure_future(entry.run())
        up = asyncio.ensure_future(entry.up.wait())
        both = (up, self._running)
        await asyncio.wait(both, timeout=UP_S, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._running.done():
            self._running.result()
        self._running.add_done_callback(self._ended)

    @property
    def spoken(self) -> int:
        """Requests that went over it."""
        return self.entry.spoken if isinstance(self.entry, SocketEntry) else 0

    async def stop(self) -> None:
        """End it; what waits for an answer becomes Unknown."""
        if isinstance(self.entry, SocketEntry) and self._running is not None:
            self.entry.stop()
            await asyncio.wait((self._running,))

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) and not self.failure.done():
            self.failure.set_exception(error)
