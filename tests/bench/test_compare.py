"""`kimera bench compare` through the real program, on results with known differences."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kimera_cli.bench.compare import compare, load, save
from kimera_cli.bench.harness import Case, measure
from kimera_cli.records import Bench, BenchChange


def bench(name: str, repeats: list[float], machine: str = "m") -> Bench:
    middle = sorted(repeats)[len(repeats) // 2]
    return Bench(
        name=name,
        n=1,
        median_ns=middle,
        p99_ns=middle,
        p999_ns=middle,
        max_ns=middle,
        rate_per_s=1e9 / middle,
        machine=machine,
        commit="c",
        detail={"repeats_ns": repeats},
    )


@pytest.fixture
def results(tmp_path: Path) -> tuple[Path, Path]:
    before, after = tmp_path / "before.jsonl", tmp_path / "after.jsonl"
    save(
        before,
        [
            bench("same", [100.0, 120.0, 90.0, 105.0, 95.0]),
            bench("slow", [100.0, 101.0, 99.0, 100.0, 102.0]),
            bench("fast", [100.0, 101.0, 99.0, 100.0, 102.0]),
            bench("moved", [100.0, 101.0, 99.0]),
            bench("gone", [1.0]),
        ],
    )
    save(
        after,
        [
            bench("same", [103.0, 118.0, 92.0, 104.0, 97.0]),
            bench("slow", [150.0, 151.0, 149.0, 150.0, 153.0]),
            bench("fast", [50.0, 51.0, 49.0, 50.0, 52.0]),
            bench("moved", [50.0, 51.0, 49.0], machine="other"),
            bench("new", [1.0]),
        ],
    )
    return before, after


def test_verdicts(kimera: Any, results: tuple[Path, Path]) -> None:
    done = kimera("bench", "compare", *results)
    assert done.code == 0, done.err
    found = {r["name"]: (r["ratio"], r["verdict"]) for r in done.records("bench_change")}
    assert found == {
        "same": (1.03, "noise"),
        "slow": (1.5, "slower"),
        "fast": (0.5, "faster"),
        "moved": (0.5, "other_machine"),
    }


def test_noise_floor_is_an_option(kimera: Any, results: tuple[Path, Path]) -> None:
    done = kimera("bench", "compare", *results, "--noise", "0.6")
    assert {r["verdict"] for r in done.records("bench_change")} == {"noise", "other_machine"}


def test_saved_file_reads_back_and_a_redirected_stream_too(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    save(path, [bench("a", [1.0, 2.0, 3.0])])
    path.write_bytes(path.read_bytes() + b'{"type":"end","status":"ok","rows":1,"code":0}\n')
    assert load(path) == {"a": bench("a", [1.0, 2.0, 3.0])}
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "data.missing"),
        (b"not json\n", "data.format"),
        (b'{"type":"bench","name":"a"}\n', "data.format"),
        (b'{"type":"end","status":"ok","rows":0,"code":0}\n', "data.no_common_rows"),
    ],
)
def test_bad_files_are_named(
    kimera: Any, results: tuple[Path, Path], tmp_path: Path, content: bytes | None, code: str
) -> None:
    bad = tmp_path / "bad.jsonl"
    if content is not None:
        bad.write_bytes(content)
    done = kimera("bench", "compare", results[0], bad)
    assert done.code == 3
    assert done.end["status"] == "error"
    assert [e["code"] for e in done.err_json] == [code]


def disturbed(repeats: list[float], preempted: list[int], n: int = 1_000_000) -> Bench:
    row = bench("x", repeats)
    detail = {"repeats_ns": repeats, "preempted": preempted}
    return msgspec.structs.replace(row, n=n, detail=detail)


def compared(tmp_path: Path, before: Bench, after: Bench) -> BenchChange:
    for name, row in (("before", before), ("after", after)):
        save(tmp_path / name, [row])
    (change,) = compare(tmp_path / "before", tmp_path / "after")
    return change


def test_repeats_that_lost_the_core_are_left_out(tmp_path: Path) -> None:
    """A million operations of 10 ns are 10 ms: one loss of the core is too many."""
    quiet = disturbed([10.0, 10.1, 9.9, 10.0], [0, 0, 0, 0])
    mixed = disturbed([10.0, 31.0, 9.9, 28.0, 10.1, 35.0, 40.0], [0, 3, 0, 2, 0, 4, 5])
    change = compared(tmp_path, quiet, mixed)
    assert (change.verdict, change.ratio, change.reason) == ("noise", 1.0, "")


def test_a_run_that_was_never_alone_gets_no_verdict(tmp_path: Path) -> None:
    quiet = disturbed([10.0, 10.1, 9.9, 10.0], [0, 0, 0, 0])
    busy = disturbed([30.0, 31.0, 29.0, 28.0], [2, 3, 2, 2])
    change = compared(tmp_path, quiet, busy)
    assert (change.verdict, change.ratio) == ("noise", pytest.approx(2.95, rel=0.1))
    assert "other work" in change.reason


def test_a_long_repeat_may_lose_the_core_to_housekeeping(tmp_path: Path) -> None:
    long = disturbed([100.0, 101.0, 99.0], [3, 2, 4])  # 100 ms
    longer = disturbed([150.0, 151.0, 149.0], [4, 5, 3])
    assert compared(tmp_path, long, longer).verdict == "slower"


def test_the_harness_counts_losses_of_the_core_per_repeat() -> None:
    timing = measure([Case("x", lambda: None, lambda _, w: w.lap(1))], 3, time.monotonic_ns)["x"]
    assert len(timing.preempted) == 3
    assert all(times >= 0 for times in timing.preempted)
