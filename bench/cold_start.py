"""From the shell to an answer, in fresh processes.

`cold-start.python` is the floor that no Python program gets below; `limit_ratio` of the other rows
is the multiple of it. Files are in the page cache, which is how a shell user meets the program, and
processes are not held to one core.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from kimera_cli.errors import RunError
from kimera_cli.records import Bench

from .harness import Case, Watch
from .request import Request, row

HELP_LIMIT_MS = 150.0
RUN_LIMIT_MS = 1_500.0
"""With compiled kernels in the cache; the first run ever says that it compiles."""
RUN_EVENTS = 2_000
KIND = "fresh processes, one per repeat"


class Start(NamedTuple):
    """One way to start: the record's name, the command as a person types it, and its argv."""

    name: str
    shown: str
    argv: list[str]
    run: Callable[[list[str], Watch], None]
    limit_ms: float | None = None


def rows(request: Request) -> Iterator[Bench]:
    """Time the interpreter alone, two helps, and a run until its first line of data."""
    starts = _starts(request.size(RUN_EVENTS))
    timings = request.measure([_case(start) for start in starts], pin=False)
    floor = timings[starts[0].name]
    for start in starts:
        timing, limit = timings[start.name], start.limit_ms
        yield row(
            request,
            start.name,
            timing,
            kind=KIND,
            limit=floor if start is not starts[0] else None,
            target=f"<= {limit:g} ms" if limit else "",
            met=timing.median_ns <= limit * 1e6 if limit else None,
            command=start.shown,
        )


def _starts(events: int) -> list[Start]:
    kimera = program()
    run = [*kimera, "--format", "jsonl", "run", "--events", str(events)]
    return [
        Start("cold-start.python", "python -c pass", [sys.executable, "-c", "pass"], _to_end),
        Start("cold-start.help", "kimera --help", [*kimera, "--help"], _to_end, HELP_LIMIT_MS),
        Start(
            "cold-start.run-help",
            "kimera run --help",
            [*kimera, "run", "--help"],
            _to_end,
            HELP_LIMIT_MS,
        ),
        Start(
            "cold-start.run",
            "kimera run, to the first line of data",
            run,
            _to_first_line,
            RUN_LIMIT_MS,
        ),
    ]


def _case(start: Start) -> Case:
    return Case(start.name, lambda: start.argv, start.run)


def program() -> list[str]:
    """Return the argv of kimera: the installed script beside this interpreter, else the module."""
    script = Path(sys.executable).with_name("kimera")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "kimera_cli"]


def _to_end(command: list[str], watch: Watch) -> None:
    watch.start()
    done = subprocess.run(command, capture_output=True, check=False)
    watch.lap(1)
    if done.returncode != 0:
        raise _failed(command, done.stderr)


def _to_first_line(command: list[str], watch: Watch) -> None:
    with tempfile.TemporaryDirectory(prefix="kimera-bench-") as folder:
        argv = [*command, "--out", str(Path(folder) / "run")]
        watch.start()
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            watch.lap(1)
            _, err = process.communicate()
        if process.returncode != 0 or not line:
            raise _failed(argv, err)


def _failed(command: list[str], err: bytes) -> RunError:
    last = err.decode(errors="replace").strip().splitlines()[-1:] or ["nothing on stderr"]
    return RunError(
        "run.bench_process",
        f"expected `{' '.join(command)}` to succeed, was: {last[0]}",
        "run it by hand",
    )
