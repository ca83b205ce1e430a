"""OKX by the letter of its documents: signatures, limits, orders, books, the account's channels."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from zlib import crc32

import pytest
from direct_venue import Direct, Line, S, exact

from kimera_cli.venues.server.keys import Key

ORDER = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit", "sz": "0.01"}
PX = {"px": "49000"}


@pytest.fixture
def okx() -> Direct:
    return Direct("okx")


def stamp(direct: Direct, ahead_s: float = 0) -> str:
    at = datetime.fromtimestamp(direct.clock.now_ns() / S + ahead_s, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def mac(secret: str, text: str) -> str:
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def send(
    direct: Direct, method: str, path: str, body: Any = None, *, query: str = "",
    key: Key | None = None, at: str = "", **changes: str,
) -> tuple[int, Any]:  # fmt: skip
    """One signed request; `changes` replace headers."""
    who, when = key or direct.key, at or stamp(direct)
    path, text = f"/api/v5/{path}", "" if body is None else json.dumps(body)
    target = f"{path}?{query}" if query else path
    headers = {
        "ok_access_key": who.key,
        "ok_access_passphrase": who.passphrase,
        "ok_access_timestamp": when,
        "ok_access_sign": mac(who.secret, f"{when}{method}{target}{text}"),
    }
    found = direct.request(method, path, query, text.encode(), **{**headers, **changes})
    return found.status, exact(found.body)


def get(direct: Direct, path: str, query: str = "", **options: Any) -> list[Any]:
    status, found = send(direct, "GET", path, query=query, **options)
    assert (status, found["code"]) == (200, "0"), found
    return list(found["data"])


def place(direct: Direct, **changes: Any) -> dict[str, Any]:
    """The entry of one new order."""
    body = {k: v for k, v in {**ORDER, **PX, **changes}.items() if v is not None}
    _, found = send(direct, "POST", "trade/order", body)
    [entry] = found["data"]
    assert found["code"] == ("0" if entry["sCode"] == "0" else "1")
    return dict(entry)


def login(direct: Direct, access: str = "private", key: Key | None = None) -> Line:
    line, who = direct.line(f"/ws/v5/{access}"), key or direct.key
    now = str(direct.clock.now_ns() // S)
    argument = {"apiKey": who.key, "passphrase": who.passphrase, "timestamp": now}
    argument["sign"] = mac(who.secret, f"{now}GET/users/self/verify")
    [answer] = line.say({"op": "login", "args": [argument]})
    assert (answer["event"], answer["code"]) == ("login", "0")
    return line


def subscribe(line: Line, channel: str, **more: str) -> list[Any]:
    first, *rest = line.say({"op": "subscribe", "args": [{"channel": channel, **more}]})
    assert first["event"] == "subscribe", first
    return rest


def act(line: Line, op: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    *_, answer = line.say({"id": "77", "op": op, "args": list(arguments), **more})
    assert (answer["id"], answer["op"]) == ("77", op)
    return dict(answer)


# who asks


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"ok_access_key": "nobody"}, "50111"),
        ({"ok_access_key": ""}, "50103"),
        ({"ok_access_passphrase": "wrong"}, "50105"),
        ({"ok_access_passphrase": ""}, "50104"),
        ({"ok_access_sign": "d3Jvbmc="}, "50113"),
        ({"ok_access_sign": ""}, "50106"),
        ({"ok_access_timestamp": ""}, "50107"),
        ({"ok_access_timestamp": "yesterday"}, "50112"),
    ],
)
def test_requests_that_are_not_signed_right(okx: Direct, changes: Any, code: str) -> None:
    status, found = send(okx, "GET", "account/balance", **changes)
    assert (status, found["code"]) == (401, code)


@pytest.mark.parametrize(
    ("ahead_s", "code"), [(-31, "50102"), (31, "50102"), (-29, "0"), (29, "0")]
)
def test_the_clock_may_be_off_by_thirty_seconds(okx: Direct, ahead_s: int, code: str) -> None:
    assert send(okx, "GET", "account/balance", at=stamp(okx, ahead_s))[1]["code"] == code


def test_the_query_and_the_body_are_signed(okx: Direct) -> None:
    when = stamp(okx)
    sign = mac(okx.key.secret, f"{when}GET/api/v5/trade/orders-pending")
    path = "trade/orders-pending"
    _, found = send(okx, "GET", path, query="instType=SPOT", at=when, ok_access_sign=sign)
    assert found["code"] == "50113"
    sign = mac(okx.key.secret, f"{when}POST/api/v5/trade/order{json.dumps({**ORDER, 'px': '1'})}")
    _, found = send(okx, "POST", "trade/order", {**ORDER, **PX}, at=when, ok_access_sign=sign)
    assert found["code"] == "50113"
    assert not okx.exchange.orders(okx.me)


def test_a_reader_s_key_places_nothing(okx: Direct) -> None:
    reader = okx.another_key("read")
    assert get(okx, "account/config", key=reader)[0]["perm"] == "read_only"
    status, found = send(okx, "POST", "trade/order", {**ORDER, **PX}, key=reader)
    assert (status, found["code"]) == (401, "50120")
    line = login(okx, key=reader)
    assert act(line, "order", {**ORDER, **PX})["code"] == "50120"
    assert not okx.exchange.orders(okx.me)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "nobody"}, "60005"),
        ({"passphrase": "wrong"}, "60024"),
        ({"sign": "d3Jvbmc="}, "60007"),
        ({"timestamp": "1538054050"}, "60006"),
        ({"timestamp": "noon"}, "60004"),
    ],
)
def test_logins_that_are_not_signed_right(okx: Direct, changes: Any, code: str) -> None:
    line, now = okx.line("/ws/v5/private"), str(okx.clock.now_ns() // S)
    sign = mac(okx.key.secret, f"{now}GET/users/self/verify")
    argument = {"apiKey": okx.key.key, "passphrase": okx.key.passphrase, "timestamp": now}
    [answer] = line.say({"op": "login", "args": [{**argument, "sign": sign, **changes}]})
    assert (answer["event"], answer["code"]) == ("error", code)
    [answer] = line.say({"op": "subscribe", "args": [{"channel": "account"}]})
    assert answer["code"] == "60011"
    assert act(line, "order", {**ORDER, **PX})["code"] == "60011"


def test_an_order_request_may_expire(okx: Direct) -> None:
    now_ms = okx.clock.now_ns() // 1_000_000
    body = {**ORDER, **PX}
    _, found = send(okx, "POST", "trade/order", body, exptime=str(now_ms))
    assert found["code"] == "51149"
    assert send(okx, "POST", "trade/order", body, exptime=str(now_ms + 1))[1]["code"] == "0"
    line = login(okx)
    assert act(line, "order", body, expTime=str(now_ms - 1))["code"] == "51149"
    assert len(okx.exchange.orders(okx.me)) == 1


# limits


def test_sixty_orders_of_an_instrument_in_two_seconds() -> None:
    okx = Direct("okx", limits=True)
    for _ in range(60):
        assert place(okx)["sCode"] == "0"
    status, found = send(okx, "POST", "trade/order", {**ORDER, **PX})
    assert (status, found["code"]) == (429, "50011")
    line = login(okx)
    assert act(line, "order", {**ORDER, **PX})["code"] == "50011"
    other = {**ORDER, "instId": "ETH-USDT", "px": "2000"}
    assert send(okx, "POST", "trade/order", other)[1]["code"] == "0"
    cancel = {"instId": "BTC-USDT", "ordId": str(okx.exchange.open_orders(okx.me)[0].id)}
    assert send(okx, "POST", "trade/cancel-order", cancel)[1]["code"] == "0"
    okx.step(2.1)
    assert place(okx)["sCode"] == "0"


def test_public_requests_are_counted_by_address() -> None:
    okx = Direct("okx", limits=True)
    answers = [okx.request("GET", "/api/v5/public/time").status for _ in range(21)]
    assert answers == [200] * 20 + [429]


# orders


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"instId": "BTC-EUR"}, "51001"),
        ({"instId": None}, "50014"),
        ({"tdMode": "cross"}, "51010"),
        ({"side": "hold"}, "51000"),
        ({"ordType": "iceberg"}, "51000"),
        ({"px": None}, "50014"),
        ({"sz": None}, "50014"),
        ({"clOrdId": "with-dash"}, "51000"),
        ({"clOrdId": "x" * 33}, "51000"),
        ({"px": "49000.05"}, "51000"),
        ({"sz": "0.010000001"}, "51121"),
        ({"sz": "0.000001"}, "51020"),
        ({"sz": "9001"}, "51005"),
        ({"sz": "500"}, "51008"),
        ({"side": "sell", "sz": "11"}, "51008"),
        ({"px": "1000000"}, "51006"),
        ({"stpMode": "none"}, "51000"),
        ({"attachAlgoOrds": [{"slTriggerPx": "1"}]}, "51000"),
        ({"ordType": "market", "tgtCcy": "gold"}, "51000"),
    ],
)
def test_refusals(okx: Direct, changes: dict[str, str], code: str) -> None:
    before = okx.balance("USDT")
    entry = place(okx, **changes)
    assert (entry["sCode"], entry["ordId"]) == (code, "")
    assert entry["sMsg"]
    assert okx.balance("USDT") == before
    assert not okx.exchange.orders(okx.me)


def test_a_client_id_is_taken_for_good(okx: Direct) -> None:
    first = place(okx, clOrdId="mine1")
    assert place(okx, clOrdId="mine1")["sCode"] == "51016"
    body = {"instId": "BTC-USDT", "clOrdId": "mine1"}
    assert send(okx, "POST", "trade/cancel-order", body)[1]["data"][0]["ordId"] == first["ordId"]
    assert place(okx, clOrdId="mine1")["sCode"] == "51016"
    [found] = get(okx, "trade/order", "instId=BTC-USDT&clOrdId=mine1")
    assert (found["state"], found["cancelSource"]) == ("canceled", "1")
    _, gone = send(okx, "POST", "trade/cancel-order", body)
    assert gone["data"][0]["sCode"] == "51400"
    _, none = send(okx, "GET", "trade/order", query="instId=BTC-USDT&clOrdId=nobody")
    assert none["code"] == "51603"


@pytest.mark.parametrize(
    ("changes", "source", "filled"),
    [
        ({"ordType": "post_only", "px": "50001"}, "31", "0"),
        ({"ordType": "fok", "px": "50001", "sz": "0.6"}, "13", "0"),
        ({"ordType": "ioc", "px": "50001", "sz": "0.6"}, "14", "0.5"),
    ],
)
def test_what_cannot_rest_is_accepted_and_then_cancelled(
    okx: Direct, changes: dict[str, str], source: str, filled: str
) -> None:
    line = login(okx)
    subscribe(line, "orders", instType="SPOT")
    entry = place(okx, **changes)
    assert entry["sCode"] == "0"
    states = [m["data"][0] for m in line.take()]
    assert states[0]["state"] in ("live", "partially_filled")
    assert (states[-1]["state"], states[-1]["cancelSource"]) == ("canceled", source)
    [found] = get(okx, "trade/order", f"instId=BTC-USDT&ordId={entry['ordId']}")
    assert (found["state"], found["accFillSz"]) == ("canceled", filled)


def test_market_buys_are_sized_in_quote_unless_told(okx: Direct) -> None:
    entry = place(okx, ordType="market", px=None, sz="100")
    [found] = get(okx, "trade/order", f"instId=BTC-USDT&ordId={entry['ordId']}")
    assert (found["sz"], found["tgtCcy"], found["state"]) == ("100", "quote_ccy", "filled")
    assert Decimal("0.0019") < Decimal(found["accFillSz"]) < Decimal("0.002")
    entry = place(okx, ordType="market", px=None, sz="0.003", tgtCcy="base_ccy")
    [found] = get(okx, "trade/order", f"instId=BTC-USDT&ordId={entry['ordId']}")
    assert found["accFillSz"] == "0.003"


def test_self_trades_are_prevented_as_asked(okx: Direct) -> None:
    resting = place(okx, side="sell", px="50000.5")
    taker = place(okx, px="50000.5", stpMode="cancel_taker", sz="0.02")
    states = {o["ordId"]: o for o in get(okx, "trade/orders-history", "instType=SPOT")}
    assert states[taker["ordId"]]["cancelSource"] == "32"
    assert resting["ordId"] not in states
    place(okx, px="50000.5", sz="0.02")
    states = {o["ordId"]: o for o in get(okx, "trade/orders-history", "instType=SPOT")}
    assert states[resting["ordId"]]["cancelSource"] == "32"
    assert not okx.exchange.fills(okx.me)


def test_a_batch_succeeds_in_parts(okx: Direct) -> None:
    orders = [{**ORDER, **PX, "clOrdId": "a"}, {**ORDER, "px": "49000.01"}]
    _, found = send(okx, "POST", "trade/batch-orders", orders)
    assert (found["code"], [e["sCode"] for e in found["data"]]) == ("2", ["0", "51000"])
    _, found = send(okx, "POST", "trade/batch-orders", orders[1:])
    assert found["code"] == "1"
    changes = [{"instId": "BTC-USDT", "clOrdId": "a", "newPx": "48000", "reqId": "r1"}]
    _, found = send(okx, "POST", "trade/amend-batch-orders", changes)
    assert found["data"][0]["reqId"] == "r1"
    cancels = [{"instId": "BTC-USDT", "clOrdId": c} for c in ("a", "b")]
    _, found = send(okx, "POST", "trade/cancel-batch-orders", cancels)
    assert [e["sCode"] for e in found["data"]] == ["0", "51400"]


def test_amend_keeps_id_and_what_is_filled(okx: Direct) -> None:
    entry = place(okx, px="50000.5", sz="0.02", clOrdId="a")
    okx.make("sell", "0.005", "50000.5")
    ids = {"instId": "BTC-USDT", "ordId": entry["ordId"]}
    _, found = send(okx, "POST", "trade/amend-order", {**ids, "newSz": "0.03", "newPx": "50000.4"})
    assert found["code"] == "0"
    [order] = get(okx, "trade/orders-pending")
    assert (order["sz"], order["px"], order["accFillSz"]) == ("0.03", "50000.4", "0.005")
    _, found = send(okx, "POST", "trade/amend-order", {**ids, "newSz": "0.005"})
    assert found["data"][0]["sCode"] == "51000"
    _, found = send(
        okx, "POST", "trade/amend-order", {**ids, "newPx": "50000.45", "cxlOnFail": True}
    )
    assert found["data"][0]["sCode"] == "51000"
    assert get(okx, "trade/orders-pending") == []
    _, found = send(okx, "POST", "trade/amend-order", {**ids, "newSz": "0.03"})
    assert found["data"][0]["sCode"] == "51509"


def test_dead_man_s_switch(okx: Direct) -> None:
    place(okx)
    for wrong in ("9", "121", "x"):
        body = {"timeOut": wrong}
        assert send(okx, "POST", "trade/cancel-all-after", body)[1]["code"] == "51000"
    _, found = send(okx, "POST", "trade/cancel-all-after", {"timeOut": "10"})
    assert int(found["data"][0]["triggerTime"]) == okx.clock.now_ns() // 1_000_000 + 10_000
    okx.step(9)
    assert len(get(okx, "trade/orders-pending")) == 1
    okx.step(1.1)
    assert get(okx, "trade/orders-pending") == []
    assert get(okx, "trade/orders-history", "instType=SPOT")[0]["cancelSource"] == "20"
    _, found = send(okx, "POST", "trade/cancel-all-after", {"timeOut": "0"})
    assert found["data"][0]["triggerTime"] == "0"


def test_fills_page_by_bill_and_fees_are_paid_in_what_is_received(okx: Direct) -> None:
    for _ in range(3):
        place(okx, ordType="market", px=None, sz="0.001", tgtCcy="base_ccy")
    place(okx, side="sell", ordType="market", px=None, sz="0.001")
    first = get(okx, "trade/fills", "instType=SPOT&limit=3")
    assert [f["side"] for f in first] == ["sell", "buy", "buy"]
    assert [(f["feeCcy"], f["fee"][0]) for f in first[:2]] == [("USDT", "-"), ("BTC", "-")]
    after = get(okx, "trade/fills", f"instType=SPOT&after={first[-1]['billId']}")
    assert len(after) == 1
    newer = get(okx, "trade/fills-history", f"instType=SPOT&before={first[1]['billId']}")
    assert [f["billId"] for f in newer] == [first[0]["billId"]]
    fees = {"BTC": Decimal(0), "USDT": Decimal(0)}
    for fill in [*first, *after]:
        fees[fill["feeCcy"]] += Decimal(fill["fee"])
    assert sum(okx.balance("BTC")) == 10 + Decimal("0.002") + fees["BTC"]


def test_history_is_asked_for_by_type(okx: Direct) -> None:
    place(okx, ordType="ioc", px="40000")
    assert send(okx, "GET", "trade/orders-history")[1]["code"] == "50014"
    assert len(get(okx, "trade/orders-history", "instType=SPOT&state=canceled")) == 1
    assert get(okx, "trade/orders-history", "instType=SWAP") == []


# websocket


def test_orders_over_the_websocket_by_number(okx: Direct) -> None:
    line = login(okx)
    code = json.loads(
        okx.request("GET", "/api/v5/public/instruments", "instType=SPOT&instId=BTC-USDT").body
    )["data"][0]["instIdCode"]
    body = {**ORDER, **PX, "instIdCode": code, "clOrdId": "w1"}
    del body["instId"]
    done = act(line, "order", body)
    assert (done["code"], done["data"][0]["clOrdId"]) == ("0", "w1")
    assert int(done["outTime"]) >= int(done["inTime"])
    refused = act(line, "order", body)
    assert (refused["code"], refused["data"][0]["sCode"]) == ("1", "51016")
    assert act(line, "order", {**body, "instIdCode": 1})["data"][0]["sCode"] == "51001"
    changed = act(line, "amend-order", {"instIdCode": code, "clOrdId": "w1", "newSz": "0.02"})
    assert changed["code"] == "0"
    mixed = act(
        line, "batch-orders", {**body, "clOrdId": "w2"}, {**body, "clOrdId": "w3", "sz": "0"}
    )
    assert (mixed["code"], [e["sCode"] for e in mixed["data"]]) == ("2", ["0", "51121"])
    gone = act(
        line, "batch-cancel-orders", *({"instIdCode": code, "clOrdId": c} for c in ("w1", "w2"))
    )
    assert [e["sCode"] for e in gone["data"]] == ["0", "0"]
    assert act(line, "order", body, body)["code"] == "60013"


def test_what_cannot_be_read_or_subscribed_says_so(okx: Direct) -> None:
    line = okx.line("/ws/v5/public")
    assert line.say("ping") == ["pong"]
    assert line.say("{")[0]["code"] == "60012"
    assert line.say({"op": "sing", "args": []})[0]["code"] == "60012"
    [wrong] = line.say({"op": "subscribe", "args": [{"channel": "books", "instId": "A-B"}]})
    assert wrong["code"] == "60018"
    [wrong] = line.say({"op": "subscribe", "args": [{"channel": "candle1m", "instId": "BTC-USDT"}]})
    assert wrong["code"] == "60018"
    business = okx.line("/ws/v5/business")
    assert subscribe(business, "candle1m", instId="BTC-USDT")[0]["data"][0][8] == "0"


def test_instruments_are_told_at_once_and_when_one_changes(okx: Direct) -> None:
    line = okx.line("/ws/v5/public")
    [told] = subscribe(line, "instruments", instType="SPOT")
    [asked] = [json.loads(okx.request("GET", "/api/v5/public/instruments", "instType=SPOT").body)]
    assert told["data"] == asked["data"]
    okx.exchange.set_status(okx.market.symbol, "halt")
    [changed] = line.take()
    assert changed["arg"] == {"channel": "instruments", "instType": "SPOT"}
    assert [(e["instId"], e["state"]) for e in changed["data"]] == [("BTC-USDT", "suspend")]
    assert subscribe(line, "instruments", instType="SWAP") == []
    okx.exchange.set_status(okx.market.symbol, "trading")
    assert line.take() == []
    assert okx.line("/ws/v5/business").say(
        {"op": "subscribe", "args": [{"channel": "instruments", "instType": "SPOT"}]}
    )[0]["code"] == "60018"  # fmt: skip


def test_silence_ends_a_connection(okx: Direct) -> None:
    line = okx.line("/ws/v5/public")
    okx.step(20)
    line.say("ping")
    okx.step(20)
    assert line.socket.closed is None
    okx.step(11)
    assert line.socket.closed is not None


def test_fills_are_pushed_once_each_with_their_fee(okx: Direct) -> None:
    line = login(okx)
    subscribe(line, "orders", instType="ANY")
    [snapshot] = subscribe(line, "account")
    assert {d["ccy"] for d in snapshot["data"][0]["details"]} == {"BTC", "USDT"}
    place(okx, px="50000.5", sz="0.01", clOrdId="f1")
    okx.make("sell", "0.004", "50000.5")
    okx.make("sell", "0.006", "50000.5")
    found = line.take()
    orders = [m["data"][0] for m in found if m["arg"]["channel"] == "orders"]
    assert [o["state"] for o in orders] == ["live", "partially_filled", "filled"]
    fills = [o for o in orders if o["tradeId"]]
    assert [f["fillSz"] for f in fills] == ["0.004", "0.006"]
    assert [f["execType"] for f in fills] == ["M", "M"]
    assert sum(Decimal(f["fillFee"]) for f in fills) == Decimal(orders[-1]["fee"]) < 0
    last = [m for m in found if m["arg"]["channel"] == "account"][-1]["data"][0]["details"]
    shown = {d["ccy"]: (Decimal(d["availBal"]), Decimal(d["frozenBal"])) for d in last}
    assert shown == {asset: okx.balance(asset) for asset in ("BTC", "USDT")}


@pytest.mark.parametrize("cadence_ns", [0, None])
@pytest.mark.parametrize("name", ["books", "books50-l2-tbt"])
def test_the_followed_book_chains_and_has_the_checksum(name: str, cadence_ns: int | None) -> None:
    okx = Direct("okx", cadence_ns=cadence_ns)
    line = okx.line("/ws/v5/public")
    messages = subscribe(line, name, instId="BTC-USDT")
    sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    last, seen = Decimal(-1), 0
    for _ in okx.flow(300):
        messages += line.take()
        while messages:
            [entry] = messages.pop(0)["data"]
            assert entry["prevSeqId"] == last
            last = entry["seqId"]
            follow(sides, entry)
            assert check(sides) == entry["checksum"]
            seen += 1
    assert seen > (50 if cadence_ns is None else 150)
    if cadence_ns == 0:
        assert (sides["bids"], sides["asks"]) == okx.book(400 if name == "books" else 50)


def test_a_quiet_book_is_told_every_minute_and_a_late_watcher_joins_the_chain(okx: Direct) -> None:
    line = okx.line("/ws/v5/public")
    [snapshot] = subscribe(line, "books", instId="BTC-USDT")
    for _ in range(61):
        okx.step(1)
        line.conversation.receive("ping")
    [quiet] = [m for m in line.take() if m != "pong"]
    number = snapshot["data"][0]["seqId"]
    assert (quiet["data"][0]["prevSeqId"], quiet["data"][0]["seqId"]) == (number, number)
    okx.make("buy", "1", "49999.5")
    late = okx.line("/ws/v5/public")
    [joined] = subscribe(late, "books", instId="BTC-USDT")
    okx.make("buy", "1", "49999.4")
    [change] = late.take()
    assert change["data"][0]["prevSeqId"] == joined["data"][0]["seqId"]


def test_whole_states_of_the_best_levels(okx: Direct) -> None:
    line = okx.line("/ws/v5/public")
    [state] = subscribe(line, "bbo-tbt", instId="BTC-USDT")
    okx.make("buy", "1", "49000")
    assert line.take() == []
    okx.make("buy", "1", "49999.5")
    [state] = line.take()
    assert "action" not in state
    assert state["data"][0]["bids"] == [["49999.5", "1", "0", "1"]]
    okx.make("buy", "2", "49999.5")
    assert line.take()[0]["data"][0]["bids"] == [["49999.5", "3", "0", "2"]]


def follow(sides: dict[str, dict[Decimal, Decimal]], entry: Any) -> None:
    """Apply a message: set, or delete at size nought."""
    for name, side in sides.items():
        for price, size, _, orders in entry[name]:
            assert (Decimal(size) == 0) == (orders == "0")
            if Decimal(size):
                side[Decimal(price)] = Decimal(size)
            else:
                side.pop(Decimal(price), None)


def check(sides: dict[str, dict[Decimal, Decimal]]) -> int:
    """The checksum of the venue's documents."""
    best = [sorted(sides[n], reverse=n == "bids")[:25] for n in ("bids", "asks")]
    parts = []
    for bid, ask in zip_longest(*best):
        for name, price in (("bids", bid), ("asks", ask)):
            if price is not None:
                parts += [f"{price.normalize():f}", f"{sides[name][price].normalize():f}"]
    unsigned = crc32(":".join(parts).encode())
    return unsigned - (1 << 32) if unsigned >> 31 else unsigned
