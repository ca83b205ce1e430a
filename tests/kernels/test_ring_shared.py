"""Broadcast, state and counter kernels on memory of one process."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels import fence
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.broadcast import (
    CAST_BROKEN,
    CAST_END,
    CAST_LOST,
    cast_read_at,
    cast_write_at,
)
from kimera_cli.kernels.counters import CELLS, SUM, count, gauge, observe
from kimera_cli.kernels.fence import copy_lines
from kimera_cli.kernels.pointers import array_at
from kimera_cli.kernels.seqlock import (
    STATE_BUSY,
    STATE_EMPTY,
    STATE_LEAD,
    state_read,
    state_write,
)

WORDS = 5
STRIDE = 64


class Cast:
    """A broadcast of five-word records in plain memory."""

    def __init__(self, capacity: int, keep: int = 0) -> None:
        self.indices = np.zeros(2, np.int64)
        self.slots = np.zeros(capacity * STRIDE // 8, np.int64)
        at = self.indices.ctypes.data
        self.writer, self.reader = np.zeros(1, CAST_END), np.zeros(1, CAST_END)
        for end in (self.writer, self.reader):
            end["claim"], end["tail"], end["slots"] = at, at + 8, self.slots.ctypes.data
            end["capacity"], end["words"], end["stride"] = capacity, WORDS, STRIDE
        self.reader["keep"] = keep

    def write(self, n: int) -> None:
        first = int(self.writer["position"][0])
        rows = np.repeat(np.arange(first, first + n), WORDS)
        cast_write_at(self.writer.ctypes.data, rows.ctypes.data, n)

    def read(self, n: int) -> list[int] | int:
        rows = np.full((n, WORDS), -9, np.int64)
        got = int(cast_read_at(self.reader.ctypes.data, rows.ctypes.data, n))
        if got < 0:
            return got
        assert (rows[:got] == rows[:got, :1]).all()
        assert (rows[got:] == -9).all()
        return rows[:got, 0].tolist()


def test_a_reader_follows_and_is_told_what_it_lost() -> None:
    cast = Cast(8, keep=3)
    cast.write(5)
    assert cast.read(2) == [0, 1]
    assert cast.read(9) == [2, 3, 4]
    assert cast.read(9) == []
    cast.write(20)
    assert cast.read(9) == CAST_LOST
    assert (cast.reader["lost"][0], cast.reader["overruns"][0]) == (17, 1)
    assert cast.read(9) == [22, 23, 24]


def test_what_is_claimed_is_not_trusted_even_before_it_is_published() -> None:
    """The writer is in the middle of overwriting: its claim is out, its tail is not."""
    cast = Cast(8, keep=4)
    cast.write(8)
    cast.indices[0] = 8 + 3
    assert cast.read(2) == CAST_LOST
    assert cast.reader["position"][0] == 4
    cast.reader["position"] = 3
    assert cast.read(2) == [3, 4], "records from claim - capacity on are whole"


def test_a_claim_never_falls_back_behind_a_dead_writers() -> None:
    cast = Cast(8)
    cast.write(8)
    cast.writer["floor"] = 8 + 4
    cast.write(1)
    assert cast.indices.tolist() == [12, 9]
    cast.write(6)
    assert cast.indices.tolist() == [15, 15]


def test_a_tail_behind_the_reader_is_told() -> None:
    cast = Cast(8)
    cast.reader["position"] = 3
    assert cast.read(1) == CAST_BROKEN


@settings(deadline=None)
@given(
    st.integers(2, 4), st.integers(0, 4), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)))
)
def test_heard_and_lost_are_all_that_was_said(bits: int, keep: int, steps: list[Any]) -> None:
    cast = Cast(1 << bits, keep=min(keep, 1 << (bits - 1)))
    heard: list[int] = []
    for written, read in [*steps, *([(0, 5)] * 9)]:
        cast.write(written)
        got = cast.read(read)
        heard += got if isinstance(got, list) else []
    assert heard == sorted(set(heard))
    assert len(heard) + cast.reader["lost"][0] == cast.writer["position"][0]


class State:
    """One slot of five-word records in plain memory."""

    def __init__(self) -> None:
        self.slot = np.zeros((STATE_LEAD + 2 * STRIDE) // 8, np.int64)
        self.at = self.slot.ctypes.data

    def write(self, value: int, ts_ns: int) -> None:
        row = np.full(WORDS, value)
        state_write(self.at, row.ctypes.data, WORDS, STRIDE, ts_ns)

    def read(self, tries: int = 3) -> tuple[int, list[int]]:
        row = np.full(2 + WORDS, -9, np.int64)
        version = int(state_read(self.at, row.ctypes.data, WORDS, STRIDE, tries))
        assert row[-1] == -9, "wrote beyond the record"
        return version, row[:-1].tolist()


def test_a_state_is_empty_until_it_is_written_and_then_the_last() -> None:
    state = State()
    assert state.read()[0] == STATE_EMPTY
    for value in (7, 8, 9):
        state.write(value, ts_ns=100 + value)
    assert state.read() == (3, [109, 9, 9, 9, 9, 9])


@pytest.mark.parametrize("written", [1, 2])
@pytest.mark.parametrize("words_done", range(WORDS + 2))
def test_a_writer_may_stop_anywhere(written: int, words_done: int) -> None:
    """However much of the next record is there, the last whole one is read."""
    state = State()
    for value in range(written):
        state.write(value, ts_ns=value)
    other = STATE_LEAD // 8 + ((written + 1) & 1) * STRIDE // 8
    state.slot[other : other + words_done] = 55
    last = written - 1
    assert state.read() == (written, [last] * (WORDS + 1))


def test_no_tries_is_busy() -> None:
    state = State()
    state.write(1, 1)
    assert state.read(tries=0)[0] == STATE_BUSY


def test_counting() -> None:
    cells = np.zeros(CELLS + 1, np.int64)
    at = cells.ctypes.data
    count(at, 5)
    count(at, -2)
    gauge(at + 8 * CELLS, 7)
    gauge(at + 8 * CELLS, 6)
    assert (cells[0], cells[CELLS]) == (3, 6)


@settings(deadline=None)
@given(st.lists(st.integers(-(2**57), 2**57), max_size=50))
def test_every_value_has_its_cell(values: list[int]) -> None:
    cells = np.zeros(CELLS, np.int64)
    for value in values:
        observe(cells.ctypes.data, np.int64(value))
    expected = [0] * CELLS
    for value in values:
        expected[max(value, 0).bit_length()] += 1
    assert cells[:SUM].tolist() == expected[:SUM]
    assert int(cells[SUM]) == sum(values)
    assert not cells[SUM + 1 :].any()


@kernel
def _every_access(a, b):
    """Use every primitive once; return what was loaded."""
    fence.store_relaxed(a, 5)
    fence.fence_release()
    fence.store_release(b, fence.load_relaxed(a) + 1)
    fence.fence_acquire()
    fence.pause()
    return fence.load_acquire(b)


@kernel
def _copy(target, source, n):
    copy_lines(target, source, n)
    return array_at(source, 8 * n, np.int64)[8 * n - 1]


def test_the_primitives_load_store_and_copy() -> None:
    words = np.zeros(2, np.int64)
    assert _every_access(words.ctypes.data, words.ctypes.data + 8) == 6
    assert words.tolist() == [5, 6]
    source, target = np.arange(24), np.full(32, -1)
    assert _copy(target.ctypes.data, source.ctypes.data, 3) == 23
    assert target.tolist() == [*range(24), *([-1] * 8)]


def test_the_orders_reach_the_machine_code() -> None:
    """What the argument in docs/explanation/rings.md rests on: LLVM is told the orders."""
    if numba.config.DISABLE_JIT:
        pytest.skip("not compiled")
    fresh = numba.njit(_every_access.py_func)  # what comes from the cache cannot be looked at
    words = np.zeros(2, np.int64)
    fresh(words.ctypes.data, words.ctypes.data + 8)
    code = "".join(fresh.inspect_llvm().values())
    for wanted in ("store atomic", "release", "load atomic", "acquire", "monotonic", "fence"):
        assert wanted in code, wanted
