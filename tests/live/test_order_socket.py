"""Orders of a run by websocket, and the websocket of an account in a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from test_live_run import LIVELY, args, summary, truth

from kimera_cli.errors import VenueError
from kimera_cli.live.order_socket import OrderSocket
from kimera_cli.venues.clients.order_entry import OrderEntry
from kimera_cli.venues.clients.socket_entry import SocketEntry

if TYPE_CHECKING:
    from live_server import Served


def test_orders_by_websocket_are_what_the_venues_know(kimera: Any, served: Served) -> None:
    before = truth(served, "orders")
    asked = [len(messages(served, venue)) for venue in ("binance", "kraken")]
    by_socket = ("--set", "live.orders=websocket")
    told = summary(kimera(*args(served, *LIVELY, *by_socket, "--execute", "live", "--for", "8s")))
    orders = [each for each in truth(served, "orders") if each not in before]
    for venue, seen in zip(("binance", "kraken"), asked, strict=True):
        fared = told["feed"]["orders"][venue]
        its = [each for each in orders if each["venue"] == venue]
        assert fared["by_websocket"] >= len(its) > 0, "and cancels"
        assert (fared["stays"], fared["in_doubt"]) == ([], [])
        assert len(messages(served, venue)) > seen
        served.ask(f"/{venue}/check")
    assert not [each for each in orders if each["status"] == "open"]


def messages(served: Served, venue: str) -> list[Any]:
    """Return the new orders that came to a venue by websocket."""
    log = served.ask(f"/{venue}/log?last=100000")
    words = ('"method":"order.place"', '"method":"add_order"')
    return [each for each in log if any(word in str(each) for word in words)]


class Entry(SocketEntry):
    """A websocket that comes up, or is refused, now or later."""

    def __init__(self, *, refused_now: bool = False) -> None:
        self.up, self.refused, self.stopped = asyncio.Event(), asyncio.Event(), False
        self.spoken = 3
        if refused_now:
            self.refused.set()
        else:
            self.up.set()

    async def run(self) -> None:
        await self.refused.wait()
        if not self.stopped:
            raise VenueError("venue.auth", "expected a login, was refused")

    def stop(self) -> None:
        self.stopped = True
        self.refused.set()


def socket_of(entry: OrderEntry) -> OrderSocket:
    return OrderSocket(entry, asyncio.get_running_loop().create_future())


def test_a_login_refused_at_the_start_is_an_error_of_the_start() -> None:
    async def work() -> None:
        socket = socket_of(Entry(refused_now=True))
        with pytest.raises(VenueError, match="refused"):
            await socket.start()
        assert not socket.failure.done()

    asyncio.run(work())


def test_a_login_refused_later_ends_the_run() -> None:
    async def work() -> None:
        entry = Entry()
        socket = socket_of(entry)
        await socket.start()
        entry.refused.set()
        async with asyncio.timeout(120.0):
            with pytest.raises(VenueError, match="refused"):
                await socket.failure

    asyncio.run(work())


def test_an_end_that_was_asked_for_is_none() -> None:
    async def work() -> None:
        socket = socket_of(Entry())
        await socket.start()
        await socket.stop()
        assert (socket.spoken, socket.failure.done()) == (3, False)

    asyncio.run(work())


def test_orders_by_rest_have_none() -> None:
    async def work() -> None:
        socket = socket_of(OrderEntry.__new__(OrderEntry))
        await socket.start()
        await socket.stop()
        assert socket.spoken == 0

    asyncio.run(work())
