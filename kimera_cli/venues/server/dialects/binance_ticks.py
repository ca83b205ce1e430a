"""Binance's stream messages of the last 24 hours and of bars."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.model import Candle, Market

DAY = {
    "p": "priceChange", "P": "priceChangePercent", "w": "weightedAvgPrice", "x": "prevClosePrice",
    "c": "lastPrice", "Q": "lastQty", "b": "bidPrice", "B": "bidQty", "a": "askPrice",
    "A": "askQty", "o": "openPrice", "h": "highPrice", "l": "lowPrice", "v": "volume",
    "q": "quoteVolume", "O": "openTime", "C": "closeTime", "F": "firstId", "L": "lastId",
    "n": "count",
}  # fmt: skip
"""Letters of the stream -> names of GET /api/v3/ticker/24hr."""
MINI = "cohlvq"


def day_event(day: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Return the message of stream `@ticker`."""
    head = {"e": "24hrTicker", "E": now_ms, "s": day["symbol"]}
    return head | {letter: day[name] for letter, name in DAY.items()}


def mini_event(day: dict[str, Any], now_ms: int) -> dict[str, Any]:
    """Return the message of stream `@miniTicker`."""
    head = {"e": "24hrMiniTicker", "E": now_ms, "s": day["symbol"]}
    return head | {letter: day[DAY[letter]] for letter in MINI}


def kline_event(
    market: Market, bar: Candle, interval: str, width_ns: int, now_ms: int
) -> dict[str, Any]:
    """Return the message of stream `@kline_<interval>`."""
    row = shapes.kline(market, bar, width_ns)
    return {
        "e": "kline",
        "E": now_ms,
        "s": shapes.name_of(market),
        "k": {
            "t": row[0], "T": row[6], "s": shapes.name_of(market), "i": interval, "f": -1, "L": -1,
            "o": row[1], "c": row[4], "h": row[2], "l": row[3], "v": row[5], "n": row[8],
            "x": now_ms > row[6], "q": row[7], "V": row[9], "Q": row[10], "B": "0",
        },
    }  # fmt: skip
