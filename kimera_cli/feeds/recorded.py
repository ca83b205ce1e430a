"""A recording back to events: the same intake as live, given the same pieces in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kimera_cli.data.importers.base import MAX_ROWS, Batch, Importer, ImportOptions
from kimera_cli.errors import DataError, VenueError
from kimera_cli.feeds.recording import MAGIC, Header, Line, parse_line, read_header, read_lines
from kimera_cli.layouts import Events

if TYPE_CHECKING:
    from kimera_cli.feeds.intake import Intake


class Recorded(Importer):
    """Recordings of `kimera fetch record`."""

    name = "kimera"
    summary = "recording of live feeds by kimera fetch record: every venue, REST books included"

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the first line."""
        return head.startswith(MAGIC)

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the events that a live feed would have shown, instrument by instrument.

        A live feed also marks the books when it begins, and when its connections end with it; a
        recording says nothing of the time before and after, but for that of a run: it begins as
        the run did.
        """
        lines = read_lines(path, options.progress)
        first = next(lines, None)
        if first is None:
            raise DataError("data.empty_file", f"expected a recording in {path}, was none of it")
        replay = _Replay(path, read_header(path, first[1]), options)
        for number, line in lines:
            replay.take(parse_line(path, number, line))
            if replay.rows >= MAX_ROWS // 2:
                yield from replay.batches()
        yield from replay.batches()


class _Replay:
    """The intakes of a recording's connections, and the events that came out of them."""

    def __init__(self, path: Path, header: Header, options: ImportOptions) -> None:
        # Here, because they compile: every import of another format asks this importer too.
        from kimera_cli.feeds.dialects import dialect_of
        from kimera_cli.feeds.live import intake_of
        from kimera_cli.feeds.output import FunctionOutput

        self.path = path
        self.rows = 0
        self.instruments = [options.settle(each) for each in header.instruments]
        self._events: list[Events] = []
        self._line = 1
        self._lost: dict[int, int] = {}
        dialect, output = dialect_of(header.venue), FunctionOutput(self._keep)
        self._intakes: list[Intake] = []
        for part in header.connections:
            numbered = [(number, self.instruments[number]) for number in part.numbers]
            self._intakes.append(intake_of(dialect, numbered, part.kinds, output))

    def take(self, line: Line) -> None:
        """Do what was done when the line was recorded."""
        self._line = line.number
        if line.what == "end":
            return
        intake = self._intake(line)
        if line.what == "lost":  # for the book, if anything follows
            self._lost[line.connection] = line.ts_ns
            return
        for connection, ts_ns in self._lost.items():
            self._intakes[connection].gap(ts_ns)
        self._lost.clear()
        with suppress(VenueError):  # it could not be read then either
            self._do(intake, line)

    def _intake(self, line: Line) -> Intake:
        """Return the connection that a line speaks of; DataError `data.bad_line`."""
        if 0 <= line.connection < len(self._intakes):
            intake = self._intakes[line.connection]
            if line.instrument < 0 or line.instrument in intake.books:
                return intake
        raise DataError(
            "data.bad_line",
            f"expected a connection and instrument of the header in {self.path} "
            f"line {line.number}, was {line.connection} {line.instrument}",
            file=str(self.path),
            line=line.number,
        )

    def _do(self, intake: Intake, line: Line) -> None:
        number, ts_ns = line.instrument, line.ts_ns
        match line.what:
            case "text":
                intake.take(line.content, ts_ns)
            case "book":
                intake.answer(number, line.content, ts_ns)
            case "begin":
                intake.begin(ts_ns)
            case "open":
                intake.connected()
            case "watch":
                intake.watch(number)
            case "told":
                intake.told(number, line.content, ts_ns)
            case "judge":
                intake.judge(number, ts_ns)
            case _:
                intake.silence(number, ts_ns)

    def _keep(self, events: Events, n: int) -> None:
        rows = events[:n].copy()
        rows["aux"] = self._line
        self._events.append(rows)
        self.rows += n

    def batches(self) -> Iterator[Batch]:
        """Yield what has gathered, each instrument's in the order of the recording."""
        if not self._events:
            return
        events, self._events, self.rows = np.concatenate(self._events), [], 0
        for number, instrument in enumerate(self.instruments):
            rows = events[events["instrument"] == number]
            rows["instrument"] = 0
            for at in range(0, len(rows), MAX_ROWS):
                yield Batch(instrument, "l2", rows[at : at + MAX_ROWS])
