"""A client's websocket at the server: messages in, frames out, faults between.

Inbound bytes go through the sans-I/O protocol of `websockets` (masks, fragments, control frames);
outbound frames are made once for all sockets (frames.py) and written together, once per turn of
the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from websockets.exceptions import ProtocolError
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from kimera_cli.venues.server.faults import Rule, damaged
from kimera_cli.venues.server.frames import OP_BINARY, OP_CLOSE, OP_TEXT, Frame, header

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialect import Conversation
    from kimera_cli.venues.server.host import Venue

MAX_MESSAGE = 1 << 20
MAX_BACKLOG = 64 << 20
"""Bytes that may wait for a slow client before it is cut off."""


class ServerSocket:
    """One websocket. `conversation` is set by whoever opened it."""

    def __init__(
        self, venue: Venue, transport: asyncio.Transport, path: str, peer: str, secure: bool
    ) -> None:
        self.venue = venue
        self.transport = transport
        self.path = path
        self.peer = peer
        self.secure = secure
        self.conversation: Conversation | None = None
        self.sent = 0
        self.received = 0
        self._protocol = ServerProtocol(state=State.OPEN, max_size=MAX_MESSAGE)
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._parts: list[bytes] = []
        self._text = True
        self._late: Frame | None = None
        self.is_open = True
        self.frozen = False
        """Half open: nothing is read and nothing sent any more, and no FIN either."""

    # outbound

    def send(self, message: Frame | str | bytes) -> None:
        """Send a frame, text (str) or binary (bytes), through the faults in force."""
        if isinstance(message, str):
            message = Frame(message.encode(), OP_TEXT)
        elif isinstance(message, bytes):
            message = Frame(message, OP_BINARY)
        if "frame.out" in self.venue.faults.by_hook:
            self._send_faulty(message)
        else:
            self._write(message.wire)
        if self._late is not None and message is not self._late:
            late, self._late = self._late, None
            self._write(late.wire)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close with a close frame."""
        if self.is_open:
            body = code.to_bytes(2, "big") + reason.encode()[:123]
            self._write(header(OP_CLOSE, len(body)) + body)
            self._flush()
            self.is_open = False
            self.transport.close()

    def abort(self) -> None:
        """Cut the connection without a close frame."""
        self.is_open = False
        self.transport.abort()

    def _write(self, wire: bytes) -> None:
        if not self.is_open or self.frozen:
            return
        self.sent += 1
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(wire)

    def _flush(self) -> None:
        if self._out and self.is_open:
            self.transport.write(b"".join(self._out))
            self._out.clear()
            if self.transport.get_write_buffer_size() > MAX_BACKLOG:
                self.abort()

    def _send_faulty(self, frame: Frame) -> None:
        rule = self.venue.faults.find("frame.out", self.venue.name, frame.plain, self.path)
        if rule is None or (rule.action == "reorder" and self._late is not None):
            self._write(frame.wire)  # it is the next one, behind which the late one goes
        elif rule.action == "delay":
            self._loop.call_later(rule.seconds, self._write, frame.wire)
        elif rule.action == "reorder":
            self._late = frame
        elif rule.action != "drop":
            for wire in self._variants(frame, rule):
                self._write(wire)

    def _variants(self, frame: Frame, rule: Rule) -> list[bytes]:
        if rule.action == "duplicate":
            return [frame.wire, frame.wire]
        if rule.action == "insert":
            return [Frame(rule.filler, frame.opcode).wire, frame.wire]
        if rule.action == "stale":
            return [self.venue.first_frames.setdefault(rule.id, frame.wire)]
        return [damaged(frame, rule).wire]

    # inbound

    def feed(self, data: bytes) -> None:
        """Take bytes from the network."""
        if self.frozen:
            return
        try:
            self._protocol.receive_data(data)
        except ProtocolError:
            self.abort()
            return
        is_closing = self._protocol.state is not State.OPEN
        if not is_closing:
            self._answer_control()
        for frame in self._protocol.events_received():
            self._frame(frame.opcode, frame.data, frame.fin)  # type: ignore[union-attr]
        if is_closing:
            self._answer_control()
            self._flush()
            self.is_open = False
            self.transport.close()

    def _answer_control(self) -> None:
        """Send pongs, or the answer to a close frame."""
        for out in self._protocol.data_to_send():
            if out:
                self._write(out)
                self.sent -= 1

    def _frame(self, opcode: int, data: bytes | bytearray | memoryview, fin: bool) -> None:
        if opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if opcode != Opcode.CONT:
            self._text = opcode == Opcode.TEXT
        self._parts.append(bytes(data))
        if fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._message(whole)

    def _message(self, data: bytes) -> None:
        self.received += 1
        self.venue.log_message(self, data)
        if "frame.in" in self.venue.faults.by_hook:
            rule = self.venue.faults.find("frame.in", self.venue.name, data, self.path)
            if rule is not None and rule.action == "drop":
                return
            if rule is not None:
                self._loop.call_later(rule.seconds, self._deliver, data)
                return
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        conversation = self.conversation
        if conversation is None or not self.is_open:
            return
        message = data.decode("utf-8", "replace") if self._text else data
        self.guard(lambda: conversation.receive(message))

    def guard(self, act: Callable[[], None]) -> None:
        """Run a conversation's code; a bug in it costs the connection and is reported."""
        try:
            act()
        except Exception as error:  # a bug of the dialect must not stop the server
            self.venue.report(error, f"websocket {self.path}")
            self.close(1011, "internal error")

    def lost(self) -> None:
        """The connection is gone."""
        self.is_open = False
        conversation, self.conversation = self.conversation, None
        if conversation is not None:
            self.venue.leave(conversation)
