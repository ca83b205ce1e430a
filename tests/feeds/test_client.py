"""The websocket client against a real server: what is in the ring is what the parser says."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seeds import CASES
from venue_frames import BTC_USDT as BTC
from venue_frames import binance_frames, okx_frames
from ws_server import BINARY, CLOSE, Peer, disguised, fragments, serving, ws_frame

from kimera_cli.context import Context, from_process
from kimera_cli.errors import DataError, KimeraError, RunError, UsageError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.feeds.binance import BINANCE
from kimera_cli.feeds.client import FeedClient, Link, link_for, serve
from kimera_cli.feeds.dialect import KINDS, Dialect
from kimera_cli.feeds.listener import LARGEST
from kimera_cli.feeds.okx import OKX
from kimera_cli.feeds.pump import Pump
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.fence import store_relaxed
from kimera_cli.layouts import CLEAR, DEPTH, EVENT, F_GAP, TRADE, Events
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.layout import HEAD_AT
from kimera_cli.shm.ring import Consumer, ring_shape

START = 1_700_000_000_000_000_000
GUARD_S = 120
"""Only against a hang."""


@dataclass
class World:
    """A client over a ring, in a world that the test moves."""

    folder: Path
    dialect: Dialect = BINANCE
    instruments: tuple[Instrument, ...] = (BTC,)
    capacity: int = 1 << 16
    kept: int = 1 << 14
    link: Link = field(default_factory=lambda: Link("", silence_s=30.0))
    at_ns: int = 10**9
    waits: list[float] = field(default_factory=list)
    reports: list[KimeraError] = field(default_factory=list)

    def __post_init__(self) -> None:
        clocks: Context = from_process()
        shape, path = ring_shape(EVENT, self.capacity), self.folder / "ring"
        self.producer = ConflatingProducer(path, shape, clocks, kept=self.kept)
        self.consumer = Consumer(path, shape, clocks)
        self.reader = FrameReader(self.dialect, self.instruments)
        self.pump = Pump(self.reader, self.producer)
        stamps = count(START)
        self.around = Surroundings(
            now_ns=lambda: next(stamps),
            monotonic_ns=lambda: self.at_ns,
            random=lambda: 0.5,
            report=self.reports.append,
            sleep=self.sleep,
        )

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at_ns += int(seconds * 1e9)
        await asyncio.sleep(0)

    def client(self, url: str) -> FeedClient:
        return FeedClient(self.pump, replace(self.link, url=url), self.around)

    def play(self, script: Callable[[Peer], Awaitable[None]], then: Any = None) -> FeedClient:
        """Run the client until `then(client, peers)` returns; the server follows the script."""

        async def run() -> FeedClient:
            async with serving(script) as (url, peers):
                client = self.client(url)
                running = asyncio.ensure_future(client.run())
                if then is not None:
                    await then(client, peers)
                    client.stop()
                await asyncio.wait_for(running, GUARD_S)
                return client

        result: list[FeedClient] = []

        async def keep() -> None:
            result.append(await asyncio.wait_for(run(), 2 * GUARD_S))

        serve(keep)
        return result[0]

    def events(self) -> Events:
        return self.consumer.pop(self.capacity)

    def codes(self) -> list[str]:
        return [error.code for error in self.reports]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def until(true: Callable[[], Any]) -> None:
    async def turn() -> None:
        while not true():
            await asyncio.sleep(0)

    await asyncio.wait_for(turn(), GUARD_S)


def offline(dialect: Dialect, instruments: Any, frames: list[bytes], start: int = START) -> Events:
    """What the parser makes of frames, stamped one by one."""
    reader = FrameReader(dialect, instruments)
    taken = [
        reader.events[: reader.take(frame, start + k)].copy() for k, frame in enumerate(frames)
    ]
    return np.concatenate(taken)


def told(number: int, price: str = "60000.01", size: str = "1.00000000") -> bytes:
    """A depth message that changes one level."""
    return (
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":1723161255208,'
        f'"s":"BTCUSDT","U":{number},"u":{number},"b":[["{price}","{size}"]],"a":[]}}}}'
    ).encode()


def traded(number: int) -> bytes:
    return (
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":1723161255208,"s":"BTCUSDT",'
        f'"t":{number},"p":"60000.01","q":"0.5","T":1723161255208,"m":true,"M":true}}}}'
    ).encode()


def told_all(numbers: Any) -> bytes:
    return b"".join(ws_frame(told(number)) for number in numbers)


async def turns(n: int) -> None:
    for _ in range(n):
        await asyncio.sleep(0)


async def wait_gone(peer: Peer) -> None:
    await peer.gone.wait()


# --- what arrives ------------------------------------------------------------------------------
@pytest.mark.parametrize("frames_of", [binance_frames, okx_frames])
@pytest.mark.parametrize("seed", [1, 2])
def test_recorded_frames_arrive_as_the_parser_reads_them(
    tmp_path: Path, shared_data: Path, frames_of: Any, seed: int
) -> None:
    dialect, instruments, frames = frames_of(shared_data)
    assert len(frames) > 300
    world, rng = World(tmp_path, dialect, instruments), random.Random(seed)

    async def script(peer: Peer) -> None:
        await peer.send(disguised(frames, rng), rng)

    async def then(client: FeedClient, peers: list[Peer]) -> None:
        await until(lambda: client.counts.messages == len(frames) and peers)
        await until(lambda: len(peers[0].pongs) == client.counts.pings)
        assert set(peers[0].pongs) == {b"between", b"after"}

    client = world.play(script, then)
    expected = offline(dialect, instruments, frames)
    got = world.events()
    assert len(expected) > 3000
    assert got[: len(expected)].tobytes() == expected.tobytes()
    assert got[len(expected) :]["kind"].tolist() == [CLEAR] * len(instruments)
    assert client.counts.pings > 10
    assert client.counts.fragments > 50
    assert world.producer.conflation.merged == 0
    assert world.codes() == []


def test_a_frame_larger_than_the_kernels_buffer_is_read(world: World) -> None:
    levels = ",".join(f'["{60000 + k}.00","1.5"]' for k in range(16_000))
    large = told(7).replace(b'["60000.01","1.00000000"]', levels.encode())

    async def script(peer: Peer) -> None:
        await peer.send(ws_frame(large) + told_all([8]), random.Random(3))

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.counts.messages == 2)

    world.play(script, then)
    got = world.events()
    assert (got["kind"] == DEPTH).sum() == 16_001
    assert got["seq"][-2] == 8
    assert world.reader.counts["slow.oversize"] == 1


# --- control -----------------------------------------------------------------------------------
def test_subscriptions_are_sent_and_answers_counted(world: World) -> None:
    world.link = link_for(BINANCE, [BTC], ("depth", "trade"))
    asked: list[bytes] = []

    async def script(peer: Peer) -> None:
        asked.append(await peer.got.get())
        await peer.send(ws_frame(b'{"result":null,"id":1}'))
        await peer.send(ws_frame(b'{"error":{"code":2,"msg":"no such stream"},"id":2}'))

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.counts.messages == 2)

    client = world.play(script, then)
    assert json.loads(asked[0]) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@depth@100ms", "btcusdt@trade"],
        "id": 1,
    }
    assert (client.counts.acks, client.counts.refused) == (1, 1)
    assert world.codes() == ["venue.refused"]
    assert "no such stream" in world.reports[0].message


def test_a_venues_own_ping_is_answered(tmp_path: Path) -> None:
    case = CASES["htx"]
    world = World(tmp_path, case.dialect, case.instruments)
    answers: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.send(ws_frame(gzip.compress(b'{"ping":1492420473027}'), BINARY))
        answers.append(await peer.got.get())

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: answers)

    client = world.play(script, then)
    assert answers == [b'{"pong":1492420473027}']
    assert client.counts.echoes == 1


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_venue_says_how_it_is_asked(name: str) -> None:
    case = CASES[name]
    for kind in KINDS:
        link = link_for(case.dialect, case.instruments, (kind,))
        assert link.url.startswith("wss://")
        sent = b"".join(link.subscriptions).decode()
        for instrument in case.instruments:
            spelled = {case.dialect.symbol(instrument), case.dialect.topic(instrument)}
            assert any(spelling in sent for spelling in spelled)
        assert link.ping or not link.ping_every_s
        assert case.dialect.wire is not None
        taken_back = case.dialect.wire.unsubscribe(case.instruments, (kind,))
        for each in (*link.subscriptions, *taken_back):
            json.loads(each)
        assert taken_back


def test_one_connection_has_one_address() -> None:
    case = CASES["bybit"]
    linear = case.instruments[1].__class__(
        venue="bybit", symbol="X", kind="linear", tick=Decimal(1), lot=Decimal(1)
    )
    with pytest.raises(UsageError, match="one address"):
        link_for(case.dialect, [case.instruments[0], linear], ("depth",))
    assert link_for(case.dialect, [linear], ("depth",)).url.endswith("/linear")


# --- loss and return ---------------------------------------------------------------------------
def gaps(events: Events) -> list[int]:
    """The places of marks in a stream of events."""
    return np.flatnonzero(events["flags"] & F_GAP).tolist()


def test_a_close_in_the_middle_of_a_frame(world: World) -> None:
    async def script(peer: Peer) -> None:
        if world.waits:
            await peer.send(told_all([11, 12]))
        else:
            whole = told_all([1, 2, 3])
            await peer.send(whole[:-20])
            await until(lambda: world.reader.counts["fast"] == 2)
            peer.cut()

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.counts.messages == 4)

    client = world.play(script, then)
    got = world.events()
    assert got["seq"].tolist() == [1, 2, 0, 11, 12, 0]
    assert gaps(got) == [2, 5]
    assert got["kind"][[2, 5]].tolist() == [CLEAR, CLEAR]
    assert client.connections == 2
    assert world.codes() == ["venue.disconnected"]


@pytest.mark.parametrize(
    "bad",
    [
        told(3).replace(b"BTCUSDT", b"BTC\xff\xfeSDT"),
        told(3)[:-2],
        told(3, size="-1.0"),
        told(3, size="1" * 30),
        told(3).replace(b"BTCUSDT", b"ETHUSDT").replace(b"btcusdt", b"ethusdt"),
        b"\xff",
    ],
    ids=["utf8", "truncated", "negative", "digits", "instrument", "byte"],
)
def test_an_unreadable_frame_marks_the_books(world: World, bad: bytes) -> None:
    async def script(peer: Peer) -> None:
        if world.waits:
            await peer.send(told_all([11]))
        else:
            await peer.send(told_all([1, 2]) + ws_frame(bad) + told_all([4, 5]))

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.connections == 2 and 11 in client_seqs)

    client_seqs: list[int] = []
    take = world.pump.take

    def noting(payload: Any, ts: int) -> int:
        n = take(payload, ts)
        client_seqs.extend(world.reader.events["seq"][:n].tolist())
        return n

    world.pump.take = noting
    client = world.play(script, then)
    got = world.events()
    assert got["seq"].tolist() == [1, 2, 0, 11, 0]
    assert gaps(got) == [2, 4]
    assert world.codes() == ["venue.frame"]
    assert client.counts.unreadable == 1
    assert client.counts.dropped == 2
    assert client.counts.messages == 6


@pytest.mark.parametrize(
    "wire",
    [
        b"\x82\x7f" + (LARGEST + 1).to_bytes(8, "big"),
        b"\x83\x00",
        fragments(b"x" * 100, [50])[:-52] + ws_frame(b"again"),
        ws_frame(b"more", 0),
        ws_frame(b"\x03\xf4restart", CLOSE),
    ],
    ids=["oversized", "opcode", "begun-twice", "never-begun", "restart"],
)
def test_a_server_that_breaks_off_or_the_protocol(world: World, wire: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(told_all([11] if world.waits else [1]))
        if not world.waits:
            await peer.send(wire)

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.connections == 2 and world.reader.counts["fast"] == 2)

    world.play(script, then)
    assert world.events()["seq"].tolist() == [1, 0, 11, 0]
    assert len(world.codes()) == 1
    assert world.codes()[0] in ("venue.disconnected", "venue.protocol")


def test_fragments_without_end_are_not_gathered_for_ever(world: World) -> None:
    part = ws_frame(b"x" * (LARGEST // 4), 0, fin=False)

    async def script(peer: Peer) -> None:
        if not world.waits:
            await peer.send(ws_frame(b"x", fin=False) + 4 * part)

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.connections == 2)

    world.play(script, then)
    assert world.codes() == ["venue.protocol"]


def test_silence_ends_a_connection_also_when_pings_are_answered(tmp_path: Path) -> None:
    link = Link("", silence_s=30.0, ping=b"ping", ping_every_s=20.0)
    world = World(tmp_path, OKX, CASES["okx"].instruments, link=link)
    pinged: list[bytes] = []

    async def script(peer: Peer) -> None:
        if not world.waits:
            await peer.send(ws_frame(b"pong"))
            pinged.append(await peer.got.get())
        await wait_gone(peer)

    async def then(client: FeedClient, peers: list[Peer]) -> None:
        await until(lambda: client.counts.messages == 1)
        world.at_ns += 21 * 10**9
        client.check()
        await until(lambda: pinged)
        assert world.reports == []
        world.at_ns += 10 * 10**9
        client.check()
        await until(lambda: client.connections == 2)

    client = world.play(script, then)
    assert pinged == [b"ping"]
    assert world.codes()[0] == "venue.silent"
    assert client.counts.echoes == 1


@pytest.mark.parametrize("answered", [True, False])
def test_a_connection_that_does_not_answer_pings_any_more_is_half_open(
    world: World, answered: bool
) -> None:
    """Found out in five seconds; but only where the venue has answered one before."""

    async def script(peer: Peer) -> None:
        peer.answers = answered and not world.waits
        await wait_gone(peer)

    async def then(client: FeedClient, peers: list[Peer]) -> None:
        await until(lambda: peers and peers[0].pings == 1)
        await until(lambda: client.counts.pongs == int(answered))
        client.check()
        peers[0].answers = False
        world.at_ns += 2 * 10**9
        client.check()
        await until(lambda: peers[0].pings == 2)
        world.at_ns += 3 * 10**9 - 1
        client.check()
        client.check()
        assert world.reports == []
        world.at_ns += 1
        client.check()
        assert world.reports == [], "what came during a stall is read between two looks"
        client.check()
        assert world.codes() == (["venue.silent"] if answered else [])
        if answered:
            await until(lambda: client.connections == 2)

    world.play(script, then)


def test_answers_to_pings_keep_a_connection_of_a_quiet_market(world: World) -> None:
    async def script(peer: Peer) -> None:
        await wait_gone(peer)

    async def then(client: FeedClient, peers: list[Peer]) -> None:
        for number in range(1, 8):
            await until(lambda number=number: client.counts.pongs == number)
            client.check()
            world.at_ns += 2 * 10**9
            client.check()
        assert client.connections == 1

    world.play(script, then)
    assert world.codes() == []


def test_messages_keep_a_connection(world: World) -> None:
    async def script(peer: Peer) -> None:
        for number in range(1, 6):
            await peer.send(told_all([number]))
            await until(lambda number=number: world.at_ns >= number * 20 * 10**9)

    async def then(client: FeedClient, _: Any) -> None:
        for number in range(1, 6):
            await until(lambda number=number: client.counts.messages == number)
            client.check()
            world.at_ns = number * 20 * 10**9
            client.check()

    client = world.play(script, then)
    assert client.connections == 1
    assert world.codes() == []


def test_waits_double_with_jitter_until_a_connection_lasts(world: World) -> None:
    world.link = Link("", silence_s=1e6, backoff=Backoff(1.0, 8.0))
    short = 6

    async def script(peer: Peer) -> None:
        await peer.send(told_all([1]))
        await until(
            lambda: peer.gone.is_set() or world.reader.counts["fast"] == len(world.waits) + 1
        )
        if len(world.waits) == short:
            world.at_ns += 60 * 10**9
        peer.cut()

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: len(world.waits) == short + 2)

    world.play(script, then)
    assert world.waits[:8] == [0.75, 1.5, 3.0, 6.0, 6.0, 6.0, 0.75, 0.75]


@pytest.mark.parametrize("attempt", [0, 1, 5, 60, 10_000])
def test_a_wait_is_between_half_and_whole(attempt: int) -> None:
    backoff, rng = Backoff(0.25, 30.0), random.Random(attempt)
    whole = min(30.0, 0.25 * 2.0 ** min(attempt, 60))
    waits = [backoff.wait_s(attempt, rng.random) for _ in range(200)]
    assert whole / 2 <= min(waits) < 0.6 * whole
    assert 0.9 * whole < max(waits) <= whole


def test_a_server_that_is_not_there(world: World) -> None:
    async def run() -> None:
        async with serving(wait_gone) as (url, _):
            pass
        client = world.client(url)
        running = asyncio.ensure_future(client.run())
        await until(lambda: len(world.waits) == 3)
        client.stop()
        await asyncio.wait_for(running, GUARD_S)

    serve(run)
    assert set(world.codes()) == {"venue.disconnected"}
    assert "no connection" in world.reports[0].message
    assert len(world.events()) == 0


# --- a consumer that lags, and the end ---------------------------------------------------------
def test_trades_never_drop_and_books_conflate_when_the_ring_is_full(tmp_path: Path) -> None:
    world = World(tmp_path, capacity=64, kept=256)
    numbers = range(1, 3001)
    frames = [frame for k in numbers for frame in (told(k, size=f"{k}.0"), traded(k))]

    async def script(peer: Peer) -> None:
        await peer.send(b"".join(map(ws_frame, frames)))

    taken: list[Events] = []

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: world.pump.blocked)
        await turns(10)
        held = client.counts.messages
        await turns(300)
        assert client.counts.messages == held < len(frames)
        while client.counts.messages < len(frames) or world.pump.waiting:
            taken.append(world.consumer.pop(16))
            await asyncio.sleep(0)

    async def drained(client: FeedClient, peers: list[Peer]) -> None:
        await then(client, peers)
        taken.append(world.events())

    world.play(script, drained)
    got = np.concatenate([*taken, world.events()])
    trades = got[got["kind"] == TRADE]
    assert trades["seq"].tolist() == list(numbers)
    depth = got[got["kind"] == DEPTH]
    assert depth["seq"][-1] == depth["qty_lots"][-1] // 10**8 == 3000
    assert (np.diff(depth["seq"]) > 0).all()
    told_of = world.producer.conflation
    assert told_of.merged == 3000 - len(depth) > 0
    assert told_of.delayed > 0
    assert told_of.refused > 0


def test_what_waits_is_not_overtaken(tmp_path: Path) -> None:
    world = World(tmp_path, capacity=2, kept=2)
    asked: list[str] = []
    world.pump.lagging = lambda: asked.append("later")
    world.pump.full = lambda: asked.append("no more")
    for number in range(1, 9):
        assert world.pump.take(traded(number), START) == 1
    assert world.pump.blocked
    assert "no more" in asked
    got = [world.events()]
    for number in range(9, 13):  # there is room in the ring now, but not for these
        world.pump.take(traded(number), START)
    while world.pump.drain():
        got.append(world.events())
    got.append(world.events())
    assert np.concatenate(got)["seq"].tolist() == list(range(1, 13))
    assert not world.pump.blocked


def test_stop_says_goodbye_and_leaves_nothing(world: World) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(told_all(range(1, 101)))
        await wait_gone(peer)

    seen: list[Peer] = []

    async def then(client: FeedClient, peers: list[Peer]) -> None:
        await until(lambda: client.counts.messages == 100)
        seen.extend(peers)
        client.stop()
        await until(lambda: peers[0].gone.is_set())

    world.play(script, then)
    assert int(seen[0].close_code or 0) == 1000
    assert world.events()["seq"].tolist() == [*range(1, 101), 0]
    assert world.codes() == []


def test_a_consumer_that_takes_nothing_is_an_error_at_the_end(tmp_path: Path) -> None:
    world = World(tmp_path, capacity=64)

    async def script(peer: Peer) -> None:
        await peer.send(b"".join(ws_frame(traded(k)) for k in range(100)))

    async def then(client: FeedClient, _: Any) -> None:
        await until(lambda: client.counts.messages == 100)

    with pytest.raises(RunError) as error:
        world.play(script, then)
    assert error.value.code == "run.feed_undelivered"
    assert error.value.details["events"] == 37


def test_a_damaged_ring_ends_the_client(tmp_path: Path) -> None:
    world = World(tmp_path, capacity=64)
    store_relaxed(world.consumer.segment.address + HEAD_AT, 1 << 40)

    async def script(peer: Peer) -> None:
        await peer.send(told_all(range(1000)))

    with pytest.raises(DataError) as error:
        world.play(script)
    assert error.value.code == "data.block_broken"
