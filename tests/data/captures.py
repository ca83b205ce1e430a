"""Small cryptofeed captures for tests, and what they become."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import Events

HOSTS = {
    "KRAKEN": "wss://ws.kraken.com",
    "OKX": "wss://ws.okx.com:8443/ws/v5/public",
    "COINBASE": "wss://ws-feed.pro.coinbase.com",
    "BYBIT": "wss://stream.bybit.com/v5/public/linear",
    "HUOBI": "wss://api.huobi.pro/ws",
    "BINANCE": "wss://stream.binance.com:9443/stream",
    "BITSTAMP": "wss://ws.bitstamp.net/",
    "BITFINEX": "wss://api.bitfinex.com/ws/2",
}
T0 = 1_600_000_000


def record(
    folder: Path, venue: str, *messages: Any, rest: dict[str, list[str]] | None = None
) -> Path:
    """Write a capture: one message a second from T0 + 1 on; `rest` are the files beside it."""
    lines = [f"{HOSTS[venue]} <-> {T0}.0"]
    for second, message in enumerate(messages, 1):
        text = message if isinstance(message, str) else json.dumps(message)
        if venue == "HUOBI":
            text = repr(gzip.compress(text.encode()))
        lines.append(f"{T0 + second}.5: {text}")
    path = folder / f"{venue}.ws.1.0"
    path.write_text("\n".join(lines) + "\n\n")
    for name, extra in (rest or {}).items():
        (folder / name).write_text("\n".join(extra) + "\n")
    return path


def read(path: Path, **options: Any) -> dict[str, tuple[Instrument, Events]]:
    found: dict[str, tuple[Instrument, list[Events]]] = {}
    importer = choose(path, None)
    for batch in importer.read(path, ImportOptions(**options)):
        assert batch.family == "l2"
        found.setdefault(batch.instrument.name, (batch.instrument, []))[1].append(batch.events)
    return {name: (one, np.concatenate(events)) for name, (one, events) in found.items()}


def only(path: Path) -> tuple[Instrument, list[tuple[int, ...]]]:
    """Return the instrument and (kind, side, ticks, lots, seq, ref, flags) of each event."""
    ((instrument, events),) = read(path).values()
    names = ("kind", "side", "px_ticks", "qty_lots", "seq", "ref", "flags")
    return instrument, [tuple(int(event[name]) for name in names) for event in events]
