"""Bybit by the letter of its documents: signatures, limits, orders, books, private streams."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any

import pytest
from direct_venue import Direct, Line, exact

from kimera_cli.venues.server.keys import Key

ORDER = {
    "category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.01",
    "price": "49000",
}  # fmt: skip
MARKET = {"orderType": "Market", "price": None}


@pytest.fixture
def bybit() -> Direct:
    return Direct("bybit")


def mac(secret: str, text: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def now_ms(direct: Direct) -> int:
    return direct.clock.now_ns() // 1_000_000


def send(
    direct: Direct, method: str, path: str, body: Any = None, *, query: str = "",
    key: Key | None = None, ahead_ms: int = 0, window: str = "5000", **changes: str,
) -> tuple[Any, dict[str, str]]:  # fmt: skip
    """One signed request: answer and headers; `changes` replace headers."""
    who, at = key or direct.key, str(now_ms(direct) + ahead_ms)
    text = "" if body is None else json.dumps(body)
    headers = {
        "x_bapi_api_key": who.key,
        "x_bapi_timestamp": at,
        "x_bapi_recv_window": window,
        "x_bapi_sign": mac(who.secret, at + who.key + window + (query or text)),
    }
    path = f"/v5/{path}"
    found = direct.request(method, path, query, text.encode(), **{**headers, **changes})
    return exact(found.body), dict(found.headers)


def get(direct: Direct, path: str, query: str = "category=spot", **options: Any) -> Any:
    found, _ = send(direct, "GET", path, query=query, **options)
    assert found["retCode"] == 0, found
    return found["result"]


def place(direct: Direct, **changes: Any) -> Any:
    body = {k: v for k, v in {**ORDER, **changes}.items() if v is not None}
    return send(direct, "POST", "order/create", body)[0]


def order(direct: Direct, order_id: str) -> dict[str, Any]:
    [found] = get(direct, "order/realtime", f"category=spot&orderId={order_id}")["list"]
    return dict(found)


def auth(direct: Direct, line: Line, key: Key | None = None) -> list[Any]:
    who, expires = key or direct.key, now_ms(direct) + 10_000
    arguments = [who.key, expires, mac(who.secret, f"GET/realtime{expires}")]
    return line.say({"op": "auth", "args": arguments})


def private(direct: Direct, *topics: str) -> Line:
    line = direct.line("/v5/private")
    [welcome] = auth(direct, line)
    assert (welcome["success"], welcome["op"]) == (True, "auth")
    if topics:
        [done] = line.say({"op": "subscribe", "args": list(topics), "req_id": "1"})
        assert (done["success"], done["req_id"]) == (True, "1")
    return line


def act(line: Line, op: str, argument: Any, ahead_ms: int = 0) -> dict[str, Any]:
    stamp = str(now_ms(line.direct) + ahead_ms)
    header = {"X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": "5000"}
    request = {"reqId": "r7", "header": header, "op": op, "args": [argument]}
    *_, answer = line.say(request)
    assert (answer["reqId"], answer["op"]) == ("r7", op)
    return dict(answer)


# who asks


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x_bapi_api_key": "nobody"}, 10003),
        ({"x_bapi_sign": "0" * 64}, 10004),
        ({"x_bapi_recv_window": "6000"}, 10004),
        ({"x_bapi_api_key": ""}, 10001),
        ({"x_bapi_sign": ""}, 10001),
        ({"x_bapi_timestamp": "noon"}, 10001),
    ],
)
def test_requests_that_are_not_signed_right(bybit: Direct, changes: Any, code: int) -> None:
    assert send(bybit, "GET", "account/info", **changes)[0]["retCode"] == code


@pytest.mark.parametrize(
    ("ahead_ms", "code"), [(-5001, 10002), (-5000, 0), (999, 0), (1000, 10002), (-60_000, 10002)]
)
def test_the_time_window(bybit: Direct, ahead_ms: int, code: int) -> None:
    found, _ = send(bybit, "GET", "account/info", ahead_ms=ahead_ms)
    assert found["retCode"] == code


def test_the_query_and_the_body_are_signed(bybit: Direct) -> None:
    at = str(now_ms(bybit))
    forged = mac(bybit.key.secret, at + bybit.key.key + "5000" + "category=spot")
    found, _ = send(
        bybit, "GET", "order/realtime", query="category=spot&openOnly=1", x_bapi_sign=forged
    )
    assert found["retCode"] == 10004
    forged = mac(bybit.key.secret, at + bybit.key.key + "5000" + json.dumps(ORDER))
    found, _ = send(bybit, "POST", "order/create", {**ORDER, "qty": "1"}, x_bapi_sign=forged)
    assert found["retCode"] == 10004
    assert not bybit.exchange.orders(bybit.me)


def test_a_reader_s_key_places_nothing(bybit: Direct) -> None:
    reader = bybit.another_key("read")
    assert get(bybit, "user/query-api", "", key=reader)["readOnly"] == 1
    assert send(bybit, "POST", "order/create", ORDER, key=reader)[0]["retCode"] == 10005
    line = bybit.line("/v5/trade")
    auth(bybit, line, reader)
    assert act(line, "order.create", ORDER)["retCode"] == 10005
    assert not bybit.exchange.orders(bybit.me)


@pytest.mark.parametrize("path", ["/v5/private", "/v5/trade"])
def test_logins_that_are_not_signed_right(bybit: Direct, path: str) -> None:
    line, expires = bybit.line(path), now_ms(bybit) + 10_000
    right = mac(bybit.key.secret, f"GET/realtime{expires}")
    late = now_ms(bybit) - 1
    for arguments in (
        ["nobody", expires, right],
        [bybit.key.key, expires, "0" * 64],
        [bybit.key.key, late, mac(bybit.key.secret, f"GET/realtime{late}")],
        [],
    ):
        [answer] = line.say({"op": "auth", "args": arguments})
        assert answer.get("success") is False or answer["retCode"] in (10001, 10003, 10004)
    [answer] = line.say({"op": "subscribe", "args": ["order"]})
    assert answer.get("success") is False or answer["retCode"] == 10003
    auth(bybit, line)
    assert line.conversation.key is not None  # type: ignore[attr-defined]


# limits


def test_twenty_orders_a_second_and_headers_that_tell() -> None:
    bybit = Direct("bybit", limits=True)
    for n in range(20):
        found, headers = send(bybit, "POST", "order/create", ORDER)
        assert found["retCode"] == 0
        assert headers["X-Bapi-Limit"] == "20"
        assert headers["X-Bapi-Limit-Status"] == str(19 - n)
    found, headers = send(bybit, "POST", "order/create", ORDER)
    assert (found["retCode"], headers["X-Bapi-Limit-Status"]) == (10006, "0")
    assert int(headers["X-Bapi-Limit-Reset-Timestamp"]) == now_ms(bybit) + 1000
    line = bybit.line("/v5/trade")
    auth(bybit, line)
    answer = act(line, "order.create", ORDER)
    assert (answer["retCode"], answer["header"]["X-Bapi-Limit-Status"]) == (10006, "0")
    bybit.step(1.1)
    assert place(bybit)["retCode"] == 0


def test_an_address_that_goes_too_far_is_banned_for_ten_minutes() -> None:
    bybit = Direct("bybit", limits=True)
    answers = [bybit.request("GET", "/v5/market/time").status for _ in range(602)]
    assert answers == [200] * 600 + [403] * 2
    bybit.step(10)
    assert bybit.request("GET", "/v5/market/time").status == 403
    bybit.clock.step(600 * 1_000_000_000)
    assert bybit.request("GET", "/v5/market/time").status == 200


# orders


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": "nothing"}, 10001),
        ({"category": "linear"}, 10001),
        ({"symbol": "BTCEUR"}, 170121),
        ({"side": "buy"}, 170117),
        ({"orderType": "Iceberg"}, 170116),
        ({"timeInForce": "GTD"}, 170115),
        ({"qty": None}, 170130),
        ({"price": None}, 170130),
        ({"qty": 0.01}, 170130),
        ({"orderLinkId": "x" * 37}, 170130),
        ({"orderLinkId": "a b"}, 170130),
        ({"isLeverage": 1}, 170130),
        ({"smpType": "Maybe"}, 170130),
        ({"stopLoss": "48000"}, 170130),
        ({"orderFilter": "tpslOrder"}, 170130),
        ({"price": "49000.05"}, 170134),
        ({"qty": "0.0100001"}, 170137),
        ({"qty": "0.00001"}, 170136),
        ({"qty": "9001"}, 170135),
        ({"qty": "0.00002"}, 170140),
        ({"qty": "500"}, 170131),
        ({"side": "Sell", "qty": "11"}, 170131),
        ({**MARKET, "marketUnit": "gold"}, 170130),
        ({**MARKET, "timeInForce": "PostOnly"}, 170115),
    ],
)
def test_refusals(bybit: Direct, changes: dict[str, Any], code: int) -> None:
    before = bybit.balance("USDT")
    found = place(bybit, **changes)
    assert (found["retCode"], found["result"]) == (code, {})
    assert bybit.balance("USDT") == before
    assert not bybit.exchange.orders(bybit.me)


def test_a_link_id_is_taken_for_good(bybit: Direct) -> None:
    first = place(bybit, orderLinkId="mine_1")["result"]
    assert first["orderLinkId"] == "mine_1"
    assert place(bybit, orderLinkId="mine_1")["retCode"] == 170141
    body = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "mine_1"}
    assert send(bybit, "POST", "order/cancel", body)[0]["result"]["orderId"] == first["orderId"]
    assert send(bybit, "POST", "order/cancel", body)[0]["retCode"] == 170213
    assert place(bybit, orderLinkId="mine_1")["retCode"] == 170141
    [found] = get(bybit, "order/realtime", "category=spot&orderLinkId=mine_1")["list"]
    assert (found["orderStatus"], found["cancelType"]) == ("Cancelled", "CancelByUser")
    assert found["rejectReason"] == "EC_PerCancelRequest"


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"timeInForce": "PostOnly"}, "Rejected", "EC_PostOnlyWillTakeLiquidity"),
        ({"timeInForce": "FOK", "qty": "0.6"}, "Cancelled", "EC_CancelForNoFullFill"),
        (
            {"timeInForce": "IOC", "qty": "0.6"},
            "PartiallyFilledCanceled",
            "EC_NoImmediateQtyToFill",
        ),
    ],
)
def test_what_cannot_rest_is_accepted_and_then_ended(
    bybit: Direct, changes: dict[str, str], status: str, reason: str
) -> None:
    line = private(bybit, "order")
    found = place(bybit, price="50001", **changes)
    assert found["retCode"] == 0
    told = [m["data"][0] for m in line.take()]
    assert told[0]["orderStatus"] == "New"
    assert (told[-1]["orderStatus"], told[-1]["rejectReason"]) == (status, reason)
    ended = order(bybit, found["result"]["orderId"])
    assert (ended["orderStatus"], ended["leavesQty"]) == (status, "0")


def test_market_buys_are_sized_in_quote_unless_told(bybit: Direct) -> None:
    by_cost = place(bybit, **MARKET, qty="100")["result"]["orderId"]
    found = order(bybit, by_cost)
    assert (found["qty"], found["marketUnit"], found["orderStatus"]) == (
        "100", "quoteCoin", "Filled",
    )  # fmt: skip
    assert 99 < Decimal(found["cumExecValue"]) <= 100
    by_size = place(bybit, **MARKET, qty="0.003", marketUnit="baseCoin")["result"]["orderId"]
    assert order(bybit, by_size)["cumExecQty"] == "0.003"
    sold = place(bybit, **MARKET, side="Sell", qty="0.002")["result"]["orderId"]
    assert order(bybit, sold)["marketUnit"] == "baseCoin"


def test_self_trades_happen_unless_prevented(bybit: Direct) -> None:
    place(bybit, side="Sell", price="50000.5")
    taker = place(bybit, price="50000.5", smpType="CancelTaker")["result"]["orderId"]
    assert order(bybit, taker)["cancelType"] == "CancelBySmp"
    place(bybit, price="50000.5")
    fills = get(bybit, "execution/list")["list"]
    assert sorted(f["isMaker"] for f in fills) == [False, True]
    assert len({f["execId"] for f in fills}) == 2


def test_a_batch_succeeds_in_parts(bybit: Direct) -> None:
    legs = [
        {**ORDER, "orderLinkId": "a"},
        {**ORDER, "orderLinkId": "b", "price": "49000.05"},
    ]
    found, _ = send(bybit, "POST", "order/create-batch", {"category": "spot", "request": legs})
    assert found["retCode"] == 0
    assert [e["code"] for e in found["retExtInfo"]["list"]] == [0, 170134]
    assert [bool(e["orderId"]) for e in found["result"]["list"]] == [True, False]
    changes = [{"symbol": "BTCUSDT", "orderLinkId": "a", "price": "48000"}]
    found, _ = send(bybit, "POST", "order/amend-batch", {"category": "spot", "request": changes})
    assert found["retExtInfo"]["list"][0]["code"] == 0
    ids = [{"symbol": "BTCUSDT", "orderLinkId": each} for each in ("a", "b")]
    found, _ = send(bybit, "POST", "order/cancel-batch", {"category": "spot", "request": ids})
    assert [e["code"] for e in found["retExtInfo"]["list"]] == [0, 170213]


def test_amend_keeps_id_and_what_is_filled(bybit: Direct) -> None:
    made = place(bybit, price="50000.5", qty="0.02")["result"]["orderId"]
    bybit.make("sell", "0.005", "50000.5")
    ids = {"category": "spot", "symbol": "BTCUSDT", "orderId": made}
    found, _ = send(bybit, "POST", "order/amend", {**ids, "qty": "0.03", "price": "50000.4"})
    assert found["result"]["orderId"] == made
    changed = order(bybit, made)
    assert (changed["qty"], changed["price"], changed["cumExecQty"]) == (
        "0.03", "50000.4", "0.005",
    )  # fmt: skip
    assert changed["leavesQty"] == "0.025"
    assert send(bybit, "POST", "order/amend", {**ids, "qty": "0.004"})[0]["retCode"] == 170130
    assert send(bybit, "POST", "order/amend", ids)[0]["retCode"] == 10001


def test_cancel_all_and_pages(bybit: Direct) -> None:
    for n in range(25):
        place(bybit, orderLinkId=f"p{n}")
    first = get(bybit, "order/realtime")
    cursor = first["nextPageCursor"]
    second = get(bybit, "order/realtime", f"category=spot&cursor={cursor}")
    links = [o["orderLinkId"] for o in [*first["list"], *second["list"]]]
    assert links == [f"p{n}" for n in reversed(range(25))]
    assert (len(first["list"]), second["nextPageCursor"]) == (20, "")
    found, _ = send(bybit, "POST", "order/cancel-all", {"category": "spot"})
    assert len(found["result"]["list"]) == 25
    assert get(bybit, "order/realtime")["list"] == []
    assert len(get(bybit, "order/history", "category=spot&limit=50")["list"]) == 25


def test_wallet_and_executions_agree(bybit: Direct) -> None:
    place(bybit, **MARKET, qty="50000")
    place(bybit, **MARKET, side="Sell", qty="0.4")
    place(bybit)
    [wallet] = get(bybit, "account/wallet-balance", "accountType=UNIFIED")["list"]
    coins = {coin["coin"]: coin for coin in wallet["coin"]}
    base, quote = Decimal(10), Decimal(1_000_000)
    for fill in get(bybit, "execution/list")["list"]:
        sign = 1 if fill["side"] == "Buy" else -1
        base += sign * Decimal(fill["execQty"])
        quote -= sign * Decimal(fill["execValue"])
        fee = Decimal(fill["execFee"])
        base, quote = (base - fee, quote) if sign == 1 else (base, quote - fee)
        assert fill["feeCurrency"] == ("BTC" if sign == 1 else "USDT")
    assert Decimal(coins["BTC"]["walletBalance"]) == base
    assert Decimal(coins["USDT"]["walletBalance"]) == quote
    assert Decimal(coins["USDT"]["locked"]) == 490


# websocket


def test_orders_over_the_trade_websocket(bybit: Direct) -> None:
    line = bybit.line("/v5/trade")
    assert act(line, "order.create", ORDER)["retCode"] == 10003
    auth(bybit, line)
    made = act(line, "order.create", {**ORDER, "orderLinkId": "w1"})
    assert (made["retCode"], made["data"]["orderLinkId"]) == (0, "w1")
    assert act(line, "order.create", {**ORDER, "orderLinkId": "w1"})["retCode"] == 170141
    assert act(line, "order.create", ORDER, ahead_ms=-6000)["retCode"] == 10002
    ids = {"category": "spot", "symbol": "BTCUSDT", "orderLinkId": "w1"}
    assert act(line, "order.amend", {**ids, "price": "48000"})["retCode"] == 0
    batch = {"category": "spot", "request": [ORDER, {**ORDER, "qty": "x"}]}
    both = act(line, "order.create-batch", batch)
    assert [e["code"] for e in both["retExtInfo"]["list"]] == [0, 170130]
    assert act(line, "order.cancel", ids)["data"]["orderLinkId"] == "w1"
    assert act(line, "order.cancel", ids)["retCode"] == 170213
    assert act(line, "order.sing", ids)["retCode"] == 10404
    assert line.say({"op": "ping"})[0]["op"] == "pong"


def test_what_cannot_be_subscribed_says_so(bybit: Direct) -> None:
    line = bybit.line("/v5/public/spot")
    [pong] = line.say({"op": "ping", "req_id": "9"})
    assert (pong["ret_msg"], pong["req_id"]) == ("pong", "9")
    for topics in (["orderbook.7.BTCUSDT"], ["publicTrade.NONE"], ["news.BTCUSDT"], []):
        [answer] = line.say({"op": "subscribe", "args": topics, "req_id": "1"})
        assert answer["success"] is False
    [answer] = line.say("{")
    assert answer["success"] is False
    answer, book, trade = line.say(
        {"op": "subscribe", "args": ["orderbook.1.BTCUSDT", "tickers.BTCUSDT"]}
    )
    assert (answer["success"], book["topic"], trade["topic"]) == (
        True, "orderbook.1.BTCUSDT", "tickers.BTCUSDT",
    )  # fmt: skip


def test_fills_orders_and_wallet_are_pushed(bybit: Direct) -> None:
    line = private(bybit, "order", "execution", "execution.fast", "wallet")
    place(bybit, price="50000.5", orderLinkId="f1")
    bybit.make("sell", "0.004", "50000.5")
    bybit.make("sell", "0.006", "50000.5")
    told = line.take()
    orders = [m["data"][0] for m in told if m["topic"] == "order"]
    assert [o["orderStatus"] for o in orders] == ["New", "PartiallyFilled", "Filled"]
    fills = [m["data"][0] for m in told if m["topic"] == "execution"]
    assert [(f["execQty"], f["leavesQty"], f["isMaker"]) for f in fills] == [
        ("0.004", "0.006", True), ("0.006", "0", True),
    ]  # fmt: skip
    fast = [m["data"][0] for m in told if m["topic"] == "execution.fast"]
    assert [f["execId"] for f in fast] == [f["execId"] for f in fills]
    assert sum(Decimal(f["execFee"]) for f in fills) == Decimal(orders[-1]["cumExecFee"])
    coins: dict[str, Any] = {}
    for message in told:
        if message["topic"] == "wallet":
            coins |= {coin["coin"]: coin for coin in message["data"][0]["coin"]}
    for asset in ("BTC", "USDT"):
        free, held = bybit.balance(asset)
        assert Decimal(coins[asset]["walletBalance"]) == free + held
        assert Decimal(coins[asset]["locked"]) == held


def test_disconnect_protection_cancels_what_is_not_heard_of(bybit: Direct) -> None:
    body = {"product": "SPOT", "timeWindow": 5}
    assert send(bybit, "POST", "order/disconnected-cancel-all", body)[0]["retCode"] == 0
    for wrong in ({**body, "timeWindow": 2}, {**body, "timeWindow": "5"}, {**body, "product": "X"}):
        found, _ = send(bybit, "POST", "order/disconnected-cancel-all", wrong)
        assert found["retCode"] == 10001
    line = private(bybit, "dcp.spot")
    made = place(bybit)["result"]["orderId"]
    for _ in range(4):
        bybit.step(4)
        line.say({"op": "ping"})
    assert order(bybit, made)["orderStatus"] == "New"
    line.drop()
    bybit.step(4)
    again = private(bybit, "dcp.spot")
    bybit.step(4)
    assert order(bybit, made)["orderStatus"] == "New"
    again.drop()
    bybit.step(2)
    ended = order(bybit, made)
    assert (ended["orderStatus"], ended["cancelType"]) == ("Cancelled", "CancelByDCP")


def test_without_the_topic_nothing_is_protected(bybit: Direct) -> None:
    line = private(bybit, "order")
    made = place(bybit)["result"]["orderId"]
    line.drop()
    bybit.step(20)
    assert order(bybit, made)["orderStatus"] == "New"


@pytest.mark.parametrize("cadence_ns", [0, None])
@pytest.mark.parametrize("depth", [50, 200])
def test_the_followed_book_is_numbered_one_by_one(depth: int, cadence_ns: int | None) -> None:
    bybit = Direct("bybit", cadence_ns=cadence_ns)
    line = bybit.line("/v5/public/spot")
    _, *messages = line.say({"op": "subscribe", "args": [f"orderbook.{depth}.BTCUSDT"]})
    sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
    last, seen = 0, 0
    for _ in bybit.flow(300):
        messages += line.take()
        while messages:
            message = messages.pop(0)
            data = message["data"]
            if message["type"] == "snapshot":
                assert not seen
            else:
                assert data["u"] == last + 1
            last = data["u"]
            follow(sides, data)
            assert max(len(side) for side in sides.values()) <= depth
            seen += 1
    assert seen > 50
    if cadence_ns == 0:
        assert (sides["b"], sides["a"]) == bybit.book(depth)


def test_the_best_level_is_told_whole_and_again_when_it_is_quiet(bybit: Direct) -> None:
    line = bybit.line("/v5/public/spot")
    line.say({"op": "subscribe", "args": ["orderbook.1.BTCUSDT"]})
    bybit.make("buy", "1", "49000")
    assert line.take() == []
    bybit.make("buy", "1", "49999.5")
    [change] = line.take()
    assert change["type"] == "snapshot"
    assert change["data"]["b"] == [["49999.5", "1"]]
    bybit.step(3.1)
    [again] = line.take()
    assert again["data"]["u"] == change["data"]["u"]


def test_a_restart_begins_numbers_anew(bybit: Direct) -> None:
    line = bybit.line("/v5/public/spot")
    line.say({"op": "subscribe", "args": ["orderbook.50.BTCUSDT"]})
    bybit.dialect.restarted()
    [anew] = line.take()
    assert (anew["type"], anew["data"]["u"]) == ("snapshot", 1)


def follow(sides: dict[str, dict[Decimal, Decimal]], data: Any) -> None:
    """Apply a message: set, or delete at size nought."""
    for name, side in sides.items():
        for price, size in data[name]:
            if Decimal(size):
                side[Decimal(price)] = Decimal(size)
            else:
                side.pop(Decimal(price), None)
