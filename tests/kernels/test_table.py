"""The decision table: thresholds against numpy, every answer, swaps that nobody sees half done."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.ensemble.publish import PrivateMemory, Publisher, Reader, SharedMemory
from kimera_cli.errors import DataError, RunError
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.fence import load_acquire
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.table import (
    BUSY,
    ENTRY_AT,
    EXPIRED,
    MISSING,
    NO_STATE,
    NO_TABLE,
    NOT_YET,
    OK,
    OLD_VERSION,
    SEQUENCE_AT,
    TOO_OLD,
    UNSURE,
    axis_values,
    count_damaged,
    entry_check,
    seal_entries,
    table_consult,
    table_look,
    table_use,
)
from kimera_cli.layouts import (
    FEATURES,
    TABLE,
    TABLE_AXES,
    TABLE_BINS,
    TABLE_CELLS,
    TABLE_ENTRY,
    TABLE_SAMPLES,
    TABLE_SIDE,
    TABLE_STATUSES,
    TABLE_USE,
    VIEW,
)

LEARNED, EXPIRES = 1_000, 9_000
QI, OFI = TABLE_AXES.index("queue_imbalance"), TABLE_AXES.index("ofi")
NO_JIT = numba.config.DISABLE_JIT


def make_side(edges: dict[int, list[float]], version: int = 1) -> Any:
    """A side whose entries say where they are: expected_ticks is version * 10,000 + cell."""
    side = np.zeros(1, TABLE_SIDE)
    side["version"] = version
    side["edges"] = np.inf
    stride = 1
    for axis, values in reversed(edges.items()):
        side["strides"][0, axis] = stride
        side["bins"][0, axis] = len(values) + 1
        side["edges"][0, axis, : len(values)] = values
        stride *= len(values) + 1
    side["lasts"] = side["edges"][:, :, 7::8]
    side["cells"] = stride
    cells = np.arange(stride)
    entry = side["entries"][0][:stride]
    entry["version"], entry["learned_ns"], entry["expires_ns"] = version, LEARNED, EXPIRES
    entry["expected_ticks"] = version * TABLE_CELLS + cells
    entry["p_buy"], entry["confidence"], entry["support"] = 1.0, 0.9, 50.0
    entry["action"] = cells % 3 - 1
    seal_entries(side.ctypes.data)
    return side


def reseal(side: Any) -> Any:
    seal_entries(side.ctypes.data)
    return side


def state(**fields: float) -> Any:
    row = np.zeros(1, FEATURES)
    for name, value in fields.items():
        row[name] = value
    return row.view(np.recarray)[0]


def reader_of(side: Any, **limits: Any) -> Reader:
    memory = PrivateMemory()
    Publisher(memory).publish(side)
    return Reader(memory, **limits)


ONE = {QI: [-0.5, 0.0, 0.5]}


def test_layouts_are_cache_lines():
    assert TABLE_ENTRY.itemsize == 64
    for layout, field in ((TABLE_SIDE, "entries"), (TABLE, "sides"), (TABLE_USE, "entry")):
        assert layout.fields[field][1] % 64 == 0
    assert len(TABLE_STATUSES) <= TABLE_USE["counts"].shape[0]
    assert TABLE_BINS % 8 == 0


# --- quantiser -----------------------------------------------------------------------------------
@settings(max_examples=30 if NO_JIT else 200, deadline=None)
@given(
    edges=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=63, unique=True),
    more=st.lists(st.floats(-3, 3), min_size=1, max_size=7, unique=True),
    values=st.lists(st.floats(-2e6, 2e6), min_size=1, max_size=20),
)
def test_cells_are_those_of_a_plain_search(edges, more, values):
    edges, more = sorted(edges), sorted(more)
    reader = reader_of(make_side({QI: edges, OFI: more}))
    asked = np.array([*values, *edges])  # a value that lies on a threshold belongs above it
    rows = np.zeros(len(asked), FEATURES)
    rows["queue_imbalance"], rows["ofi"] = asked, asked / 2e6
    answers = reader.look_all(rows, np.full(len(asked), LEARNED))
    expected = np.searchsorted(edges, asked, side="right") * (len(more) + 1)
    expected += np.searchsorted(more, asked / 2e6, side="right")
    assert answers[:, 2].tolist() == expected.tolist()
    assert answers[:, 1].tolist() == (expected % 3 - 1).tolist()
    assert (answers[:, 0] == OK).all()


def test_all_axes_take_part_each_by_its_own_feature():
    edges = {axis: [0.5 + axis] for axis in range(len(TABLE_AXES))}
    reader = reader_of(make_side(edges))
    for axis, name in enumerate(TABLE_AXES):
        field = "best_ask_ticks" if name == "spread_ticks" else name
        reader.look(state(**{field: 1 + axis}), LEARNED)
        assert reader.use.cell == 1 << (len(TABLE_AXES) - 1 - axis), name


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_feature_that_is_not_known_makes_no_cell_unless_it_is_not_used(value):
    reader = reader_of(make_side(ONE))
    assert reader.look(state(queue_imbalance=value), LEARNED) == "no_state"
    assert reader.use.cell == -1
    assert np.isnan(reader.use.entry.expected_ticks)
    assert reader.look(state(ofi=value), LEARNED) == "ok"


def test_a_view_is_looked_up_like_features():
    reader = reader_of(make_side(ONE))
    view = np.zeros(1, VIEW).view(np.recarray)[0]
    view.queue_imbalance = 0.7
    assert reader.look(view, LEARNED) == "ok"
    assert reader.use.cell == 3
    x = np.zeros(len(TABLE_AXES))
    axis_values(view, x)
    assert x[QI] == 0.7


# --- answers -------------------------------------------------------------------------------------
def test_the_answer_is_the_entry_and_its_counts():
    reader = reader_of(make_side(ONE, version=7))
    assert reader.look(state(queue_imbalance=0.2), LEARNED + 100) == "ok"
    entry = reader.use.entry
    assert (entry.version, entry.action, reader.use.cell) == (7, 1, 2)
    assert entry.expected_ticks == 7 * TABLE_CELLS + 2
    reader.look(state(queue_imbalance=0.2), LEARNED + 300)
    reader.look(state(queue_imbalance=np.nan), LEARNED)
    tally = reader.tally()
    assert (tally.lookups, tally.hits, tally.by_status) == (3, 2, {"ok": 2, "no_state": 1})
    assert (tally.mean_age_ns, tally.max_age_ns) == (200, 300)


def without(cell: int) -> Any:
    side = make_side(ONE)
    side["entries"][0, cell] = np.zeros((), TABLE_ENTRY)
    return reseal(side)


def test_every_reason_not_to_act():
    middle = state(queue_imbalance=0.1)
    assert Reader(PrivateMemory()).look(middle, LEARNED) == "no_table"
    assert reader_of(without(2)).look(middle, LEARNED) == "missing"
    reader = reader_of(make_side(ONE, version=4))
    assert reader.look(middle, LEARNED - 1) == "not_yet"
    assert reader.look(middle, EXPIRES - 1) == "ok"
    assert reader.look(middle, EXPIRES) == "expired"
    assert reader_of(make_side(ONE), max_age_ns=10).look(middle, LEARNED + 10) == "ok"
    assert reader_of(make_side(ONE), max_age_ns=10).look(middle, LEARNED + 11) == "too_old"
    assert reader_of(make_side(ONE, version=4), min_version=5).look(middle, LEARNED) == (
        "old_version"
    )
    assert reader_of(make_side(ONE), min_confidence=0.95).look(middle, LEARNED) == "unsure"
    seen = {NO_TABLE, NO_STATE, MISSING, NOT_YET, EXPIRED, TOO_OLD, OLD_VERSION, UNSURE, BUSY, OK}
    assert seen == set(range(len(TABLE_STATUSES)))


def test_a_confidence_that_is_no_number_is_no_confidence():
    side = make_side(ONE)
    side["entries"]["confidence"] = np.nan
    assert reader_of(reseal(side)).look(state(), LEARNED) == "unsure"


def test_nothing_of_an_earlier_answer_is_left():
    reader = reader_of(make_side(ONE))
    reader.look(state(queue_imbalance=0.7), LEARNED)
    assert reader.use.entry.p_buy == 1.0
    reader.use.table = 0
    assert reader.look(state(queue_imbalance=0.7), LEARNED) == "no_table"
    entry = reader.use.entry
    assert (entry.version, entry.action, entry.p_buy, entry.p_hold) == (0, 0, 0.0, 1.0)
    assert np.isnan(entry.expected_ticks)


def test_a_strategy_without_a_table_is_told_so():
    assert table_consult(np.int64(0), state(), np.int64(0)) == NO_TABLE


def test_samples_are_every_nth_lookup_and_room_is_counted():
    reader = reader_of(make_side(ONE), sample_every=3)
    for k in range(7):
        table_consult(np.int64(reader.address), state(queue_imbalance=k / 10), np.int64(LEARNED))
    kept = reader.take_samples()
    assert kept["x"][:, QI].tolist() == [0.0, 0.3, 0.6]
    assert kept["cell"].tolist() == [2, 2, 3]
    assert len(reader.take_samples()) == 0
    reader.use.n_samples = TABLE_SAMPLES
    for _ in range(3):
        table_consult(np.int64(reader.address), state(), np.int64(LEARNED))
    assert reader.tally().dropped_samples == 1
    if NO_JIT:
        assert table_use(reader.address).n_samples == TABLE_SAMPLES


# --- swaps ---------------------------------------------------------------------------------------
def test_a_swap_replaces_all_of_it():
    memory = PrivateMemory()
    publisher = Publisher(memory)
    reader = Reader(memory)
    for version, edges in ((1, [0.0]), (2, [-0.9, 0.0, 0.9]), (3, [0.5])):
        assert publisher.publish(make_side({QI: edges}, version)) == version
        reader.look(state(queue_imbalance=0.7), LEARNED)
        cell = int(np.searchsorted(edges, 0.7, side="right"))
        assert (reader.use.entry.version, reader.use.cell) == (version, cell)
        assert reader.use.entry.expected_ticks == version * TABLE_CELLS + cell


def test_versions_only_rise_also_for_the_next_publisher():
    memory = PrivateMemory()
    Publisher(memory).publish(make_side(ONE, 5))
    with pytest.raises(RunError, match="above 5, was 5"):
        Publisher(memory).publish(make_side(ONE, 5))
    assert Publisher(memory).publish(make_side(ONE, 6)) == 2


def test_a_damaged_table_is_not_published():
    side = make_side(ONE)
    side["entries"]["expected_ticks"][0, 1] += 1.0
    assert count_damaged(side.ctypes.data) == 1
    memory = PrivateMemory()
    with pytest.raises(DataError, match="1 that do not"):
        Publisher(memory).publish(side)
    assert Reader(memory).look(state(), LEARNED) == "no_table"


@pytest.mark.parametrize("field", [n for n in TABLE_ENTRY.names or () if n != "check"])
def test_the_checksum_sees_every_field(field):
    side = make_side(ONE)
    side["entries"][field][0, 2] += 1
    assert count_damaged(side.ctypes.data) == 1


WRITER = """
import sys
import numpy as np
from kimera_cli.ensemble.publish import SharedMemory
from kimera_cli.kernels.table import table_publish
from kimera_cli.layouts import TABLE_SIDE
from pathlib import Path
class Clocks:
    now_ns = staticmethod(lambda: 1)
    monotonic_ns = staticmethod(lambda: 1)
sides = np.frombuffer(Path(sys.argv[2]).read_bytes(), TABLE_SIDE).copy()
memory = SharedMemory(Path(sys.argv[1]), Clocks, writer=True)
addresses = [sides[k : k + 1].ctypes.data for k in range(len(sides))]
table_publish(memory.address, addresses[0])
print("ready", flush=True)
while True:
    for address in addresses:
        table_publish(memory.address, address)
"""


class Clocks:
    now_ns = staticmethod(lambda: 1)
    monotonic_ns = staticmethod(lambda: 1)


PAGE = 4096


def publications() -> list[Any]:
    """Tables that put the same state into another cell than the table before them on that side."""
    shift = (-0.5, 0.5)
    return [make_side({QI: [shift[version // 2 % 2]]}, version) for version in range(1, 9)]


@pytest.fixture
def hammer(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], SharedMemory]]:
    """A process that does nothing but publish tables, on the same core as this one: a reader is
    then interrupted in the middle of its reads as often as the system switches."""
    tmp_path.chmod(0o700)
    sides = publications()
    (tmp_path / "sides").write_bytes(b"".join(side.tobytes() for side in sides))
    arguments = [sys.executable, "-c", WRITER, tmp_path / "table", tmp_path / "sides"]
    child = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
    try:
        assert child.stdout is not None
        ready = child.stdout.readline()
        assert ready == b"ready\n", (child.stderr or child.stdout).read()
        if cores:
            os.sched_setaffinity(child.pid, {min(cores)})
            os.sched_setaffinity(0, {min(cores)})
        yield child, SharedMemory(tmp_path / "table", Clocks)
    finally:
        if cores:
            os.sched_setaffinity(0, cores)
        child.kill()
        child.communicate()


def check_reads(reader: Reader, n: int) -> int:
    """Look up n states one by one; return how many answers were not all of one table.

    Every state lies on a page of its own that was never touched: reading it traps into the system
    in the middle of the lookup, which is where the system likes to run the other process.
    """
    pages = mmap.mmap(-1, n * PAGE)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    states = np.frombuffer(pages, np.uint8)
    return int(torn_reads(reader.address, states.ctypes.data, n))


@kernel
def torn_reads(reader, states, n):
    use = table_use(reader)
    torn = 0
    for i in range(n):
        state = array_at(states + PAGE * i, 1, FEATURES)[0]
        status = table_look(reader, state, LEARNED)
        entry = use.entry
        cell = 0 if entry.version // 2 % 2 else 1
        whole = entry_check(reader + ENTRY_AT) == entry.check
        right = entry.expected_ticks == entry.version * TABLE_CELLS + cell
        if status != BUSY and not (status == OK and whole and right and use.cell == cell):
            torn += 1
    return torn


@pytest.mark.skipif(NO_JIT, reason="a plain Python reader is too slow to be interrupted often")
def test_no_reader_sees_half_a_table_while_another_process_publishes(hammer):
    child, memory = hammer
    reader = Reader(memory)
    first = load_acquire(memory.address + SEQUENCE_AT)
    for _ in range(200):
        assert check_reads(reader, 20_000) == 0
        assert child.poll() is None
        if load_acquire(memory.address + SEQUENCE_AT) - first > 40_000:
            break
    tally = reader.tally()
    assert load_acquire(memory.address + SEQUENCE_AT) - first > 1_000, "nothing was tested"
    assert tally.hits > 0.99 * tally.lookups


def test_a_publisher_that_is_killed_at_any_moment_leaves_a_whole_table(hammer):
    child, memory = hammer
    reader = Reader(memory)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert check_reads(reader, 300 if NO_JIT else 50_000) == 0
    assert reader.tally().hits == (300 if NO_JIT else 50_000)
