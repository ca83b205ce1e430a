"""The Parquet catalog: events/s into it and out of it, in the chunks that the loop reads."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.data.source import EventSource
from kimera_cli.records import Bench

from . import raw_binance
from .harness import Case, Watch
from .request import Request, row

FRAMES = 60_000
LATER_NS = 4_102_444_800_000_000_000
"""2100-01-01: any recording is older than this."""


def rows(request: Request) -> Iterator[Bench]:
    """Import a made-up recording and every one that was named, then time reading them back."""
    with tempfile.TemporaryDirectory(prefix="kimera-bench-") as folder:
        made_up = Path(folder) / "usdm_btcusdt_20240808.gz"
        raw_binance.write(made_up, request.size(FRAMES))
        for number, path in enumerate((made_up, *request.recordings)):
            catalog = Catalog(Path(folder) / f"data-{number}")
            for info in import_file(path, catalog, ImportOptions(), LATER_NS).datasets:
                source = catalog.open(info.dataset)
                yield _row(request, "made-up" if path is made_up else path.name, source)


def _row(request: Request, name: str, source: EventSource) -> Bench:
    def run(state: EventSource, watch: Watch) -> None:
        watch.start()
        for chunk in state.chunks():
            watch.lap(len(chunk))

    timing = request.measure([Case("read", lambda: source, run)])["read"]
    size = sum(path.stat().st_size for path in source.files)
    return row(
        request,
        f"catalog.read.{name}",
        timing,
        kind="chunks of 16384 events from the page cache",
        dataset=source.dataset,
        bytes_per_event=round(size / max(source.rows, 1), 2),
    )
