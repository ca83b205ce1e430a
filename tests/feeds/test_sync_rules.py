"""Single rules of book sync: what is wrong with a book, what is counted, what is wanted."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

import numpy as np
import pytest
from model_venues import (
    EPOCH_MS,
    MODELS,
    Binance,
    Bybit,
    Coinbase,
    Htx,
    Kraken,
    Model,
    Okx,
    compact,
)
from msgspec.structs import replace
from test_kraken import sent_grid
from test_live import Shown
from venue_frames import imported, kraken_v2

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.streams import open_lines
from kimera_cli.feeds.binance import BINANCE, BINANCE_COINM, BINANCE_USDM
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.kraken import KRAKEN
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.sync import Want
from kimera_cli.layouts import (
    ASK,
    BID,
    CHECKSUM,
    CLEAR,
    DEPTH,
    F_GAP,
    F_LAST,
    F_SNAPSHOT,
    TRADE,
    Events,
)

START = EPOCH_MS * 1_000_000


class Desk:
    """One model venue in step with an intake."""

    def __init__(self, make: type[Model]) -> None:
        self.model = make(Random(5))
        self.shown, self.events = Shown(), []
        self.stamps = count(START)
        numbered = [(0, make.instrument())]
        self.intake: Intake = intake_of(
            make.dialect(), numbered, ("depth", "trade"), FunctionOutput(self.keep)
        )
        self.book = self.intake.books[0]

    def keep(self, events: Events, n: int) -> None:
        self.events.append(events[:n].copy())
        self.shown.take(events, n)

    def give(self, *frames: bytes) -> None:
        for frame in frames:
            self.intake.take(frame, next(self.stamps))

    def begin(self) -> None:
        self.intake.connected()
        self.give(*self.model.subscribed(), *self.model.step())
        if self.book.wants is Want.SNAPSHOT:
            self.answer(self.model.answer())
            self.give(*self.model.step())
        assert self.book.good, self.book.reason

    def answer(self, payload: bytes) -> None:
        if self.model.dialect().books.request is not None:  # type: ignore[union-attr]
            self.give(payload)
        else:
            self.intake.answer(0, payload, next(self.stamps))

    def right(self) -> bool:
        return all(
            self.shown.books[0].qty(side, px) == qty
            for (side, px), qty in self.model.levels.items()
        )


@pytest.fixture(params=MODELS, ids=lambda make: make.venue)
def desk(request: pytest.FixtureRequest) -> Desk:
    desk = Desk(request.param)
    desk.begin()
    return desk


def test_what_follows_is_read_fast_and_handed_on_as_it_lies_in_memory(desk: Desk) -> None:
    before = desk.intake.reader.counts
    frames = [desk.model.step()[0] for _ in range(50)]
    for frame in frames:
        if b"heartbeat" in frame:
            desk.intake.take(frame, next(desk.stamps))
            continue
        n = desk.intake.take(frame, next(desk.stamps))
        assert len(desk.events[-1]) == n
        np.testing.assert_array_equal(desk.events[-1], desk.intake.reader.events[:n])
    after = desk.intake.reader.counts
    assert after["fast"] - before["fast"] == sum(b"heartbeat" not in frame for frame in frames)
    assert desk.book.good
    assert desk.right()


def test_a_crossed_book_is_marked_and_none_of_it_is_shown(desk: Desk) -> None:
    model = desk.model
    model.now += 1
    model.levels[ASK, model.middle + 9] = 5
    desk.give(model.diff([(ASK, model.middle + 9, 5)]))
    assert desk.book.good
    model.now += 1
    model.levels[BID, model.middle + 50] = 7
    shown = len(desk.events)
    desk.give(model.diff([(BID, model.middle + 50, 7)]))
    del model.levels[BID, model.middle + 50]
    (mark,) = desk.events[shown:]
    assert (len(mark), mark[0]["kind"]) == (1, CLEAR)
    assert mark[0]["flags"] & F_GAP
    assert not desk.book.good
    assert desk.book.wants is desk.book.source
    assert desk.book.counts.crossed == 1
    assert desk.book.counts.lost == 1
    if not isinstance(desk.model, Htx | Binance):  # those join it with what the venue answers
        desk.give(*desk.model.subscribed())
        assert desk.book.good
        assert desk.right()


def test_a_bid_at_the_best_ask_is_a_crossed_book_too(desk: Desk) -> None:
    model = desk.model
    model.levels[ASK, model.middle + 9] = 5
    model.now += 1
    desk.give(model.diff([(ASK, model.middle + 9, 5)]))
    ask = min(px for side, px in model.levels if side == ASK)
    model.levels[BID, ask] = 7
    model.now += 1
    desk.give(model.diff([(BID, ask, 7)]))
    assert not desk.book.good
    assert desk.book.counts.crossed == 1


def test_a_change_behind_a_hole_in_the_numbers_of_a_connection_is_not_shown() -> None:
    desk = Desk(Coinbase)
    desk.begin()
    desk.model._numbered("heartbeats", [{}])  # type: ignore[attr-defined]  # lost
    before = desk.intake.reader.counts["fast"]
    desk.model.now += 1
    desk.give(desk.model.diff(desk.model.changes()))
    assert desk.intake.reader.counts["fast"] == before + 1, "as changes are read"
    assert not desk.book.good
    assert desk.shown.marks == 1


def test_trades_pass_while_the_book_is_not_good() -> None:
    desk = Desk(Binance)
    desk.intake.connected()
    desk.give(
        compact(
            {
                "stream": "btcusdt@trade",
                "data": {
                    "e": "trade",
                    "E": EPOCH_MS,
                    "s": "BTCUSDT",
                    "t": 5,
                    "p": "50.00",
                    "q": "1",
                    "T": EPOCH_MS,
                    "m": True,
                    "M": True,
                },
            }
        )
    )
    assert [each[0]["kind"] for each in desk.events] == [TRADE]
    desk.give(*desk.model.step())
    assert len(desk.events) == 1, "a change without a book is held back"
    assert desk.book.counts.buffered == 1


def test_a_snapshot_that_is_older_than_the_changes_is_not_taken() -> None:
    desk = Desk(Binance)
    desk.intake.connected()
    old = desk.model.answer()
    desk.model.step()  # lost
    desk.give(*desk.model.step())
    desk.answer(old)
    assert not desk.book.good
    assert desk.book.wants is Want.SNAPSHOT
    assert desk.book.counts.stale == 1
    desk.answer(desk.model.answer())
    assert desk.book.good
    assert desk.right()


def test_a_snapshot_that_the_changes_have_not_come_to_waits_for_them() -> None:
    desk = Desk(Binance)
    desk.intake.connected()
    first, second, third = (desk.model.step()[0] for _ in range(3))
    desk.give(first)
    desk.answer(desk.model.answer())
    assert not desk.book.good
    desk.give(second)
    assert not desk.book.good
    desk.give(third)
    assert desk.book.good
    assert desk.right()


@pytest.mark.parametrize("make", [Binance, Htx], ids=lambda make: make.venue)
def test_where_nothing_moves_two_equal_answers_are_the_book(make: type[Model]) -> None:
    desk = Desk(make)
    desk.intake.connected()
    desk.answer(desk.model.answer())
    assert not desk.book.good
    assert desk.book.wants is Want.SNAPSHOT
    desk.answer(desk.model.answer())
    assert desk.book.good
    assert desk.right()


def test_a_snapshot_is_one_message_of_all_that_came_before_it() -> None:
    desk = Desk(Binance)
    desk.intake.connected()
    frames = [desk.model.step()[0] for _ in range(3)]
    desk.give(frames[0])
    answer = desk.model.answer
    payload = answer()
    desk.give(frames[1], frames[2], *desk.model.step(), *desk.model.step())
    desk.answer(payload)
    (message,) = desk.events
    assert message[0]["kind"] == CLEAR
    assert set(message["flags"][:-1].tolist()) == {F_SNAPSHOT}
    assert set(message["seq"].tolist()) == {desk.model.seq}
    assert set(message["ref"].tolist()) == {0}
    assert set(message["ts_local_ns"].tolist()) == {START + 5}


@pytest.mark.parametrize("make", [Bybit, Okx, Binance, Coinbase], ids=lambda make: make.venue)
def test_a_message_that_comes_twice_changes_nothing(make: type[Model]) -> None:
    desk = Desk(make)
    desk.begin()
    frames = [desk.model.diff(desk.model.changes()) for _ in range(4)]
    desk.give(*frames)
    shown = len(desk.events)
    desk.give(frames[2], frames[3])
    assert len(desk.events) == shown
    assert desk.book.good
    numbering = desk.intake.numbering
    repeats = desk.book.counts.repeated if numbering is None else numbering.repeats
    assert repeats == 2


def test_bybit_may_send_a_whole_book_at_any_time() -> None:
    desk = Desk(Bybit)
    desk.begin()
    desk.model.now += 1
    desk.model._change()
    desk.model.seq += 1
    desk.give(desk.model._frame("snapshot", None))  # type: ignore[attr-defined]
    assert desk.book.good
    assert desk.right()
    assert desk.shown.marks == 0


def test_a_service_that_begins_anew_gives_a_whole_book() -> None:
    desk = Desk(Bybit)
    desk.begin()
    desk.give(*desk.model.restart())
    assert desk.book.good
    assert desk.book.counts.synced == 2
    assert desk.shown.books[0].top(BID, 9) + desk.shown.books[0].top(ASK, 9) == [
        (px, qty) for (_, px), qty in desk.model.levels.items()
    ]


def test_numbers_that_begin_anew_are_seen() -> None:
    desk = Desk(Binance)
    desk.begin()
    desk.give(*desk.model.restart())
    assert not desk.book.good
    assert desk.book.counts.restarts == 1


def test_the_same_numbers_at_a_later_time_are_no_repetition() -> None:
    desk = Desk(Bybit)
    desk.begin()
    before = desk.model.seq
    for _ in range(4):
        desk.give(*desk.model.step())
    desk.model.seq, desk.model.now = before, desk.model.now + 10
    desk.give(*desk.model.step())
    assert not desk.book.good
    assert desk.book.counts.restarts == 1


@pytest.mark.parametrize("make", [Bybit, Okx, Kraken], ids=lambda make: make.venue)
def test_a_whole_book_that_comes_late_is_no_book_of_now(make: type[Model]) -> None:
    desk = Desk(make)
    desk.begin()
    old = desk.model.subscribed()[-1]
    desk.model.step()  # lost
    while desk.book.good:
        desk.give(*desk.model.step())
    desk.give(old)
    assert not desk.book.good
    desk.give(*desk.model.subscribed())
    assert desk.book.good
    assert desk.right()


@pytest.mark.parametrize("make", [Bybit, Okx, Binance], ids=lambda make: make.venue)
def test_nothing_of_the_book_before_stays_in_the_next_one(make: type[Model]) -> None:
    """Its asks would cross the new bids."""
    desk = Desk(make)
    desk.begin()
    desk.model.levels.clear()
    desk.model.middle += 50
    for _ in range(3):  # lost
        desk.model.step()
    desk.give(*desk.model.step())
    assert not desk.book.good
    if make is Binance:
        desk.answer(desk.model.answer())
    else:
        desk.give(*desk.model.subscribed())
    assert desk.book.good, desk.book.reason
    assert desk.book.counts.crossed == 0
    assert desk.right()


def test_a_hole_in_the_numbers_of_a_connection_spoils_all_its_books() -> None:
    desk = Desk(Coinbase)
    desk.begin()
    desk.model._numbered("heartbeats", [{}])  # type: ignore[attr-defined]  # lost
    desk.give(desk.model._numbered("heartbeats", [{}]))  # type: ignore[attr-defined]
    assert not desk.book.good
    assert desk.intake.numbering is not None
    assert desk.intake.numbering.gaps == 1
    desk.give(*desk.model.subscribed())
    assert desk.book.good


def test_two_books_in_one_frame_are_two_messages() -> None:
    one = Coinbase.instrument()
    two, shown = replace(one, symbol="ETH-USDT", base="ETH"), []
    output = FunctionOutput(lambda events, n: shown.append(events[:n].copy()))
    intake = intake_of(Coinbase.dialect(), [(0, one), (1, two)], ("depth",), output)
    intake.connected()
    level = {"side": "bid", "event_time": "2024-02-01T10:00:00Z", "price_level": "50.00"}
    events = [
        {"type": "snapshot", "product_id": name, "updates": [level | {"new_quantity": "1"}]}
        for name in (one.symbol, two.symbol)
    ]
    head = {"channel": "l2_data", "client_id": "", "timestamp": "2024-02-01T10:00:00Z"}
    intake.take(compact(head | {"sequence_num": 0, "events": events}), START)
    assert [each["instrument"].tolist() for each in shown] == [[0, 0], [1, 1]]
    assert [each["flags"].tolist() for each in shown] == [[F_SNAPSHOT, F_SNAPSHOT | F_LAST]] * 2
    assert all(book.good for book in intake.books.values())


def test_an_okx_snapshot_without_a_number_is_no_book() -> None:
    desk = Desk(Okx)
    desk.intake.connected()
    desk.model.seq = 0
    desk.give(*desk.model.subscribed())
    assert not desk.book.good


@pytest.mark.parametrize("make", [Okx, Bybit, Coinbase, Kraken, Binance], ids=lambda m: m.venue)
def test_a_crossed_whole_book_is_no_book(make: type[Model]) -> None:
    desk = Desk(make)
    desk.model.levels = {(BID, 5001): 3, (ASK, 5000): 4}
    desk.intake.connected()
    desk.give(*desk.model.subscribed())
    for _ in range(2):
        if desk.book.wants is Want.SNAPSHOT:
            desk.answer(desk.model.answer())
    assert not desk.book.good
    assert desk.book.counts.crossed >= 1
    assert not any(len(each) > 1 for each in desk.events), "nothing but marks"


def test_a_kraken_snapshot_with_another_checksum_is_no_book() -> None:
    desk = Desk(Kraken)
    desk.intake.connected()
    right = str(desk.model.checksum()).encode()  # type: ignore[attr-defined]
    *_, snapshot = desk.model.subscribed()
    desk.give(snapshot.replace(right, b"1"))
    assert not desk.book.good
    assert desk.book.counts.checksums == 1
    assert not desk.events
    desk.give(snapshot)
    assert desk.book.good


def test_levels_behind_the_depth_are_deleted_in_the_open() -> None:
    desk = Desk(Kraken)
    desk.book.book.depth = 3
    desk.model.levels = {(BID, 4990 - k): 10 + k for k in range(3)}
    desk.model.levels |= {(ASK, 5010 + k): 20 + k for k in range(3)}
    desk.intake.connected()
    desk.give(*desk.model.subscribed())
    assert desk.book.good
    del desk.model.levels[BID, 4988]
    desk.model.levels[BID, 4995] = 7
    desk.model.now += 1
    desk.give(desk.model.diff([(BID, 4995, 7)]))
    told, deleted, checksum = desk.events[-1]
    assert (told["kind"], told["px_ticks"], told["qty_lots"]) == (DEPTH, 4995, 7)
    assert (deleted["kind"], deleted["side"], deleted["px_ticks"]) == (DEPTH, BID, 4988)
    assert deleted["qty_lots"] == 0
    assert checksum["kind"] == CHECKSUM
    assert [bool(each["flags"] & 1) for each in desk.events[-1]] == [False, False, True]
    assert desk.shown.books[0].top(BID, 9) == [(4995, 7), (4990, 10), (4989, 11)]


# --- recordings --------------------------------------------------------------------------------
def test_recorded_kraken_books_are_good_from_the_snapshot_to_the_end(shared_data: Path) -> None:
    """Every checksum is the venue's own."""
    path = shared_data / "l2_raw" / "cryptofeed" / "KRAKEN.ws.50.0.gz"
    frames = list(kraken_v2(path))
    expected = imported(path)
    instruments = [sent_grid(frames, each) for each, _ in expected.values()]
    shown: list[Events] = []
    output = FunctionOutput(lambda events, n: shown.append(events[:n].copy()))
    intake = intake_of(KRAKEN, list(enumerate(instruments)), ("depth",), output)
    for book in intake.books.values():
        book.book.depth = 1000
    intake.connected()
    for _, frame in frames:
        intake.take(frame.body, frame.ts_ns)
    for book in intake.books.values():
        assert (book.good, book.counts.synced, book.counts.lost) == (True, 1, 0), book.counts
    assert len(shown) == len(frames)


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("spot_btcusdt", BINANCE),
        ("usdm_btcusdt", BINANCE_USDM),
        ("cm_btcusd_perp", BINANCE_COINM),
    ],
)
def test_recorded_binance_books_are_joined_once_and_stay_good(
    shared_data: Path, name: str, dialect: Dialect
) -> None:
    path = shared_data / "hftbacktest" / f"{name}_20240808.gz"
    instrument = next(iter(choose(path, None).read(path, ImportOptions()))).instrument
    shown: list[int] = []
    output = FunctionOutput(lambda events, n: shown.append(n))
    intake = intake_of(dialect, [(0, instrument)], ("depth", "trade", "quote"), output)
    intake.connected()
    for _, line in open_lines(path):
        stamp, _, payload = line.partition(b" ")
        if payload.startswith(b'{"lastUpdateId"'):
            intake.answer(0, payload, int(stamp))
        else:
            intake.take(payload, int(stamp))
    book = intake.books[0]
    assert book.good, (book.reason, book.counts)
    assert (book.counts.synced, book.counts.lost) == (1, 0)
    assert sum(shown) > 10_000
