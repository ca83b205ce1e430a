"""Events that do not wait for the loop: through a real ring, with a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tapes import LINEAR, MS, SPOT, T0

from kimera_cli.engine import outbound, setup
from kimera_cli.engine.arrays import LoopArrays
from kimera_cli.engine.breaker import OverloadBreaker
from kimera_cli.engine.live_intake import BATCH, LiveClock, LiveIntake, RingFeed
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.session import ENDED
from kimera_cli.engine.wall_clocks import WallClocks
from kimera_cli.errors import DataError
from kimera_cli.kernels.outside import TOLD
from kimera_cli.kernels.state import PAUSED
from kimera_cli.layouts import ASK, BID, DEPTH, EVENT, F_LAST, R_FILL, R_SAMPLE, TRADE
from kimera_cli.live.source import LiveSource
from kimera_cli.shm.conflate import ConflatingProducer
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.strategies.loader import load

SLOTS = 1 << 8
CLOCKS = WallClocks(time.time_ns, time.perf_counter_ns)


class FakeFeed:
    """The feed process, as far as the intake asks for it."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.notes: list[Any] = []

    def tell(self, word: str) -> None:
        self.told.append(word)

    def check(self) -> None:
        """It lives."""

    def result(self) -> dict[str, Any]:
        return {"books": 1}


class Rig:
    """One ring with two markets, and the intake at its end."""

    def __init__(self, folder: Path, orders: outbound.Outbound | None = None) -> None:
        path = folder / "feed.ring"
        shape = ring_shape(EVENT, SLOTS)
        self.producer = ConflatingProducer(path, shape, CLOCKS)
        self.consumer = Consumer(path, shape, CLOCKS)
        sources = [LiveSource(LINEAR), LiveSource(SPOT)]
        noop = Sleeved(load("noop"), {})
        profile = setup_profile()
        request = RunRequest("venue", sources, [noop], profile, seed=1)  # type: ignore[arg-type]
        self.arrays: LoopArrays = setup.build(request)[0]
        self.now = T0
        self.feed = FakeFeed()
        self.breaker = OverloadBreaker(self.arrays.gate, 5 * MS)
        feed = RingFeed([(self.consumer, 0)], self.feed)  # type: ignore[arg-type]
        self.ages: list[int] = []
        clock = LiveClock(lambda: self.now)
        around = (self.breaker, clock, 20 * MS, self.ages.extend, orders)
        self.intake = LiveIntake(feed, self.arrays, *around)

    def push(self, n: int, instrument: int = 0, kind: int = DEPTH, at_ns: int | None = None) -> int:
        """Let the feed publish n messages; return how many it could."""
        rows = np.zeros(n, EVENT)
        rows["ts_exch_ns"] = rows["ts_local_ns"] = self.now if at_ns is None else at_ns
        rows["instrument"], rows["kind"], rows["flags"] = instrument, kind, F_LAST
        rows["side"] = np.where(np.arange(n) % 2, ASK, BID)
        rows["px_ticks"] = np.where(np.arange(n) % 2, 101, 99)
        rows["qty_lots"] = 1 + np.arange(n)
        return self.producer.put(rows)

    def close(self) -> None:
        self.producer.close()
        self.consumer.close()


def setup_profile() -> Any:
    from tapes import plain_profile

    return plain_profile()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_the_loop_may_go_as_far_as_the_clock_was_when_all_was_taken(rig: Rig) -> None:
    rig.intake.begin()
    assert rig.feed.told == [("go", None)]
    assert rig.arrays.advance() == PAUSED
    rig.push(6)
    rig.push(2, instrument=1)
    rig.now += MS
    rig.intake.look()
    loop = rig.arrays.loop[0]
    assert loop["pause_ns"] == T0 + MS
    assert rig.arrays.streams["n"].tolist() == [6, 2]
    assert rig.arrays.advance() == PAUSED
    assert loop["n_events"] == 8
    assert loop["now_ns"] == T0
    assert loop["wake_ns"] == T0 + 1_000 * MS  # the next sample


def test_waiting_ends_when_events_come(rig: Rig) -> None:
    rig.intake.begin()
    rig.push(3)
    rig.arrays.loop[0]["wake_ns"] = T0 + 10_000 * MS
    rig.intake.wait()  # the clock stands: only events end this
    assert rig.intake.taken == 3


def test_waiting_ends_at_the_next_moment(rig: Rig) -> None:
    rig.intake.begin()
    rig.arrays.loop[0]["wake_ns"] = T0 - 1
    rig.intake.wait()
    assert rig.intake.taken == 0


def test_more_events_than_a_buffer_holds_are_all_taken(rig: Rig) -> None:
    rig.intake.begin()
    total = 0
    while total < 3 * BATCH:
        total += rig.push(SLOTS)
        rig.intake.look()
    assert rig.arrays.streams["n"][0] == total
    assert rig.arrays.advance() == PAUSED
    assert rig.arrays.loop[0]["n_events"] == total


def test_a_lagging_loop_gets_the_last_levels_and_every_trade(rig: Rig) -> None:
    """Of 1,000 rounds of two levels and a trade, in which the loop takes nothing until the end."""
    rig.intake.begin()
    for i in range(1_000):
        rig.push(2)
        assert rig.push(1, kind=TRADE) == 1, i
    told = rig.producer.conflation
    while rig.producer.pending or rig.consumer.ready():
        rig.producer.drain()
        rig.intake.look()
    rig.arrays.advance()
    events = rig.arrays.buffers[0][: int(rig.arrays.streams["n"][0])]
    assert np.count_nonzero(events["kind"] == TRADE) == 1_000
    assert told.merged > 1_000
    assert rig.arrays.features[0]["best_bid_ticks"] == 99


def test_old_events_open_the_breaker(rig: Rig) -> None:
    rig.intake.begin()
    rig.push(2, at_ns=T0 - 50 * MS)
    rig.intake.look()
    rig.now += 1_000 * MS
    rig.intake.look()
    assert rig.arrays.gate[0]["overload"] == 1
    assert rig.breaker.opened == 1


def test_the_age_of_every_message_is_told(rig: Rig) -> None:
    rig.intake.begin()
    rig.push(3, at_ns=T0 - 7)
    rig.push(1, at_ns=T0 - 2)
    rig.intake.look()
    assert rig.ages == [7, 7, 7, 2]


def test_a_feed_that_ended_ends_the_run(rig: Rig) -> None:
    rig.intake.begin()
    rig.push(4)
    rig.producer.close()
    rig.intake.look()
    assert rig.arrays.loop[0]["live"] == 1  # something was taken: there may be more
    rig.intake.look()
    assert rig.arrays.loop[0]["live"] == 0
    assert rig.arrays.advance() == 0
    assert rig.intake.finish() == {"books": 1}
    assert rig.feed.told == [("go", None), "stop"]


def answers(*told: tuple[int, int]) -> Any:
    """Return rows of kinds and quantities, as the executor tells them of one order."""
    rows = np.zeros(len(told), TOLD)
    rows["kind"], rows["qty_lots"] = np.transpose(told)
    rows["id"], rows["side"], rows["px_ticks"], rows["fee"] = 1, BID, 99, 0.1
    rows["ts_exch_ns"] = T0
    return rows


@pytest.mark.parametrize("batch", [1, 3], ids=["one by one", "all at once"])
def test_a_run_with_orders_ends_behind_the_last_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """The last fill and the word that nothing is left there come in one read."""
    executor = FakeFeed()
    monkeypatch.setattr(outbound, "Child", lambda *_: executor)
    folder = tmp_path / "orders"
    folder.mkdir()
    told = Producer(folder / "told.ring", ring_shape(TOLD, outbound.SLOTS), CLOCKS)
    rig = Rig(tmp_path, outbound.Outbound(int, None, folder, CLOCKS, frozenset()))
    rig.intake.begin()
    rig.push(2)
    rig.intake.look()
    assert rig.arrays.advance() == PAUSED
    rig.intake.end()
    assert executor.told == ["stop"]
    assert rig.arrays.advance() == PAUSED
    said = answers((R_FILL, 2), (R_FILL, 3), (outbound.CLOSED, 0))
    for at in range(0, len(said), batch):
        rig.push(2)
        told.push(said[at : at + batch])
        rig.now += MS
        rig.intake.wait()
        rig.intake.look()
        status = rig.arrays.advance()
    assert (status in ENDED, rig.intake.may_end()) == (True, True)
    assert rig.arrays.views[0]["position_lots"] == 5
    kinds = rig.arrays.records["kind"][: rig.arrays.loop[0]["n_records"]].tolist()
    assert kinds.count(R_FILL) == 2
    assert kinds.index(R_SAMPLE) < kinds.index(R_FILL)
    assert kinds[-1] == R_SAMPLE, "the last one is behind the last fill"
    rig.close()


def test_stamps_of_a_clock_that_was_never_set_are_an_error(rig: Rig) -> None:
    rig.intake.begin()
    rig.push(1, at_ns=-5)
    with pytest.raises(DataError, match="after 1970"):
        rig.intake.look()


def test_the_venues_clock_is_brought_to_ours_and_never_ahead(rig: Rig) -> None:
    """The venue's clock is 3 ms ahead; what it stamps then lies before its arrival here."""
    rig.arrays.streams["venue_shift_ns"] = -3 * MS
    rig.intake.begin()
    rows = np.zeros(2, EVENT)
    rows["ts_exch_ns"], rows["ts_local_ns"] = (T0 + 2 * MS, T0 + 9 * MS), (T0, T0 + MS)
    rows["kind"], rows["flags"], rows["px_ticks"], rows["qty_lots"] = DEPTH, F_LAST, 99, 1
    rig.producer.put(rows)
    rig.intake.look()
    assert rig.arrays.buffers[0]["ts_exch_ns"][:2].tolist() == [T0 - MS, T0 + MS]
