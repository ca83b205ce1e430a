"""The fast lane: whatever comes, in whatever pieces, it does what the way frame by frame does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picows import WSMsgType
from seeds import CASES
from venue_frames import binance_frames, okx_frames
from ws_server import CLOSE, MORE, PING, PONG, TEXT, Peer, disguised, fragments, serving, ws_frame

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.client import FeedClient, Link, serve
from kimera_cli.feeds.dialect import KINDS, Dialect
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.lane import Lane
from kimera_cli.feeds.listener import Counts, Listener
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.reader import FRAME_BYTES
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.frames import BATCH_EVENTS, BATCH_FRAMES
from kimera_cli.layouts import EVENT, Events

NOW = 1_700_000_000_000_000_000
GUARD_S = 120
"""Only against a hang."""


@dataclass(frozen=True)
class Frame:
    """A frame as picows gives it to a listener."""

    msg_type: WSMsgType
    fin: bool
    payload: bytes
    tail_size: int

    @property
    def payload_size(self) -> int:
        return len(self.payload)

    def get_payload_as_bytes(self) -> bytes:
        return self.payload

    def get_payload_as_memoryview(self) -> memoryview:
        return memoryview(self.payload)


@dataclass
class Wire:
    """A transport and picows' protocol above it, which reads what it is given frame by frame."""

    room: int
    """Bytes that its buffer takes at once."""
    done: list[tuple[Any, ...]] = field(default_factory=list)
    listener: Any = None
    protocol: Any = None
    kept: bytes = b""

    def __post_init__(self) -> None:
        self.protocol, self.buffer = self, bytearray(self.room)

    @property
    def underlying_transport(self) -> Wire:
        return self

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def send_pong(self, payload: bytes) -> None:
        self.done.append(("pong", payload))

    def send(self, _: Any, payload: bytes) -> None:
        self.done.append(("send", payload))

    def send_close(self, _: Any) -> None:
        self.done.append(("close",))

    def disconnect(self) -> None:
        self.done.append(("disconnect",))

    def get_buffer(self, _: int) -> memoryview:
        return memoryview(self.buffer)

    def buffer_updated(self, n: int) -> None:
        self.kept += self.buffer[:n]
        while (head := _head(self.kept)) is not None:
            start, size = head
            payload, rest = self.kept[start : start + size], self.kept[start + size :]
            kind, fin = WSMsgType(self.kept[0] & 15), self.kept[0] > 127
            self.kept = rest
            self.listener.on_ws_frame(self, Frame(kind, fin, payload, len(rest)))

    def arrive(self, data: bytes) -> None:
        """Bytes come from the network."""
        while data:
            into = self.protocol.get_buffer(-1)
            n = min(len(into), len(data))
            into[:n] = data[:n]
            data = data[n:]
            self.protocol.buffer_updated(n)


def _head(data: bytes) -> tuple[int, int] | None:
    """Where the payload of the first frame is, if all of it is there."""
    if len(data) < 2:
        return None
    more = {126: 2, 127: 8}.get(data[1], 0)
    size = int.from_bytes(data[2 : 2 + more], "big") if more else data[1]
    start = 2 + more
    return (start, size) if len(data) >= start + size and len(data) >= start else None


class Side:
    """A connection with a lane or without one."""

    def __init__(self, dialect: Dialect, instruments: Sequence[Instrument], *, lane: bool) -> None:
        self.rows: list[Events] = []
        self.puts: list[int] = []
        output = FunctionOutput(self.put)
        self.intake: Intake = intake_of(dialect, list(enumerate(instruments)), KINDS, output)
        self.counts, self.reports = Counts(), list[KimeraError]()
        self.wire = Wire(100_000)
        self.listener = Listener(
            self.intake, self.counts, lambda: NOW, self.reports.append, lambda _: None
        )
        self.wire.listener = self.listener
        self.listener._shortens = lane

    def put(self, events: Events, n: int) -> None:
        self.rows.append(events[:n].copy())
        self.puts.append(n)

    @property
    def shown(self) -> bytes:
        return np.concatenate([np.zeros(0, EVENT), *self.rows]).tobytes()

    @property
    def told(self) -> Any:
        return self.counts, self.intake.reader.counts, self.wire.done, list(map(str, self.reports))


def menu(frames: Sequence[bytes]) -> list[bytes]:
    """What a venue may send: its messages, often, and all else there is."""
    first = frames[0]
    others = [
        ws_frame(b"are you there", PING),
        ws_frame(b"", PONG),
        ws_frame(b'{"what":"this"}'),
        ws_frame(b"no JSON"),
        ws_frame(b""),
        ws_frame(first[:30], TEXT, fin=False) + ws_frame(first[30:], MORE),
        fragments(first, [9, 20], ws_frame(b"between", PING)),
        ws_frame(first + b" " * FRAME_BYTES),
        ws_frame(first, TEXT, fin=False) + ws_frame(first),  # against RFC 6455, 5.4
        ws_frame(b"\x03\xe8", CLOSE),
    ]
    return [ws_frame(frame) for frame in frames] * (120 // len(frames)) + others


def pieces(frames: Sequence[bytes], cuts: Sequence[tuple[int, int]]) -> list[bytes]:
    """Frames in the pieces in which they come: cut some bytes before or behind a frame's end."""
    wire, ends = b"".join(frames), [0, *accumulate(map(len, frames))]
    some = (ends[frame % len(ends)] + more for frame, more in cuts)
    at = [0, *sorted(min(max(0, each), len(wire)) for each in some), len(wire)]
    return [wire[a:b] for a, b in pairwise(at) if a < b]


@pytest.mark.parametrize("lane", [True, False])
def test_nothing_is_read_any_more_behind_an_unreadable_frame_that_ends_a_read(lane: bool) -> None:
    case = CASES["okx"]
    side, first = Side(case.dialect, case.instruments, lane=lane), ws_frame(case.frames[0])
    for piece in (first, first + ws_frame(b"no JSON"), first, first + first):
        side.wire.arrive(piece)
    assert (side.counts.messages, side.counts.unreadable, side.counts.dropped) == (6, 1, 3)
    assert sum(map(len, side.rows)) == sum(side.puts[:2])


@pytest.mark.parametrize("name", sorted(set(CASES) - {"htx"}))
def test_it_does_what_frame_by_frame_does(name: str) -> None:
    case = CASES[name]
    choice = menu(case.frames)

    @given(
        st.lists(st.integers(0, len(choice) - 1), min_size=8, max_size=40),
        st.lists(st.tuples(st.integers(0, 40), st.integers(-20, 20)), max_size=20),
    )
    @settings(deadline=None)
    def check(chosen: list[int], cuts: list[tuple[int, int]]) -> None:
        sides = [Side(case.dialect, case.instruments, lane=lane) for lane in (True, False)]
        for piece in pieces([choice[k] for k in chosen], cuts):
            for side in sides:
                side.wire.arrive(piece)
            assert sides[0].told == sides[1].told
            assert sides[0].shown == sides[1].shown

    check()


def test_messages_of_a_read_are_handed_on_together() -> None:
    case = CASES["binance"]
    side = Side(case.dialect, case.instruments, lane=True)
    trade = ws_frame(next(frame for frame in case.frames if b'"e":"trade"' in frame))
    side.wire.arrive(trade)
    assert isinstance(side.wire.protocol, Lane)
    side.wire.arrive(trade * (2 * BATCH_FRAMES + 3))
    assert side.puts == [1, BATCH_FRAMES, BATCH_FRAMES, 3]
    assert side.counts.messages == 2 * BATCH_FRAMES + 4


def test_a_whole_message_between_the_parts_of_another_ends_the_connection() -> None:
    case = CASES["okx"]
    side = Side(case.dialect, case.instruments, lane=True)
    side.wire.arrive(ws_frame(case.frames[-1]))
    side.wire.arrive(ws_frame(case.frames[-1], TEXT, fin=False))
    side.wire.arrive(ws_frame(case.frames[-1]))
    assert [error.code for error in side.reports] == ["venue.protocol"]
    assert side.counts.messages == 1


def test_no_frame_is_begun_behind_many_events() -> None:
    case = CASES["okx"]
    side = Side(case.dialect, case.instruments, lane=True)
    few = next(frame for frame in case.frames if b'"channel":"trades"' in frame)
    head, _, trades = few.partition(b'"data":[')
    many = head + b'"data":[' + b",".join([trades[:-2]] * (BATCH_EVENTS // 2)) + b"]}"
    side.wire.arrive(ws_frame(few))
    side.wire.arrive(ws_frame(few) + ws_frame(many) + ws_frame(few) * 2)
    assert side.puts == [2, 2 + BATCH_EVENTS, 4]


@pytest.mark.parametrize("frames_of", [binance_frames, okx_frames])
@pytest.mark.parametrize("seed", [1, 2])
def test_recorded_frames_over_a_real_connection(
    shared_data: Path, frames_of: Any, seed: int
) -> None:
    dialect, instruments, frames = frames_of(shared_data)
    side, rng = Side(dialect, instruments, lane=True), random.Random(seed)
    expected = Side(dialect, instruments, lane=False)
    for frame in frames:
        expected.intake.take(frame, NOW)
    lanes: list[Any] = []

    async def script(peer: Peer) -> None:
        await peer.send(disguised(frames, rng), rng)

    async def run() -> FeedClient:
        around = Surroundings(lambda: NOW, lambda: 0, lambda: 0.5, side.reports.append)
        async with serving(script) as (url, peers):
            client = FeedClient(side.intake, Link(url), around)
            running = asyncio.ensure_future(client.run())
            async with asyncio.timeout(GUARD_S):
                while client.counts.messages < len(frames) or not peers:
                    await asyncio.sleep(0)
                assert client._transport is not None
                lanes.append(client._transport.underlying_transport.get_protocol())
                while len(peers[0].pongs) < client.counts.pings:
                    await asyncio.sleep(0)
            client.stop()
            await asyncio.wait_for(running, GUARD_S)
            return client

    found: list[FeedClient] = []

    async def keep() -> None:
        found.append(await run())

    serve(keep)
    assert isinstance(lanes[0], Lane)
    shown = len(expected.shown)
    assert shown > 64 * 100
    assert side.shown[:shown] == expected.shown
    assert (found[0].counts.fragments > 50, found[0].counts.pings > 10) == (True, True)
    assert side.reports == []
