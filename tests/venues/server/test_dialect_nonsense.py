"""Nonsense gets an answer: whatever a client sends, a dialect answers in the venue's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from direct_venue import Direct
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nonsense import values
from test_bybit_dialect import auth
from test_bybit_dialect import send as bybit_send
from test_kraken_dialect import NONCES, result, signed
from test_okx_dialect import login
from test_okx_dialect import send as okx_send


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


WORDS = words(
    "subscribe unsubscribe ping login auth order batch-orders amend-order order.create "
    "order.amend order.create-batch add_order amend_order cancel_order batch_add batch_cancel "
    "cancel_all cancel_all_orders_after book trade ticker ohlc executions balances books "
    "trades tickers orders account BTC/USD BTC-USDT BTCUSDT XBTUSD spot buy sell Buy Sell "
    "limit market Limit Market GTC cash 0.01 49000 1 -1 0 nan 1e99 orderbook.50.BTCUSDT "
    "publicTrade.BTCUSDT kline.1.BTCUSDT order"
)
NAMES = words(
    "method params op args req_id reqId id header channel symbol symbols instId instIdCode "
    "token depth interval snapshot event_trigger order_type side order_qty limit_price "
    "cl_ord_id order_id order_userref orders timeout deadline tdMode ordType sz px clOrdId "
    "ordId newSz newPx timeOut expTime category orderType qty price orderLinkId orderId "
    "request timeWindow product pair type ordertype volume oflags txid userref nonce "
    "cl_ord_ids ofs start end X-BAPI-TIMESTAMP"
)
VALUES = values(WORDS, NAMES)
ENTRIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
MESSAGES = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6),
    st.fixed_dictionaries(
        {"method": st.sampled_from(WORDS), "op": st.sampled_from(WORDS)},
        optional={
            "params": ENTRIES,
            "args": st.lists(
                st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=3
            ),
            "header": VALUES,
        },
    ),
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(("batch_add", "batch_cancel", "cancel_order", "add_order")),
            "params": st.fixed_dictionaries(
                {"symbol": st.just("BTC/USD"), "orders": st.lists(VALUES, min_size=2, max_size=3)},
                optional={n: VALUES for n in ("stp_type", "order_userref", "side", "order_id")},
            ),
            "op": st.sampled_from(("order.create-batch", "batch-orders", "order.cancel-batch")),
            "args": st.lists(
                st.fixed_dictionaries(
                    {"category": st.just("spot"), "request": st.lists(VALUES, min_size=1)}
                ),
                min_size=1,
            ),
        },
    ),
    VALUES,
)
OFTEN = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
PATHS = {
    "kraken": ("/v2",),
    "okx": ("/ws/v5/public", "/ws/v5/business", "/ws/v5/private"),
    "bybit": ("/v5/public/spot", "/v5/private", "/v5/trade"),
}
SOCKETS = [(name, path) for name, paths in PATHS.items() for path in paths]


def spoken(value: Any) -> str:
    return json.dumps(value)


@pytest.mark.parametrize(("name", "path"), SOCKETS)
@OFTEN
@given(messages=st.lists(MESSAGES, min_size=1, max_size=5))
def test_nonsense_over_a_websocket(name: str, path: str, messages: list[Any]) -> None:
    direct = DIRECT[name]
    token = ""
    if name == "kraken":
        token = result(direct, "GetWebSocketsToken")["token"]
    line = login(direct) if (name == "okx" and path.endswith("private")) else direct.line(path)
    if name == "bybit" and not path.endswith("spot"):
        auth(direct, line)
    line.take()
    for message in messages:
        if token and isinstance(message, dict) and isinstance(message.get("params"), dict):
            message["params"]["token"] = token
        line.say(spoken(message))
    line.say('{"a":')
    line.conversation.receive(b"\xff\xfe")
    direct.step(0.1)
    line.drop()
    direct.exchange.cancel_all(direct.me)
    direct.exchange.check_conservation()


DIRECT = {name: Direct(name) for name in PATHS}


@OFTEN
@given(data=st.data())
def test_nonsense_over_kraken_s_rest(data: st.DataObject) -> None:
    direct = DIRECT["kraken"]
    method = data.draw(st.sampled_from(sorted(direct.dialect._private.methods)))  # type: ignore[attr-defined]
    body = data.draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8))
    nonce = str(next(NONCES))
    text = json.dumps({**body, "nonce": nonce}).encode()
    assert set(signed(direct, method, text, nonce, direct.key)) <= {"error", "result"}


@OFTEN
@given(data=st.data())
def test_nonsense_over_okx_s_and_bybit_s_rest(data: st.DataObject) -> None:
    body = data.draw(st.one_of(VALUES, st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)))
    okx, bybit = DIRECT["okx"], DIRECT["bybit"]
    verb, path = data.draw(st.sampled_from(sorted(okx.dialect._private.methods)))  # type: ignore[attr-defined]
    query = "&".join(
        f"{n}={data.draw(st.sampled_from(WORDS))}"
        for n in data.draw(st.lists(st.sampled_from(QUERIES), max_size=4))
    )
    options: Any = {"query": query} if verb == "GET" else {"body": body}
    assert "code" in okx_send(okx, verb, path, **options)[1]
    verb, path = data.draw(st.sampled_from(sorted(bybit.dialect._private.methods)))  # type: ignore[attr-defined]
    options = {"query": query} if verb == "GET" else {"body": body}
    assert "retCode" in bybit_send(bybit, verb, path, **options)[0]


QUERIES = words(
    "instType instId ordId clOrdId after before begin end limit ccy state sz bar category "
    "symbol orderId orderLinkId cursor startTime endTime openOnly accountType coin interval "
    "start count since pair asset"
)
PUBLIC = {
    "kraken": ("/0/public/", "Time SystemStatus Assets AssetPairs Ticker Depth OHLC Trades None"),
    "okx": (
        "/api/v5/",
        "public/time public/instruments market/ticker market/tickers market/books market/candles "
        "market/trades system/status none",
    ),
    "bybit": (
        "/v5/",
        "market/time market/instruments-info market/tickers market/orderbook market/kline "
        "market/recent-trade none",
    ),
}


@pytest.mark.parametrize("name", PUBLIC)
@OFTEN
@given(data=st.data())
def test_nonsense_over_public_rest(name: str, data: st.DataObject) -> None:
    prefix, paths = PUBLIC[name]
    path = prefix + data.draw(st.sampled_from(paths.split()))
    names = data.draw(st.lists(st.sampled_from(QUERIES), max_size=4, unique=True))
    query = "&".join(f"{n}={data.draw(st.sampled_from(WORDS))}" for n in names)
    found = DIRECT[name].request("GET", path, query)
    assert isinstance(json.loads(found.body), dict)
