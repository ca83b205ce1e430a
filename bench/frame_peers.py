"""Peers of the way from a frame to an order: what Python users have, on the same bytes.

`orjson` is the plain way, written for speed: a dict of float prices with the best ones kept, an
f-string, a copied HMAC context. `ccxt` is ccxt.pro's own message handler with its order book, then
its request of one order and its signature, without fetching. Both always join the best bid, with
nothing to decide and no gate: less than kimera does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from kimera_cli.instrument import Instrument

from .frame_tape import FrameTape
from .order import KEY, PASSPHRASE, QTY_LOTS, SECRET, Entry, entries
from .order_ccxt import make_order, one_market
from .order_peers import Plain, require


class PlainPython:
    """orjson, dicts and hmac."""

    name = "orjson"

    def __init__(self, tape: FrameTape, now_ns: Callable[[], int]) -> None:
        self.loads = require("orjson").loads
        self.write = Plain(KEY, SECRET, PASSPHRASE).binance
        self.now_ns, self.orders = now_ns, 0
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.best_bid, self.best_ask = 0.0, float("inf")
        self.decimals = _decimals(tape.instrument)
        self.size = f"{QTY_LOTS * tape.instrument.lot:f}"

    def payload(self, received: memoryview) -> memoryview:
        """Return the view; orjson reads it as it is."""
        return received

    def take(self, payload: memoryview) -> bytes:
        """Update the dicts, and sign an order at the best bid."""
        data = self.loads(payload)["data"]
        bids, best = self.bids, self.best_bid
        for px, qty in data["b"]:
            price, size = float(px), float(qty)
            if size:
                bids[price] = size
                if price > best:
                    best = price
            elif price in bids:
                del bids[price]
        self.best_bid = best = best if best in bids else max(bids, default=0.0)
        asks, lowest = self.asks, self.best_ask
        for px, qty in data["a"]:
            price, size = float(px), float(qty)
            if size:
                asks[price] = size
                if price < lowest:
                    lowest = price
            elif price in asks:
                del asks[price]
        self.best_ask = lowest if lowest in asks else min(asks, default=float("inf"))
        self.orders += 1
        now_ms = self.now_ns() // 1_000_000
        return self.write(f"{best:.{self.decimals}f}", self.size, f"k{self.orders}", now_ms)

    def restart(self, frames: Sequence[bytes]) -> None:
        """Empty the dicts and take these frames."""
        self.bids.clear()
        self.asks.clear()
        self.best_bid, self.best_ask = 0.0, float("inf")
        for frame in frames:
            self.take(memoryview(frame))

    def settle(self) -> None:
        """Nothing to forget."""


class Ccxt:
    """ccxt.pro's Binance, without a network; for BTCUSDT, its one market."""

    name = "ccxt"

    def __init__(self, tape: FrameTape) -> None:
        pro = require("ccxt.pro")
        self.loop = asyncio.new_event_loop()
        self.entry: Entry = entries()[0]
        venue = self.entry.dialect.way.venue
        self.exchange = getattr(pro, venue)({"apiKey": KEY, "secret": SECRET.decode()})
        self.exchange.asyncio_loop = self.loop
        self.symbol = one_market(self.exchange, self.entry)
        self.make, self.lot = make_order(venue), float(tape.instrument.lot)
        self.first = _follows(tape)
        self.handle: Callable[[str], None] = self.loop.run_until_complete(self._handler())

    async def _handler(self) -> Callable[[str], None]:
        """Return what its websocket calls for each text message."""
        client = self.exchange.client("wss://stream.binance.com:9443/stream")
        handle: Callable[[str], None] = client.handle_text_or_binary_message
        return handle

    def payload(self, received: memoryview) -> str:
        """Return text, as aiohttp hands it over."""
        return str(received, "utf-8")

    def take(self, payload: str) -> Any:
        """Handle the message, and sign an order at the best bid."""
        self.handle(payload)
        price = self.exchange.orderbooks[self.symbol]["bids"][0][0]
        return self.make(self.exchange, self.symbol, QTY_LOTS * self.lot, price, {})

    def restart(self, frames: Sequence[bytes]) -> None:
        """Begin with an empty book that has been told to be complete, and take these frames."""
        book = self.exchange.order_book({}, 1000)
        book["nonce"] = self.first
        self.exchange.orderbooks[self.symbol] = book
        for frame in frames:
            self.handle(frame.decode())

    def settle(self) -> None:
        """Nothing to forget."""

    def close(self) -> None:
        """Close what it opened, and the loop."""
        self.loop.run_until_complete(self.exchange.close())
        self.loop.close()


def _decimals(instrument: Instrument) -> int:
    exponent = instrument.tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _follows(tape: FrameTape) -> int:
    """Return an update id of a snapshot that the first frame follows, by the venue's rule for it:
    spot wants the id before it, futures one in it.
    """
    data = require("orjson").loads(tape.frames[0])["data"]
    return int(data["U"]) - ("pu" not in data)
