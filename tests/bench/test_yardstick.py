"""C++ yardsticks: built once, run on the same input, and made to show that they do the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kimera_cli.bench import limit
from kimera_cli.bench.harness import measure
from kimera_cli.bench.request import Request
from kimera_cli.bench.yardstick import require_same, yardstick
from kimera_cli.errors import RunError
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, NO_ASK, NO_BID, NO_SIDE

needs_compiler = pytest.mark.skipif(
    shutil.which(limit.COMPILER) is None, reason=f"no {limit.COMPILER} on this machine"
)


def events(*rows: tuple[int, int, int, int]) -> np.ndarray:
    """Events of (kind, side, px_ticks, qty_lots)."""
    made = np.zeros(len(rows), EVENT)
    for at, name in enumerate(("kind", "side", "px_ticks", "qty_lots")):
        made[name] = [row[at] for row in rows]
    return made


@pytest.fixture
def request_(tmp_path_factory: pytest.TempPathFactory) -> Request:
    return Request(clock=lambda: 0, cache=tmp_path_factory.getbasetemp() / "cache")


@needs_compiler
def test_the_book_yardstick_on_a_book_worked_out_by_hand(request_: Request) -> None:
    tape = events(
        (DEPTH, BID, 100, 5),
        (DEPTH, ASK, 103, 2),
        (DEPTH, BID, 101, 1),
        (DEPTH, BID, 101, 0),
        (DEPTH, ASK, 3_000_000, 4),  # beyond the window: in the table
        (CLEAR, NO_SIDE, 0, 0),
    )
    best = [(100, NO_ASK), (100, 103), (101, 103), (100, 103), (100, 103), (NO_BID, NO_ASK)]
    with yardstick(request_, "book", [tape]) as running:
        assert running is not None
        assert running.checksum == sum(bid ^ ask for bid, ask in best) % (1 << 64)


@needs_compiler
def test_laps_of_the_program_are_the_laps_of_the_case(request_: Request) -> None:
    tape = np.repeat(events((DEPTH, BID, 100, 5)), 40_000)
    with yardstick(request_, "book", [tape]) as running:
        assert running is not None
        timing = measure([running.case()], 3, request_.clock)["limit"]
    assert timing.n == 40_000
    assert timing.batch == 16_384
    assert len(timing.repeats_ns) == 3
    assert all(ns > 0 for ns in timing.repeats_ns), "our own clock stands still: these are its own"


@needs_compiler
def test_it_is_compiled_once(tmp_path: Path) -> None:
    first = limit.build("book", tmp_path, "a processor")
    assert first is not None
    written = first.stat().st_mtime_ns
    assert limit.build("book", tmp_path, "a processor") == first
    assert first.stat().st_mtime_ns == written
    other = limit.build("book", tmp_path, "another processor")
    assert other != first
    assert {path.name for path in tmp_path.iterdir()} == {first.name, other and other.name}


def test_without_a_compiler_there_is_none(
    request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit, "compiler", lambda: None)
    with yardstick(request_, "book", []) as running:
        assert running is None
    require_same("book", 1, None)


@needs_compiler
def test_a_source_that_does_not_compile_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.cpp").write_text("int main() { return nothing; }\n")
    monkeypatch.setattr(limit, "SOURCES", tmp_path)
    with pytest.raises(RunError, match=r"bad\.cpp.*nothing") as caught:
        limit.build("bad", tmp_path / "out", "")
    assert caught.value.code == "run.bench_build"
    assert list((tmp_path / "out").iterdir()) == []


@needs_compiler
def test_a_yardstick_that_dies_is_named(request_: Request) -> None:
    with yardstick(request_, "book", [np.zeros(3, np.uint8)]) as running:
        assert running is not None
        with pytest.raises(RunError, match="expected rows of 64 bytes") as caught:
            running.run()
    assert caught.value.code == "run.bench_limit"


@needs_compiler
def test_different_work_is_no_comparison(request_: Request) -> None:
    one = events((DEPTH, BID, 100, 5))
    with yardstick(request_, "book", [one]) as running, pytest.raises(RunError) as caught:
        require_same("book", 7, running)
    assert caught.value.code == "run.bench_differs"


@needs_compiler
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_matching_yardstick_answers_as_the_engine_does(
    request_: Request, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimera_cli.bench import match

    monkeypatch.setattr(match, "SEED", seed)
    tape, _, _ = match.draw(30_000)
    with yardstick(request_, "match", [tape], 100) as running:
        require_same("match", match.answers_checksum(tape), running)
        tape["qty_lots"][-1] += 1
        tape["kind"][-1] = match.MATCH_NEW
        with pytest.raises(RunError, match="the yardstick match"):
            require_same("match", match.answers_checksum(tape[:-1]), running)
