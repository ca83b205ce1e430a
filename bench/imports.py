"""Importers: raw frames to events, unpacking included; nothing is stored."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.streams import open_blocks
from kimera_cli.records import Bench

from . import raw_binance
from .harness import Case, Watch
from .request import Request, row

FRAMES = 30_000


def rows(request: Request) -> Iterator[Bench]:
    """Time the raw Binance importer on a made-up file, then every recording that was named."""
    with tempfile.TemporaryDirectory(prefix="kimera-bench-") as folder:
        path = Path(folder) / "usdm_btcusdt_20240808"
        raw_binance.write(path, request.size(FRAMES))
        yield from _row(request, "import.binance", path, "made up")
    for path in request.recordings:
        yield from _row(request, f"import.{path.name}", path, path.name)


def _row(request: Request, name: str, path: Path, source: str) -> Iterator[Bench]:
    importer = choose(path, None)
    frames, size = count(path)
    events = sum(len(batch.events) for batch in importer.read(path, ImportOptions()))

    def run(state: Path, watch: Watch) -> None:
        watch.start()
        for _ in importer.read(state, ImportOptions()):
            pass
        watch.lap(frames)

    timing = request.measure([Case(name, lambda: path, run)])[name]
    seconds = timing.median_ns * frames * 1e-9
    yield row(
        request,
        name,
        timing,
        kind="whole files, one per repeat; n counts frames",
        source=source,
        format=importer.name,
        events=events,
        events_per_s=round(events / seconds, 1),
        megabytes_per_s=round(size / seconds / 1e6, 2),
    )


def count(path: Path) -> tuple[int, int]:
    """Return frames (lines) and bytes of a recording, unpacked."""
    lines = size = 0
    for block in open_blocks(path):
        lines += block.count(b"\n")
        size += len(block)
    return max(lines, 1), size
