"""What the intents journal promises, with a clock that the test drives."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError, RunError, UsageError
from kimera_cli.journal import frame_log, intents
from kimera_cli.journal.frame_log import FrameLog, frames
from kimera_cli.journal.intent_replay import read_orders, recover
from kimera_cli.journal.intent_store import IntentStore
from kimera_cli.journal.intent_verify import verify_intents
from kimera_cli.journal.intents import BLOCK, IntentJournal, Timing, account_folder
from kimera_cli.journal.owner import is_owned
from kimera_cli.venues.orders.client_id import read_client_id
from kimera_cli.venues.orders.entry import Adopted, Answered, Baseline, ProvedAbsent
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import (
    Accepted,
    Balance,
    FillUpdate,
    OrderUpdate,
    Reason,
    Rejected,
    Unknown,
    VenueFill,
    VenueOrder,
)

MS = 1_000_000
ORDER = {
    "symbol": "BTCUSDT",
    "side": "buy",
    "kind": "limit",
    "tif": "gtc",
    "price": Decimal(100),
    "quantity": Decimal(2),
}
DURABILITIES = ["disk", "process"]


class Clock:
    def __init__(self):
        self.now = 0
        self.step = 0

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock):
    """Open the journal of one account; every journal is closed at the end."""
    journals = []

    def open_(durability="disk", *, folder=tmp_path / "journal", venue="binance", **timing):
        journal = IntentJournal.open(
            folder, venue=venue, account="main", durability=durability, entropy=b"e" * 16,
            now_ns=1, timing=Timing(clock, **timing),
        )  # fmt: skip
        journals.append(journal)
        return journal

    yield open_
    for journal in journals:
        journal._failure = journal._failure or RunError("run.test", "over")
        try:
            journal.close()
        except (sqlite3.Error, OSError, ValueError):
            continue  # closed by the test


def sent(journal, **changes):
    intent = journal.draft(5, **ORDER | changes)
    journal.plan([intent])
    assert journal.release([intent.client_id], 6, 7).ok
    return intent


def ack(intent):
    outcome = Accepted(venue_order_id=f"v{intent.number}", ts_ns=8)
    return Answered(client_id=intent.client_id, outcome=outcome)


def fill(number, qty=1, **changes):
    values = {
        "venue": "binance", "symbol": "BTCUSDT", "trade_id": f"t{number}",
        "venue_order_id": "v1", "side": "buy", "price": Decimal(100), "quantity": Decimal(qty),
        "fee": Decimal(0), "fee_asset": "BNB", "ts_ns": number,
    }  # fmt: skip
    return FillUpdate(fill=VenueFill(**values | changes))


def rows(tmp_path, query):
    db = sqlite3.connect(tmp_path / "journal" / "intents.db")
    found = db.execute(query).fetchall()
    db.close()
    return found


def test_disk_holds_an_order_when_release_returns(opened, tmp_path):
    journal = opened("disk")
    intent = journal.draft(5, **ORDER)
    journal.plan([intent])
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(0,)]
    assert journal.release([intent.client_id], 6, 7).ok
    assert rows(tmp_path, "SELECT kind FROM entries") == [("planned",), ("released",)]
    found = rows(tmp_path, "SELECT client_id, phase, price, quantity, sent_ns FROM orders")
    assert found == [(intent.client_id, "sent", "100", "2", 6)]
    assert journal._store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_process_holds_it_in_the_log_and_later_in_the_database(opened, tmp_path, clock):
    journal = opened("process", group_commit_ms=2.0)
    sent(journal)
    log = tmp_path / "journal" / "intents.log"
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(0,)]
    assert [f.seq for f in frames(log, journal.header.session, 0)] == [1, 2]
    clock.now += 2 * MS
    journal.poll()
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(2,)]
    assert list(frames(log, journal.header.session, 2)) == []
    assert journal._store._db.execute("PRAGMA synchronous").fetchone() == (1,)


def test_entries_that_nobody_waits_for_share_a_commit(opened, tmp_path, clock):
    journal = opened("disk", group_commit_ms=2.0)
    intent = sent(journal)
    journal.record(ack(intent), 8)
    journal.poll()
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(2,)]
    clock.now += 2 * MS
    journal.poll()
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(3,)]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_slow_commit_withholds_the_orders(opened, clock, durability):
    journal = opened(durability, max_commit_ms=5.0)
    intents = [journal.draft(5, **ORDER), journal.draft(5, **ORDER)]
    journal.plan(intents)
    clock.step = 6 * MS
    commit = journal.release([i.client_id for i in intents], 6, 7)
    clock.step = 0
    assert not commit.ok
    assert commit.latency_ns > 5 * MS
    assert {s.phase for s in journal.orders.states.values()} == {Phase.WITHHELD}
    with pytest.raises(RunError, match="was withheld"):
        journal.release([intents[0].client_id], 8, 9)
    journal.close()
    again = opened(durability)
    assert {s.phase for s in again.orders.states.values()} == {Phase.WITHHELD}


def test_nothing_is_released_twice_or_unplanned(opened):
    journal = opened()
    intent = sent(journal)
    with pytest.raises(RunError, match="was sent"):
        journal.release([intent.client_id], 8, 9)
    with pytest.raises(RunError, match="was not planned"):
        journal.release(["km"], 8, 9)


@pytest.mark.parametrize(("venue", "may"), [("okx", True), ("binance", False)])
def test_an_absent_order_is_released_again_only_where_its_id_is_refused_twice(opened, venue, may):
    journal = opened(venue=venue)
    intent = sent(journal)
    journal.record(
        Answered(client_id=intent.client_id, outcome=Unknown(why=Reason.NO_ANSWER, detail="")), 8
    )
    journal.record(ProvedAbsent(client_id=intent.client_id, ts_ns=9, asked_ns=(1, 9)), 9)
    if may:
        assert journal.release([intent.client_id], 10, 11).ok
        assert journal.orders.states[intent.client_id].attempts == 2
    else:
        with pytest.raises(RunError, match="was absent"):
            journal.release([intent.client_id], 10, 11)


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_restart_stands_where_the_process_stood(opened, durability):
    journal = opened(durability)
    one, two, three = sent(journal), sent(journal), sent(journal, side="sell")
    journal.record(fill(1, venue_order_id="v1"), 8)  # before its acknowledgement
    canceled = VenueOrder(venue="binance", symbol="BTCUSDT", venue_order_id="v1",
                          status="canceled", filled=Decimal(1))  # fmt: skip
    journal.record(OrderUpdate(order=canceled), 8)  # without our id: held back
    journal.record(ack(one), 9)
    no = Rejected(reason=Reason.FUNDS, raw="-2010")
    journal.record(Answered(client_id=two.client_id, outcome=no), 9)
    journal.record(fill(50, 3, venue_order_id="foreign"), 9)
    journal.record(Baseline(balances=(Balance(asset="BTC", free=Decimal("1E+3")),), ts_ns=1,
                            why="first"), 9)  # fmt: skip
    before = journal.orders
    journal.close()
    after = opened(durability).orders
    assert after.states == before.states
    assert after.states[one.client_id].phase is Phase.CANCELED
    assert after.states[three.client_id].phase is Phase.SENT
    assert list(after.fills) == list(before.fills)
    assert after.unclaimed == before.unclaimed
    assert after.baseline == before.baseline


def test_what_says_nothing_new_is_not_kept(opened, tmp_path):
    journal = opened()
    intent = sent(journal)
    for _ in range(3):
        journal.record(ack(intent), 8)
        journal.record(fill(1), 8)
        journal.record(fill(2, venue_order_id="foreign"), 8)
    journal.close()
    kinds = [kind for (kind,) in rows(tmp_path, "SELECT kind FROM entries ORDER BY seq")]
    assert kinds == ["planned", "released", "answered", "fill_update", "fill_update"]
    found = rows(tmp_path, "SELECT trade_id, number FROM fills ORDER BY trade_id")
    assert found == [("t1", 1), ("t2", None)]


def test_a_fill_that_waited_for_its_order_gets_its_number(opened, tmp_path):
    journal = opened()
    intent = sent(journal)
    journal.record(fill(1), 8)
    journal.flush()
    assert rows(tmp_path, "SELECT number FROM fills") == [(None,)]
    journal.record(ack(intent), 9)
    journal.record(fill(1, 7), 9)  # a contradiction does not replace the first telling
    journal.close()
    assert rows(tmp_path, "SELECT number, quantity FROM fills") == [(1, "1")]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_numbers_go_on_and_ids_are_never_given_twice(opened, durability):
    names = set()
    for _ in range(4):
        journal = opened(durability)
        names |= {journal.draft(1, **ORDER).client_id for _ in range(10)}
        names.add(sent(journal).client_id)
        journal.close()
    # What was only drafted may be given again where nothing was reserved.
    assert len(names) == 44 if durability == "process" else len(names) >= 14
    keys = [read_client_id(name) for name in names]
    assert len({key.session for key in keys}) == 1


def test_process_reserves_numbers_in_blocks(opened):
    journal = opened("process")
    journal.draft(1, **ORDER)
    first = journal._store.reserved
    assert first == 1 + BLOCK
    for _ in range(BLOCK + 5):
        journal.draft(1, **ORDER)
    assert journal._store.reserved > first
    journal.close()


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_clean_end_leaves_no_gap_in_the_numbers(opened, durability):
    journal = opened(durability)
    last = sent(journal).number
    journal.close()
    assert opened(durability).draft(1, **ORDER).number == last + 1


def test_what_only_the_log_had_is_in_the_database_after_a_restart(opened, tmp_path):
    journal = opened("process", group_commit_ms=1e9)
    first = sent(journal).client_id
    journal.record(fill(1), 8)
    killed(journal)
    assert rows(tmp_path, "SELECT count(*) FROM entries") == [(0,)]
    again = opened("process", group_commit_ms=1e9)
    assert rows(tmp_path, "SELECT kind, number FROM entries") == [
        ("planned", 1), ("released", 1), ("fill_update", 0),
    ]  # fmt: skip
    assert rows(tmp_path, "SELECT client_id, phase FROM orders") == [(first, "sent")]
    assert rows(tmp_path, "SELECT trade_id FROM fills") == [("t1",)]
    second = sent(again).client_id
    killed(again)
    states = opened("process").orders.states
    assert list(states) == [first, second]


def told(number, status, filled, **changes):
    values = {"venue": "binance", "symbol": "BTCUSDT", "venue_order_id": f"v{number}",
              "status": status, "filled": Decimal(filled)}  # fmt: skip
    return OrderUpdate(order=VenueOrder(**values | changes))


def live(journal, fates):
    """Orders that end in every way, some told by their fills first, and foreign fills between."""
    for number, fate in enumerate(fates, 1):
        intent = sent(journal)
        own = fill(number, 2, venue_order_id=f"v{number}")
        if fate == "fill before ack":
            journal.record(own, 8)
        if fate == "rejected":
            no = Rejected(reason=Reason.FUNDS, raw="")
            journal.record(Answered(client_id=intent.client_id, outcome=no), 8)
            continue
        if fate != "sent":
            journal.record(ack(intent), 9)
        if fate in ("filled", "fill before ack"):
            journal.record(told(number, "filled", 2), 9)
            journal.record(own, 9)
        if fate == "partial":
            journal.record(fill(number, 1, venue_order_id=f"v{number}"), 9)
        if fate == "owed":
            journal.record(told(number, "canceled", 1), 9)
        if fate == "canceled":
            journal.record(told(number, "canceled", 0), 9)
        journal.record(fill(900 + number, 1, venue_order_id=f"foreign{number}"), 9)


FATES = ["sent", "open", "partial", "filled", "fill before ack", "owed", "canceled", "rejected"]
SETTLED = {"filled", "fill before ack", "canceled", "rejected"}


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(fates=st.lists(st.sampled_from(FATES), max_size=8), keep=st.integers(0, 8))
def test_a_start_reads_settled_orders_by_their_fills_alone(opened, tmp_path_factory, fates, keep):
    folder = tmp_path_factory.mktemp("journal")
    journal = opened(folder=folder)
    live(journal, fates)
    journal.close()
    whole = read_orders(folder)
    store = IntentStore.open(folder / "intents.db", lambda: None, "NORMAL")
    lean = recover(store, folder / "intents.log", keep)
    store.close()
    gone = {n for n, fate in enumerate(fates, 1) if fate in SETTLED and n <= len(fates) - keep}
    assert {s.intent.number for s in whole.states.values()} - gone == {
        s.intent.number for s in lean.states.values()
    }
    assert all(whole.states[name] == state for name, state in lean.states.items())
    assert list(lean.fills) == list(whole.fills)
    assert lean.unclaimed == whole.unclaimed
    for number in gone:  # told again, they are neither new nor foreign
        client_id = next(n for n, s in whole.states.items() if s.intent.number == number)
        assert lean.is_settled(client_id)
        assert lean.apply(told(number, "filled", 2, client_id=client_id)) == []
        if fates[number - 1].startswith("fill"):
            again = fill(number, 2, venue_order_id=f"v{number}", client_id=client_id)
            assert lean.apply(again) == []
    assert lean.foreign == {}
    assert lean.fills.positions() == whole.fills.positions()
    whole.forget_settled(max(len(fates) - keep, 0))  # a process that goes on comes to the same
    assert (whole.states, whole.settled_to) == (lean.states, lean.settled_to)
    assert [s.client_id for s in whole.unsettled()] == [s.client_id for s in lean.unsettled()]


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_a_long_life_keeps_few_orders_at_hand(opened, tmp_path, monkeypatch, durability):
    monkeypatch.setattr(intents, "KEPT", 20)
    monkeypatch.setattr(intents, "FORGET_ROWS", 5)
    journal = opened(durability)
    fates = ["open", *["filled", "canceled", "rejected", "fill before ack"] * 25]
    live(journal, fates)
    journal.flush()
    kept = journal.orders.states
    assert 20 <= len(kept) <= 20 + 5 + 1
    assert min(s.intent.number for s in kept.values()) == 1, "what is open stays"
    assert [s.intent.number for s in journal.orders.live()] == [1]
    assert len(journal.orders.fills) == 50 + sum(f != "rejected" for f in fates)
    journal.close()
    folder = tmp_path / "journal"
    assert all(check.ok for check in verify_intents(folder))
    assert len(read_orders(folder).states) == len(fates)


def test_a_start_that_reads_little_still_takes_the_log(opened, tmp_path):
    """A late fill of a settled order that only the log has: its order is read whole."""
    journal = opened("process", group_commit_ms=1e9)
    live(journal, ["canceled", "filled", "canceled"])
    journal.flush()
    journal.record(fill(50, 1, venue_order_id="v1"), 9)
    killed(journal)
    folder = tmp_path / "journal"
    store = IntentStore.open(folder / "intents.db", lambda: None, "NORMAL")
    orders = recover(store, folder / "intents.log", 0)
    store.close()
    assert [s.intent.number for s in orders.states.values()] == [1, 2, 3]
    assert orders.find("BTCUSDT", "v1").filled == 1
    assert rows(tmp_path, "SELECT filled FROM orders WHERE number = 1") == [("1",)]


def killed(journal):
    """Let go of everything as a kill does: nothing is committed."""
    journal._store.leave()
    journal._log.close()
    journal._owner.release()


def test_an_order_that_the_journal_had_lost_is_adopted(opened):
    journal = opened()
    lost = sent(journal).client_id
    number = read_client_id(lost).number
    journal.close()
    other = opened(folder=journal._store.path.parent.parent / "empty")
    order = VenueOrder(venue="binance", symbol="BTCUSDT", venue_order_id="v7", client_id=lost,
                       status="open", side="buy", price=Decimal(100), quantity=Decimal(2),
                       filled=Decimal(1))  # fmt: skip
    other.record(fill(1, venue_order_id="v7"), 8)
    changes = other.record(Adopted(order=order, account="main", ts_ns=9), 9)
    state = other.orders.states[lost]
    assert (state.phase, state.filled, state.intent.number) == (Phase.PARTIAL, 1, number)
    assert changes[0].before is None
    assert not other.orders.unclaimed
    other.close()
    again = opened(folder=other._store.path.parent)
    assert again.orders.states[lost] == state
    assert again.draft(1, **ORDER).number > number


def test_planned_orders_are_withheld_on_request(opened):
    journal = opened("process")
    intents = [journal.draft(5, **ORDER) for _ in range(3)]
    journal.plan(intents)
    journal.release([intents[1].client_id], 6, 7)
    closed = journal.withhold_planned(8, "not sent before the restart")
    assert [s.intent.number for s in closed] == [1, 3]
    assert {s.phase for s in closed} == {Phase.WITHHELD}
    assert journal.orders.states[intents[1].client_id].phase is Phase.SENT


def test_one_owner_per_account(opened, tmp_path):
    journal = opened()
    folder = tmp_path / "journal"
    assert is_owned(folder)
    with pytest.raises(RunError) as caught:
        opened()
    assert caught.value.code == "run.account_busy"
    import os

    assert f"process {os.getpid()}" in caught.value.message
    opened(folder=tmp_path / "other", venue="okx").close()
    journal.close()
    assert not is_owned(folder)
    opened().close()


def test_a_journal_belongs_to_its_account(opened, tmp_path):
    opened().close()
    with pytest.raises(UsageError) as caught:
        opened(venue="okx")
    assert caught.value.code == "usage.journal"
    assert not is_owned(tmp_path / "journal")


def test_a_journal_of_another_version_is_refused(opened, tmp_path):
    opened().close()
    path = tmp_path / "journal" / "intents.db"
    db = sqlite3.connect(path)
    db.execute("UPDATE header SET schema_version = 2")
    db.commit()
    db.close()
    with pytest.raises(DataError) as caught:
        opened()
    assert caught.value.code == "data.journal_version"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET body = replace(body, '100', '900') WHERE seq = 1",
        "UPDATE entries SET body = CAST(replace(body, '100', '900') AS BLOB) WHERE seq = 1",
        "UPDATE entries SET ts_ns = ts_ns + 1 WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 2",
        "UPDATE header SET account = 'other'",
    ],
)
def test_a_changed_entry_is_found(opened, tmp_path, change):
    journal = opened()
    journal.record(ack(sent(journal)), 8)
    journal.close()
    db = sqlite3.connect(tmp_path / "journal" / "intents.db")
    db.execute(change)
    db.commit()
    db.close()
    with pytest.raises(DataError) as caught:
        read_orders(tmp_path / "journal")
    assert caught.value.code == "data.journal"


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_reader_sees_a_living_journal(opened, tmp_path, durability):
    journal = opened(durability)
    intent = sent(journal)
    journal.record(ack(intent), 8)
    orders = read_orders(tmp_path / "journal")
    wanted = Phase.SENT if durability == "disk" else Phase.OPEN  # not committed, but in the log
    assert orders.states[intent.client_id].phase is wanted
    journal.flush()
    assert read_orders(tmp_path / "journal").states == journal.orders.states


def test_reading_what_is_not_there_says_so(tmp_path):
    with pytest.raises(DataError) as caught:
        read_orders(tmp_path)
    assert caught.value.code == "data.journal"
    assert "first order" in caught.value.hint
    assert account_folder(tmp_path, "okx", "main") == tmp_path / "orders" / "okx-main"


@pytest.mark.parametrize("cause", [KeyboardInterrupt(), RunError("run.journal", "no room")])
def test_nothing_is_taken_after_a_failure(opened, monkeypatch, cause):
    journal = opened()
    intent = sent(journal)

    def fail(*_):
        raise cause

    with monkeypatch.context() as patch:
        patch.setattr(journal._store, "write", fail)
        with pytest.raises(type(cause)):
            sent(journal)
    for attempt in (lambda: sent(journal), lambda: journal.record(ack(intent), 8), journal.flush):
        with pytest.raises(RunError) as caught:
            attempt()
        assert caught.value.code == "run.journal"
    journal.close()
    states = opened().orders.states
    assert [s.phase for s in states.values()] == [Phase.SENT]


@pytest.mark.parametrize("durability", DURABILITIES)
def test_a_full_disk_stops_sending(tmp_path, durability):
    """A file size limit stands for a full disk: the journal says so and nothing is sent."""
    code = f"""
import resource, sys
from decimal import Decimal
from pathlib import Path
from kimera_cli.errors import KimeraError
from kimera_cli.journal.intents import IntentJournal, Timing
journal = IntentJournal.open(Path({str(tmp_path / "j")!r}), venue="binance", account="main",
    durability={durability!r}, entropy=b"e", now_ns=1, timing=Timing(lambda: 0, 0.0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))
done = 0
try:
    while True:
        intent = journal.draft(1, symbol="B", side="buy", kind="limit", tif="gtc",
                               price=Decimal(1), quantity=Decimal(1))
        journal.plan([intent])
        assert journal.release([intent.client_id], 1, 2).ok
        journal.poll()
        done += 1
except KimeraError as error:
    print(error.code, done)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    error, done = run.stdout.split()
    assert error == "run.disk_full"
    assert int(done) > 50
    states = read_orders(tmp_path / "j").states
    assert len(states) >= int(done), "what was sent is there"


@settings(deadline=None, max_examples=50)
@given(
    payloads=st.lists(st.binary(max_size=300), min_size=1, max_size=20),
    damage=st.integers(0, 5000),
    bit=st.integers(0, 7),
)
def test_a_damaged_log_gives_a_prefix(tmp_path_factory, payloads, damage, bit):
    path = tmp_path_factory.mktemp("log") / "log"
    log = FrameLog(path, 7, capacity=16_384)
    for seq, payload in enumerate(payloads, 1):
        assert log.fits(payload)
        log.append(seq, payload)
    log.close()
    assert [f.payload for f in frames(path, 7, 0)] == payloads
    assert [f.seq for f in frames(path, 7, 2)] == list(range(3, len(payloads) + 1))
    assert list(frames(path, 8, 0)) == [], "another journal's"
    data = bytearray(path.read_bytes())
    data[damage] ^= 1 << bit
    path.write_bytes(data)
    found = [f.payload for f in frames(path, 7, 0)]
    assert found == payloads[: len(found)]


def test_frames_of_an_earlier_round_are_not_replayed(tmp_path):
    path = tmp_path / "log"
    log = FrameLog(path, 7)
    for seq in range(1, 11):
        log.append(seq, b"x" * 50)
    log.restart()
    log.append(11, b"x" * 50)
    assert [f.seq for f in frames(path, 7, 10)] == [11]
    assert list(frames(path, 7, 11)) == []
    log.close()


def test_a_full_log_waits_for_the_database(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(FrameLog.__init__, "__kwdefaults__", {"capacity": 4096})
    journal = opened("process", group_commit_ms=1e9)
    names = [sent(journal).client_id for _ in range(50)]
    (stored,) = rows(tmp_path, "SELECT count(*) FROM entries")[0]
    assert 0 < stored < 100
    assert set(read_orders(tmp_path / "journal").states) == set(names)
    large = Baseline(balances=(), ts_ns=1, why="w" * 5000)  # larger than the whole log
    journal.record(large, 9)
    assert read_orders(tmp_path / "journal").baseline == large
    assert frame_log.CAPACITY == 1 << 20
