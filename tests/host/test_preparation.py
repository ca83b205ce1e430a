"""Preparing a process: each step applied or denied by a real kernel, and undone."""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kimera_cli.host import pinning, smaps
from kimera_cli.host.collector import Collector
from kimera_cli.host.pool import BLOCK
from kimera_cli.host.preparation import Wanted, prepare

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="read back through /proc")

ALLOWED = os.sched_getaffinity(0) if sys.platform == "linux" else set()


@pytest.fixture(autouse=True)
def _leaves_the_process_as_it_was() -> Iterator[None]:
    locked = smaps.process_locked()
    yield
    assert os.sched_getaffinity(0) == ALLOWED
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    assert smaps.process_locked() == locked


SMALL = Wanted(pool_bytes=2 * BLOCK)

CHILD = """
import json, os, resource, sys
from kimera_cli.host import smaps
from kimera_cli.host.preparation import Wanted, prepare
{before}
prepared = prepare(Wanted({wanted}))
array = prepared.pool.zeros(1 << 20, "u1")
found = {{r.item: [r.status, r.got, r.reason, r.hint] for r in prepared.records}}
arrays = prepared.arrays()
print(json.dumps([found, smaps.process_locked(), arrays.status, prepared.warnings]))
"""

NOBODY = "os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)\n"


def child(run_python: Any, before: str, wanted: str) -> Any:
    done = run_python(CHILD.format(before=before, wanted=wanted))
    assert done.code == 0, done.err
    return json.loads(done.out)


def without_rights(limit: int) -> str:
    """Code that takes the right to lock more than `limit` from a process."""
    drop = NOBODY if os.geteuid() == 0 else ""
    return f"resource.setrlimit(resource.RLIMIT_MEMLOCK, ({limit}, {limit}))\n{drop}"


def test_a_limit_of_locked_memory_is_named_and_used_to_the_full(run_python: Any) -> None:
    before = without_rights(3 << 20)
    found, locked, arrays, warnings = child(run_python, before, "pool_bytes=8 << 20, huge=False")
    status, got, reason, hint = found["locked_memory"]
    assert (status, got) == ("partial", "2 MiB")
    assert "RLIMIT_MEMLOCK is 3 MiB" in reason
    assert "ulimit -l" in hint
    assert "LimitMEMLOCK" in hint
    assert locked == 2 << 20, "what was reported is what the kernel holds"
    assert arrays == "applied", "what is carved first lies in the locked part"
    (line,) = [line for line in warnings if line.startswith("locked_memory")]
    assert "RLIMIT_MEMLOCK is 3 MiB" in line
    assert "ulimit -l" in line


def test_no_right_to_lock_at_all_is_denied(run_python: Any) -> None:
    found, locked, arrays, _ = child(
        run_python, without_rights(0), "pool_bytes=4 << 20, huge=False"
    )
    assert found["locked_memory"][:2] == ["denied", "0 MiB"]
    assert locked == 0
    assert arrays == "partial"


def test_a_real_time_place_without_the_right_is_denied(run_python: Any) -> None:
    drop = "resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))\n"
    drop += NOBODY if os.geteuid() == 0 else ""
    found, *_ = child(run_python, drop, "pool_bytes=2 << 20, priority=10")
    status, got, reason, hint = found["real_time"]
    assert (status, got, reason) == ("denied", "the ordinary scheduler", "operation not permitted")
    assert "CAP_SYS_NICE" in hint


def test_one_core_only_is_said(run_python: Any) -> None:
    only = min(os.sched_getaffinity(0))
    before = f"os.sched_setaffinity(0, {{{only}}})\n"
    found, *_ = child(run_python, before, "pool_bytes=2 << 20")
    assert found["pinned"][:2] == ["applied", f"core {only}"]
    assert "only core" in found["pinned"][2]


def test_little_free_memory_makes_a_smaller_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smaps, "available", lambda: 70 << 20)
    with prepare(Wanted(pool_bytes=20 << 20, pin=False, freeze=False)) as prepared:
        memory = prepared.records[0]
        assert prepared.pool.size == 6 << 20
    assert (memory.status, memory.got) == ("partial", "6 MiB")
    assert "70 MiB free" in memory.reason


def test_where_nothing_can_be_read_back_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(smaps, "read_back", lambda start, size: None)
    with prepare(SMALL) as prepared:
        told = {r.item: r for r in prepared.records}
    for item in ("memory", "locked_memory"):
        assert told[item].status == "denied"
        assert "does not tell" in told[item].reason


def test_restore_undoes_every_step() -> None:
    cores, locked, enabled = os.sched_getaffinity(0), smaps.process_locked(), gc.isenabled()
    prepared = prepare(SMALL)
    array = prepared.pool.zeros(8, "i8")
    assert len(os.sched_getaffinity(0)) == 1
    assert not gc.isenabled()
    assert gc.get_freeze_count() > 0
    prepared.restore()
    assert os.sched_getaffinity(0) == cores
    assert gc.isenabled() == enabled
    assert gc.get_freeze_count() == 0
    assert smaps.process_locked() == locked
    assert array.tolist() == [0] * 8, "an array that is still held stays readable"
    prepared.restore()


def test_a_failure_half_way_undoes_what_was_done(monkeypatch: pytest.MonkeyPatch) -> None:
    cores, locked = os.sched_getaffinity(0), smaps.process_locked()
    monkeypatch.setattr(Collector, "freeze", lambda self: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        prepare(SMALL)
    assert os.sched_getaffinity(0) == cores
    assert smaps.process_locked() == locked
    assert gc.isenabled()


def test_a_core_that_is_not_allowed_is_denied_with_the_ones_that_are() -> None:
    cores = os.sched_getaffinity(0)
    with prepare(Wanted(pool_bytes=BLOCK, core=4095, freeze=False)) as prepared:
        told = {r.item: r for r in prepared.records}
    assert told["pinned"].status == "denied"
    assert str(sorted(cores)) in told["pinned"].reason


def test_threads_started_elsewhere_leave_the_core_alone() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    pin = pinning.pin()
    seen: list[set[int]] = []
    try:
        with pin.elsewhere():
            thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
            thread.start()
            thread.join()
        assert os.sched_getaffinity(0) == {pin.core}
    finally:
        pin.restore()
    assert seen == [set(pin.others)]
    assert pin.core not in seen[0]


@pytest.mark.parametrize(
    ("text", "cores"), [("0-3,8\n", {0, 1, 2, 3, 8}), ("", set()), ("5", {5}), (" 0-1 ", {0, 1})]
)
def test_core_lists(text: str, cores: set[int]) -> None:
    assert pinning.parse_cores(text) == cores


def test_an_isolated_core_is_taken_first() -> None:
    assert pinning.choose_core(frozenset({0, 1, 2, 3}), frozenset({1, 2, 9})) == 2
    assert pinning.choose_core(frozenset({0, 1, 2, 3}), frozenset({9})) == 3


def test_the_collector_rests_until_enough_has_gathered() -> None:
    collector = Collector()
    collector.freeze()
    try:
        assert collector.still
        kept: list[list[int]] = []
        for _ in range(200):
            cycle: list[Any] = []
            cycle.append(cycle)
            kept.append([])
        del cycle
        assert not collector.rest(young=100_000)
        assert collector.rest(young=100)
        assert collector.collected >= 200, "the cycles were found"
        assert collector.collections == 1
    finally:
        collector.restore()
    assert gc.isenabled()
