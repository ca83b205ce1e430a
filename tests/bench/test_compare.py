"""`kimera bench compare` through the real program, on results with known differences."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kimera_cli.bench.compare import load, save
from kimera_cli.records import Bench


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
