"""`latency.frame_to_order`: every frame becomes the order that its book calls for, to the byte."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from kimera_cli.bench import frame
from kimera_cli.bench.frame import FrameRun
from kimera_cli.bench.frame_tape import LEVELS, FrameTape, made_up
from kimera_cli.bench.frame_world import Nothing, Ours
from kimera_cli.bench.latency_world import Meters
from kimera_cli.bench.plots import plots
from kimera_cli.bench.request import Request
from kimera_cli.host.pool import Pool
from kimera_cli.kernels.stages import STAGE_NAMES
from kimera_cli.layouts import LIMIT, POST_ONLY
from kimera_cli.telemetry import histogram
from kimera_cli.telemetry.clock import Clock, calibrate

N = 200
NOW = 1_800_000_000_000_000_000


@pytest.fixture(scope="module")
def tape() -> FrameTape:
    return made_up(N)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return calibrate()


@pytest.fixture
def ours(tape: FrameTape, clock: Clock) -> Ours:
    pool = Pool(32 << 20, huge=False)
    ticking = iter(range(NOW, NOW + 10**15, 1_000_000))
    return Ours(tape, Meters(clock, pool), pool, lambda: next(ticking))


class Reference:
    """A book of Decimals from the frames' own JSON."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}

    def take(self, frame: bytes) -> tuple[Decimal, Decimal]:
        data = json.loads(frame)["data"]
        for side, book in self.sides.items():
            for px, qty in data[side]:
                book[Decimal(px)] = Decimal(qty)
                if not Decimal(qty):
                    del book[Decimal(px)]
        return max(self.sides["b"]), min(self.sides["a"])


def test_made_up_frames_are_full_and_their_book_is_never_crossed(tape: FrameTape) -> None:
    book = Reference()
    for each in tape.frames:
        bid, ask = book.take(each)
        assert bid < ask
    assert len(set(tape.frames)) == N
    data = json.loads(tape.frames[7])["data"]
    assert (len(data["b"]), len(data["a"])) == (LEVELS, LEVELS)


def test_every_frame_becomes_the_very_bytes_of_an_order_at_the_touch(
    tape: FrameTape, ours: Ours
) -> None:
    book, sides = Reference(), set()
    ours.restart(tape.frames[:1])
    book.take(tape.frames[0])
    for each in tape.frames[1:]:
        touch = [int(px / tape.instrument.tick) for px in book.take(each)]
        made = ours.take(memoryview(each))
        assert made is not None
        written = bytes(made)
        request = ours.world.arrays.requests[0, 0].copy()
        ts_ns, number = int(ours.wire.order["ts_ns"][0]), int(request["id"])
        order = (int(request["px_ticks"]), int(request["qty_lots"]), b"k%d" % number, ts_ns, number)
        assert order[0] == touch[request["side"]]
        assert ts_ns % 1_000_000 == 0
        assert ts_ns > NOW
        assert written == bytes(ours.wire.place(int(request["side"]), LIMIT, POST_ONLY, *order))
        sides.add(int(request["side"]))
        ours.settle()
        assert int(ours.world.arrays.streams["n_requests"][0]) == 0
    assert sides == {0, 1}


def test_a_frame_that_the_kernel_will_not_read_makes_no_order(ours: Ours, tape: FrameTape) -> None:
    ours.restart(tape.frames[:1])
    before = ours.world.orders
    ours.world.meters.recorder.switch(True)
    assert ours.take(memoryview(tape.frames[1][:-9])) is None
    assert ours.world.orders == before
    assert ours.world.meters.recorder.summary() == {}


def test_peers_read_the_same_book(tape: FrameTape) -> None:
    pytest.importorskip("orjson")
    from kimera_cli.bench.frame_peers import PlainPython

    book, peer = Reference(), PlainPython(tape, lambda: NOW)
    for number, each in enumerate(tape.frames, 1):
        bid, ask = book.take(each)
        written = peer.take(memoryview(each))
        assert (peer.best_bid, peer.best_ask) == (float(bid), float(ask))
        assert f"price={bid:.1f}&newClientOrderId=k{number}&".encode() in written


def test_ccxt_signs_an_order_at_the_best_bid_of_every_frame(tape: FrameTape) -> None:
    pytest.importorskip("ccxt")
    from kimera_cli.bench.frame_peers import Ccxt

    book, peer = Reference(), Ccxt(tape)
    try:
        peer.restart(tape.frames[:3])
        for each in tape.frames[:3]:
            book.take(each)
        for each in tape.frames[3:20]:
            bid, _ = book.take(each)
            signed = peer.take(peer.payload(memoryview(each)))
            assert f"price={bid:.2f}".rstrip("0") in signed["body"]
            assert "signature=" in signed["body"]
    finally:
        peer.close()


def test_every_measured_frame_is_counted_once_in_its_series(
    tape: FrameTape, ours: Ours, clock: Clock
) -> None:
    levels = np.full(N, 2 * LEVELS)
    levels[-5:] += 1
    run = FrameRun(tape, levels, ours.timer)
    found = run.measure(2, [ours, Nothing()])
    for series in found.values():
        sizes = [[int(each.total.counts.sum()) for each in pair.values()] for pair in series]
        assert sizes == [[2 * (N - run.warm - 5)] * 2, [10] * 2]


def test_a_schedule_that_cannot_be_kept_counts_the_waiting(ours: Ours, tape: FrameTape) -> None:
    timer = ours.timer
    ours.restart(tape.frames[:1])
    timer.clear(1.0)
    timer.run(ours, tape.frames[1:], [0] * (N - 1))
    rows = {name: histogram.summarise(row) for name, row in timer.rows(0).items()}
    assert int(timer.row.late) == N - 2  # the first is due when it is there
    assert rows["response"].max_ns > 10 * rows["service"].median_ns
    timer.clear(0.0)
    timer.run(ours, tape.frames[1:], [0] * (N - 1))
    response, service = (np.asarray(row.counts) for row in timer.rows(0).values())
    assert (response == service).all(), "without a schedule nothing waits"


@pytest.fixture(scope="module")
def rows(clock: Clock) -> list[Any]:
    request = Request(clock=lambda: 0, repeats=1, events=N)
    return list(frame.rows(request, clock, Pool(32 << 20, huge=False), {"due_per_s": 1}))


def test_rows_name_all_six_stages_and_their_goals(rows: list[Any]) -> None:
    first, *stages = rows
    assert first.name == "latency.frame_to_order.synthetic"
    assert first.target == (
        "p50 <= 2.5 us; p99 <= 5 us; >= 3.5 x orjson + dict book + hmac; >= 50 x ccxt"
    )
    assert first.detail["due_per_s"] == 20_000
    assert first.detail["slow_frames"] == 0
    assert [row.name.split(".")[2] for row in stages] == list(STAGE_NAMES)
    assert {row.n for row in stages} == {first.n}
    total = stages[-1].median_ns
    assert sum(row.median_ns for row in stages[:-1]) == pytest.approx(total, rel=0.5)


def test_the_page_draws_the_six_stages(rows: list[Any]) -> None:
    (plot,) = (each for each in plots(rows) if each.name == "latency-frame")
    for words in ("wire to event", "gate to bytes", "total of the stages", "due frame to order"):
        assert words in plot.svg
