"""What views read: broadcasts, state and counter blocks, and whether their writer lives."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError, RunError, UsageError
from kimera_cli.kernels.broadcast import cast_write_at
from kimera_cli.kernels.counters import BUCKETS, count, gauge, observe
from kimera_cli.kernels.fence import store_relaxed
from kimera_cli.layouts import RECORD
from kimera_cli.shm.broadcast import Broadcaster, Listener, broadcast_shape
from kimera_cli.shm.counters import Counter, CounterReader, CounterWriter, Histogram, counters_shape
from kimera_cli.shm.folder import runtime_folder
from kimera_cli.shm.layout import CLAIM_AT, HEADER_BYTES
from kimera_cli.shm.state import StateReader, StateWriter, state_shape

CAST = broadcast_shape(RECORD, 16)


def records(first: int, n: int) -> Any:
    rows = np.zeros(n, RECORD)
    rows["seq"] = np.arange(first, first + n)
    rows["tag"] = rows["seq"]
    return rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "block"


# --- broadcast ---------------------------------------------------------------------------------
def test_every_listener_hears_everything_in_its_own_time(path: Path, clocks: Any) -> None:
    writer = Broadcaster(path, CAST, clocks)
    first, second = (Listener(path, CAST, clocks) for _ in range(2))
    sent = records(0, 7)
    writer.write(sent)
    heard = first.read(100)
    assert heard is not None
    assert (heard == sent).all()
    writer.write(records(7, 3))
    again = second.read(4)
    assert again is not None
    assert again["seq"].tolist() == [0, 1, 2, 3]
    assert (first.position, second.position, second.lost) == (7, 4, 0)


def test_a_slow_listener_counts_what_it_lost_and_goes_on(path: Path, clocks: Any) -> None:
    writer = Broadcaster(path, CAST, clocks)
    slow = Listener(path, CAST, clocks, keep=4)
    newest = Listener(path, CAST, clocks)
    writer.write(records(0, 50))
    assert slow.read(8) is None
    assert (slow.lost, slow.position) == (46, 46)
    rows = slow.read(8)
    assert rows is not None
    assert rows["seq"].tolist() == [46, 47, 48, 49]
    assert newest.read(8) is None
    assert newest.lost == 50
    nothing = newest.read(8)
    assert nothing is not None
    assert len(nothing) == 0


def test_a_listener_may_begin_with_what_is_there(path: Path, clocks: Any) -> None:
    writer = Broadcaster(path, CAST, clocks)
    writer.write(records(0, 5))
    early = Listener(path, CAST, clocks, from_newest=False)
    rows = early.read(8)
    assert rows is not None
    assert rows["seq"].tolist() == [0, 1, 2, 3, 4]
    writer.write(records(5, 30))
    later = Listener(path, CAST, clocks, from_newest=False).read(16)
    assert later is not None
    assert later["seq"].tolist() == list(range(27, 35))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 40), max_size=20), keep=st.integers(0, 8))
def test_heard_and_lost_add_up(path: Path, clocks: Any, sizes: list[int], keep: int) -> None:
    path.unlink(missing_ok=True)
    writer = Broadcaster(path, CAST, clocks)
    listener = Listener(path, CAST, clocks, keep=keep)
    heard: list[int] = []
    for size in sizes:
        writer.write(records(writer.position, size))
        rows = listener.read(5)
        heard += [] if rows is None else rows["seq"].tolist()
    while (rows := listener.read(8)) is None or len(rows):
        heard += [] if rows is None else rows["seq"].tolist()
    assert len(heard) + listener.lost == writer.position
    assert heard == sorted(set(heard))


def test_what_a_dead_writer_may_have_half_written_is_never_heard(path: Path, clocks: Any) -> None:
    """A writer that died after its claim: those slots are old for the next writer's readers too."""
    writer = Broadcaster(path, CAST, clocks)
    writer.write(records(0, 16))
    listener = Listener(path, CAST, clocks, from_newest=False, keep=8)
    store_relaxed(writer.segment.address + CLAIM_AT, 16 + 12)
    assert listener.position == 8
    assert listener.read(8) is None, "slots 8 to 11 were claimed"
    writer.close()
    again = Broadcaster(path, CAST, clocks)
    assert again.position == 16
    again.write(records(16, 1))
    behind = Listener(path, CAST, clocks, from_newest=False)
    assert behind.position == 17, "28 - 16 / 2 is beyond the newest"
    late = Listener(path, CAST, clocks, keep=8)
    late.end["position"] = 10
    assert late.read(4) is None
    rows = late.read(8)
    assert rows is None or rows["seq"].tolist() == list(range(late.position - len(rows), 17))


def test_a_listener_maps_the_file_read_only(path: Path, clocks: Any) -> None:
    Broadcaster(path, CAST, clocks)
    listener = Listener(path, CAST, clocks)
    with pytest.raises(ValueError, match="read-only"):
        listener.segment.header["tail"] = 7


def test_a_writer_that_begins_anew_is_noticed(path: Path, clocks: Any) -> None:
    writer = Broadcaster(path, CAST, clocks)
    writer.write(records(0, 3))
    listener = Listener(path, CAST, clocks)
    assert not listener.segment.replaced()
    with pytest.raises(RunError, match="no writer"):
        Broadcaster(path, CAST, clocks, replace=True)
    writer.close()
    Broadcaster(path, CAST, clocks, replace=True)
    assert listener.segment.replaced()
    fresh = Listener(path, CAST, clocks)
    fresh.end["position"] = 3
    with pytest.raises(DataError, match="began anew"):
        fresh.read(1)


def test_a_file_of_another_layout_is_replaced_when_asked(path: Path, clocks: Any) -> None:
    Broadcaster(path, CAST, clocks).close()
    with path.open("r+b") as file:
        file.seek(8)
        file.write(b"\7")
    with pytest.raises(DataError, match="layout version 1"):
        Broadcaster(path, CAST, clocks)
    Broadcaster(path, CAST, clocks, replace=True).write(records(0, 1))
    assert Listener(path, CAST, clocks).position == 1


def test_bad_broadcasts_are_refused(path: Path, clocks: Any) -> None:
    with pytest.raises(UsageError, match="power of two"):
        broadcast_shape(RECORD, 12)
    with pytest.raises(UsageError, match="8-byte words, was 12 bytes"):
        broadcast_shape(np.dtype([("a", "i4", (3,))]), 16)
    writer = Broadcaster(path, CAST, clocks)
    with pytest.raises(UsageError, match="contiguous rows of 160 bytes"):
        writer.write(records(0, 4)[::2])
    with pytest.raises(UsageError, match="keep 0 to 8 records, was 9"):
        Listener(path, CAST, clocks, keep=9)


def test_the_kernel_cuts_a_long_write(path: Path, clocks: Any) -> None:
    """A write longer than the ring is published in parts: readers see each of them."""
    writer = Broadcaster(path, CAST, clocks)
    rows = records(0, 1000)
    cast_write_at(writer.end_address, rows.ctypes.data, 1000)
    late = Listener(path, CAST, clocks, from_newest=False)
    got = late.read(16)
    assert got is not None
    assert got["tag"].tolist() == list(range(992, 1000))


# --- state -------------------------------------------------------------------------------------
STATE = np.dtype([("bid", "i8"), ("ask", "i8"), ("mid", "f8")])


def test_the_last_state_of_each_record_with_its_time(path: Path, clocks: Any) -> None:
    writer = StateWriter(path, state_shape(STATE, 3), clocks)
    reader = StateReader(path, state_shape(STATE, 3), clocks)
    assert reader.read(1) is None
    for bid in range(5):
        writer.write(1, np.array([(bid, bid + 1, bid + 0.5)], STATE), ts_ns=100 + bid)
    found = reader.read(1)
    assert found is not None
    assert (found.value.tolist(), found.ts_ns, found.version) == ((4, 5, 4.5), 104, 5)
    assert reader.read(0) is None
    assert reader.read(2) is None
    for index in (-1, 3):
        with pytest.raises(UsageError, match=f"0 to 2, was {index}"):
            reader.read(index)


def test_a_half_written_state_is_not_seen(path: Path, clocks: Any) -> None:
    """A writer that died while it filled the other copy leaves its last whole record."""
    shape = state_shape(STATE)
    writer = StateWriter(path, shape, clocks)
    writer.write(0, np.array([(1, 2, 1.5)], STATE), ts_ns=7)
    other = writer.slots.address(0) + 64
    store_relaxed(other + 8, 999)
    found = StateReader(path, shape, clocks).read(0)
    assert found is not None
    assert found.value.tolist() == (1, 2, 1.5)
    writer.close()
    StateWriter(path, shape, clocks).write(0, np.array([(3, 4, 3.5)], STATE), ts_ns=8)
    found = StateReader(path, shape, clocks).read(0)
    assert found is not None
    assert found.value.tolist() == (3, 4, 3.5)


def test_a_stale_writer_is_shown_as_stale(path: Path, clocks: Any) -> None:
    writer = StateWriter(path, state_shape(STATE), clocks)
    reader = StateReader(path, state_shape(STATE), clocks)
    assert reader.peer("writer").state == "live"
    clocks.pass_ns(3_000_000_000)
    assert reader.peer("writer").state == "stalled"
    assert reader.peer("writer", stale_ns=5_000_000_000).state == "live"
    writer.close()
    assert reader.peer("writer").state == "closed"


def test_a_second_writer_is_refused(path: Path, clocks: Any) -> None:
    StateWriter(path, state_shape(STATE), clocks)
    with pytest.raises(RunError, match="no writer"):
        StateWriter(path, state_shape(STATE), clocks)


# --- counters ----------------------------------------------------------------------------------
COUNTERS = [
    Counter("events", unit="events", help="market events taken"),
    Counter("queue", "gauge", "events"),
    Counter("latency", "histogram", "ns"),
    Counter("orders"),
]


def test_counters_describe_themselves(path: Path, clocks: Any) -> None:
    writer = CounterWriter(path, COUNTERS, clocks)
    for n in (1, 41):
        count(writer.address("events"), n)
    gauge(writer.address("queue"), 7)
    gauge(writer.address("queue"), 5)
    for value in (-3, 0, 1, 2, 3, 1000, 2**62):
        observe(writer.address("latency"), value)
    reader = CounterReader(path, clocks)
    assert list(reader.counters) == COUNTERS
    values = reader.values()
    assert (values["events"], values["queue"], values["orders"]) == (42, 5, 0)
    latency = values["latency"]
    assert isinstance(latency, Histogram)
    counts = {b: n for b, n in enumerate(latency.counts) if n}
    assert counts == {0: 2, 1: 1, 2: 2, 10: 1, 63: 1}
    assert (latency.n, latency.total) == (7, 1003 + 2**62)


def test_counters_go_on_after_a_restart_and_begin_anew_when_asked(path: Path, clocks: Any) -> None:
    writer = CounterWriter(path, COUNTERS, clocks)
    count(writer.address("orders"), 3)
    writer.close()
    again = CounterWriter(path, COUNTERS, clocks)
    count(again.address("orders"), 2)
    assert CounterReader(path, clocks).values()["orders"] == 5
    again.close()
    CounterWriter(path, COUNTERS, clocks, replace=True)
    assert CounterReader(path, clocks).values()["orders"] == 0


@settings(deadline=None)
@given(st.lists(st.integers(-5, 2**40), min_size=1, max_size=60), st.floats(0.01, 1.0))
def test_a_quantile_lies_between_half_of_the_bound_and_the_bound(
    values: list[int], q: float
) -> None:
    counts = [0] * BUCKETS
    for value in values:
        counts[max(value, 0).bit_length()] += 1
    bound = Histogram(tuple(counts), sum(values)).at_most(q)
    exact = sorted(values)[max(0, int(np.ceil(q * len(values) - 1e-9)) - 1)]
    assert bound is not None
    assert exact <= bound
    assert exact <= 0 or 2 * exact > bound


def test_an_empty_histogram_has_no_quantile() -> None:
    assert Histogram((0,) * BUCKETS, 0).at_most(0.5) is None


def test_names_must_differ_and_be_known(path: Path, clocks: Any) -> None:
    with pytest.raises(UsageError, match="twice: events"):
        counters_shape([COUNTERS[0], COUNTERS[0]])
    with pytest.raises(UsageError, match="was none"):
        counters_shape([])
    with pytest.raises(UsageError, match="one of events, queue, latency, orders, was event"):
        CounterWriter(path, COUNTERS, clocks).address("event")


def test_a_file_whose_names_were_changed_is_refused(path: Path, clocks: Any) -> None:
    CounterWriter(path, COUNTERS, clocks).close()
    with path.open("r+b") as file:
        file.seek(HEADER_BYTES)
        text = file.read(200).replace(b"events", b"evants", 1)
        file.seek(HEADER_BYTES)
        file.write(text)
    with pytest.raises(DataError, match="names") as error:
        CounterReader(path, clocks)
    assert error.value.code == "data.block_schema"
    with path.open("r+b") as file:
        file.seek(40)
        file.write((1 << 40).to_bytes(8, "little"))
    with pytest.raises(DataError, match="inside its file"):
        CounterReader(path, clocks)


# --- the folder --------------------------------------------------------------------------------
def test_the_runtime_folder_is_the_owners_alone(tmp_path: Path) -> None:
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    folder = runtime_folder(env, "hft")
    assert folder == tmp_path / "kimera" / "hft"
    assert folder.stat().st_mode & 0o777 == folder.parent.stat().st_mode & 0o777 == 0o700
    assert runtime_folder({**env, "KIMERA_RUNTIME": str(tmp_path / "x")}, "a").parent.name == "x"
    folder.chmod(0o750)
    with pytest.raises(RunError, match="mode 0700") as error:
        runtime_folder(env, "hft")
    assert error.value.code == "run.runtime_folder"
    assert f"chmod 700 {folder}" in error.value.hint


def test_without_a_session_the_folder_carries_the_user(tmp_path: Path) -> None:
    folder = runtime_folder({"TMPDIR": str(tmp_path)}, f"test-{os.getpid()}")
    assert folder.parent.name == f"kimera-{os.getuid()}"
    folder.rmdir()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 101])
def test_a_profile_that_is_no_name_has_no_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="profile's name"):
        runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, name)
    assert not list(tmp_path.iterdir())


def test_a_link_or_a_file_is_no_runtime_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "kimera").symlink_to(tmp_path / "real")
    with pytest.raises(RunError, match="mode 0700"):
        runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, "a")
    with pytest.raises(RunError, match="expected to make"):
        runtime_folder({"KIMERA_RUNTIME": "/proc/1/nothing"}, "a")
