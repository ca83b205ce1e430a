"""Depth frames to time the way from a frame to an order: made up, or of a raw Binance recording.

Made up are 20 + 20 levels a frame on a book that is never crossed: the middle walks, prices that it
passes are taken out, four in ten of the others, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.streams import open_lines
from kimera_cli.feeds.binance import BINANCE, BINANCE_COINM, BINANCE_USDM
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.reader import FrameReader
from kimera_cli.instrument import Instrument

from .parse_frames import FORMS, Level

LEVELS = 20
REACH = 200
"""Levels of a made-up frame lie within so many ticks of the middle."""
SEED = 9
_RAW = {each.venue: each for each in (BINANCE, BINANCE_USDM, BINANCE_COINM)}


@dataclass(frozen=True)
class FrameTape:
    """Depth frames of one instrument, as they come over the wire, and what a kernel reads."""

    name: str
    dialect: Dialect
    instrument: Instrument
    frames: list[bytes]

    def events(self, first_ns: int) -> tuple[Any, Any]:
        """Return the events of all frames, a ns apart, and how many each frame has."""
        reader = FrameReader(self.dialect, [self.instrument])
        parts = []
        for number, frame in enumerate(self.frames):
            n = reader.take(frame, first_ns + number)
            parts.append(reader.events[:n].copy())
        return np.concatenate(parts), np.array([len(part) for part in parts])


def made_up(count: int) -> FrameTape:
    """Return `count` frames of 20 + 20 levels, no two alike, of Binance's spot market."""
    form, rng = FORMS[0], np.random.default_rng(SEED)
    mid, frames = 618_000, []
    for number in range(1, count + 1):
        before, mid = mid, mid + int(rng.integers(-3, 4))
        bids = _levels(rng, mid, -1, before)
        asks = _levels(rng, mid, 1, before)
        frames.append(form.depth(number, bids, asks).encode())
    return FrameTape("synthetic", form.dialect, form.instrument, frames)


def _levels(rng: np.random.Generator, mid: int, sign: int, before: int) -> list[Level]:
    """Return one side, best first: what the middle has passed, the new best, others behind it."""
    passed = [before + sign * k for k in range(1, 1 + max(0, sign * (mid - before)))]
    behind = 2 + rng.choice(REACH, LEVELS - 1 - len(passed), replace=False)
    lots = (10 ** (6 * rng.random(LEVELS))).astype(int)
    lots[(rng.random(LEVELS) < 0.4)] = 0
    lots[: len(passed)] = 0
    lots[len(passed)] = max(1, lots[len(passed)])
    ticks = [*passed, mid + sign, *(mid + sign * np.sort(behind)).tolist()]
    return [(_text(t, 1, 2), _text(q, 3, 8)) for t, q in zip(ticks, lots.tolist(), strict=True)]


def _text(steps: int, decimals: int, written: int) -> str:
    """Return steps of 10^-decimals as the venue writes them."""
    return f"{Decimal(steps).scaleb(-decimals):.{written}f}"


def recorded(path: Path, limit: int) -> FrameTape | None:
    """Return the depth frames of a raw Binance recording, at most `limit`; None: of another form.

    Those before the recording's own snapshot are among them: the book then holds less.
    """
    importer = choose(path, None)
    if importer.name != "binance":
        return None
    instrument = next(importer.read(path, ImportOptions())).instrument
    frames = []
    for _, line in open_lines(path):
        frame = line.partition(b" ")[2]
        if frame.startswith(b'{"stream"') and b"@depth" in frame[:80]:
            frames.append(frame)
    name = path.name.split(".", 1)[0]
    return FrameTape(name, _RAW[instrument.venue], instrument, frames[: limit or None])
