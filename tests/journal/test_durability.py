"""What each durability promises, with a clock that the test drives."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from kimera_cli.errors import RunError
from kimera_cli.journal import log as append_log
from kimera_cli.journal.chain import Head, is_bulk
from kimera_cli.journal.journal import Journal
from kimera_cli.journal.latency import LatencyHistogram

MS = 1_000_000


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
def stored(tmp_path):
    """How many audit entries another connection sees."""

    def count(name="run"):
        db = sqlite3.connect(tmp_path / name / "journal.db")
        (n,) = db.execute("SELECT count(*) FROM audit").fetchone()
        db.close()
        return n

    return count


@pytest.fixture
def audit_rows(rows_of):
    rows = rows_of(400)
    return rows[~is_bulk(rows)]


def test_batch_commits_each_append(new_journal, stored, audit_rows, clock):
    journal = new_journal(durability="batch", monotonic_ns=clock)
    journal.append(audit_rows[:10])
    assert stored() == 10


def test_disk_groups_what_nobody_waits_for(new_journal, stored, audit_rows, clock):
    journal = new_journal(durability="disk", monotonic_ns=clock, group_commit_ms=2.0)
    journal.append(audit_rows[:10])
    clock.now += MS
    journal.append(audit_rows[10:20])
    assert stored() == 0
    clock.now += MS
    journal.poll()
    assert stored() == 20
    journal.poll()
    assert journal.commit_latency().commits == 1


def test_disk_commits_an_intent_and_all_before_it(new_journal, stored, audit_rows, clock):
    journal = new_journal(durability="disk", monotonic_ns=clock, group_commit_ms=1000.0)
    journal.append(audit_rows[:10])
    assert journal.commit_intents(audit_rows[10:11]).ok
    assert stored() == 11


@pytest.mark.parametrize(
    ("durability", "ok"), [("disk", False), ("process", False), ("batch", True)]
)
def test_a_slow_commit_says_do_not_send(new_journal, audit_rows, clock, durability, ok):
    journal = new_journal(durability=durability, monotonic_ns=clock, max_commit_ms=5.0)
    clock.step = 6 * MS
    result = journal.commit_intents(audit_rows[:1])
    assert result.ok is ok
    assert result.latency_ns >= 6 * MS
    clock.step = 0
    assert journal.commit_intents(audit_rows[1:2]).ok
    assert journal.close().entries == 2  # also the intent that was not sent is in the journal


def test_disk_syncs_each_commit_and_the_others_do_not(new_journal):
    modes = {}
    for durability in ("batch", "process", "disk"):
        journal = new_journal(durability, durability)
        modes[durability] = [
            db._db.execute("PRAGMA synchronous").fetchone()[0]
            for db in (journal._store, journal._bulk)
        ]
        journal.close()
    assert modes == {"batch": [1, 1], "process": [1, 1], "disk": [2, 1]}


def test_process_holds_rows_in_the_log_before_the_database(
    new_journal, stored, audit_rows, clock, tmp_path
):
    journal = new_journal(durability="process", monotonic_ns=clock, group_commit_ms=2.0)
    journal.append(audit_rows[:10])
    assert stored() == 0
    head, genesis = journal.head, journal.head.hash
    waiting = append_log.waiting(tmp_path / "run" / "intents.log", head, genesis)
    assert waiting.tobytes() == audit_rows[:10].tobytes()
    clock.now += 2 * MS
    journal.poll()
    assert stored() == 10
    assert len(append_log.waiting(tmp_path / "run" / "intents.log", journal.head, genesis)) == 0


def test_a_full_log_waits_for_the_database(tmp_path, audit_rows, clock, monkeypatch):
    monkeypatch.setattr(append_log.AppendLog.__init__, "__kwdefaults__", {"capacity": 16})
    journal = Journal.create(
        tmp_path, run="r", profile={}, created_ns=1, durability="process",
        monotonic_ns=clock, group_commit_ms=1e6,
    )  # fmt: skip
    genesis = journal.head.hash
    journal.append(audit_rows[:100])
    assert journal.head.entries == 96
    waiting = append_log.waiting(tmp_path / "intents.log", journal.head, genesis)
    assert waiting.tobytes() == audit_rows[96:100].tobytes()
    assert journal.close().entries == 100


@pytest.fixture
def slots(tmp_path, audit_rows):
    genesis = bytes(range(32))
    log = append_log.AppendLog(tmp_path / "log", genesis, capacity=32)
    log.append(audit_rows[:10], 1)
    log.close()
    return tmp_path / "log", genesis


@pytest.mark.parametrize("byte", [0, 3, 4, 8, 16, 100, 175])
def test_a_torn_slot_ends_the_replay(slots, audit_rows, byte):
    path, genesis = slots
    data = bytearray(path.read_bytes())
    data[6 * append_log.SLOT.itemsize + byte] ^= 0x40
    path.write_bytes(data)
    waiting = append_log.waiting(path, Head(0, 0, b""), genesis)
    assert waiting.tobytes() == audit_rows[:6].tobytes()


def test_slots_of_another_run_or_behind_the_database_are_not_replayed(slots, audit_rows):
    path, genesis = slots
    assert len(append_log.waiting(path, Head(0, 0, b""), b"\xff" * 32)) == 0
    rest = append_log.waiting(path, Head(7, 0, b""), genesis)
    assert rest.tobytes() == audit_rows[7:10].tobytes()
    assert len(append_log.waiting(path, Head(10, 0, b""), genesis)) == 0
    assert len(append_log.waiting(path.with_name("none"), Head(0, 0, b""), genesis)) == 0


def test_recovery_replays_only_what_the_database_has_not(new_journal, tmp_path, audit_rows, clock):
    journal = new_journal(durability="process", monotonic_ns=clock, group_commit_ms=2.0)
    journal.append(audit_rows[:10])
    journal.flush()
    log = (tmp_path / "run" / "intents.log").read_bytes()
    journal.append(audit_rows[10:15])
    newer = (tmp_path / "run" / "intents.log").read_bytes()
    assert log != newer
    journal._n_logged, journal._logged = 0, []  # as a kill would leave it
    journal.close()
    resumed = Journal.resume(tmp_path / "run", monotonic_ns=clock)
    assert resumed.head.entries == 15
    assert resumed.close().entries == 15
    assert Journal.resume(tmp_path / "run", monotonic_ns=clock).close().entries == 15


def test_nothing_is_taken_after_a_failure(new_journal, audit_rows, monkeypatch):
    journal = new_journal()
    journal.append(audit_rows[:10])

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal._store, "_insert", fail)
        with pytest.raises(KeyboardInterrupt):
            journal.append(audit_rows[10:20])
    with pytest.raises(RunError) as caught:
        journal.append(audit_rows[20:30])
    assert caught.value.code == "run.journal"
    assert journal.close().entries == 10


def test_one_writer_per_run(new_journal):
    journal = new_journal()
    with pytest.raises(RunError) as caught:
        new_journal()
    assert caught.value.code == "run.busy"
    journal.close()
    new_journal("other").close()


def test_a_reader_sees_whole_transactions_while_a_writer_writes(new_journal, tmp_path, rows_of):
    from kimera_cli.journal.verify import Expected, verify_file

    rows = rows_of(2000)
    journal = new_journal()
    seen = []
    for chunk in np.array_split(rows, 40):
        journal.append(chunk)
        found = verify_file(tmp_path / "run" / "journal.db", Expected())
        assert found.problem is None
        assert found.seq == journal.head.seq
        seen.append(found.entries)
    assert seen == sorted(seen)
    journal.close()


def test_latency_quantiles_are_within_a_bucket():
    rng = np.random.default_rng(3)
    values = np.exp(rng.normal(11, 2, 5000)).astype(np.int64)
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(int(value))
    for q in (0.0, 0.5, 0.99, 0.999, 1.0):
        exact = np.quantile(values, q, method="inverted_cdf")
        assert exact <= histogram.quantile_ns(q) <= exact * (1 + 1 / 32) + 1
    assert histogram.max_ns == values.max()
    assert LatencyHistogram().quantile_ns(0.5) == 0


@pytest.mark.parametrize("value", [0, 1, 31, 32, 33, 63, 64, 2**40, 2**62])
def test_latency_buckets_hold_their_value(value):
    histogram = LatencyHistogram()
    histogram.add(value)
    assert histogram.quantile_ns(0.5) == value
