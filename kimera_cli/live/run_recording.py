"""What a run's feed received, into the run's folder: one recording for each venue.

Written where the feed is, from before its first connection on, so that a replay begins as the run
did: `kimera report fidelity`. The files are those of `kimera fetch record`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kimera_cli.errors import KimeraError
from kimera_cli.feeds.background import BackgroundRecorder
from kimera_cli.feeds.reader import Payload
from kimera_cli.feeds.recording import Header, Part
from kimera_cli.files import write_error

if TYPE_CHECKING:
    from kimera_cli.feeds.live import LiveFeed

SUFFIX = ".zst"


class _Place(NamedTuple):
    """Where the lines of one connection of the feed go."""

    recorder: BackgroundRecorder
    connection: int
    """Its number in the file."""
    first: int
    """The feed's number of the file's first instrument."""


class RunRecording:
    """The recordings of one run. Nothing is written before `open`, nor by a run that keeps none."""

    def __init__(self, report: Callable[[KimeraError], None]) -> None:
        self._report = report
        self._places: list[_Place] = []
        self._recorders: list[BackgroundRecorder] = []

    def open(
        self, folder: Path, feed: LiveFeed, now_ns: int, cores: frozenset[int] = frozenset()
    ) -> None:
        """Begin a file for each venue of the feed. DataError `data.write`, RunError `run.folder`.

        `feed` was made with `note` of this and does not run yet.
        """
        try:
            folder.mkdir()
        except OSError as error:
            raise write_error(folder, error) from error
        by_venue: dict[str, list[Any]] = {}
        for connection in feed.connections:
            by_venue.setdefault(connection.intake.reader.dialect.venue, []).append(connection)
        recorders: dict[str, tuple[BackgroundRecorder, int]] = {}
        for venue, connections in by_venue.items():
            numbers = sorted({n for each in connections for n in each.intake.reader.numbers})
            header = Header(
                venue=venue,
                started_ns=now_ns,
                instruments=tuple(feed.instruments[n] for n in numbers),
                connections=tuple(
                    Part(tuple(n - numbers[0] for n in each.intake.reader.numbers), each.kinds)
                    for each in connections
                ),
            )
            path = folder / f"{venue}{SUFFIX}"
            recorders[venue] = BackgroundRecorder(path, header, cores), numbers[0]
        self._recorders = [recorder for recorder, _ in recorders.values()]
        for connection in feed.connections:
            venue = connection.intake.reader.dialect.venue
            place = by_venue[venue].index(connection)
            self._places.append(_Place(recorders[venue][0], place, recorders[venue][1]))

    def note(
        self, connection: int, ts_ns: int, what: str, content: Payload, instrument: int
    ) -> None:
        """Keep one piece of what came in, as feeds/recording.py describes."""
        if not self._places:
            return
        place = self._places[connection]
        number = instrument - place.first if instrument >= 0 else instrument
        failed = place.recorder.note(place.connection, ts_ns, what, content, number)
        if failed is not None:
            self._report(failed)

    def close(self, now_ns: int) -> dict[str, Any]:
        """End the files; return `recording`: what became of each, JSON-safe; {} if none is kept."""
        for recorder in self._recorders:
            if (failed := recorder.close(now_ns)) is not None:
                self._report(failed)
        files = {
            recorder.path.name: {
                "whole": recorder.is_whole,
                "messages": recorder.counts.messages,
                "answers": recorder.counts.answers,
                "bytes": recorder.counts.bytes,
                "stored_bytes": recorder.path.stat().st_size if recorder.is_whole else 0,
            }
            for recorder in self._recorders
        }
        return {"recording": files} if files else {}
