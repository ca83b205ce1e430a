"""Events in memory to measure on: of the synthetic market, and of recordings that were named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import CLEAR, DEPTH
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import SyntheticMarket

from .request import Request

BUSY = Market(limit_rate=400.0, market_rate=40.0, cancel_rate=5.0)
SEED = 1


@dataclass(frozen=True)
class Tape:
    """Consecutive level events of one instrument, shape (n,) of dtype EVENT, as a recarray."""

    name: str
    instrument: Instrument
    events: Any

    def levels(self) -> Any:
        """Return the events that change the book."""
        kind = self.events["kind"]
        return self.events[(kind == DEPTH) | (kind == CLEAR)]


def tapes(request: Request, default: int) -> Iterator[Tape]:
    """Yield the synthetic tape and one tape per recording, cut to the size that was asked for."""
    yield synthetic(request.size(default))
    for path in request.recordings:
        yield recorded(path, request.events)


def synthetic(n: int) -> Tape:
    """Return the first n events of a busy synthetic market (seed 1), about a thousand a second."""
    market = SyntheticMarket(BUSY, SEED)
    parts: list[Any] = []
    for chunk in market.chunks():
        parts.append(chunk)
        if sum(len(part) for part in parts) >= n:
            break
    events = np.concatenate(parts)[:n]
    return Tape("synthetic", market.instrument, events.view(np.recarray))


def recorded(path: Path, limit: int = 0) -> Tape:
    """Read the first level-2 instrument of a recording; all of it, or its first `limit` events.

    DataError `data.family` when the recording holds no price levels.
    """
    parts: list[Any] = []
    instrument: Instrument | None = None
    for batch in choose(path, None).read(path, ImportOptions()):
        if batch.family != "l2" or (instrument and batch.instrument.name != instrument.name):
            continue
        instrument = batch.instrument
        parts.append(batch.events.copy())
        if limit and sum(len(part) for part in parts) >= limit:
            break
    if instrument is None:
        raise DataError(
            "data.family",
            f"expected price levels (family l2) in {path}, was none",
            "name a recording of level-2 market data",
            file=str(path),
        )
    events = np.concatenate(parts)[: limit or None]
    return Tape(_short(path), instrument, events.view(np.recarray))


def _short(path: Path) -> str:
    return path.name.split(".", 1)[0]
