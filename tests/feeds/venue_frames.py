"""Frames of OKX, Kraken, Coinbase and HTX for tests: recorded ones, and recorded ones re-told.

OKX and HTX were recorded in the format that is parsed. Kraken (websocket v1) and Coinbase
(Exchange) were recorded in older formats: their real prices, sizes, times and checksums are written
here in the documented form of Kraken v2 and Coinbase Advanced Trade.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.importers.cryptofeed import companions, read_capture, seconds_to_ns
from kimera_cli.data.importers.cryptofeed_importer import CaptureImporter
from kimera_cli.data.streams import open_lines
from kimera_cli.feeds.binance import BINANCE
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.okx import OKX
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import Events

BTC_USDT = Instrument(
    venue="binance", symbol="BTCUSDT", kind="spot", tick=Decimal("0.01"), lot=Decimal("0.00000001")
)


class Frame(NamedTuple):
    """One received websocket message: its line in the capture, arrival time and bytes."""

    line: int
    ts_ns: int
    body: bytes


@cache
def recorded(path: Path) -> list[Frame]:
    """The received messages of a capture, gzip frames unpacked."""
    return [Frame(m.line, m.ts_ns, m.body) for m in read_capture(path) if not m.sent]


def packed(path: Path) -> Iterator[bytes]:
    """The gzip frames of an HTX capture as they came over the wire."""
    for _, raw in open_lines(path):
        _, mark, body = raw.partition(b": b")
        if mark:
            yield ast.literal_eval("b" + body.decode("ascii"))


@cache
def listed(path: Path) -> dict[str, Instrument]:
    """The instruments that the REST file beside a capture describes, by name on the wire."""
    importer = choose(path, None)
    assert isinstance(importer, CaptureImporter)
    found: dict[str, Instrument] = {}
    for meta in companions(path, "meta"):
        for message in read_capture(meta):
            body = json.loads(message.body, parse_float=str)
            found.update(importer.listed(message.url, body))
    return found


@cache
def imported(path: Path) -> dict[str, tuple[Instrument, dict[int, list[Any]]]]:
    """What the importer makes of a capture: symbol -> (instrument, line -> its events)."""
    found: dict[str, tuple[Instrument, dict[int, list[Any]]]] = {}
    for batch in choose(path, None).read(path, ImportOptions()):
        lines = found.setdefault(batch.instrument.symbol, (batch.instrument, {}))[1]
        events: Events = batch.events
        for event in events:
            lines.setdefault(int(event["aux"]), []).append(event)
    return found


def rfc3339(ts_ns: int, digits: int = 9) -> str:
    """A time in UTC as Kraken and Coinbase write it."""
    seconds, rest = divmod(ts_ns, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}"[: 20 + digits] + "Z"


# --- Kraken: v1 re-told as v2 ------------------------------------------------------------------


def kraken_v2(path: Path) -> Iterator[tuple[str, Frame]]:
    """(pair in v2's spelling, v2 frame) of each v1 book and trade message, trades numbered."""
    number = 0
    for line, ts_ns, raw in recorded(path):
        body = json.loads(raw)
        if isinstance(body, dict):
            continue
        channel, pair = body[-2].partition("-")[0], body[-1].replace("XBT", "BTC")
        if channel == "book":
            yield pair, Frame(line, ts_ns, _v2_book(pair, body[1:-2]))
        elif channel == "trade":
            number += len(body[1])
            yield pair, Frame(line, ts_ns, _v2_trades(pair, body[1], number))


def _v2_book(pair: str, parts: list[dict[str, Any]]) -> bytes:
    sides = {"asks": ("as", "a"), "bids": ("bs", "b")}
    levels = {
        side: [level for part in parts for key in keys for level in part.get(key, ())]
        for side, keys in sides.items()
    }
    snapshot = "as" in parts[0] or "bs" in parts[0]
    crc = next((part["c"] for part in parts if "c" in part), None) or _checksum(levels)
    ts_ns = max(seconds_to_ns(level[2]) for side in levels.values() for level in side)
    texts = {
        side: ",".join(f'{{"price":{level[0]},"qty":{level[1]}}}' for level in each)
        for side, each in levels.items()
    }
    return (
        f'{{"channel":"book","type":"{"snapshot" if snapshot else "update"}","data":'
        f'[{{"symbol":"{pair}","bids":[{texts["bids"]}],"asks":[{texts["asks"]}],'
        f'"checksum":{crc},"timestamp":"{rfc3339(ts_ns, 6)}"}}]}}'
    ).encode()


def _checksum(levels: dict[str, list[list[str]]]) -> int:
    asks = sorted(levels["asks"], key=lambda level: Decimal(level[0]))[:10]
    bids = sorted(levels["bids"], key=lambda level: -Decimal(level[0]))[:10]
    digits = (text.replace(".", "").lstrip("0") for level in asks + bids for text in level[:2])
    return crc32("".join(digits).encode())


def _v2_trades(pair: str, trades: Iterable[list[str]], last: int) -> bytes:
    trades = list(trades)
    texts = [
        f'{{"symbol":"{pair}","side":"{"buy" if side == "b" else "sell"}","price":{px},'
        f'"qty":{qty},"ord_type":"{"limit" if kind == "l" else "market"}",'
        f'"trade_id":{last - len(trades) + 1 + k},"timestamp":"{rfc3339(seconds_to_ns(ts), 6)}"}}'
        for k, (px, qty, ts, side, kind, _) in enumerate(trades)
    ]
    return f'{{"channel":"trade","type":"update","data":[{",".join(texts)}]}}'.encode()


# --- Coinbase: Exchange messages re-told as Advanced Trade -------------------------------------

_OFFER = {"buy": "bid", "sell": "offer"}


def coinbase_advanced(path: Path) -> Iterator[tuple[str, Frame]]:
    """(product, Advanced Trade frame) of each level2, match and ticker message."""
    number = 0
    for line, ts_ns, raw in recorded(path):
        body = json.loads(raw)
        retold = _RETOLD.get(body["type"])
        if retold is None:
            continue
        channel, event = retold(body)
        message = {
            "channel": channel,
            "client_id": "",
            "timestamp": rfc3339(ts_ns, 9),
            "sequence_num": number,
            "events": [event],
        }
        number += 1
        text = json.dumps(message, separators=(",", ":"))
        yield body["product_id"], Frame(line, ts_ns, text.encode())


def _update(side: str, px: str, qty: str, time: str) -> dict[str, str]:
    return {"side": side, "event_time": time, "price_level": px, "new_quantity": qty}


def _snapshot(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    updates = [
        _update(side, px, qty, "1970-01-01T00:00:00Z")
        for side, key in (("bid", "bids"), ("offer", "asks"))
        for px, qty in body[key]
    ]
    product = body["product_id"]
    return "l2_data", {"type": "snapshot", "product_id": product, "updates": updates}


def _changes(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    updates = [_update(_OFFER[side], px, qty, body["time"]) for side, px, qty in body["changes"]]
    product = body["product_id"]
    return "l2_data", {"type": "update", "product_id": product, "updates": updates}


def _match(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    trade = {
        "trade_id": str(body["trade_id"]),
        "product_id": body["product_id"],
        "price": body["price"],
        "size": body["size"],
        "side": body["side"].upper(),
        "time": body["time"],
    }
    kind = "snapshot" if body["type"] == "last_match" else "update"
    return "market_trades", {"type": kind, "trades": [trade]}


def _ticker(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ticker = {
        "type": "ticker",
        "product_id": body["product_id"],
        "price": body["price"],
        "volume_24_h": body["volume_24h"],
        "low_24_h": body["low_24h"],
        "high_24_h": body["high_24h"],
        "low_52_w": "0",
        "high_52_w": "0",
        "price_percent_chg_24_h": "0",
        "best_bid": body["best_bid"],
        "best_bid_quantity": "0",
        "best_ask": body["best_ask"],
        "best_ask_quantity": "0",
    }
    return "ticker", {"type": "update", "tickers": [ticker]}


_RETOLD = {
    "snapshot": _snapshot,
    "l2update": _changes,
    "match": _match,
    "last_match": _match,
    "ticker": _ticker,
}


def binance_frames(shared_data: Path) -> tuple[Dialect, tuple[Instrument, ...], list[bytes]]:
    lines = open_lines(shared_data / "hftbacktest" / "spot_btcusdt_20240808.gz")
    bodies = (line.partition(b" ")[2].strip() for _, line in lines)
    frames = [body for _, body in zip(range(2000), bodies, strict=False)]
    return BINANCE, (BTC_USDT,), [frame for frame in frames if frame.startswith(b'{"stream"')]


def okx_frames(shared_data: Path) -> tuple[Dialect, tuple[Instrument, ...], list[bytes]]:
    path = shared_data / "l2_raw" / "cryptofeed" / "OKX.ws.1.0.gz"
    bodies = [frame.body for frame in recorded(path)]
    names = {json.loads(body)["arg"]["instId"] for body in bodies}
    found = listed(path)
    return OKX, tuple(found[name] for name in sorted(names)), bodies
