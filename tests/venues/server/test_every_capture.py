"""Every public capture of a spot venue is compared with the server, or it is said why not.

Also the captures that the other tests of shapes do not read: Binance's events of an account and of
streams, REST answers and frames of cryptofeed's recordings.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import msgspec
import pytest
from direct_venue import Direct, exact
from probe import Probe
from recordings import rest_answer
from test_captured_shapes import plain, subscribe
from test_kraken_dialect import result

from kimera_cli.data.importers.cryptofeed import read_capture
from kimera_cli.venues.json_shapes import lacking, unlike
from kimera_cli.venues.server.auth import mac_hex

NOT_SERVED = {
    "not JSON, and what describes it": ("binance/*.sbe", "binance/*metadata*", "binance/manifest*"),
    "binance's futures": (
        "binance/account_info_v2", "binance/account_update*", "binance/algo_update*",
        "binance/balance", "binance/liquidation*", "binance/mark_price*", "binance/open_algo*",
        "binance/order_update*", "binance/position_risk", "binance/trade_lite",
        "binance/book_ticker_stream", "binance/depth_update_stream",
    ),
    "binance's stop orders and order lists": (
        "binance/execution_report_stop_loss", "binance/list_status_wrapped",
    ),
    "coinbase's futures": ("coinbase/http_cfm*", "coinbase/http_products_future"),
    "kraken's futures, margin and tokens": (
        "kraken/*futures*", "kraken/http_spot_open_positions",
        "kraken/http_asset_pairs_tokenized",
    ),
    "kraken's orders one by one": ("kraken/ws_l3*",),
    "requests of a client, which tests of orders send": ("kraken/ws_*_request",),
    "okx's derivatives, margin, spreads and algo orders": (
        "okx/*algo*", "okx/*position*", "okx/*funding*", "okx/*option*", "okx/*opt_*",
        "okx/*spread*", "okx/*sprd*", "okx/*_swap", "okx/*_futures", "okx/*_margin",
        "okx/*mark_price", "okx/*_adl", "okx/*liquidation", "okx/*trigger*", "okx/*tp_sl",
        "okx/ws_orders", "okx/ws_orders_optimal*",
        "okx/http_get_index_price",
    ),
    "parts of others, for a parser's corners": (
        "okx/common_*", "okx/http_balance_detail*", "okx/ws_account_empty",
        "okx/http_transaction_detail_empty_fee", "okx/http_get_candlesticks_full",
    ),
}  # fmt: skip
"""Why a capture is not compared, and which: names with `*`."""
ELSEWHERE = """
binance/account_position_wrapped binance/account_response binance/account_trades_response
binance/all_orders_response binance/avg_price_response binance/balance_update_wrapped
binance/book_ticker_response binance/cancel_open_orders_response binance/cancel_order_response
binance/depth_response binance/exchange_info_response binance/execution_report_wrapped
binance/klines_response binance/new_order_full_response binance/open_orders_response
binance/order_response binance/ping_response binance/server_time_response
binance/ticker_24hr_response binance/ticker_price_response binance/trades_response
coinbase/http_accounts coinbase/http_candles coinbase/http_fills coinbase/http_order
coinbase/http_orders_list coinbase/http_product coinbase/http_product_book
coinbase/http_products coinbase/http_ticker coinbase/ws_candles coinbase/ws_heartbeats
coinbase/ws_l2_data_snapshot coinbase/ws_l2_data_update coinbase/ws_market_trades
coinbase/ws_subscriptions coinbase/ws_ticker coinbase/ws_user
kraken/http_add_order_spot kraken/http_asset_pairs kraken/http_cancel_order_spot
kraken/http_closed_orders kraken/http_ohlc kraken/http_open_orders kraken/http_order_book
kraken/http_server_time kraken/http_spot_balance kraken/http_system_status kraken/http_ticker
kraken/http_trades kraken/http_trades_history kraken/ws_add_order_response_failure
kraken/ws_add_order_response_success kraken/ws_batch_add_response_partial
kraken/ws_book_snapshot kraken/ws_book_update kraken/ws_ohlc_update kraken/ws_pong
kraken/ws_subscribe_response kraken/ws_ticker_snapshot kraken/ws_trade_update
okx/http_get_account_balance okx/http_get_candlesticks okx/http_get_instruments_spot
okx/http_get_order_book okx/http_get_orders_history okx/http_get_orders_pending
okx/http_get_trade_fee_response okx/http_get_trades okx/http_place_order_response
okx/http_transaction_detail okx/ws_account okx/ws_bbo_tbt okx/ws_books_snapshot
okx/ws_books_update okx/ws_candle okx/ws_orders_fok okx/ws_orders_ioc okx/ws_tickers
okx/ws_trades
""".split()  # noqa: SIM905 - words are read better without marks
"""Compared in test_captured_shapes.py, test_binance_shapes.py, test_coinbase_shapes.py."""
REPORTS = ("new", "trade", "canceled", "expired")
STREAMS = {
    "agg_trade_stream": "aggTrade", "trade_stream": "trade", "ticker_stream": "ticker",
    "kline_stream_open": "kline_1m", "kline_stream_closed": "kline_1m",
}  # fmt: skip
HERE = [
    *(f"binance/execution_report_{what}" for what in REPORTS),
    *(f"binance/{name}" for name in STREAMS),
    "binance/account_position", "binance/balance_update", "okx/ws_instruments",
    "kraken/http_spot_trade_balance",
]  # fmt: skip


@pytest.fixture
def golden(shared_data: Path) -> Path:
    folder = shared_data / "golden" / "nautilus_adapters"
    if not folder.is_dir():
        pytest.skip(f"no captures in {folder}")
    return folder


def test_each_is_compared_or_has_a_reason(golden: Path) -> None:
    names = {
        f"{path.parent.name}/{path.name.removesuffix('.gz').removesuffix('.json')}"
        for path in golden.glob("*/*")
    }
    compared = {*ELSEWHERE, *HERE}
    assert compared - names == set()
    patterns = [pattern for some in NOT_SERVED.values() for pattern in some]
    left = {n for n in names if any(fnmatch(n, p) for p in patterns)} - set(HERE)
    assert left & compared == set()
    assert names - left - compared == set()


# binance


def account_events(direct: Direct) -> dict[str, Any]:
    """What an account is told, by event, and by step for orders."""
    line, key = direct.line("/ws-api/v3"), direct.key
    params = {"apiKey": key.key, "timestamp": direct.clock.now_ms()}
    params["signature"] = mac_hex(key.secret, "&".join(f"{n}={params[n]}" for n in sorted(params)))
    call = {"id": 1, "method": "userDataStream.subscribe.signature", "params": params}
    line.say(msgspec.json.encode(call).decode())

    def send(method: str, query: str) -> Any:
        text = f"{query}&timestamp={direct.clock.now_ms()}"
        signed = f"{text}&signature={mac_hex(key.secret, text)}"
        return exact(direct.request(method, "/api/v3/order", signed, x_mbx_apikey=key.key).body)

    limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=0.01"
    resting = send("POST", f"{limit}&timeInForce=GTC&price=49000")["orderId"]
    send("DELETE", f"symbol=BTCUSDT&orderId={resting}")
    send("POST", f"{limit}&timeInForce=IOC&price=49000")
    send("POST", f"{limit}&timeInForce=IOC&price=50010")
    direct.exchange.deposit(direct.me, "BTC", "1")
    events = [message["event"] for message in line.take() if "event" in message]
    return {str(event.get("x", event["e"])).lower(): event for event in events}


def test_binance_s_events_of_an_account(golden: Path) -> None:
    ours = account_events(Direct("binance"))
    names = {f"execution_report_{what}": what for what in REPORTS}
    names |= {"account_position": "outboundaccountposition", "balance_update": "balanceupdate"}
    for name, step in names.items():
        theirs = json.loads((golden / "binance" / f"{name}.json").read_bytes())
        mine = plain(ours[step])
        theirs.pop("eR", None)  # a reason that the venue tells for some expiries
        assert lacking(mine, theirs) == [], name
        odd = [each for each in unlike(mine, theirs) if "not recorded" not in each]
        assert odd == [], name


@pytest.mark.parametrize(("name", "channel"), STREAMS.items())
def test_binance_s_streams(golden: Path, name: str, channel: str) -> None:
    theirs = json.loads((golden / "binance" / f"{name}.json").read_bytes())
    theirs.pop("st", None)  # symbol type: of futures
    probe = Probe("binance")
    talk = probe.open(f"/ws/btcusdt@{channel}", "stream.binance.com")
    probe.place("buy", "0.5")
    probe.step(2.5)
    [ours, *_] = [each for each in talk.take() if each.get("e") == theirs["e"]]
    assert lacking(plain(ours), theirs) == []
    extra = {"b", "B", "a", "A", "x"} if channel == "ticker" else {"M"}
    odd = [each for each in unlike(plain(ours), theirs) if each.split(":")[0][2:] not in extra]
    assert odd == []


# cryptofeed's recordings, of 2021 and 2022


@pytest.mark.parametrize(
    ("at", "recording", "path", "query", "retired"),
    [
        ("binance", "BINANCE.http.0.0.gz", "/api/v3/depth", "symbol=BTCUSDT&limit=1000", set()),
        ("binance", "BINANCE.0.gz", "/api/v3/exchangeInfo", "symbol=BTCUSDT", {
            "permissions", "icebergAllowed"}),
        ("kraken", "KRAKEN.0.gz", "/0/public/AssetPairs", "pair=XBTUSD", set()),
        ("okx", "OKX.0.gz", "/api/v5/public/instruments", "instType=SPOT", set()),
    ],
)  # fmt: skip
def test_recorded_rest_answers(
    shared_data: Path, at: str, recording: str, path: str, query: str, retired: set[str]
) -> None:
    theirs = rest_answer(shared_data, recording)
    ours = plain(exact(Direct(at).request("GET", path, query).body))
    if at == "kraken":
        ours, theirs = (next(iter(each["result"].values())) for each in (ours, theirs))
    assert {d.rpartition(".")[2] for d in lacking(ours, theirs)} <= retired
    assert [d for d in unlike(ours, theirs) if "not recorded" not in d] == []


def test_kraken_s_trade_balance(golden: Path) -> None:
    theirs = json.loads((golden / "kraken" / "http_spot_trade_balance.json").read_bytes())["result"]
    theirs.pop("ml")  # margin level: only with positions
    ours = result(Direct("kraken"), "TradeBalance")
    assert (lacking(ours, theirs), unlike(ours, theirs)) == ([], [])


def test_okx_s_instruments(golden: Path) -> None:
    theirs = json.loads((golden / "okx" / "ws_instruments.json").read_bytes())
    [ours] = subscribe(Direct("okx").line("/ws/v5/public"), "instruments", instType="SPOT")
    assert lacking(plain(ours), theirs) == []
    odd = [d for d in unlike(plain(ours), theirs) if "not recorded" not in d]
    assert odd == []


def test_recorded_frames_of_okx(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "OKX.ws.1.0.gz"
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    theirs: dict[str, Any] = {}
    for message in read_capture(path):
        body = {} if message.sent else json.loads(message.body)
        if "data" in body:
            kind = f"{body['arg']['channel']} {body.get('action', '')}"
            theirs.setdefault(kind, body)
    assert {"tickers ", "trades ", "books snapshot", "books update"} <= set(theirs)
    direct = Direct("okx")
    line = direct.line("/ws/v5/public")
    ours = [each for name in ("books", "tickers", "trades")
            for each in subscribe(line, name, instId="BTC-USDT")]  # fmt: skip
    direct.take("buy", "0.1")
    direct.step(0.5)
    seen = set()
    for message in [*ours, *line.take()]:
        kind = f"{message['arg']['channel']} {message.get('action', '')}"
        if kind in theirs:
            seen.add(kind)
            assert lacking(plain(message), theirs[kind]) == [], kind
            odd = [d for d in unlike(plain(message), theirs[kind]) if "not recorded" not in d]
            assert odd == [], kind
    assert {"tickers ", "trades ", "books snapshot", "books update"} <= seen
