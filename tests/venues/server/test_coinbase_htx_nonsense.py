"""Whatever a client sends, both Coinbases and HTX answer in their own words and stay whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nonsense import values
from probe import Probe, Talk

WORDS = """
subscribe unsubscribe sub unsub req ping pong auth orders trade.clearing accounts.update
market.btcusdt.mbp.150 market.btcusdt.depth.step0 market.btcusdt.bbo market.btcusdt.kline.1min
orders#btcusdt trade.clearing#*#1 accounts.update#2 level2 user full ticker matches heartbeat
level2_batch market_trades candles status balance BTC-USD btcusdt buy sell BUY SELL limit
market buy-limit sell-market buy-limit-fok GTC IOC FOK 0.01 49000 1 -1 0 nan 1e99 dc cb
ONE_HOUR 60 1min step0 limit_limit_gtc market_market_ioc 2026-01-01T00:00:00Z
""".split()  # noqa: SIM905 - words are read better without marks
NAMES = """
type channel channels product_ids jwt signature key timestamp passphrase name sub unsub req id
ping pong action ch params data from to size side product_id price funds time_in_force stp
client_oid post_only client_order_id order_configuration limit_limit_gtc market_market_ioc
base_size quote_size limit_price order_id order_ids account-id symbol amount source timeout
client-order-id order-ids client-order-ids self-match-prevent types order-status cursor limit
start end granularity start_date end_date before after level states direct period depth
""".split()  # noqa: SIM905
VALUES = values(WORDS, NAMES, 2**62)  # ccxt, which signs, writes none beyond 64 bits
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
LIMIT = {"limit_limit_gtc": {"base_size": "0.01", "limit_price": "49000", "post_only": True}}
GOOD: dict[str, list[dict[str, Any]]] = {
    "coinbase": [
        {"type": "subscribe", "channel": name, "product_ids": ["BTC-USD"]}
        for name in ("level2", "market_trades", "ticker", "candles", "heartbeats", "user")
    ],
    "coinbaseexchange": [
        {"type": "subscribe", "channels": [name], "product_ids": ["BTC-USD"]}
        for name in ("full", "level2", "ticker_batch", "matches", "balance", "user", "status")
    ],
    "htx": [
        *({"sub": f"market.btcusdt.{kind}", "id": 1} for kind in ("bbo", "mbp.20", "depth.step1")),
        {"req": "market.btcusdt.kline.1min", "id": 1, "from": 1, "to": 9, "size": 5},
        {"req": "market.btcusdt.mbp.150", "id": 1},
        *({"action": "sub", "ch": name} for name in ("orders#*", "accounts.update#1")),
        {"action": "req", "ch": "auth", "params": {"accessKey": "x", "timestamp": "y"}},
    ],
}
"""Messages that mean something, to be bent in one place."""
ORDERS: dict[str, dict[str, Any]] = {
    "coinbase": {
        "client_order_id": "x", "product_id": "BTC-USD", "side": "BUY",
        "order_configuration": LIMIT,
    },
    "coinbaseexchange": {
        "product_id": "BTC-USD", "side": "buy", "type": "limit", "size": "0.01", "price": "49000",
        "stp": "cb", "time_in_force": "GTC",
    },
    "htx": {
        "account-id": "10000001", "symbol": "btcusdt", "type": "buy-limit", "amount": "0.01",
        "price": "49000", "client-order-id": "x", "self-match-prevent": 1,
    },
}  # fmt: skip


def bent(data: st.DataObject, good: dict[str, Any]) -> dict[str, Any]:
    """A good message with one part replaced, and perhaps more parts."""
    name = data.draw(st.sampled_from(sorted(good)))
    return {**good, name: data.draw(VALUES), **data.draw(st.just({}) | BODIES)}


OFTEN = settings(
    max_examples=50, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
PROBES = {name: Probe(name) for name in ("coinbase", "coinbaseexchange", "htx")}
SIGNERS = {name: probe.signer() for name, probe in PROBES.items()}
QUERY = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS), max_size=5)


SOCKETS = [
    ("coinbase", "/"), ("coinbaseexchange", "/"),
    ("htx", "/ws"), ("htx", "/feed"), ("htx", "/ws/v2"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "path"), SOCKETS)
@OFTEN
@given(data=st.data())
def test_nonsense_over_a_websocket(name: str, path: str, data: st.DataObject) -> None:
    probe = PROBES[name]
    talk = probe.open(path)
    _log_in(probe, talk)
    talk.conversation.receive(json.dumps(data.draw(VALUES)))
    for _ in range(data.draw(st.integers(1, 4))):
        good = data.draw(st.sampled_from(GOOD[name]))
        talk.conversation.receive(json.dumps(good))
        talk.conversation.receive(json.dumps(bent(data, good)))
    talk.conversation.receive('{"a":')
    talk.conversation.receive(b"\xff\xfe")
    probe.place("buy", "0.01")
    probe.step(0.3)
    for frame in talk.frames:
        json.loads(frame.plain)
    probe.venue.leave(talk.conversation)
    probe.exchange.cancel_all(probe.account("client"))


def _log_in(probe: Probe, talk: Talk) -> None:
    """Make private channels reachable."""
    talk.conversation.account = probe.account("client")  # type: ignore[attr-defined]


V3 = ["v3", "private"]
SPOT = ["spot", "private"]
SIGNED = {
    "coinbase": [
        *((V3, "POST", f"brokerage/orders{end}") for end in ("", "/preview", "/edit")),
        (V3, "POST", "brokerage/orders/batch_cancel"),
        *((V3, "GET", f"brokerage/orders/historical/{end}") for end in ("batch", "fills", "x")),
        *((V3, "GET", f"brokerage/{p}") for p in ("accounts", "accounts/x", "best_bid_ask")),
        *((V3, "GET", f"brokerage/{p}") for p in ("transaction_summary", "product_book", "none")),
        (["v2", "private"], "GET", "accounts"),
    ],
    "coinbaseexchange": [
        *((["private"], "POST", p) for p in ("orders", "none")),
        *((["private"], "DELETE", p) for p in ("orders", "orders/x", "orders/client:x")),
        *((["private"], "GET", p) for p in ("orders", "orders/x", "fills", "fees", "accounts/x")),
    ],
    "htx": [
        *((SPOT, "POST", f"v1/order/orders/{p}") for p in ("place", "1/submitcancel")),
        *((SPOT, "POST", f"v1/order/orders/batch{p}") for p in ("cancel", "CancelOpenOrders")),
        (SPOT, "POST", "v1/order/orders/submitCancelClientOrder"),
        (SPOT, "POST", "v1/order/batch-orders"),
        (["v2Private"], "POST", "algo-orders/cancel-all-after"),
        *((SPOT, "GET", f"v1/order/{p}") for p in ("openOrders", "orders", "history", "orders/x")),
        *((SPOT, "GET", f"v1/order/{p}") for p in ("matchresults", "orders/getClientOrder")),
        (SPOT, "GET", "v1/account/accounts/x/balance"),
        (["v2Private"], "GET", "reference/transact-fee-rate"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SIGNED)
@OFTEN
@given(data=st.data())
def test_nonsense_in_signed_requests(name: str, data: st.DataObject) -> None:
    api, method, path = data.draw(st.sampled_from(SIGNED[name]))
    params = data.draw(BODIES if method == "POST" else QUERY)
    if path.endswith(("orders", "place", "preview")) and method == "POST":
        params = bent(data, ORDERS[name])
    probe = PROBES[name]
    said = probe.call(SIGNERS[name], api, method, path, **params)
    assert 200 <= said.status < 500, said
    probe.exchange.cancel_all(probe.account("client"))


PUBLIC = {
    "coinbase": (
        "https://api.coinbase.com",
        "/v2/time /v2/currencies /api/v3/brokerage/time /api/v3/brokerage/market/products "
        "/api/v3/brokerage/market/products/BTC-USD /api/v3/brokerage/market/product_book "
        "/api/v3/brokerage/market/products/BTC-USD/candles /api/v3/brokerage/market/none "
        "/api/v3/brokerage/market/products/BTC-USD/ticker /none",
    ),
    "coinbaseexchange": (
        "https://api.exchange.coinbase.com",
        "/time /currencies /products /products/BTC-USD /products/X/book /products/BTC-USD/book "
        "/products/BTC-USD/trades /products/BTC-USD/candles /products/BTC-USD/stats /none",
    ),
    "htx": (
        "https://api.huobi.pro",
        "/v1/common/symbols /v1/common/timestamp /v2/market-status /market/depth /market/tickers "
        "/market/detail/merged /market/history/kline /market/history/trade /market/trade /none",
    ),
}


@pytest.mark.parametrize("name", PUBLIC)
@OFTEN
@given(data=st.data())
def test_nonsense_in_public_requests(name: str, data: st.DataObject) -> None:
    host, paths = PUBLIC[name]
    query = "&".join(f"{n}={v}" for n, v in data.draw(QUERY).items())
    known = {"coinbase": "product_id=BTC-USD", "htx": "symbol=btcusdt"}.get(name, "")
    path = data.draw(st.sampled_from(paths.split()))
    said = PROBES[name].ask("GET", f"{host}{path}?{known}&{query}")
    assert 200 <= said.status < 500, said
