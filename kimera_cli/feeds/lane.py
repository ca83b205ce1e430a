"""The fast lane of a connection: frames from the receive buffer to the output, many in one call.

picows makes the connection, and each frame costs some calls of Python there. Once its buffer is
empty the lane takes its place as the transport's protocol, and walks the bytes in a kernel
(kernels/frames.py). Whatever is no whole message (a ping, a close, a fragment, a very large frame)
it gives to picows as it came, with all that lies behind it, until picows' buffer is empty again. So
there is one implementation of the protocol, and a short cut past it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.intake import Intake
from kimera_cli.kernels.frames import (
    W_AT,
    W_ATTEND,
    W_BATCH,
    W_EVENTS,
    W_FOUND,
    W_FRAMES,
    W_OTHER,
    W_SIZE,
    W_START,
    WALK_WORDS,
    enter_frames,
)
from kimera_cli.kernels.parse_bytes import PAD


class Keeper(Protocol):
    """Who made the connection and sees to what is no market data: feeds/listener.py."""

    idle: bool
    """Whether nothing of a message is left in picows' buffer or in parts."""
    now_ns: Callable[[], int]

    def took(self, frames: int) -> None:
        """Count messages."""

    def control(self) -> None:
        """See to a message without market data."""

    def failed(self, error: KimeraError) -> None:
        """End the connection and never be `idle` again: what still comes is dropped and counted."""


class Lane(asyncio.BufferedProtocol):
    """The protocol of a connection whose market data goes to an Intake; `slow` is picows' own.

    Its buffer holds two of the largest frames that the reader's kernel takes: one of which a part
    is there always fits.
    """

    def __init__(self, slow: Any, intake: Intake, keeper: Keeper) -> None:
        self._slow, self._intake, self._keeper = slow, intake, keeper
        self._buffer = np.zeros(2 * len(intake.reader.frame) + PAD, np.uint8)
        self._walk = np.zeros(WALK_WORDS, np.int64)
        table, buffer, walk = (
            array.ctypes.data for array in (intake.reader.table, self._buffer, self._walk)
        )
        self._table = np.array([table, buffer, len(self._buffer), walk], np.int64)
        self._address = int(self._table.ctypes.data)
        self._words = self._walk.data
        self._window = self._buffer.data[:-PAD]
        self._end = 0
        """Bytes of a frame of which not all is there."""
        self._lent = False
        """Whether picows takes what comes, as it has a part of a message."""

    def get_buffer(self, sizehint: int) -> Any:
        """Return where to read to."""
        if self._lent:
            return self._slow.get_buffer(sizehint)
        return self._window[self._end :] if self._end else self._window

    def buffer_updated(self, nbytes: int) -> None:
        """Go over what was read."""
        if self._lent:
            self._lend(nbytes)
            return
        end = self._end + nbytes
        try:
            why = self._go(end)
        except KimeraError as error:
            self._keeper.failed(error)
            why, self._lent = W_OTHER, True  # whatever comes now is dropped, by picows' way
        at = self._words[W_AT]
        if why == W_OTHER:
            self._end = 0
            self._give(self._window[at:end])
        else:
            self._end = end - at
            if at and at < end:
                self._window[: end - at] = self._window[at:end]

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell picows."""
        self._slow.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """Tell picows."""
        return self._slow.eof_received()  # type: ignore[no-any-return]

    def pause_writing(self) -> None:
        """Tell picows."""
        self._slow.pause_writing()

    def resume_writing(self) -> None:
        """Tell picows."""
        self._slow.resume_writing()

    def _go(self, end: int) -> int:
        """Read buffer[:end] and hand on its events; return why it ended, where is in W_AT."""
        words, intake, keeper, address = self._words, self._intake, self._keeper, self._address
        take, at, now_ns = intake.output.take, 0, keeper.now_ns()
        while True:
            why = enter_frames(address, at, end, now_ns)
            at, n = words[W_AT], words[W_EVENTS]
            keeper.took(words[W_FRAMES])
            if n and take(intake.reader.events, n):
                intake.waits()
            if why == W_ATTEND:
                self._attend(n, now_ns)
            elif why != W_BATCH:
                return why

    def _attend(self, passed: int, now_ns: int) -> None:
        """See to the frame that ended a walk, whose events follow `passed` others."""
        start, size, found = (self._words[k] for k in (W_START, W_SIZE, W_FOUND))
        payload = self._window[start : start + size]
        if not self._intake.behind(found, passed, payload, now_ns):
            self._keeper.control()

    def _give(self, rest: memoryview) -> None:
        """Give bytes to picows."""
        while rest:
            into = self._slow.get_buffer(-1)
            n = min(len(into), len(rest))
            into[:n] = rest[:n]
            rest = rest[n:]
            self._lend(n)

    def _lend(self, n: int) -> None:
        """Let picows go over bytes that are in its buffer."""
        self._keeper.idle = False
        self._slow.buffer_updated(n)
        self._lent = not self._keeper.idle
