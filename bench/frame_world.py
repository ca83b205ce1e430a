"""Who turns a frame into an order, and the open loop that times them.

A contender takes the bytes of one frame in its callback and comes to the bytes of one signed order.
`Ours` is kimera: one copy into the frame buffer, the clock, one call. Whoever takes it, the frame
lies in a receive buffer of its own before it is due, as a socket leaves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from kimera_cli.feeds.reader import FrameReader
from kimera_cli.host.pool import Pool
from kimera_cli.kernels.histogram import HISTOGRAM
from kimera_cli.kernels.order_bytes import ORDER
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import Clock
from kimera_cli.venues.wire import binance
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.order_wire import OrderWire

from .frame_tape import FrameTape
from .frame_work import (
    PLACES,
    SERIES,
    TIMER,
    forget_orders,
    frame_to_order,
    note_done,
    wait_until_due,
)
from .latency_world import Meters, World
from .order import KEY, SECRET

_FIELDS: Any = ORDER.fields
_BEGIN, _END, _OUT = (_FIELDS[name][1] for name in ("begin", "end", "out"))


class Contender(Protocol):
    """One way from a frame to an order."""

    name: str

    @property
    def take(self) -> Callable[[Any], Any]:
        """The callback: what `payload` gave, to the bytes of an order."""

    def payload(self, received: memoryview) -> Any:
        """Return the frame as the contender's websocket hands it over; not timed."""

    def restart(self, frames: Sequence[bytes]) -> None:
        """Begin anew, with a book made of these frames; not timed."""

    def settle(self) -> None:
        """Forget the order that was made; not timed."""


class Ours:
    """Kimera's way; `take` returns a view of the order's bytes, valid until the next frame."""

    name = "kimera"

    def __init__(
        self, tape: FrameTape, meters: Meters, pool: Pool, now_ns: Callable[[], int]
    ) -> None:
        events, self.counts = tape.events(now_ns())
        self.world = World(events, tape.instrument, meters, pool)
        largest = max(map(len, tape.frames))
        self.reader = FrameReader(
            tape.dialect, [tape.instrument], largest, int(self.counts.max()) + 1
        )
        self.wire = OrderWire(binance.REST, tape.instrument, Account(binance.SIGNING, KEY, SECRET))
        self.timer = Timer(meters.clock, pool)
        self.addresses = self._table()
        self.take = self._taker(now_ns)

    def _table(self) -> Any:
        arrays, reader, wire = self.world.arrays, self.reader, self.wire
        found = {
            "stages": self.world.meters.recorder.array,
            "timer": self.timer.array,
            "feed": reader.feed,
            "frame": reader.frame,
            "parsed": reader.events,
            "programs": wire.programs,
            "key": wire.account.state,
            "order": wire.order,
        }
        places = [found[p] if p in found else getattr(arrays, p) for p in PLACES]
        lengths = [len(arrays.records), len(reader.frame), len(reader.events)]
        return np.array([*(each.ctypes.data for each in places), *lengths], np.int64)

    def _taker(self, now_ns: Callable[[], int]) -> Callable[[Any], memoryview | None]:
        window, address = self.reader.frame.data, int(self.addresses.ctypes.data)
        memory = memoryview(self.wire.memory)
        ends, out = memory[_BEGIN : _END + 8].cast("q"), memory[_OUT:]

        def take(payload: memoryview) -> memoryview | None:
            n = len(payload)
            window[:n] = payload
            if frame_to_order(address, n, now_ns()) <= 0:
                return None
            return out[ends[0] : ends[1]]

        return take

    @property
    def length(self) -> int:
        """Bytes of the last order."""
        return int(self.wire.order["end"][0] - self.wire.order["begin"][0])

    def payload(self, received: memoryview) -> memoryview:
        """Return the view that picows gives."""
        return received

    def restart(self, frames: Sequence[bytes]) -> None:
        """Bring the engine's state behind so many frames."""
        last = len(self.world.ends) - 1
        self.world.restart(min(len(frames) - 1, last) / max(1, last))

    def settle(self) -> None:
        """Take the order out again."""
        forget_orders(int(self.addresses.ctypes.data))


class Nothing:
    """Takes no notice of the frame: what the stamps cost, and what the host does to a callback."""

    name = "nothing"

    @property
    def take(self) -> Callable[[Any], Any]:
        """Return a callback that does nothing."""
        return len

    def payload(self, received: memoryview) -> memoryview:
        """Return the view."""
        return received

    def restart(self, frames: Sequence[bytes]) -> None:
        """Nothing to begin."""

    def settle(self) -> None:
        """Nothing to forget."""


class Timer:
    """Times callbacks: SERIES x (from the due time, from the call)."""

    def __init__(self, clock: Clock, pool: Pool) -> None:
        self.array = pool.zeros(1, TIMER)
        self.row = self.array.view(np.recarray)[0]
        self.histograms = pool.zeros(2 * SERIES, HISTOGRAM).view(np.recarray)
        self.clock = clock
        self.row.clock = clock.array.ctypes.data
        self.row.histograms = self.histograms.ctypes.data

    def rows(self, series: int) -> dict[str, Any]:
        """Return the histograms of one series."""
        pair = self.histograms[2 * series : 2 * series + 2]
        return {"response": pair[0], "service": pair[1]}

    def clear(self, gap_ns: float) -> None:
        """Forget what was measured; the first frame is due as soon as it is there."""
        for row in self.histograms:
            histogram.clear(row)
        self.row.gap = round(gap_ns / float(self.clock.row.ns_per_tick))
        self.row.due = self.row.late = 0

    def run(self, who: Contender, frames: Sequence[bytes], series: Sequence[int]) -> None:
        """Let a contender take the frames, each counted in its series."""
        received = bytearray(max(map(len, frames)))
        whole, address = memoryview(received), int(self.array.ctypes.data)
        take, settle = who.take, who.settle
        for frame, number in zip(frames, series, strict=True):
            n = len(frame)
            received[:n] = frame
            payload = who.payload(whole[:n])
            wait_until_due(address)
            take(payload)
            note_done(address, number)
            settle()
