"""Frames of seven venues to events, one call from Python per frame, every check included.

`parse.depth.VENUE` are depth messages of 20 + 20 levels, `quote` best bid and ask, `trade` one
trade. The peers read the same frames: msgspec into typed structs and from there into arrays of
ticks and lots, orjson into a dict of float prices. HTX frames are gzip: all sides unpack them.
`detail.compiled_ns` is the kernel without the call from Python; `detail.slow_share` the share of
frames that the kernel would not read. With --recording the frames of a raw Binance recording.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.streams import open_lines
from kimera_cli.feeds.binance import BINANCE, BINANCE_COINM, BINANCE_USDM
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.parse import read_frame
from kimera_cli.records import Bench

from . import targets
from .harness import Case, Watch
from .machine import package
from .parse_frames import FORMS, LEVELS, Form
from .request import Peer, Request, row

FRAMES = 2_000
BATCH = 200
"""Frames of a batch are all unlike, and every batch has the same: up to 0.9 MB, which stay in a
level-2 cache, where a frame is that the socket has just copied to its receive buffer."""
GOAL_NS = 1_200.0
TIMES_MSGSPEC = 8.0
NOW = 1_800_000_000_000_000_000
_RAW = {each.venue: each for each in (BINANCE, BINANCE_USDM, BINANCE_COINM)}


@kernel
def read_all(feed, frames, sizes, out):  # type: ignore[no-untyped-def]
    """Read each row of `frames`; return how many events they are."""
    total = np.int64(0)
    for k in range(sizes.shape[0]):
        total += read_frame(feed[0], frames[k], sizes[k], NOW, out)
    return total


def rows(request: Request) -> Iterator[Bench]:
    """Time each kind of message of each venue, then every raw Binance recording that was named."""
    for kind in ("depth", "quote", "trade"):
        for form in FORMS:
            yield _row(request, form, kind)
    for path in request.recordings:
        yield from _recorded(request, path)


def _row(request: Request, form: Form, kind: str) -> Bench:
    count = request.size(FRAMES)
    unlike = form.frames(kind, min(BATCH, count))
    frames = [unlike[k % len(unlike)] for k in range(count)]
    reader = FrameReader(form.dialect, [form.instrument])
    cases = [_ours("kimera", reader, frames)]
    if not form.dialect.unpack:
        cases.append(_compiled(form, unlike, count))
    if kind == "depth" and request.peers:
        cases += _peers(form, frames)
    timings = request.measure(cases)
    peers = [
        Peer(f"{name} {package(name)}", timings[name])
        for name in ("msgspec", "orjson")
        if name in timings
    ]
    ours, goals = timings["kimera"], []
    if kind == "depth" and not form.dialect.unpack:
        goals = [
            targets.quantile(ours, "p50", GOAL_NS),
            targets.faster(ours, timings.get("msgspec"), TIMES_MSGSPEC, "msgspec into arrays"),
        ]
    compiled = timings.get("compiled")
    return row(
        request,
        f"parse.{kind}.{form.name}",
        ours,
        kind=f"batches of {BATCH} frames, no two alike",
        peer=peers[0] if peers else None,
        others=peers[1:],
        goals=goals,
        compiled_ns=round(compiled.median_ns, 3) if compiled else None,
        levels=2 * LEVELS if kind == "depth" else None,
        bytes_per_frame=round(sum(map(len, frames)) / len(frames), 1),
        slow_share=slow_share(reader),
    )


def slow_share(reader: FrameReader) -> float:
    """Return which part of the frames so far the kernel would not read."""
    counts = reader.counts
    slow = sum(n for name, n in counts.items() if name.startswith("slow."))
    return round(slow / max(1, slow + counts["fast"]), 6)


def _ours(name: str, reader: FrameReader, frames: list[bytes]) -> Case:
    def run(parts: list[list[bytes]], watch: Watch) -> None:
        take = reader.take
        watch.start()
        for part in parts:
            for frame in part:
                take(frame, NOW)
            watch.lap(len(part))

    return Case(name, lambda: _parts(frames), run)


def _compiled(form: Form, frames: list[bytes], count: int) -> Case:
    reader = FrameReader(form.dialect, [form.instrument])
    room = max(map(len, frames)) + 192  # one frame's rows must not share all their cache sets
    matrix = np.zeros((len(frames), room), np.uint8)
    for line, frame in zip(matrix, frames, strict=True):
        line[: len(frame)] = np.frombuffer(frame, np.uint8)
    sizes = np.array([len(frame) for frame in frames])

    def run(state: Any, watch: Watch) -> None:
        watch.start()
        for _ in range(0, count, BATCH):
            read_all(reader.feed, matrix, sizes, reader.events)
            watch.lap(len(sizes))

    return Case("compiled", lambda: None, run)


def _peers(form: Form, frames: list[bytes]) -> list[Case]:
    cases = [_peer("msgspec", _msgspec(form), frames)]
    if package("orjson") != "absent":
        cases.append(_peer("orjson", _orjson(form), frames))
    return cases


def _peer(name: str, read: Callable[[bytes], Any], frames: list[bytes]) -> Case:
    def run(parts: list[list[bytes]], watch: Watch) -> None:
        watch.start()
        for part in parts:
            for frame in part:
                read(frame)
            watch.lap(len(part))

    return Case(name, lambda: _parts(frames), run)


def _msgspec(form: Form) -> Callable[[bytes], tuple[Any, Any]]:
    """Return a reader into typed structs and from there into arrays of ticks and lots."""
    decode = msgspec.json.Decoder(form.typed, strict=False).decode
    sides, unpack = form.sides, _unpack(form)
    tick, lot = float(form.instrument.tick), float(form.instrument.lot)

    def read(frame: bytes) -> tuple[Any, Any]:
        levels = np.array(sides(decode(unpack(frame))))
        px = np.rint(levels[:, 0] / tick).astype(np.int64)
        return px, np.rint(levels[:, 1] / lot).astype(np.int64)

    return read


def _orjson(form: Form) -> Callable[[bytes], None]:
    """Return a reader into a dict of float prices."""
    from orjson import loads

    plain, unpack = form.plain, _unpack(form)
    book: dict[float, float] = {}

    def read(frame: bytes) -> None:
        for px, qty in plain(loads(unpack(frame))):
            book[float(px)] = float(qty)

    return read


def _unpack(form: Form) -> Callable[[bytes], bytes]:
    if not form.dialect.unpack:
        return bytes
    return lambda frame: zlib.decompress(frame, wbits=31)


def _parts(frames: list[bytes]) -> list[list[bytes]]:
    return [frames[k : k + BATCH] for k in range(0, len(frames), BATCH)]


def _recorded(request: Request, path: Path) -> Iterator[Bench]:
    """Yield one row for a raw Binance recording; nothing for other formats."""
    importer = choose(path, None)
    if importer.name != "binance":
        return
    instrument = next(importer.read(path, ImportOptions())).instrument
    frames = [line.partition(b" ")[2] for _, line in open_lines(path)]
    frames = [frame for frame in frames if frame.startswith(b'{"stream"')]
    reader = FrameReader(_RAW[instrument.venue], [instrument])
    timing = request.measure([_ours("kimera", reader, frames)])["kimera"]
    yield row(
        request,
        f"parse.{path.name}",
        timing,
        kind=f"batches of {BATCH} frames in their order",
        source=path.name,
        bytes_per_frame=round(sum(map(len, frames)) / len(frames), 1),
        slow_share=slow_share(reader),
    )
