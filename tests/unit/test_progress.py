"""Progress on a terminal: a pure function of what was counted and what the clock says."""

from __future__ import annotations

import io

from kimera_cli.diagnostics import Diagnostics
from kimera_cli.progress import SILENT, ElapsedProgress, TerminalProgress


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def diagnostics(**options: object) -> tuple[Diagnostics, io.StringIO, Clock]:
    stream, clock = io.StringIO(), Clock()
    return Diagnostics(stream, clock_ns=clock, **options), stream, clock  # type: ignore[arg-type]


def test_silent_unless_a_person_looks() -> None:
    for options in ({}, {"terminal": True, "quiet": True}):
        told, stream, _ = diagnostics(**options)
        bar = told.progress("importing", 10)
        assert bar is SILENT
        with bar:
            bar.advance(10)
        assert stream.getvalue() == ""


def test_line_shows_share_rate_and_remaining_time() -> None:
    bar = TerminalProgress(io.StringIO(), "importing", 4_000_000, "events", Clock(), 100)
    bar.advance(1_000_000)
    assert bar.line(2_000_000_000) == (
        "importing  [######..................]  25%  1,000,000 events  500.0 k/s  ETA 0:06"
    )


def test_line_without_total_shows_the_count() -> None:
    bar = TerminalProgress(io.StringIO(), "running", None, "events", Clock(), 100)
    bar.advance(10)
    assert bar.line(1_000_000_000) == "running  10 events  10/s"


def test_redraws_at_most_ten_times_a_second_and_leaves_a_clean_line() -> None:
    told, stream, clock = diagnostics(terminal=True)
    with told.progress("x", 1000) as bar:
        for _ in range(1000):
            clock.now += 1_000_000
            bar.advance()
    assert stream.getvalue().count("\r\x1b[2Kx") == 10
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_a_note_does_not_tear_the_bar() -> None:
    told, stream, clock = diagnostics(terminal=True)
    with told.progress("x", 2) as bar:
        clock.now += 200_000_000
        bar.advance()
        told.note("hello")
    assert "\r\x1b[2Khello\n" in stream.getvalue()


def test_never_wider_than_the_terminal() -> None:
    told, stream, clock = diagnostics(terminal=True, width=30)
    with told.progress("a label that is long", 100, "events") as bar:
        clock.now += 200_000_000
        bar.advance(50)
    drawn = stream.getvalue().split("\r\x1b[2K")
    assert max(len(line) for line in drawn) < 30


def test_an_elapsed_clock_draws_and_takes_its_line_away() -> None:
    stream, ticks = io.StringIO(), iter(range(0, 10**15, 61 * 10**9))
    with ElapsedProgress(stream, "compiling", lambda: next(ticks), 80):
        pass
    drawn = stream.getvalue().split("\r\x1b[2K")
    assert drawn[1] == "compiling  1:01"
    assert drawn[-1] == ""


def test_an_elapsed_clock_is_a_note_where_nobody_looks() -> None:
    stream = io.StringIO()
    with Diagnostics(stream).elapsed("compiling"):
        pass
    assert stream.getvalue() == "compiling\n"
    quiet = io.StringIO()
    with Diagnostics(quiet, quiet=True).elapsed("compiling"):
        pass
    assert quiet.getvalue() == ""
