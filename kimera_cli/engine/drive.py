"""Drives a session for a command: progress, records out, Ctrl-C, and an end in every case."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from kimera_cli.engine.arrivals import JOINED
from kimera_cli.engine.conclude import conclude
from kimera_cli.engine.failure import halted
from kimera_cli.engine.interrupts import Interrupts
from kimera_cli.engine.repeat import check_repeated
from kimera_cli.engine.session import Session

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.engine.request import RunRequest
    from kimera_cli.output import Output
    from kimera_cli.progress import Progress
    from kimera_cli.records import RunSummary

STREAMED = ("jsonl", "json", "csv")
"""Formats for programs: they get every order, fill and denial. A person gets the result."""


def prepare(request: RunRequest, world: Context) -> Session:
    """Return a session that is ready to start; what is wrong with its inputs is found here."""
    session = Session(
        request, now_ns=world.now_ns, monotonic_ns=world.monotonic_ns, sleep=time.sleep
    )
    for denied in session.denied:
        world.diagnostics.warning(denied)
    return session


def drive(session: Session, world: Context, out: Output) -> None:
    """Run to the end and say what it came to.

    An interrupted run (Ctrl-C, a reader who left) keeps a valid folder, a failed one its journal;
    both raise again what ended them. A run that a limit halted runs to its end; then RiskError.
    """
    with Interrupts() as interrupts:
        session.open()
        started = world.monotonic_ns()

        def seconds() -> float:
            return (world.monotonic_ns() - started) / 1e9

        try:
            _run(session, world, out, interrupts)
            with interrupts.closing():
                summary = session.finish("complete", seconds())
        except (KeyboardInterrupt, BrokenPipeError) as error:
            with interrupts.closing():
                summary = _end(session, seconds())
            if not isinstance(error, BrokenPipeError):
                with contextlib.suppress(BrokenPipeError):
                    _tell(session, summary, world, out)
            raise
        except BaseException as error:
            with interrupts.closing():
                session.fail(error)
            raise
    _tell(session, summary, world, out)
    if summary.halted_by:
        raise halted(summary)
    if session.request.repeats:
        check_repeated(session.request.repeats, summary)


def _run(session: Session, world: Context, out: Output, interrupts: Interrupts) -> None:
    streamed = out.format in STREAMED
    rows = session.request.max_events or sum(s.rows for s in session.request.sources) or None
    with world.diagnostics.progress("running", total=rows, unit="events") as bar:
        seen = 0
        for records in session.steps(stop=lambda: interrupts.asked):
            if streamed:
                for record in records:
                    out.emit(record)
                if session.request.speed or session.request.live:
                    out.flush()
            seen = _show(bar, session, seen)
            if session.news:
                _tell_venues(session, world)
    if interrupts.asked:
        raise KeyboardInterrupt


def _tell_venues(session: Session, world: Context) -> None:
    """Tell a person which venues are away, and which have come."""
    for each in session.news:
        tell = world.diagnostics.note if each.code == JOINED else world.diagnostics.warning
        tell(str(each))
    session.news.clear()


def _show(bar: Progress, session: Session, seen: int) -> int:
    """Move the bar; with a limit in market time, its end is where that time will be over."""
    limit_ns, events = session.request.duration_ns, session.events
    if limit_ns and session.market_ns:
        bar.expect(max(events, round(events * limit_ns / session.market_ns)))
    bar.advance(events - seen)
    return events


def _end(session: Session, seconds: float) -> RunSummary:
    """Close an interrupted run; if even that fails, keep the journal and say what failed."""
    try:
        return session.finish("interrupted", seconds)
    except BaseException as error:
        session.fail(error)
        raise


def _tell(session: Session, summary: RunSummary, world: Context, out: Output) -> None:
    """Write the report, emit the summary (a page on a terminal), say where everything is."""
    concluded = conclude(session.folder, summary, world)
    if out.format == "table":
        out.document(concluded.page(out.width, colour=out.colour))
        return
    out.emit(concluded.summary)
    world.diagnostics.note(concluded.where())
