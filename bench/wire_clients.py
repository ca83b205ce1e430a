"""What others do with the same frames: websockets or aiohttp, then orjson into a dict of prices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from kimera_cli.feeds.client import serve

from .harness import Case, Watch
from .machine import package
from .parse_frames import Form

NAMES = ("websockets", "aiohttp")
Read = Callable[[Any], None]


def cases(url: str, form: Form, chunks: int, per_chunk: int) -> list[Case]:
    """Return a case for each peer that is installed; one run takes `chunks` chunks."""
    if package("orjson") == "absent":
        return []
    clients = {"websockets": _websockets, "aiohttp": _aiohttp}
    return [
        _case(name, clients[name], f"{url}{chunks}", form, chunks * per_chunk)
        for name in NAMES
        if package(name) != "absent"
    ]


def _case(
    name: str, client: Callable[[str, Read], Awaitable[int]], url: str, form: Form, frames: int
) -> Case:
    loads, plain = import_module("orjson").loads, form.plain
    book: dict[float, float] = {}

    def read(frame: Any) -> None:
        message = loads(frame)
        if "b" in message["data"] and isinstance(message["data"]["b"], list):
            for px, qty in plain(message):
                book[float(px)] = float(qty)

    def run(_: Any, watch: Watch) -> None:
        async def work() -> None:
            taken = await client(url, read)
            if taken != frames:
                raise ValueError(f"expected {frames} frames of {name}, was {taken}")

        watch.start()
        serve(work)
        watch.lap(frames)

    return Case(name, lambda: None, run)


async def _websockets(url: str, read: Read) -> int:
    connect = import_module("websockets.asyncio.client").connect
    taken = 0
    async with connect(url, compression=None, max_size=None) as socket:
        async for message in socket:
            read(message)
            taken += 1
    return taken


async def _aiohttp(url: str, read: Read) -> int:
    aiohttp = import_module("aiohttp")
    taken = 0
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, compress=0, max_msg_size=0) as socket,
    ):
        async for message in socket:
            read(message.data)
            taken += 1
    return taken
