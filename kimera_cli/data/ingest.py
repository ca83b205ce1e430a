"""From a recording to the catalog: recognise, read, check what must hold of any row, commit.

`import_file` is all that `kimera fetch import` does with one path, and what `open_replay` does with
a path that is not in the catalog yet. Fetching from a live venue ends here as well: an Importer
reads what the venue's client recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from kimera_cli.data.catalog import Catalog, stage
from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import Batch, Importer, ImportOptions, bad_line
from kimera_cli.data.manifest import DatasetInfo, Source
from kimera_cli.data.source import EventSource, day_of
from kimera_cli.data.staging import StagedDataset, workshop
from kimera_cli.data.streams import sha256
from kimera_cli.errors import DataError
from kimera_cli.layouts import EVENT
from kimera_cli.units import NS_PER_DAY

OLDEST_NS = 631_152_000_000_000_000
"""1990-01-01: an earlier time is one in other units."""


class Import(NamedTuple):
    """What became of one recording: its datasets (this source only); were rows added."""

    path: Path
    format: str
    source_hash: str
    datasets: list[DatasetInfo]
    added: bool


def import_file(
    path: Path,
    catalog: Catalog,
    options: ImportOptions,
    now_ns: int,
    format_name: str | None = None,
) -> Import:
    """Add one recording to the catalog; nothing is added when its bytes are there already.

    `now_ns`: rows of a later day are refused. Errors of the importer, `data.time` (a time before
    1990 or after tomorrow), `data.empty_file` (no rows), `data.write` (disk full, folder not
    writable).
    """
    importer = choose(path, format_name)
    sources = importer.sources(path)
    source_hash = sha256(sources)
    if known := catalog.imported(source_hash):
        return Import(path, known[0].sources[0].format, source_hash, known, added=False)
    with writing(catalog.root):
        catalog.tidy()
        options = msgspec.structs.replace(options, known=catalog.instruments())
        datasets = _add(path, importer, sources, source_hash, catalog, options, now_ns)
    return Import(path, importer.name, source_hash, datasets, added=True)


def open_replay(
    specs: Sequence[str],
    catalog: Catalog,
    options: ImportOptions,
    now_ns: int,
    note: Callable[[str], None] | None = None,
) -> list[EventSource]:
    """Return the sources to replay: a spec is a dataset's name, or a path (imported first).

    Of a path only that recording's rows are replayed. DataError when a source is not fit for a
    loop.
    """
    found: list[EventSource] = []
    for spec in specs:
        if catalog.holds(spec) and not Path(spec).exists():
            found.append(catalog.open(spec))
            continue
        if not Path(spec).exists() and spec.count("/") == 2 and "." not in spec:
            catalog.get(spec)  # raises, and names the nearest dataset
        imported = import_file(Path(spec), catalog, options, now_ns)
        if note and imported.added:
            note(f"imported {spec} as {', '.join(info.dataset for info in imported.datasets)}")
        found += [EventSource(info, catalog.files(info)) for info in imported.datasets]
    for source in found:
        source.require_replayable()
    return found


def _add(
    path: Path,
    importer: Importer,
    sources: Sequence[Path],
    source_hash: str,
    catalog: Catalog,
    options: ImportOptions,
    now_ns: int,
) -> list[DatasetInfo]:
    staged: dict[str, StagedDataset] = {}
    with workshop(catalog.root) as where:
        try:
            for batch in importer.read(path, options):
                _check_times(path, batch, now_ns)
                stage(where, source_hash, staged, batch)
            if not staged:
                raise DataError("data.empty_file", f"expected rows in {path}, was none")
            common = Source(
                hash=source_hash,
                format=importer.name,
                files=[str(source.absolute()) for source in sources],
                datasets=sorted(staged),
                rows=0,
                start_ns=0,
                end_ns=0,
                parts=[],
            )
            return catalog.add(list(staged.values()), common)
        except BaseException:
            for dataset in staged.values():
                dataset.abandon()
            raise


def _check_times(path: Path, batch: Batch, now_ns: int) -> None:
    rows = batch.events
    event = rows.dtype == EVENT
    latest = now_ns + NS_PER_DAY
    for name in ("ts_local_ns", "ts_exch_ns") if event else ("ts_ns",):
        wrong = (rows[name] < OLDEST_NS) | (rows[name] > latest)
        if wrong.any():
            first = int(np.argmax(wrong))
            line = int(rows["aux" if event else "line"][first])
            expected = f"a time in ns between {day_of(OLDEST_NS)} and {day_of(latest)}"
            raise bad_line(path, line, expected, int(rows[name][first]), "data.time")


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Make DataError `data.write` of what the file system refuses."""
    try:
        yield
    except BrokenPipeError:
        raise  # no file: a reader of our records has left
    except OSError as error:
        raise DataError(
            "data.write",
            f"expected to write under {root}, was: {error.strerror or error}",
            "make room or give another data folder with KIMERA_HOME; nothing was added",
            file=str(root),
        ) from None
