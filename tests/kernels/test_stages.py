"""The stage recorder on a clock that the test moves: which time goes to which stage."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels import stages as k
from kimera_cli.kernels import tsc
from kimera_cli.kernels.histogram import HIGHEST, cell_of

Handed = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64))


class Script:
    """A clock that shows the next of its readings each time it is read."""

    def __init__(self) -> None:
        self.readings: list[int] = []
        self.read = 0
        self.clock_gettime = Handed(self._fill)

    def now(self, clock_id: int = 1) -> int:
        self.read += 1
        return self.readings.pop(0)

    def _fill(self, clock_id: int, spec: Any) -> int:
        seconds, ns = divmod(self.now(), 1_000_000_000)
        spec[0], spec[1] = seconds, ns
        return 0

    @property
    def address(self) -> int:
        return ctypes.cast(self.clock_gettime, ctypes.c_void_p).value or 0


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    clock = Script()
    plain = tsc.time.clock_gettime_ns
    if numba.config.DISABLE_JIT:
        tsc.time.clock_gettime_ns = clock.now  # type: ignore[assignment]
    yield clock
    tsc.time.clock_gettime_ns = plain


@pytest.fixture
def recorder(script: Script) -> Callable[..., Any]:
    script.read = 0

    def make(*readings: int, every: int = 1, on: int = 1, rate: float = 1.0) -> Any:
        script.readings = list(readings)
        s = np.zeros(1, k.STAGES).view(np.recarray)[0]
        s.on, s.every, s.left = on, every, every
        s.address = script.address
        s.scale, s.most = k.fixed_point(rate)
        return s

    return make


def found(s: Any) -> dict[str, list[int]]:
    """Every recorded value by stage, in ascending order (all of them exact: below 2,048)."""
    cells = {n: np.asarray(h.counts) for n, h in zip(k.STAGE_NAMES, s.histograms, strict=True)}
    return {n: np.repeat(np.arange(c.size), c).tolist() for n, c in cells.items() if c.any()}


def test_a_chain_is_cut_at_its_marks(recorder: Callable[..., Any]) -> None:
    s = recorder(100, 130, 190, 200, 1000)
    k.stage_start(s)
    for stage in (k.EVENT_TO_BOOK, k.BOOK_TO_DECISION, k.DECISION_TO_GATE, k.GATE_TO_BYTES):
        k.stage_mark(s, stage)
    k.stage_end(s)
    assert found(s) == {
        "event_to_book": [30],
        "book_to_decision": [60],
        "decision_to_gate": [10],
        "gate_to_bytes": [800],
        "total": [900],
    }


def test_a_chain_begins_where_its_frame_arrived(recorder: Callable[..., Any]) -> None:
    s = recorder(100, 150)
    k.stage_start_at(s, 60)
    k.stage_mark(s, k.WIRE_TO_EVENT)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    k.stage_end(s)
    assert found(s) == {"wire_to_event": [40], "event_to_book": [50], "total": [90]}


def test_what_follows_the_end_of_a_chain_is_not_counted(recorder: Callable[..., Any]) -> None:
    s = recorder(100, 150, 200)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    k.stage_end(s)
    k.stage_mark(s, k.BOOK_TO_DECISION)
    k.stage_end(s)
    assert found(s) == {"event_to_book": [50], "total": [50]}


def test_a_message_without_an_order_has_no_total(recorder: Callable[..., Any]) -> None:
    s = recorder(100, 150, 200, 210)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    assert found(s) == {"event_to_book": [10, 50]}


def test_off_reads_no_clock_and_counts_nothing(
    recorder: Callable[..., Any], script: Script
) -> None:
    s = recorder(on=0)
    before = s.tobytes()
    k.stage_start(s)
    k.stage_start_at(s, 7)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    k.stage_end(s)
    assert script.read == 0
    assert s.tobytes() == before


def test_a_chain_that_was_under_way_at_the_switch_is_dropped(
    recorder: Callable[..., Any],
) -> None:
    s = recorder(1, 2, 3)
    s.on = 0
    k.stage_start(s)
    s.on = 1
    k.stage_mark(s, k.EVENT_TO_BOOK)
    k.stage_end(s)
    assert found(s) == {}


def test_a_clock_that_goes_back_is_counted_not_hidden(recorder: Callable[..., Any]) -> None:
    s = recorder(100, 40)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    assert found(s) == {}
    assert s.histograms[k.EVENT_TO_BOOK].under == 1


def test_ticks_become_ns_at_the_clock_s_rate(recorder: Callable[..., Any]) -> None:
    s = recorder(0, 2600, rate=1 / 2.6)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    assert s.histograms[k.EVENT_TO_BOOK].counts[int(cell_of(1000))] == 1


@pytest.mark.parametrize("rate", [1.0, 1 / 2.6, 1 / 3.7, 40.0])
def test_every_time_up_to_the_longest_lies_in_its_cell(
    recorder: Callable[..., Any], rate: float
) -> None:
    longest = k.fixed_point(rate)[1]
    assert longest == pytest.approx(HIGHEST / rate, rel=1e-6)
    for passed in [*(10**n for n in range(12) if 10**n < longest), longest]:
        s = recorder(0, passed, rate=rate)
        k.stage_start(s)
        k.stage_mark(s, k.EVENT_TO_BOOK)
        (cell,) = np.flatnonzero(s.histograms[k.EVENT_TO_BOOK].counts)
        exact = cell_of(min(round(passed * rate), HIGHEST))
        assert abs(int(cell) - int(exact)) <= 1


def test_a_time_beyond_the_longest_is_counted_apart(recorder: Callable[..., Any]) -> None:
    hour = 3_600_000_000_000
    s = recorder(0, hour * 26 // 10, rate=1 / 2.6)
    k.stage_start(s)
    k.stage_mark(s, k.EVENT_TO_BOOK)
    h = s.histograms[k.EVENT_TO_BOOK]
    assert (h.over, h.counts.sum()) == (1, 0)
    assert h.largest_over == pytest.approx(hour, rel=1e-6)


@settings(deadline=None)
@given(st.integers(1, 7), st.integers(0, 40))
def test_one_chain_of_n_is_measured(script: Script, every: int, chains: int) -> None:
    s = np.zeros(1, k.STAGES).view(np.recarray)[0]
    s.on, s.every, s.left, s.address = 1, every, every, script.address
    s.scale, s.most = k.fixed_point(1.0)
    script.readings = list(range(0, 20 * chains, 5))
    for _ in range(chains):
        k.stage_start(s)
        k.stage_mark(s, k.EVENT_TO_BOOK)
    assert s.histograms[k.EVENT_TO_BOOK].counts.sum() == chains // every


def test_a_failing_clock_is_seen(script: Script) -> None:
    """An unknown clock number: clock_gettime says no, and no time is made up."""
    if numba.config.DISABLE_JIT:
        pytest.skip("Python raises here itself")
    libc = ctypes.CDLL(None)
    address = ctypes.cast(libc.clock_gettime, ctypes.c_void_p).value
    assert read_system(address, 999) == -1


@tsc.kernel
def read_system(address, clock_id):  # type: ignore[no-untyped-def]
    return tsc.system_ns(address, clock_id)
