"""Importers: raw frames to events, unpacking included; nothing is stored.

The peer is hftbacktest's converter of the same files (Binance USD-M, gzip), which reads depth and
trades and skips the rest; kimera also takes in the book tickers, to check the book against them.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import Importer, ImportOptions
from kimera_cli.data.streams import open_blocks
from kimera_cli.records import Bench

from . import peer, raw_binance
from .harness import Case, Watch
from .request import Peer, Request, row

FRAMES = 30_000
PEER_READS = "binanceusdm"


def rows(request: Request) -> Iterator[Bench]:
    """Time the raw Binance importer on a made-up file, then every recording that was named."""
    with tempfile.TemporaryDirectory(prefix="kimera-bench-") as folder:
        path = Path(folder) / "usdm_btcusdt_20240808.gz"
        raw_binance.write(path, request.size(FRAMES))
        yield _row(request, "import.binance", path, "made up")
    for path in request.recordings:
        yield _row(request, f"import.{path.name}", path, path.name)


def _row(request: Request, name: str, path: Path, source: str) -> Bench:
    importer = choose(path, None)
    frames, size = count(path)
    batches = [(b.instrument.venue, len(b.events)) for b in importer.read(path, ImportOptions())]
    events = sum(rows for _, rows in batches)
    cases = [_ours(importer, path, frames)]
    if request.peers and {venue for venue, _ in batches} == {PEER_READS}:
        cases.append(_peers(path, frames, events))
    timings = request.measure(cases)
    seconds = timings["kimera"].median_ns * frames * 1e-9
    return row(
        request,
        name,
        timings["kimera"],
        kind="whole files, one per repeat; n counts frames",
        peer=Peer(peer.name(), timings["peer"]) if "peer" in timings else None,
        source=source,
        format=importer.name,
        events=events,
        events_per_s=round(events / seconds, 1),
        megabytes_per_s=round(size / seconds / 1e6, 2),
    )


def _ours(importer: Importer, path: Path, frames: int) -> Case:
    def run(state: Path, watch: Watch) -> None:
        watch.start()
        for _ in importer.read(state, ImportOptions()):
            pass
        watch.lap(frames)

    return Case("kimera", lambda: path, run)


def _peers(path: Path, frames: int, events: int) -> Case:
    def run(state: Path, watch: Watch) -> None:
        from hftbacktest.data.utils import binancefutures

        with redirect_stdout(io.StringIO()):  # it prints what it corrected; stdout is data here
            watch.start()
            binancefutures.convert(str(state), buffer_size=2 * events)
            watch.lap(frames)

    return Case("peer", lambda: path, run)


def count(path: Path) -> tuple[int, int]:
    """Return frames (lines) and bytes of a recording, unpacked."""
    lines = size = 0
    for block in open_blocks(path):
        lines += block.count(b"\n")
        size += len(block)
    return max(lines, 1), size
