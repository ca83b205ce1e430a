"""Whatever a client sends, Binance answers in its own words and stays whole."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nonsense import values
from probe import Probe

from kimera_cli.venues.server.auth import mac_hex

WORDS = """
SUBSCRIBE UNSUBSCRIBE LIST_SUBSCRIPTIONS SET_PROPERTY btcusdt@depth btcusdt@depth@100ms
btcusdt@depth5 btcusdt@trade btcusdt@aggTrade btcusdt@bookTicker btcusdt@kline_1m !ticker@arr
btcusdt@ticker btcusdt@avgPrice nobody@trade ! @ ping time order.place order.cancel order.status
order.cancelReplace order.amend.keepPriority openOrders.cancelAll openOrders.status allOrders
myTrades account.status klines depth trades.recent userDataStream.subscribe.signature
userDataStream.unsubscribe BTCUSDT ETHBTC BUY SELL LIMIT MARKET LIMIT_MAKER GTC IOC FOK 0.01
49000 1 -1 0 nan inf 1e99 0x10 1m 1h ACK FULL RESULT STOP_ON_FAILURE ALLOW_FAILURE NONE
EXPIRE_MAKER DECREMENT true 9223372036854775808 a/b:c.d
""".split()  # noqa: SIM905 - words are read better without marks
NAMES = """
symbol side type timeInForce quantity quoteOrderQty price newClientOrderId recvWindow timestamp
orderId origClientOrderId cancelOrderId cancelOrigClientOrderId cancelReplaceMode newQty limit
startTime endTime fromId interval symbols newOrderRespType selfTradePreventionMode apiKey
subscriptionId returnRateLimits omitZeroBalances icebergQty stopPrice trailingDelta permissions
""".split()  # noqa: SIM905
VALUES = values(WORDS, NAMES)
PARAMS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
TEXTS = st.dictionaries(
    st.sampled_from(NAMES), st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=6
)
ORDER = {
    "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC",
    "quantity": "0.01", "price": "49000",
}  # fmt: skip
OFTEN = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
PROBE = Probe("binance")


def now() -> str:
    return str(PROBE.clock.now_ms())


@OFTEN
@given(messages=st.lists(VALUES | PARAMS, max_size=3), names=st.lists(VALUES, max_size=4),
       method=st.sampled_from(WORDS[:4]), call_id=VALUES)  # fmt: skip
def test_nonsense_over_streams(
    messages: list[Any], names: list[Any], method: str, call_id: Any
) -> None:
    talk = PROBE.open("/ws/btcusdt@trade", "stream.binance.com")
    calls = [{"method": method, "params": value, "id": call_id} for value in (names, *messages)]
    for message in (*messages, *calls):
        talk.conversation.receive(json.dumps(message))
    talk.conversation.receive('{"a":')
    talk.conversation.receive(b"\xff\xfe")
    PROBE.place("buy", "0.01")
    PROBE.step(0.3)
    told = talk.take()
    assert len([each for each in told if "e" not in each]) >= len(messages) + len(calls) + 2
    PROBE.venue.leave(talk.conversation)


@OFTEN
@given(messages=st.lists(VALUES | PARAMS, max_size=2), method=st.sampled_from(WORDS) | VALUES,
       call_id=VALUES, params=PARAMS | VALUES, whole=st.booleans())  # fmt: skip
def test_nonsense_over_the_websocket_api(
    messages: list[Any], method: Any, call_id: Any, params: Any, whole: bool
) -> None:
    talk = PROBE.open("/ws-api/v3", "ws-api.binance.com")
    if isinstance(params, dict):
        params = {**(ORDER if whole else {}), **params, "apiKey": PROBE.key.key}
        params.setdefault("timestamp", int(now()))
        texts = {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in params.items()}
        signed = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
        params["signature"] = mac_hex(PROBE.key.secret, signed)
    for message in (*messages, {"id": call_id, "method": method, "params": params}):
        talk.conversation.receive(json.dumps(message))
    talk.conversation.receive('{"a":')
    talk.conversation.receive(b"\xff\xfe")
    answers = [each for each in talk.take() if "event" not in each]
    assert len(answers) == len(messages) + 3
    assert all(each["status"] < 500 for each in answers), answers
    PROBE.venue.leave(talk.conversation)
    PROBE.exchange.cancel_all(PROBE.account("client"))


SIGNED = [
    *(("POST", path) for path in ("order", "order/test", "order/cancelReplace")),
    ("PUT", "order/amend/keepPriority"), ("DELETE", "order"), ("DELETE", "openOrders"),
    *(("GET", path) for path in ("order", "openOrders", "allOrders", "account", "myTrades")),
    ("GET", "account/commission"), ("GET", "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), SIGNED)
@OFTEN
@given(params=TEXTS, whole=st.booleans())
def test_nonsense_in_signed_requests(
    method: str, path: str, params: dict[str, str], whole: bool
) -> None:
    fields = {**(ORDER if whole else {}), "timestamp": now(), **params}
    query = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    query += f"&signature={mac_hex(PROBE.key.secret, query)}"
    said = PROBE.ask(
        method, f"https://api.binance.com/api/v3/{path}?{query}",
        headers={"X-MBX-APIKEY": PROBE.key.key},
    )  # fmt: skip
    assert 200 <= said.status < 500, said
    PROBE.exchange.cancel_all(PROBE.account("client"))


@pytest.mark.parametrize(
    "path",
    ["depth", "trades", "aggTrades", "klines", "exchangeInfo", "ticker/24hr", "ticker/price",
     "ticker/bookTicker", "avgPrice", "historicalTrades"],
)  # fmt: skip
@OFTEN
@given(params=TEXTS, known=st.booleans())
def test_nonsense_in_public_requests(path: str, params: dict[str, str], known: bool) -> None:
    fields = {**({"symbol": "BTCUSDT"} if known else {}), **params}
    query = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    said = PROBE.ask("GET", f"https://api.binance.com/api/v3/{path}?{query}")
    assert 200 <= said.status < 500, said
