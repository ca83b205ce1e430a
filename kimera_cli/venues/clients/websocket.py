"""One websocket connection of a client: whole messages in, messages out, its end told once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from picows import WSCloseCode, WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from kimera_cli.errors import VenueError
from kimera_cli.feeds.network import dialled
from kimera_cli.venues.clients.addresses import Addresses

HANDSHAKE_S = 5.0
LARGEST = 16 << 20
"""Bytes of a message; a larger one ends the connection."""
_LOGGER = logging.getLogger("kimera.venues")
_LOGGER.addHandler(logging.NullHandler())  # what picows says there is reported as VenueErrors
_LOGGER.propagate = False
_TEXT = WSMsgType.TEXT
_DATA = (_TEXT, WSMsgType.BINARY)

OnMessage = Callable[[bytes], None]


class Socket(WSListener):
    """An open websocket. `heard` counts frames of any kind, pongs too."""

    def __init__(self, on_message: OnMessage) -> None:
        super().__init__()
        self.heard = 0
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the connection ended, once it has."""
        self._on_message = on_message
        self._transport: WSTransport | None = None
        self._parts = bytearray()

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self._transport is not None and not self.ended.done()

    def send(self, text: bytes | memoryview) -> None:
        """Send a text message; VenueError `venue.no_connection` when the connection is gone."""
        if self._transport is None or self.ended.done():
            raise VenueError("venue.no_connection", "expected an open connection, was a closed one")
        self._transport.send(_TEXT, text)

    def ping(self) -> None:
        """Send the protocol's own ping."""
        if self._transport is not None and not self.ended.done():
            self._transport.send_ping()

    def close(self, why: str) -> None:
        """End the connection from this side."""
        self._end(why)
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect(graceful=False)

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the transport."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Hand on whole messages."""
        self.heard += 1
        kind = frame.msg_type
        is_whole = kind is _TEXT and frame.fin and not self._parts
        if is_whole and frame.payload_size <= LARGEST and not self.ended.done():
            self._on_message(frame.get_payload_as_bytes())
            return
        if kind is WSMsgType.CLOSE:
            self._end(f"closed by the venue ({frame.get_close_code()})")
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
            return
        if kind not in _DATA and kind is not WSMsgType.CONTINUATION:
            return
        if len(self._parts) + frame.payload_size > LARGEST:
            self.close(f"a message of more than {LARGEST} bytes")
            return
        self._parts += frame.get_payload_as_memoryview()
        if frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            if not self.ended.done():
                self._on_message(whole)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """The connection is gone, with or without a word."""
        self._end("the connection broke")

    def _end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)


async def connected(addresses: Addresses, url: str, on_message: OnMessage) -> Socket:
    """Open a websocket; VenueError `venue.unreachable` when there is none."""
    way = dialled(url, addresses)
    socket = Socket(on_message)
    try:
        await ws_connect(
            lambda: socket,
            way.url,
            ssl_context=way.tls,
            socket_factory=way.socket_factory,
            websocket_handshake_timeout=HANDSHAKE_S,
            max_frame_size=LARGEST,
            logger_name=_LOGGER,
        )
    except (OSError, WSError, TimeoutError) as error:
        raise VenueError(
            "venue.unreachable",
            f"expected a connection to {url}, was {error or type(error).__name__}",
            "it is tried again by itself while the stream is wanted",
        ) from None
    return socket
