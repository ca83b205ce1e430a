"""The recordings of a live run as sources of a replay that sees them with the run's own eyes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.data.source import EventSource
from kimera_cli.engine.live import RECORDING
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.errors import DataError
from kimera_cli.feeds.recording import parse_line, read_header, read_lines
from kimera_cli.feeds.sync import mark
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import VENUES, Events
from kimera_cli.live.run_recording import SUFFIX


class Kept(NamedTuple):
    """One venue's recording of a run."""

    path: Path
    end_ns: int
    """Local time of its last line."""
    whole: bool


class Tape:
    """A recorded market, its stamps brought to the run's clock as the run itself did.

    Like a live one it is never earlier than its venue's stamp, so nothing is shifted any more. It
    ends when the recording does (`until_ns`) with a lost book, as a live feed does: a replay's time
    goes no further than its last event, while a live one's goes on in silence.
    """

    family = "l2"
    min_latency_ns = 0

    def __init__(
        self, source: EventSource, instrument: Instrument, shift_ns: int, until_ns: int
    ) -> None:
        self._source, self._shift_ns = source, shift_ns
        self.instrument = instrument
        self.source_hash = source.source_hash
        self.start_ns, self.rows = source.start_ns, source.rows + 1
        self.end_ns = max(until_ns, source.end_ns) + 1

    @property
    def dataset(self) -> str:
        """`venue/symbol/live`, as in the run."""
        return f"{self.instrument.name}/live"

    def chunks(self, size: int) -> Iterator[Events]:
        """Yield the events, at most `size` at a time."""
        for rows in self._source.chunks(size):
            stamped = rows["ts_exch_ns"] + self._shift_ns
            rows["ts_exch_ns"] = np.minimum(stamped, rows["ts_local_ns"])
            yield rows
        yield mark(0, VENUES.index(self.instrument.venue), self.end_ns)


def recordings(folder: RunFolder, *, partial: bool) -> list[Kept]:
    """Return the recordings of a run, one per venue.

    DataError `data.no_recording`: the run kept none; `data.recording_cut`: one ends before the run
    did and `partial` is not asked for; `data.bad_line`, `data.damaged`: it cannot be read.
    """
    place = folder.path / RECORDING
    if not place.is_dir():
        raise DataError(
            "data.no_recording",
            f"expected a recording in {place}, was none: run {folder.run} was not recorded",
            "let the next run keep one: kimera run --source venue --record ...",
            file=str(place),
        )
    instruments = (one["instrument"] for one in folder.manifest["sources"])
    venues = dict.fromkeys(str(each["venue"]) for each in instruments)
    return [_kept(place, venue, partial) for venue in venues]


def _kept(place: Path, venue: str, partial: bool) -> Kept:
    path = place / f"{venue}{SUFFIX}"
    if not path.exists():
        path = path.with_name(path.name + ".part")
    if not path.exists():
        raise DataError(
            "data.no_recording",
            f"expected the recording {place / venue}{SUFFIX}, was none",
            "restore the run's folder from a copy",
            file=str(path),
        )
    kept = _look_at(path)
    if not kept.whole and not partial:
        raise DataError(
            "data.recording_cut",
            f"expected {path} up to the run's end, was cut off: its writer was killed, "
            "ran out of room, or the file was shortened",
            "compare as far as it goes: kimera report fidelity RUN --partial",
            file=str(path),
        )
    return kept


def _look_at(path: Path) -> Kept:
    """Read a recording through, for its last line."""
    number, last = 0, b""
    for number, line in read_lines(path):
        if number == 1:
            read_header(path, line)
        last = line
    if number < 2:
        raise DataError(
            "data.recording_cut",
            f"expected a recording in {path}, was {number} lines of one",
            "there is nothing to replay: let the next run keep one",
            file=str(path),
        )
    found = parse_line(path, number, last)
    return Kept(path, found.ts_ns, found.what == "end")


def tapes(
    folder: RunFolder,
    kept: list[Kept],
    catalog: Catalog,
    now_ns: int,
    progress: Callable[[int], None],
) -> list[Any]:
    """Import the recordings into a catalog; return the run's markets in its order.

    DataError `data.source_changed`: a recording is not of the markets of the manifest.
    """
    options = ImportOptions(progress=progress)
    found = {
        info.dataset: info
        for each in kept
        for info in import_file(each.path, catalog, options, now_ns).datasets
    }
    until_ns = max(each.end_ns for each in kept)
    return [_tape(folder, one, found, catalog, until_ns) for one in folder.manifest["sources"]]


def _tape(
    folder: RunFolder, one: dict[str, Any], found: dict[str, Any], catalog: Catalog, until_ns: int
) -> Tape:
    instrument = msgspec.convert(one["instrument"], Instrument, strict=False)
    info = found.get(f"{instrument.name}/l2")
    grid = None if info is None else (info.instrument.tick, info.instrument.lot)
    if info is None or grid != (instrument.tick, instrument.lot):
        raise DataError(
            "data.source_changed",
            f"expected {instrument.name} on a grid of {instrument.tick} and {instrument.lot} in "
            f"the recording of run {folder.run}, was {grid or 'no such market'}",
            "manifest and recording are of two runs: restore the folder from a copy",
            file=str(folder.path / RECORDING),
        )
    clock = folder.manifest["fidelity"].get("clocks", {}).get(instrument.venue, {})
    source = EventSource(info, catalog.files(info))
    return Tape(source, instrument, -int(clock.get("ahead_ns", 0)), until_ns)
