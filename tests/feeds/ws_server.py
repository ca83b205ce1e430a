"""A real websocket server on the loopback whose script decides every byte that it sends."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from picows import WSCloseCode, WSListener, WSMsgType, ws_create_server

TEXT, BINARY, CLOSE, PING, PONG, MORE = 1, 2, 8, 9, 10, 0


def ws_frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """A frame as a server sends it (RFC 6455, 5.2)."""
    n = len(payload)
    first = (0x80 if fin else 0) | opcode
    if n < 126:
        return bytes((first, n)) + payload
    if n < 1 << 16:
        return bytes((first, 126)) + struct.pack(">H", n) + payload
    return bytes((first, 127)) + struct.pack(">Q", n) + payload


def fragments(payload: bytes, at: list[int], between: bytes = b"") -> bytes:
    """A message in fragments, cut at these places; `between` them other frames."""
    cuts = [0, *at, len(payload)]
    parts = [payload[a:b] for a, b in pairwise(cuts)]
    last = len(parts) - 1
    return between.join(
        ws_frame(part, TEXT if k == 0 else MORE, fin=k == last) for k, part in enumerate(parts)
    )


def disguised(frames: list[bytes], rng: random.Random) -> bytes:
    """Frames on the wire: some whole, some in fragments, pings anywhere."""
    wire = []
    for frame in frames:
        if rng.random() < 0.2:
            cuts = sorted(rng.randrange(len(frame)) for _ in range(rng.randint(1, 4)))
            ping = ws_frame(b"between", PING) if rng.random() < 0.5 else b""
            wire.append(fragments(frame, cuts, ping))
        else:
            wire.append(ws_frame(frame))
        if rng.random() < 0.05:
            wire.append(ws_frame(b"after", PING))
    return b"".join(wire)


class Peer(WSListener):
    """One connection as the server has it."""

    def __init__(self, script: Callable[[Peer], Awaitable[None]]) -> None:
        super().__init__()
        self.script = script
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.pongs: list[bytes] = []
        self.pings = 0
        self.answers = True
        """Whether it answers the protocol's pings."""
        self._owed: list[bytes] = []
        self._sending = 0
        self.close_code: WSCloseCode | None = None
        self.gone = asyncio.Event()
        self.transport: Any = None
        self.task: asyncio.Task[None] | None = None

    def on_ws_connected(self, transport: Any) -> None:
        self.transport = transport
        self.task = asyncio.ensure_future(self.script(self))

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type is WSMsgType.PONG:
            self.pongs.append(frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.PING:
            self.pings += 1
            self._owed += [frame.get_payload_as_bytes()] if self.answers else []
            self._pay()
        elif frame.msg_type is WSMsgType.CLOSE:
            self.close_code = frame.get_close_code()
            transport.disconnect()
        else:
            self.got.put_nowait(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: Any) -> None:
        self.gone.set()

    async def send(self, data: bytes, rng: random.Random | None = None) -> None:
        """Send bytes, with `rng` in segments of random size."""
        wire = self.transport.underlying_transport
        self._sending += 1
        while data and not self.gone.is_set():
            n = rng.choice((1, 2, 3, 7, 100, 1500, 70_000)) if rng else len(data)
            wire.write(data[:n])
            data = data[n:]
            await asyncio.sleep(0)
        self._sending -= 1
        self._pay()

    def _pay(self) -> None:
        """Send the pongs that are owed, but not into the middle of a frame."""
        while self._owed and not self._sending and not self.gone.is_set():
            self.transport.send_pong(self._owed.pop(0))

    def cut(self) -> None:
        """Break the connection without a word."""
        self.transport.underlying_transport.abort()


@asynccontextmanager
async def serving(
    script: Callable[[Peer], Awaitable[None]],
) -> AsyncIterator[tuple[str, list[Peer]]]:
    """Serve; give the URL and the connections so far."""
    peers: list[Peer] = []

    def accept(_request: Any) -> Peer:
        peers.append(Peer(script))
        return peers[-1]

    server = await ws_create_server(accept, "127.0.0.1", 0, enable_auto_pong=False)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"ws://127.0.0.1:{port}/", peers
    finally:
        server.close()
        for peer in peers:
            if peer.task is not None:
                peer.task.cancel()
            if not peer.gone.is_set():
                peer.cut()
