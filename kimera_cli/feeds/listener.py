"""What happens with one websocket frame: market data to the pump, all else to a slow handler.

picows calls `on_ws_frame` for each frame while its bytes lie in the receive buffer. A whole text or
binary frame is stamped once with the local time and goes straight to the pump. Fragments are put
together first. Pings are answered here, so that they are counted and a test sees them. Where whole
messages can go many in one call, they do not come here any more once the connection stands
(feeds/lane.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.lane import Lane
from kimera_cli.feeds.pump import Pump
from kimera_cli.feeds.reader import Payload
from kimera_cli.feeds.slow import Control

LARGEST = 16 << 20
"""Bytes of a message, in one frame or in fragments; a larger one ends the connection."""
_TEXT, _BINARY, _MORE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION
_PING, _PONG, _CLOSE = WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE
_ECHO = ("ping", "pong")
"""Controls that say that the other side lives, but nothing about the market."""


@dataclass
class Counts:
    """What came over all connections so far, in messages."""

    messages: int = 0
    fragments: int = 0
    pings: int = 0
    pongs: int = 0
    acks: int = 0
    refused: int = 0
    unreadable: int = 0
    dropped: int = 0
    """Messages that came behind an unreadable one, before the connection was gone."""
    echoes: int = 0
    """Pings and pongs in the venue's own words; they are among `messages`."""


class Listener(WSListener):
    """The frames of one connection. `failure` is what ended it from this side, if anything."""

    def __init__(
        self,
        pump: Pump | Intake,
        counts: Counts,
        now_ns: Callable[[], int],
        report: Callable[[KimeraError], None],
        connected: Callable[[WSTransport], None],
    ) -> None:
        super().__init__()
        self.pump = pump
        self.counts = counts
        self.failure: KimeraError | None = None
        self._take, self.now_ns = pump.take, now_ns
        self._report, self._connected = report, connected
        self._parts = bytearray()
        self._in_parts = False
        self.idle = False
        """Whether picows' buffer is empty behind the last frame, and no message is in parts."""
        self._transport: WSTransport | None = None
        self._lane: Lane | None = None
        self._shortens = isinstance(pump, Intake) and pump.direct

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Ask for the streams."""
        self._connected(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        kind = frame.msg_type
        if (kind is not _TEXT and kind is not _BINARY) or self._in_parts or not frame.fin:
            self._other(transport, frame, kind)
        else:
            self._message(transport, frame.get_payload_as_memoryview())
        if self._shortens:
            self._shorten(transport, frame.tail_size)

    def took(self, frames: int) -> None:
        """Count messages that the lane took."""
        self.counts.messages += frames

    def control(self) -> None:
        """See to a message without market data that the lane took."""
        assert self._transport is not None
        self._control(self._transport)

    def failed(self, error: KimeraError) -> None:
        """End the connection because of a message that the lane took."""
        assert self._transport is not None
        self._failed(self._transport, error)

    def _shorten(self, transport: WSTransport, behind: int) -> None:
        """Let the lane begin where picows has nothing; `behind`: bytes that it has."""
        self.idle = not (behind or self._in_parts or self.failure)
        if self.idle and self._lane is None and isinstance(self.pump, Intake):
            self._transport = transport
            beneath = transport.underlying_transport
            self._lane = Lane(beneath.get_protocol(), self.pump, self)
            beneath.set_protocol(self._lane)

    def _other(self, transport: WSTransport, frame: WSFrame, kind: WSMsgType) -> None:
        if kind is _PING:
            self.counts.pings += 1
            transport.send_pong(frame.get_payload_as_bytes())
        elif kind is _PONG:
            self.counts.pongs += 1
        elif kind is _CLOSE:
            transport.send_close(WSCloseCode.OK)
            transport.disconnect()
        else:
            self._fragment(transport, frame, first=kind is not _MORE)

    def _fragment(self, transport: WSTransport, frame: WSFrame, *, first: bool) -> None:
        self.counts.fragments += 1
        size = len(self._parts) + frame.payload_size
        if first is self._in_parts or size > LARGEST:
            self._failed(transport, _protocol(first, size))
            return
        self._parts += frame.get_payload_as_memoryview()
        self._in_parts = not frame.fin
        if frame.fin:
            whole, self._parts = bytes(self._parts), bytearray()
            self._message(transport, whole)

    def _message(self, transport: WSTransport, whole: Payload) -> None:
        self.counts.messages += 1
        try:
            if not self._take(whole, self.now_ns()):
                self._control(transport)
        except KimeraError as error:
            self._failed(transport, error)

    def _control(self, transport: WSTransport) -> None:
        """Answer and count a message without market data."""
        control = self.pump.reader.control
        if control is None:  # read, and nothing in it
            return
        if control.reply:
            transport.send(_TEXT, control.reply)
        self.counts.echoes += control.kind in _ECHO
        self.counts.acks += control.kind == "ack"
        if control.kind == "refused":
            self.counts.refused += 1
            self._report(_refusal(self.pump.reader.dialect.venue, control))

    def _failed(self, transport: WSTransport, error: KimeraError) -> None:
        """End the connection: of which book this message spoke is unknown, so none is good now.

        What lies behind it in the receive buffer still comes here, and is dropped and counted.
        """
        self.counts.unreadable += isinstance(error, VenueError)
        self.failure = error
        self._take = self._drop
        self._report(error)
        transport.disconnect()

    def _drop(self, _payload: Payload, _ts_local_ns: int) -> int:
        self.counts.dropped += 1
        return 1


def _refusal(venue: str, control: Control) -> VenueError:
    return VenueError(
        "venue.refused",
        f"expected {venue} to accept the subscription, was: {control.text}",
        "check the names of the instruments; the other streams of the connection go on",
        venue=venue,
    )


def _protocol(first: bool, size: int) -> VenueError:
    was = f"a message of more than {LARGEST} bytes" if size > LARGEST else "a fragment out of order"
    expected = "the next fragment" if first else "the first fragment"
    return VenueError(
        "venue.protocol",
        f"expected {expected} of at most {LARGEST} bytes, was {was}",
        "the connection is made anew; if it stays so, the venue or a proxy breaks RFC 6455",
    )
