"""Drives a session for a command: progress, records out, Ctrl-C, and an end in every case."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kimera_cli.engine.session import Session

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.engine.request import RunRequest
    from kimera_cli.output import Output


def drive(request: RunRequest, world: Context, out: Output) -> None:
    """Run to the end; an interrupted run keeps a valid folder and raises KeyboardInterrupt."""
    session = Session(
        request, now_ns=world.now_ns, monotonic_ns=world.monotonic_ns, sleep=time.sleep
    )
    stream = out.format == "jsonl"
    started = world.monotonic_ns()
    total = request.max_events or sum(s.rows for s in request.sources) or None
    try:
        with world.diagnostics.progress("running", total=total, unit="events") as bar:
            seen = 0
            for records in session.steps():
                if stream:
                    for record in records:
                        out.emit(record)
                bar.advance(session.events - seen)
                seen = session.events
    except KeyboardInterrupt:
        summary = session.finish("interrupted", (world.monotonic_ns() - started) / 1e9)
        if summary is not None:
            out.emit(summary)
        raise
    except BaseException:
        session.finish("failed", (world.monotonic_ns() - started) / 1e9)
        raise
    summary = session.finish("complete", (world.monotonic_ns() - started) / 1e9)
    if summary is not None:
        out.emit(summary)
