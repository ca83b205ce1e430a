"""One frame of each declared message, from which tests cut and mutate."""

from __future__ import annotations

import gzip
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.feeds.binance import BINANCE, BINANCE_COINM, BINANCE_USDM
from kimera_cli.feeds.bybit import BYBIT
from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.feeds.coinbaseexchange import COINBASE_EXCHANGE
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

_EXCHANGE_TIME = '"time":"2021-04-17T16:43:37.075687Z"}'
_EXCHANGE = (
    '{"type":"snapshot","product_id":"BTC-USD","asks":[["101.5","0.5"],["102","2"]],'
    '"bids":[["100.25","0.00001"]]}',
    '{"type":"snapshot","product_id":"BTC-USD","asks":[["101.5","0.5"],["102","2"]],'
    '"bids":[["100.25","0.00001"]],' + _EXCHANGE_TIME,
    '{"type":"l2update","product_id":"BTC-USD","changes":[["sell","101.50","0.50000"],'
    '["buy","100.25","0"]],' + _EXCHANGE_TIME,
    '{"type":"ticker","sequence":333938798,"product_id":"BTC-USD","price":"101.5",'
    '"open_24h":"101","volume_24h":"943.28000000","low_24h":"99","high_24h":"103",'
    '"volume_30d":"2295.57000000","best_bid":"100.25","best_bid_size":"0.5","best_ask":"101.50",'
    '"best_ask_size":"1","side":"buy","time":"2021-04-17T16:43:30.244075Z","trade_id":881613,'
    '"last_size":"0.04"}',
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


def _stream(channel: str, data: str, symbol: str = "BTCUSDT") -> str:
    return f'{{"stream":"{symbol.lower()}@{channel}","data":{data}}}'


_LEVELS = '"b":[["61737.63","1.54698000"],["1.00000000","0.00000000"]],"a":[["61837.6","7"]]'
_BEST = '"b":"61837.63","B":"3.78826000","a":"61837.64000000","A":"1"'
_BINANCE = (
    _stream(
        "depth@100ms",
        f'{{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093,"u":50094,{_LEVELS}}}',
    ),
    _stream(
        "trade",
        '{"e":"trade","E":17,"s":"BTCUSDT","t":37,"p":"61837.63","q":"0.02000","T":16,"m":true,'
        '"M":true}',
    ),
    _stream(
        "aggTrade",
        '{"e":"aggTrade","E":17,"s":"BTCUSDT","a":37,"p":"61837.63","q":"0.02","f":1,"l":2,"T":16,'
        '"m":false,"M":true}',
    ),
    _stream("bookTicker", f'{{"u":50093239212,"s":"BTCUSDT",{_BEST}}}'),
)


def _futures(symbol: str) -> tuple[str, ...]:
    who = f'"s":"{symbol}","ps":"BTCUSD",'
    depth = f'{{"e":"depthUpdate","E":9,"T":8,{who}"U":5,"u":7,"pu":4,{_LEVELS},"st":1}}'
    trade = f'{{"e":"trade","E":9,"T":8,"s":"{symbol}","t":7,"p":"61800.3","q":"0.006",'
    aggregate = f'{{"e":"aggTrade","E":9,"a":3,"s":"{symbol}","p":"64990.90","q":"0.002",'
    return (
        _stream("depth@0ms", depth, symbol),
        _stream("trade", trade + '"X":"MARKET","m":false}', symbol),
        _stream("aggTrade", aggregate + '"nq":"0","f":1,"l":1,"T":8,"m":true}', symbol),
        _stream("bookTicker", f'{{"e":"bookTicker","u":5,{who}{_BEST},"T":8,"E":9}}', symbol),
    )


_BYBIT_BOOK = '{"s":"BTCUSDT",' + _LEVELS + ',"u":17,"seq":814547787693},"cts":1790134712120}'
_BYBIT_TRADE = (
    '{"T":1774021164272,"s":"BTCUSDT","S":"%s","v":"0.001","p":"69916.80","L":"MinusTick",'
    '"i":"8c931d9a-b703","BT":false,"RPI":false,"seq":549792210006}'
)
_BYBIT_SPOT_TRADE = (
    '{"i":"2100000000188691524","T":1789299660688,"p":"1.5","v":"2","S":"Buy","seq":1,'
    '"s":"BTCUSDT","BT":false,"RPI":true}'
)
_BYBIT_HEAD = '{"topic":"%s.BTCUSDT","type":"%s","ts":1790134712130,"data":'
_BYBIT_SPOT_HEAD = '{"topic":"%s.BTCUSDT","ts":1790134712130,"type":"%s","data":'
_BYBIT = (
    _BYBIT_HEAD % ("orderbook.50", "delta") + _BYBIT_BOOK,
    _BYBIT_SPOT_HEAD % ("orderbook.200", "snapshot") + _BYBIT_BOOK,
    _BYBIT_HEAD % ("orderbook.1", "snapshot")
    + '{"s":"BTCUSDT","b":[["86723.40","0.194"]],"a":[["86723.5","1"]],"u":17,"seq":8}}',
    _BYBIT_HEAD % ("publicTrade", "snapshot")
    + f"[{_BYBIT_TRADE % 'Sell'},{_BYBIT_TRADE % 'Buy'}]}}",
    _BYBIT_SPOT_HEAD % ("publicTrade", "snapshot") + f"[{_BYBIT_SPOT_TRADE}]}}",
)


def _case(dialect: Dialect, instruments: tuple[Instrument, ...], frames: tuple[str, ...]) -> Case:
    first, second = instruments
    return Case(dialect, (first, second), tuple(frame.encode() for frame in frames))


_COINM = ("BTCUSD_PERP", "ETHUSD_PERP")
_USDT = ("BTCUSDT", "ETHUSDT")
CASES = {
    "binance": _case(BINANCE, _pair("binance", _USDT, "BTC", "USDT"), _BINANCE),
    "binanceusdm": _case(
        BINANCE_USDM, _pair("binanceusdm", _USDT, "BTC", "USDT"), _futures("BTCUSDT")
    ),
    "binancecoinm": _case(
        BINANCE_COINM, _pair("binancecoinm", _COINM, "BTC", "USD"), _futures("BTCUSD_PERP")
    ),
    "bybit": _case(BYBIT, _pair("bybit", _USDT, "BTC", "USDT"), _BYBIT),
    "okx": _case(OKX, _pair("okx", ("BTC-USDT", "ETH-USDT"), "BTC", "USDT"), _OKX),
    "kraken": _case(KRAKEN, _pair("kraken", ("XBTUSD", "ETHUSD"), "XBT", "USD"), _KRAKEN),
    "coinbase": _case(COINBASE, _pair("coinbase", ("BTC-USD", "ETH-USD"), "BTC", "USD"), _COINBASE),
    "coinbaseexchange": _case(
        COINBASE_EXCHANGE,
        _pair("coinbaseexchange", ("BTC-USD", "ETH-USD"), "BTC", "USD"),
        _EXCHANGE,
    ),
    "htx": _case(HTX, _pair("htx", ("BTCUSDT", "ETHUSDT"), "BTC", "USDT"), _HTX),
}
