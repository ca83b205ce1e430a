"""Lines of raw Binance recordings for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.layouts import EVENT, Events

T0 = 1_723_161_600_000_000_000
"""2024-08-09 00:00:00 UTC."""
NOW = T0 + 400 * 86_400_000_000_000
Pairs = Sequence[tuple[str, str]]


def line(ts_ns: int, stream: str, data: dict[str, Any]) -> str:
    return f"{ts_ns} " + json.dumps({"stream": stream, "data": data}, separators=(",", ":"))


def diff(
    ts_ns: int,
    first: int,
    last: int,
    bids: Pairs = (),
    asks: Pairs = (),
    symbol: str = "BTCUSDT",
    pu: int | None = None,
) -> str:
    data: dict[str, Any] = {"e": "depthUpdate", "E": ts_ns // 10**6, "s": symbol}
    data |= {"U": first, "u": last, "b": bids, "a": asks}
    if pu is not None:
        data |= {"T": ts_ns // 10**6 - 1, "pu": pu}
    return line(ts_ns, f"{symbol.lower()}@depth@100ms", data)


def ticker(ts_ns: int, u: int, bid: tuple[str, str], ask: tuple[str, str], **more: Any) -> str:
    data = {"u": u, "s": "BTCUSDT", "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1], **more}
    return line(ts_ns, "btcusdt@bookTicker", data)


def trade(ts_ns: int, number: int, px: str, qty: str, sold: bool = False, **more: Any) -> str:
    data = {"e": "trade", "E": ts_ns // 10**6, "s": "BTCUSDT", "t": number, "p": px, "q": qty}
    data |= {"T": ts_ns // 10**6, "m": sold, "M": True, **more}
    return line(ts_ns, "btcusdt@trade", data)


def snapshot(ts_ns: int, last: int, bids: Pairs, asks: Pairs, **more: Any) -> str:
    return f"{ts_ns} " + json.dumps({"lastUpdateId": last, **more, "bids": bids, "asks": asks})


def save(folder: Path, *lines: str, name: str = "recording.txt") -> Path:
    path = folder / name
    path.write_text("".join(f"{each}\n" for each in lines))
    return path


def read(path: Path, **options: Any) -> dict[str, Events]:
    """Return the events of a recording by dataset."""
    found: dict[str, list[Events]] = {}
    for batch in choose(path, None).read(path, ImportOptions(**options)):
        found.setdefault(f"{batch.instrument.name}/{batch.family}", []).append(batch.events)
    return {name: np.concatenate([np.zeros(0, EVENT), *parts]) for name, parts in found.items()}


def only(path: Path, **options: Any) -> Events:
    """Return the events of a recording of one dataset."""
    (events,) = read(path, **options).values()
    return events
