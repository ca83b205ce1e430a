"""One compiled yardstick at work: a process that makes a run whenever it is asked."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.errors import RunError

from .harness import Case, Watch
from .limit import build
from .machine import fingerprint

if TYPE_CHECKING:
    import numpy as np

    from .request import Request

MASK = (1 << 64) - 1


class Answer(msgspec.Struct):
    """What the program says of one run: laps of (ns, operations), and a checksum of the results."""

    laps: list[tuple[int, int]]
    checksum: str
    detail: dict[str, Any] = {}


class Yardstick:
    """A running yardstick; `case` is timed in turn with kimera's own."""

    def __init__(self, argv: list[str]) -> None:
        self.argv = argv
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.last: Answer | None = None

    def run(self) -> Answer:
        """Make one run on the cores that this process is held to, and return its answer."""
        if hasattr(os, "sched_setaffinity") and self.process.poll() is None:
            os.sched_setaffinity(self.process.pid, os.sched_getaffinity(0))
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(b"run\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except OSError:
            line = b""
        if not line:
            raise self._died()
        self.last = msgspec.json.decode(line, type=Answer)
        return self.last

    @property
    def checksum(self) -> int:
        """Checksum of the last run's results; makes a run when there was none."""
        return int((self.last or self.run()).checksum, 16)

    def case(self, name: str = "limit") -> Case:
        """Return the case to time in turn with kimera's: its laps are the program's own."""

        def run(state: Yardstick, watch: Watch) -> None:
            watch.laps += state.run().laps

        return Case(name, lambda: self, run)

    def close(self) -> None:
        """End the process: its input ends."""
        self.process.communicate()

    def _died(self) -> RunError:
        _, err = self.process.communicate()
        said = err.decode(errors="replace").strip().splitlines()[-1:] or ["nothing on stderr"]
        return RunError(
            "run.bench_limit",
            f"expected an answer of {' '.join(self.argv)}, was exit {self.process.returncode}: "
            f"{said[0]}",
            "run it by hand; each line on its stdin makes a run",
        )


@contextmanager
def yardstick(
    request: Request, name: str, rows: Sequence[np.ndarray[Any, Any]], *args: str | int
) -> Iterator[Yardstick | None]:
    """Start `name` on these arrays (one file each, in this order); None without a compiler."""
    program = build(name, request.cache / "limit", fingerprint().cpu)
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="kimera-limit-") as folder:
        files = []
        for number, array in enumerate(rows):
            files.append(Path(folder) / f"{number}.bin")
            array.tofile(files[-1])
        running = Yardstick([str(part) for part in (program, *files, *args)])
        try:
            yield running
        finally:
            running.close()


def require_same(name: str, ours: int, theirs: Yardstick | None) -> None:
    """RunError `run.bench_differs` when the yardstick's checksum is not ours (modulo 2**64)."""
    if theirs is not None and theirs.checksum != ours & MASK:
        raise RunError(
            "run.bench_differs",
            f"expected checksum {ours & MASK:#018x} of the yardstick {name}, "
            f"was {theirs.checksum:#018x}",
            "the two no longer do the same work: mend one of them before comparing times",
        )


def mixed(values: np.ndarray[Any, Any], total: int = 0) -> int:
    """Return the checksum that `mix` of limit.hpp makes of these integers, one after the other."""
    for value in values.tolist():
        total = ((total ^ (value & MASK)) * 0x9E3779B97F4A7C15) & MASK
    return total
