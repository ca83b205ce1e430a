"""The checked ends of a ring: files that are not what they should be, ends that come and go."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kimera_cli.errors import DataError, KimeraError, RunError, UsageError
from kimera_cli.layouts import EVENT, RECORD
from kimera_cli.shm.block import Block
from kimera_cli.shm.layout import HEAD_AT, HEADER, TAIL_AT, schema_hash
from kimera_cli.shm.process import started
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import open_segment

SHAPE = ring_shape(EVENT, 8)


def events(first: int, n: int) -> Any:
    rows = np.zeros(n, EVENT)
    rows["seq"] = np.arange(first, first + n)
    return rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "feed.ring"


def test_events_come_out_as_they_went_in(path: Path, clocks: Any) -> None:
    producer, consumer = Producer(path, SHAPE, clocks), Consumer(path, SHAPE, clocks)
    sent = events(0, 8)
    sent["px_ticks"] = -5
    assert producer.push(sent) == 8
    assert producer.room() == 0
    assert consumer.ready() == 8
    got = consumer.pop(100)
    assert got.dtype == EVENT
    assert (got == sent).all()
    assert (producer.position, consumer.position) == (8, 8)


def test_peek_and_release(path: Path, clocks: Any) -> None:
    producer, consumer = Producer(path, SHAPE, clocks), Consumer(path, SHAPE, clocks)
    producer.push(events(0, 5))
    assert consumer.peek(3)["seq"].tolist() == [0, 1, 2]
    consumer.release(2)
    assert consumer.pop(9)["seq"].tolist() == [2, 3, 4]
    with pytest.raises(UsageError, match="expected 0 to 0 rows, was 1"):
        consumer.release(1)


def test_whoever_comes_first_makes_the_file_and_only_its_owner_may_read_it(
    path: Path, clocks: Any
) -> None:
    consumer = Consumer(path, SHAPE, clocks)
    assert consumer.peer("writer").state == "absent"
    Producer(path, SHAPE, clocks).push(events(7, 1))
    assert consumer.pop(1)["seq"].tolist() == [7]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path], "no temporary files are left"


def test_a_second_producer_is_refused_while_the_first_lives(path: Path, clocks: Any) -> None:
    first = Producer(path, SHAPE, clocks)
    first.push(events(0, 3))
    with pytest.raises(RunError, match=f"no writer, was process {os.getpid()}, live") as error:
        Producer(path, SHAPE, clocks)
    assert error.value.code == "run.block_busy"
    assert str(path) in error.value.message
    first.close()
    second = Producer(path, SHAPE, clocks)
    assert (second.epoch, second.position, second.found.state) == (2, 3, "closed")


def test_a_consumer_goes_on_at_a_position_that_it_kept(path: Path, clocks: Any) -> None:
    producer, consumer = Producer(path, SHAPE, clocks), Consumer(path, SHAPE, clocks)
    producer.push(events(0, 6))
    consumer.pop(1)
    consumer.close()
    again = Consumer(path, SHAPE, clocks, position=4)
    assert again.pop(9)["seq"].tolist() == [4, 5]
    again.close()
    for position in (5, 7):
        with pytest.raises(RunError, match=f"from 6 to 6 in .*, was {position}") as error:
            Consumer(path, SHAPE, clocks, position=position)
        assert error.value.code == "run.ring_position"
    Consumer(path, SHAPE, clocks, position=6)


def test_a_closed_producer_ends_the_stream_when_all_is_taken(path: Path, clocks: Any) -> None:
    producer, consumer = Producer(path, SHAPE, clocks), Consumer(path, SHAPE, clocks)
    producer.push(events(0, 1))
    assert not consumer.ended()
    producer.close()
    assert not consumer.ended()
    consumer.require_producer()
    consumer.pop(1)
    assert consumer.ended()


def test_liveness_is_a_heartbeat_and_a_process(path: Path, clocks: Any) -> None:
    producer = Producer(path, SHAPE, clocks)
    outside = Block(open_segment(path, SHAPE, writable=False), clocks)
    assert outside.peer("writer").state == "live"
    assert outside.peer("reader").state == "absent"
    clocks.pass_ns(2_000_000_001)
    peer = outside.peer("writer")
    assert (peer.state, peer.age_ns, peer.pid) == ("stalled", 2_000_000_001, os.getpid())
    assert "stalled, last heard of 2.0 s ago" in str(peer)
    producer.beat()
    assert outside.peer("writer").state == "live"
    producer.segment.header["writer"]["start"] += 1  # the id was given to another process
    assert outside.peer("writer").state == "dead"
    producer.segment.header["writer"]["namespace"] += 1  # an id of a container: only beats count
    assert outside.peer("writer").state == "live"


def test_a_dead_peer_is_reported_and_replaced(path: Path, clocks: Any) -> None:
    """A process that really ended without a word, and one that nobody has reaped."""
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from kimera_cli.layouts import EVENT\n"
        "from kimera_cli.shm.ring import Producer, ring_shape\n"
        "class Clocks:\n"
        "    now_ns = monotonic_ns = staticmethod(lambda: 1_000_000_000)\n"
        "rows = np.zeros(3, EVENT); rows['seq'] = [0, 1, 2]\n"
        "Producer(Path(sys.argv[1]), ring_shape(EVENT, 8), Clocks).push(rows)\n"
        "print('there', flush=True); sys.stdin.read()\n"
    )
    consumer = Consumer(path, SHAPE, clocks)
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    assert consumer.require_producer().state == "live"
    child.kill()
    while started(child.pid) is not None:
        os.sched_yield()
    with pytest.raises(RunError, match=f"process {child.pid}, dead") as error:
        consumer.require_producer()
    assert error.value.code == "run.peer_ended"
    child.communicate()
    producer = Producer(path, SHAPE, clocks)
    assert (producer.found.state, producer.position) == ("dead", 3)
    producer.push(events(3, 2))
    assert consumer.pop(9)["seq"].tolist() == [0, 1, 2, 3, 4]


# --- files that are wrong ----------------------------------------------------------------------
def damage(path: Path, offset: int, value: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(value.to_bytes(8, "little"))


def offset(field: str) -> int:
    assert HEADER.fields is not None
    return int(HEADER.fields[field][1])


@pytest.mark.parametrize(
    ("field", "value", "code", "said"),
    [
        ("magic", 7, "data.block_magic", "expected kimera's shared blocks"),
        ("version", 2, "data.block_version", "layout version 1 at .*, was 2"),
        ("kind", 3, "data.block_kind", "kind ring at .*, was counters"),
        ("kind", 99, "data.block_kind", "was 99"),
        ("schema", 5, "data.block_schema", "was 0000000000000005"),
        ("capacity", 16, "data.block_size", "capacity 8 at .*, was 16"),
        ("stride", 128, "data.block_size", "stride 64"),
        ("file_bytes", 99, "data.block_size", "file size 99"),
    ],
)
def test_a_file_that_is_not_this_ring_is_refused(
    path: Path, clocks: Any, field: str, value: int, code: str, said: str
) -> None:
    Producer(path, SHAPE, clocks).close()
    damage(path, offset(field), value)
    with pytest.raises(DataError, match=said) as error:
        Consumer(path, SHAPE, clocks)
    assert error.value.code == code
    assert error.value.details["file"] == str(path)
    assert "delete it" in error.value.hint


@pytest.mark.parametrize("size", [0, 100, 4096, 8191])
def test_a_file_of_the_wrong_size_is_refused(path: Path, clocks: Any, size: int) -> None:
    Producer(path, SHAPE, clocks).close()
    os.truncate(path, size)
    with pytest.raises(DataError, match=f"was {size}") as error:
        Producer(path, SHAPE, clocks)
    assert error.value.code == "data.block_size"


def test_another_capacity_or_record_is_refused(path: Path, clocks: Any) -> None:
    Producer(path, SHAPE, clocks).close()
    with pytest.raises(DataError) as error:
        Producer(path, ring_shape(EVENT, 16), clocks)
    assert error.value.code == "data.block_size"
    other = np.dtype([("words", "i8", (8,))])
    with pytest.raises(DataError) as error:
        Producer(path, ring_shape(other, 8), clocks)
    assert error.value.code == "data.block_schema"


def test_indices_that_cannot_be_are_refused(path: Path, clocks: Any) -> None:
    producer, consumer = Producer(path, SHAPE, clocks), Consumer(path, SHAPE, clocks)
    producer.push(events(0, 5))
    damage(path, TAIL_AT, 9)
    with pytest.raises(DataError, match="was head 0, tail 9") as error:
        consumer.pop(1)
    assert error.value.code == "data.block_broken"
    damage(path, HEAD_AT, 10)
    with pytest.raises(DataError, match="was head 10, tail 9"):
        producer.room()
    producer.close()
    with pytest.raises(DataError, match="was head 10, tail 9"):
        Producer(path, SHAPE, clocks)


def test_a_ring_in_use_when_the_system_stopped_is_refused(path: Path, clocks: Any) -> None:
    producer = Producer(path, SHAPE, clocks)
    producer.close()
    damage(path, offset("boot"), 1)
    producer = Producer(path, SHAPE, clocks)  # it was closed: whole
    with pytest.raises(DataError, match="in use when the system stopped") as error:
        Consumer(path, SHAPE, clocks)
    assert error.value.code == "data.block_boot"


def test_somebody_elses_file_and_a_link_are_refused(path: Path, clocks: Any) -> None:
    Producer(path, SHAPE, clocks).close()
    path.chmod(0o644)
    with pytest.raises(DataError, match="mode 0600") as error:
        Producer(path, SHAPE, clocks)
    assert error.value.code == "data.block_owner"
    assert error.value.hint == f"chmod 600 {path}"
    path.chmod(0o600)
    link = path.with_name("link")
    link.symlink_to(path)
    with pytest.raises(DataError) as error:
        Consumer(link, SHAPE, clocks)
    assert error.value.code == "data.block_owner"


def test_a_missing_block_and_a_folder_that_cannot_be_written(path: Path, clocks: Any) -> None:
    with pytest.raises(DataError, match="was no file") as missing:
        open_segment(path, "ring", writable=False)
    assert missing.value.code == "data.block_missing"
    with pytest.raises(KimeraError, match="expected room for") as error:
        Producer(path / "not-a-folder" / "ring", SHAPE, clocks)
    assert error.value.code == "run.shared_memory"


@pytest.mark.parametrize("capacity", [0, 1, 3, 12, -8])
def test_a_capacity_is_a_power_of_two(capacity: int) -> None:
    with pytest.raises(UsageError, match="power of two"):
        ring_shape(EVENT, capacity)


def test_records_are_whole_lines_and_rows_are_of_the_ring(path: Path, clocks: Any) -> None:
    with pytest.raises(UsageError, match="whole 64-byte lines, was 160 bytes"):
        ring_shape(RECORD, 8)
    producer = Producer(path, SHAPE, clocks)
    for rows in (np.zeros(3, RECORD), events(0, 8)[::2], events(0, 4).reshape(2, 2)):
        with pytest.raises(UsageError, match="contiguous rows of 64 bytes"):
            producer.push(rows)
    assert producer.position == 0


def test_the_schema_hash_covers_names_types_offsets_and_order() -> None:
    fields = [("a", "i8"), ("b", "f8"), ("c", "i4", (4,))]
    dtypes = [
        np.dtype(fields),
        np.dtype([("x", "i8"), *fields[1:]]),
        np.dtype([fields[1], fields[0], fields[2]]),
        np.dtype([("a", "u8"), *fields[1:]]),
        np.dtype([*fields[:2], ("c", "i4", (2, 2))]),
        np.dtype([*fields[:2], ("c", [("y", "i4")], (4,))]),
    ]
    hashes = {schema_hash("ring", dtype) for dtype in dtypes}
    assert len(hashes) == len(dtypes)
    assert schema_hash("state", dtypes[0]) not in hashes
    assert schema_hash("ring", dtypes[0]) == schema_hash("ring", np.dtype(fields))
