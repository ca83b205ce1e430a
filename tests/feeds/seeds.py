"""One frame of each declared message, from which tests cut and mutate."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.htx import HTX
from kimera_cli.feeds.kraken import KRAKEN
from kimera_cli.feeds.okx import OKX
from kimera_cli.instrument import Instrument


class Case(NamedTuple):
    """A venue, two instruments of it (frames are of the first), and frames that the kernel
    reads."""

    dialect: Dialect
    instruments: tuple[Instrument, Instrument]
    frames: tuple[bytes, ...]

    def wire(self, frame: bytes) -> bytes:
        """The frame as it comes over the wire."""
        return gzip.compress(frame, 1) if self.dialect.unpack else frame


def _pair(venue: str, symbols: tuple[str, str], base: str, quote: str) -> tuple[Instrument, ...]:
    return tuple(
        Instrument(
            venue=venue,
            symbol=symbol,
            kind="spot",
            tick=Decimal("0.01"),
            lot=Decimal("0.00001"),
            base=each,
            quote=quote,
        )
        for symbol, each in zip(symbols, (base, "ETH"), strict=True)
    )


_OKX_ARG = '{"arg":{"channel":"%s","instId":"BTC-USDT"}%s,"data":[%s]}'
_OKX_LEVELS = (
    '"asks":[["8476.98","415","0","13"],["8477","0","0","0"]],"bids":[["8476.97","0.25","0","12"]]'
)
_OKX_TRADE = (
    '{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060","side":"%s",'
    '"ts":"1630048897897","count":"3"}'
)
_OKX_TICKER = (
    '{"instType":"SPOT","instId":"BTC-USDT","last":"9999.99","lastSz":"0.1","askPx":"9999.99",'
    '"askSz":"11","bidPx":"8888.88","bidSz":"5","open24h":"9000","high24h":"10000",'
    '"low24h":"8888.88","volCcy24h":"2222","vol24h":"2222","sodUtc0":"2222","sodUtc8":"2222",'
    '"ts":"1597026383085"}'
)
_OKX_TS = ',"ts":"1597026383085"'
_OKX = (
    _OKX_ARG
    % (
        "books",
        ',"action":"update"',
        "{" + _OKX_LEVELS + _OKX_TS + ',"checksum":-855196043,"seqId":8,"prevSeqId":5}',
    ),
    _OKX_ARG
    % (
        "books",
        ',"action":"snapshot"',
        "{" + _OKX_LEVELS + _OKX_TS + ',"checksum":12,"prevSeqId":-1,"seqId":5}',
    ),
    _OKX_ARG % ("books5", "", "{" + _OKX_LEVELS + ',"instId":"BTC-USDT"' + _OKX_TS + ',"seqId":7}'),
    _OKX_ARG
    % (
        "bbo-tbt",
        "",
        '{"asks":[["111.06","5","0","2"]],"bids":[["111.05","7","0","2"]]'
        + _OKX_TS
        + ',"seqId":363996337}',
    ),
    _OKX_ARG % ("trades", "", _OKX_TRADE % "buy" + "," + _OKX_TRADE % "sell"),
    _OKX_ARG % ("tickers", "", _OKX_TICKER),
)

_KRAKEN_BOOK = (
    '{"channel":"book","type":"%s","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,'
    '"qty":0.10000},{"price":45283.4,"qty":1.5}],"asks":[{"price":45285.2,"qty":0}],'
    '"checksum":3310070434,"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
_KRAKEN_TRADE = (
    '{"symbol":"BTC/USD","side":"%s","price":5944.20,"qty":0.00027,"ord_type":"limit",'
    '"trade_id":%d,"timestamp":"2023-10-06T17:35:55.44Z"}'
)
_KRAKEN = (
    _KRAKEN_BOOK % "update",
    _KRAKEN_BOOK % "snapshot",
    '{"channel":"trade","type":"update","data":['
    + (_KRAKEN_TRADE % ("buy", 7) + "," + _KRAKEN_TRADE % ("sell", 8))
    + "]}",
    '{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":108359.8,'
    '"bid_qty":0.01362,"ask":108359.9,"ask_qty":17.17,"last":108359.8,"volume":2158.3,'
    '"vwap":108894.5,"low":106824,"high":111300,"change":-2679.9,"change_pct":-2.41}]}',
)

_COINBASE_HEAD = (
    '{"channel":"%s","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z",'
    '"sequence_num":7,"events":[%s]}'
)
_COINBASE_BOOK = (
    '{"type":"%s","product_id":"BTC-USD","updates":[{"side":"bid","event_time":'
    '"2023-02-09T20:32:50.2Z","price_level":"21921.73","new_quantity":"0.06317"},{"side":"offer",'
    '"event_time":"2023-02-09T20:32:50.2Z","price_level":"21921.74","new_quantity":"0"}]}'
)
_COINBASE_TRADE = (
    '{"product_id":"BTC-USD","trade_id":"%d","price":"68900.50","size":"0.0015",'
    '"time":"2023-02-09T20:32:50.1Z","side":"%s"}'
)
_COINBASE_TICKER = (
    '{"type":"update","tickers":[{"type":"ticker","product_id":"BTC-USD","price":"68900.50",'
    '"volume_24_h":"15328.12","low_24_h":"67500","high_24_h":"69200","low_52_w":"25000",'
    '"high_52_w":"73800","price_percent_chg_24_h":"1.85","best_bid":"68900.00",'
    '"best_bid_quantity":"1.5","best_ask":"68901.00","best_ask_quantity":"0.5"}]}'
)
_COINBASE = (
    _COINBASE_HEAD % ("l2_data", _COINBASE_BOOK % "update"),
    _COINBASE_HEAD % ("l2_data", _COINBASE_BOOK % "snapshot"),
    _COINBASE_HEAD
    % (
        "market_trades",
        '{"type":"update","trades":['
        + (_COINBASE_TRADE % (1, "BUY") + "," + _COINBASE_TRADE % (2, "SELL"))
        + "]}",
    ),
    _COINBASE_HEAD % ("ticker", _COINBASE_TICKER),
)

_HTX_PUSH = '{"ch":"market.btcusdt.%s","ts":1618678027942,"tick":{%s}}'
_HTX_LEVELS = '"bids":[[9.7E1,1.7E-4],[65321.0,4.0E7]],"asks":[[65321.43,0.04526]]'
_HTX_TRADE = (
    '{"id":10018253452625575756743248,"ts":1618678027940,"tradeId":%d,"amount":0.5,'
    '"price":1.0E4,"direction":"%s"}'
)
_HTX_TRADES = _HTX_TRADE % (2, "sell") + "," + _HTX_TRADE % (1, "buy")
_HTX_BEST = (
    '"seqId":141391088807,"ask":65321.43,"askSize":1.7E-4,"bid":65321.42,"bidSize":0.43276,'
    '"quoteTime":1636625370388,"symbol":"btcusdt"'
)
_HTX = (
    _HTX_PUSH % ("depth.step0", _HTX_LEVELS + ',"version":20,"ts":161'),
    _HTX_PUSH % ("mbp.150", '"seqNum":7,"prevSeqNum":5,' + _HTX_LEVELS),
    _HTX_PUSH % ("mbp.refresh.20", '"seqNum":7,' + _HTX_LEVELS),
    _HTX_PUSH % ("trade.detail", '"id":100182534526,"ts":16,"data":[' + _HTX_TRADES + "]"),
    _HTX_PUSH % ("bbo", _HTX_BEST),
)


def _case(dialect: Dialect, instruments: tuple[Instrument, ...], frames: tuple[str, ...]) -> Case:
    first, second = instruments
    return Case(dialect, (first, second), tuple(frame.encode() for frame in frames))


CASES = {
    "okx": _case(OKX, _pair("okx", ("BTC-USDT", "ETH-USDT"), "BTC", "USDT"), _OKX),
    "kraken": _case(KRAKEN, _pair("kraken", ("XBTUSD", "ETHUSD"), "XBT", "USD"), _KRAKEN),
    "coinbase": _case(COINBASE, _pair("coinbase", ("BTC-USD", "ETH-USD"), "BTC", "USD"), _COINBASE),
    "htx": _case(HTX, _pair("htx", ("BTCUSDT", "ETHUSDT"), "BTC", "USDT"), _HTX),
}
