"""Made-up frames of each venue for timing, and how msgspec and orjson users read them.

Prices walk, sizes vary in length and four in ten are nought, as in real diffs; no two frames are
alike, so that no branch predictor learns them by heart. Their content means nothing else.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from kimera_cli.feeds.binance import BINANCE, BINANCE_USDM
from kimera_cli.feeds.bybit import BYBIT
from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.htx import HTX
from kimera_cli.feeds.kraken import KRAKEN
from kimera_cli.feeds.okx import OKX
from kimera_cli.instrument import Instrument

LEVELS = 20
"""Levels per side of a depth message."""
SEED = 5
MS = 1_723_161_255_208
TIME = "2026-04-07T14:30:00.123456Z"

Level = tuple[str, str]
Pairs = list[tuple[float, float]]
Write = Callable[[int, list[Level], list[Level]], str]
Sides = Callable[[Any], Iterable[Any]]


def struct(name: str, **fields: Any) -> Any:
    """Return a msgspec type that keeps these fields and skips all others."""
    return msgspec.defstruct(name, list(fields.items()), gc=False)


def many(item: Any) -> Any:
    """Return the type of a list of them."""
    return GenericAlias(list, (item,))


@dataclass(frozen=True)
class Form:
    """A venue: how its frames are written, and how they are read without kimera.

    `sides` and `plain` give the (price, size) pairs of a message decoded by msgspec and orjson.
    """

    name: str
    dialect: Dialect
    symbol: str
    depth: Write
    quote: Write
    trade: Write
    typed: Any
    sides: Sides
    plain: Sides
    px_decimals: int = 2
    qty_decimals: int = 3

    @property
    def instrument(self) -> Instrument:
        """The one instrument of the frames."""
        return Instrument(
            venue=self.dialect.venue,
            symbol=self.symbol,
            kind="spot",
            tick=Decimal("0.1"),
            lot=Decimal("0.001"),
            base="XBT" if self.name == "kraken" else "BTC",
            quote="USD" if self.name in ("kraken", "coinbase") else "USDT",
        )

    def frames(self, kind: str, count: int) -> list[bytes]:
        """Return frames of one kind, as they come over the wire."""
        rng, made = np.random.default_rng(SEED), []
        mid = 618_000
        for number in range(1, count + 1):
            mid += int(rng.integers(-3, 4))
            n = LEVELS if kind == "depth" else 1
            sides = [self._levels(rng, mid, sign, n, kind != "depth") for sign in (-1, 1)]
            text = getattr(self, kind)(number, *sides).encode()
            made.append(gzip.compress(text, 6) if self.dialect.unpack else text)
        return made

    def _levels(
        self, rng: np.random.Generator, mid: int, sign: int, n: int, full: bool
    ) -> list[Level]:
        ticks = mid + sign * (1 + rng.choice(10 * n, n, replace=False))
        lots = 10 ** (6 * rng.random(n))
        lots = np.where((rng.random(n) < 0.4) & (not full), 0, lots).astype(int)
        return [
            (_text(t, 1, self.px_decimals), _text(q, 3, self.qty_decimals))
            for t, q in zip(ticks.tolist(), lots.tolist(), strict=True)
        ]


def _text(steps: int, decimals: int, written: int) -> str:
    whole, part = divmod(steps, 10**decimals)
    return f"{whole}.{f'{part:0{decimals}d}'.ljust(written, '0')}"


def _pairs(levels: list[Level], more: str = "") -> str:
    return "[" + ",".join(f'["{px}","{qty}"{more}]' for px, qty in levels) + "]"


def _bare(levels: list[Level]) -> str:
    return "[" + ",".join(f"[{px},{qty}]" for px, qty in levels) + "]"


def _named(levels: list[Level]) -> str:
    return "[" + ",".join(f'{{"price":{px},"qty":{qty}}}' for px, qty in levels) + "]"


def _best(bids: list[Level], asks: list[Level]) -> str:
    (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
    return f'"b":"{bid}","B":"{bid_size}","a":"{ask}","A":"{ask_size}"'


def _stream(channel: str, data: str) -> str:
    return f'{{"stream":"btcusdt@{channel}","data":{{{data}}}}}'


_BOOK = struct("Book", s=str, u=int, b=Pairs, a=Pairs)


def _binance(name: str, dialect: Dialect, futures: bool, head: str, end: str, **form: int) -> Form:
    def depth(n: int, bids: list[Level], asks: list[Level]) -> str:
        follows = f',"pu":{100 * n - 1}' if futures else ""
        ids = f'"U":{100 * n},"u":{100 * n + 99}{follows}'
        levels = f'"b":{_pairs(bids)},"a":{_pairs(asks)}'
        return _stream("depth@100ms", f'"e":"depthUpdate",{head}"s":"BTCUSDT",{ids},{levels}')

    def quote(n: int, bids: list[Level], asks: list[Level]) -> str:
        event, times = ('"e":"bookTicker",', f',"T":{MS},"E":{MS}') if futures else ("", "")
        return _stream("bookTicker", f'{event}"u":{n},"s":"BTCUSDT",{_best(bids, asks)}{times}')

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        what = f'"s":"BTCUSDT","t":{n},"p":"{px}","q":"{qty}",'
        return _stream("trade", f'"e":"trade",{head}{what}{end}')

    return Form(
        name,
        dialect,
        "BTCUSDT",
        depth,
        quote,
        trade,
        struct("Stream", data=_BOOK),
        lambda m: m.data.b + m.data.a,
        lambda m: m["data"]["b"] + m["data"]["a"],
        **form,
    )


def _bybit() -> Form:
    def book(topic: str, kind: str, n: int, bids: list[Level], asks: list[Level]) -> str:
        data = f'{{"s":"BTCUSDT","b":{_pairs(bids)},"a":{_pairs(asks)},"u":{n + 1},"seq":{n}}}'
        head = f'"topic":"orderbook.{topic}.BTCUSDT","type":"{kind}","ts":{MS}'
        return f'{{{head},"data":{data},"cts":{MS}}}'

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        head = f'"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":{MS}'
        return (
            f'{{{head},"data":[{{"T":{MS},"s":"BTCUSDT","S":"Buy","v":"{qty}","p":"{px}",'
            f'"L":"PlusTick","i":"20f43950-d8dd-5b31-9112-{n:012d}","BT":false,"RPI":false,'
            f'"seq":{n}}}]}}'
        )

    return Form(
        "bybit",
        BYBIT,
        "BTCUSDT",
        lambda n, bids, asks: book("50", "delta", n, bids, asks),
        lambda n, bids, asks: book("1", "snapshot", n, bids, asks),
        trade,
        struct("Topic", cts=int, data=_BOOK),
        lambda m: m.data.b + m.data.a,
        lambda m: m["data"]["b"] + m["data"]["a"],
    )


def _okx() -> Form:
    def push(channel: str, action: str, data: str) -> str:
        arg = f'{{"channel":"{channel}","instId":"BTC-USDT"}}'
        return f'{{"arg":{arg}{action},"data":[{{{data}}}]}}'

    def depth(n: int, bids: list[Level], asks: list[Level]) -> str:
        more = ',"0","12"'
        levels = f'"asks":{_pairs(asks, more)},"bids":{_pairs(bids, more)}'
        ids = f'"ts":"{MS}","checksum":0,"seqId":{n + 1},"prevSeqId":{n}'
        return push("books", ',"action":"update"', f"{levels},{ids}")

    def quote(n: int, bids: list[Level], asks: list[Level]) -> str:
        more = ',"0","12"'
        levels = f'"asks":{_pairs(asks, more)},"bids":{_pairs(bids, more)}'
        return push("bbo-tbt", "", f'{levels},"ts":"{MS}","seqId":{n}')

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        text = f'"instId":"BTC-USDT","tradeId":"{n}","px":"{px}","sz":"{qty}","side":"buy"'
        return push("trades", "", f'{text},"ts":"{MS}","count":"1"')

    sides = list[tuple[float, float, str, str]]
    book = struct("OkxBook", asks=sides, bids=sides, ts=str, seqId=int)
    return Form(
        "okx",
        OKX,
        "BTC-USDT",
        depth,
        quote,
        trade,
        struct("OkxPush", data=many(book)),
        lambda m: [level[:2] for level in m.data[0].asks + m.data[0].bids],
        lambda m: [level[:2] for level in m["data"][0]["asks"] + m["data"][0]["bids"]],
    )


def _kraken() -> Form:
    def push(channel: str, data: str) -> str:
        return f'{{"channel":"{channel}","type":"update","data":[{{"symbol":"BTC/USDT",{data}}}]}}'

    def depth(n: int, bids: list[Level], asks: list[Level]) -> str:
        tail = f'"checksum":{n},"timestamp":"{TIME}"'
        return push("book", f'"bids":{_named(bids)},"asks":{_named(asks)},{tail}')

    def quote(n: int, bids: list[Level], asks: list[Level]) -> str:
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        best = f'"bid":{bid},"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size}'
        rest = f'"last":{bid},"volume":{n}.5,"vwap":1.5,"low":1.5,"high":2.5'
        return push("ticker", f'{best},{rest},"change":-1.5,"change_pct":-0.5')

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        what = f'"side":"buy","price":{px},"qty":{qty},"ord_type":"limit","trade_id":{n}'
        return push("trade", f'{what},"timestamp":"{TIME}"')

    level = struct("KrakenLevel", price=float, qty=float)
    book = struct("KrakenBook", bids=many(level), asks=many(level), checksum=int, timestamp=str)
    return Form(
        "kraken",
        KRAKEN,
        "XBTUSD",
        lambda *a: depth(*a).replace("USDT", "USD"),
        lambda *a: quote(*a).replace("USDT", "USD"),
        lambda *a: trade(*a).replace("USDT", "USD"),
        struct("KrakenPush", data=many(book)),
        lambda m: [(each.price, each.qty) for each in m.data[0].bids + m.data[0].asks],
        lambda m: [(x["price"], x["qty"]) for x in m["data"][0]["bids"] + m["data"][0]["asks"]],
    )


def _coinbase() -> Form:
    def push(channel: str, n: int, event: str) -> str:
        head = f'"channel":"{channel}","client_id":"","timestamp":"{TIME}","sequence_num":{n}'
        return f'{{{head},"events":[{{"type":"update",{event}}}]}}'

    def depth(n: int, bids: list[Level], asks: list[Level]) -> str:
        texts = [
            f'{{"side":"{side}","event_time":"{TIME}","price_level":"{px}","new_quantity":"{qty}"}}'
            for side, levels in (("bid", bids), ("offer", asks))
            for px, qty in levels
        ]
        return push("l2_data", n, f'"product_id":"BTC-USD","updates":[{",".join(texts)}]')

    def quote(n: int, bids: list[Level], asks: list[Level]) -> str:
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        names = ("price", "volume_24_h", "low_24_h", "high_24_h", "low_52_w", "high_52_w")
        rest = ",".join(f'"{name}":"1.5"' for name in (*names, "price_percent_chg_24_h"))
        best = f'"best_bid":"{bid}","best_bid_quantity":"{bid_size}"'
        best += f',"best_ask":"{ask}","best_ask_quantity":"{ask_size}"'
        ticker = f'{{"type":"ticker","product_id":"BTC-USD",{rest},{best}}}'
        return push("ticker", n, f'"tickers":[{ticker}]')

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        what = f'"product_id":"BTC-USD","trade_id":"{n}","price":"{px}","size":"{qty}"'
        return push("market_trades", n, f'"trades":[{{{what},"time":"{TIME}","side":"BUY"}}]')

    level = struct("Update", side=str, price_level=float, new_quantity=float)
    event = struct("CoinbaseEvent", updates=many(level))
    push_type = struct("CoinbasePush", events=many(event))
    return Form(
        "coinbase",
        COINBASE,
        "BTC-USD",
        depth,
        quote,
        trade,
        push_type,
        lambda m: [(each.price_level, each.new_quantity) for each in m.events[0].updates],
        lambda m: [(x["price_level"], x["new_quantity"]) for x in m["events"][0]["updates"]],
    )


def _htx() -> Form:
    def push(channel: str, tick: str) -> str:
        return f'{{"ch":"market.btcusdt.{channel}","ts":{MS},"tick":{{{tick}}}}}'

    def depth(n: int, bids: list[Level], asks: list[Level]) -> str:
        levels = f'"bids":{_bare(bids)},"asks":{_bare(asks)}'
        return push("mbp.150", f'"seqNum":{n + 1},"prevSeqNum":{n},{levels}')

    def quote(n: int, bids: list[Level], asks: list[Level]) -> str:
        (bid, bid_size), (ask, ask_size) = bids[0], asks[0]
        best = f'"ask":{ask},"askSize":{ask_size},"bid":{bid},"bidSize":{bid_size}'
        return push("bbo", f'"seqId":{n},{best},"quoteTime":{MS},"symbol":"btcusdt"')

    def trade(n: int, bids: list[Level], asks: list[Level]) -> str:
        px, qty = bids[0]
        one = f'"tradeId":{n},"amount":{qty},"price":{px},"direction":"buy"'
        return push("trade.detail", f'"id":{n},"ts":{MS},"data":[{{"id":{n},"ts":{MS},{one}}}]')

    return Form(
        "htx",
        HTX,
        "BTCUSDT",
        depth,
        quote,
        trade,
        struct("HtxPush", tick=struct("HtxTick", seqNum=int, bids=Pairs, asks=Pairs)),
        lambda m: m.tick.bids + m.tick.asks,
        lambda m: m["tick"]["bids"] + m["tick"]["asks"],
    )


_TIMES = f'"E":{MS},"T":{MS},'
FORMS = (
    _binance(
        "binance", BINANCE, False, f'"E":{MS},', f'"T":{MS},"m":true,"M":true', qty_decimals=8
    ),
    _binance("binanceusdm", BINANCE_USDM, True, _TIMES, '"X":"MARKET","m":false'),
    _bybit(),
    _okx(),
    _kraken(),
    _coinbase(),
    _htx(),
)
