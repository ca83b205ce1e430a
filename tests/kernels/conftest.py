"""Small parsers of the recordings that kernel tests need, independent of the importers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, F_LAST, NO_SIDE

_DECIMALS = {"spot_btcusdt": 2, "usdm_btcusdt": 1, "cm_btcusd_perp": 1}
_QTY_DECIMALS = {"spot_btcusdt": 5, "usdm_btcusdt": 3, "cm_btcusd_perp": 0}


def _fixed(text: str, decimals: int) -> int:
    return round(float(text) * 10**decimals)


def _messages(path: Path) -> Iterator[tuple[int, dict]]:
    """The REST snapshot, then every depth update newer than it (some were recorded before it)."""
    with gzip.open(path, "rt") as file:
        lines = [line.split(" ", 1) for line in file if "depthUpdate" in line or "lastUp" in line]
    messages = [(int(stamp), json.loads(text)) for stamp, text in lines]
    messages = [(stamp, message.get("data", message)) for stamp, message in messages]
    snapshot = next(item for item in messages if "lastUpdateId" in item[1])
    yield snapshot
    for stamp, data in messages:
        if data.get("u", 0) > snapshot[1]["lastUpdateId"]:
            yield stamp, data


def binance_depth(path: Path, name: str) -> np.ndarray:
    """DEPTH events of a raw Binance recording, after a CLEAR."""
    px, qty = _DECIMALS[name], _QTY_DECIMALS[name]
    rows = [(0, 0, 0, CLEAR, NO_SIDE, 0)]
    for ts, data in _messages(path):
        for side, keys in ((BID, ("b", "bids")), (ASK, ("a", "asks"))):
            for p, q in data.get(keys[0]) or data.get(keys[1]) or []:
                rows.append((ts, _fixed(p, px), _fixed(q, qty), DEPTH, side, 0))
        rows[-1] = (*rows[-1][:5], F_LAST)
    events = np.zeros(len(rows), EVENT)
    fields = ("ts_local_ns", "px_ticks", "qty_lots", "kind", "side", "flags")
    for field, column in zip(fields, zip(*rows, strict=True), strict=True):
        events[field] = column
    events["ts_exch_ns"] = events["ts_local_ns"]
    return events


@pytest.fixture(scope="session", params=sorted(_DECIMALS))
def depth_events(request: pytest.FixtureRequest, shared_data: Path) -> np.ndarray:
    """The depth updates of one Binance recording."""
    path = shared_data / "hftbacktest" / f"{request.param}_20240808.gz"
    return binance_depth(path, request.param)
