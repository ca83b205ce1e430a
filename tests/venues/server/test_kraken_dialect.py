"""Kraken by the letter of its documents: signatures, counters, orders, books, private streams."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

import pytest
from direct_venue import Direct, Line

from kimera_cli.venues.server.dialects.kraken_names import number_of, transaction
from kimera_cli.venues.server.keys import Key

NONCES = itertools.count(1_700_000_000_000)
PAIR = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.01"}


@pytest.fixture
def kraken() -> Direct:
    return Direct("kraken")


def signed(direct: Direct, method: str, body: bytes, nonce: str, key: Key) -> Any:
    path = f"/0/private/{method}"
    digest = hashlib.sha256(nonce.encode() + body).digest()
    secret = base64.b64decode(key.secret)
    mac = hmac.new(secret, path.encode() + digest, hashlib.sha512).digest()
    headers = {"api_key": key.key, "api_sign": base64.b64encode(mac).decode()}
    return json.loads(direct.request("POST", path, body=body, **headers).body)


def call(direct: Direct, method: str, key: Key | None = None, **parameters: Any) -> Any:
    nonce = str(next(NONCES))
    body = urlencode({"nonce": nonce, **parameters}).encode()
    return signed(direct, method, body, nonce, key or direct.key)


def result(direct: Direct, method: str, **parameters: Any) -> Any:
    found = call(direct, method, **parameters)
    assert found["error"] == [], found
    return found["result"]


def add(direct: Direct, **changes: Any) -> Any:
    return call(direct, "AddOrder", **{**PAIR, "price": "49000", **changes})


def private(direct: Direct, *channels: str, **options: Any) -> Line:
    line = direct.line("/v2")
    token = result(direct, "GetWebSocketsToken")["token"]
    for channel in channels:
        answer, *_ = ask(line, "subscribe", channel=channel, token=token, **options)[-2:]
        assert answer["success"], answer
    line.token = token  # type: ignore[attr-defined]
    return line


def ask(line: Line, method: str, req_id: int = 1, **parameters: Any) -> list[Any]:
    return line.say({"method": method, "params": parameters, "req_id": req_id})


def order(line: Line, **changes: Any) -> Any:
    fields = {"order_type": "limit", "side": "buy", "order_qty": 0.01, "symbol": "BTC/USD"}
    fields |= {"limit_price": 49000, "token": line.token}  # type: ignore[attr-defined]
    return ask(line, "add_order", 7, **{**fields, **changes})[-1]


# who asks


def test_wrong_key_secret_and_nonce_are_refused_in_kraken_s_words(kraken: Direct) -> None:
    right = kraken.key
    unknown = Key("kraken", "nobody", right.secret, "", kraken.me)
    forger = Key("kraken", right.key, base64.b64encode(b"x" * 64).decode(), "", kraken.me)
    assert call(kraken, "Balance", unknown) == {"error": ["EAPI:Invalid key"]}
    assert call(kraken, "Balance", forger) == {"error": ["EAPI:Invalid signature"]}
    body = b"nonce=5"
    assert signed(kraken, "Balance", body, "5", right)["error"] == []
    assert signed(kraken, "Balance", body, "5", right) == {"error": ["EAPI:Invalid nonce"]}
    assert signed(kraken, "Balance", b"nonce=4", "4", right) == {"error": ["EAPI:Invalid nonce"]}


def test_a_changed_body_breaks_the_signature(kraken: Direct) -> None:
    path, body = "/0/private/AddOrder", b"nonce=9&volume=1"
    digest = hashlib.sha256(b"9" + body).digest()
    mac = hmac.new(base64.b64decode(kraken.key.secret), path.encode() + digest, hashlib.sha512)
    sign = base64.b64encode(mac.digest()).decode()
    found = kraken.request(
        "POST", path, body=b"nonce=9&volume=2", api_key=kraken.key.key, api_sign=sign
    )
    assert json.loads(found.body) == {"error": ["EAPI:Invalid signature"]}


def test_a_refused_signature_does_not_use_up_the_nonce(kraken: Direct) -> None:
    forger = Key("kraken", kraken.key.key, base64.b64encode(b"x" * 64).decode(), "", kraken.me)
    signed(kraken, "Balance", b"nonce=8", "8", forger)
    assert signed(kraken, "Balance", b"nonce=8", "8", kraken.key)["error"] == []


def test_a_key_may_do_what_it_may(kraken: Direct) -> None:
    reader = kraken.another_key("read")
    assert call(kraken, "Balance", reader)["error"] == []
    assert call(kraken, "AddOrder", reader, **PAIR) == {"error": ["EGeneral:Permission denied"]}


def test_a_token_grows_old_unless_it_is_in_use(kraken: Direct) -> None:
    line = private(kraken, "executions")
    other = kraken.line("/v2")
    kraken.step(901)
    refused = {"order_type": "limit", "token": line.token}  # type: ignore[attr-defined]
    answer = ask(other, "add_order", **refused)[-1]
    assert (answer["success"], answer["error"]) == (False, "ESession:Invalid session")
    line.take()
    assert order(line)["success"]


def test_a_deadline_that_passed_is_refused(kraken: Direct) -> None:
    late = add(kraken, deadline="2026-01-01T00:00:00Z")
    assert late == {"error": ["EService:Deadline elapsed"]}
    assert add(kraken, deadline="2030-01-01T00:00:00Z")["error"] == []


# counters


def test_requests_are_counted_and_forgotten_one_a_second() -> None:
    direct = Direct("kraken", limits=True)
    answers = [call(direct, "Balance")["error"] for _ in range(22)]
    assert answers == [[]] * 20 + [["EAPI:Rate limit exceeded"]] * 2
    direct.step(1)
    assert call(direct, "Balance")["error"] == []
    assert call(direct, "TradesHistory")["error"] == ["EAPI:Rate limit exceeded"]
    direct.step(2)
    assert call(direct, "TradesHistory")["error"] == []


def test_orders_have_their_own_counter_and_cancels_pass_it() -> None:
    direct = Direct("kraken", limits=True)
    placed = [add(direct, cl_ord_id=f"c{n}") for n in range(100)]
    assert not [each for each in placed if each["error"]]
    for n in range(12):
        assert call(direct, "CancelOrder", cl_ord_id=f"c{n}")["error"] == []
    assert add(direct) == {"error": ["EOrder:Rate limit exceeded"]}
    assert call(direct, "CancelOrder", cl_ord_id="c50")["error"] == []
    direct.step(8)
    assert add(direct)["error"] == []


# orders


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"pair": "XXXYYY"}, "EQuery:Unknown asset pair"),
        ({"ordertype": "iceberg"}, "EGeneral:Invalid arguments:ordertype"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"timeinforce": "FOK"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"oflags": "fcib"}, "EGeneral:Invalid arguments:oflags"),
        ({"leverage": "2"}, "EGeneral:Invalid arguments:leverage"),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "a", "userref": "1"}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"userref": "x"}, "EGeneral:Invalid arguments:userref"),
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"volume": "0.00005", "price": "0.1"}, "EOrder:Cost minimum not met"),
        ({"volume": "500"}, "EOrder:Insufficient funds"),
        ({"price": "50001", "oflags": "post"}, "EOrder:Post only order"),
        (
            {"price": "49000.05"},
            "EOrder:Invalid price:XBTUSD price can only be specified up to 1 decimals.",
        ),
        ({"volume": "0.010000001"}, "EGeneral:Invalid arguments:volume"),
        ({"stptype": "maybe"}, "EGeneral:Invalid arguments:stp_type"),
        ({"expiretm": "+60"}, "EGeneral:Invalid arguments:expiretm"),
        ({"reduce_only": "true"}, "EGeneral:Invalid arguments:reduce_only"),
    ],
)
def test_refusals(kraken: Direct, changes: dict[str, str], error: str) -> None:
    before = kraken.balance("USD")
    assert add(kraken, **changes) == {"error": [error]}
    assert kraken.balance("USD") == before
    assert not kraken.exchange.orders(kraken.me)


def test_a_client_id_is_taken_while_its_order_is_open(kraken: Direct) -> None:
    uuid = "a1b2c3d4-0000-4000-8000-00000000000f"
    assert add(kraken, cl_ord_id=uuid)["error"] == []
    assert add(kraken, cl_ord_id=uuid) == {"error": ["EOrder:Duplicate cl_ord_id"]}
    assert result(kraken, "CancelOrder", cl_ord_id=uuid) == {"count": 1}
    assert call(kraken, "CancelOrder", cl_ord_id=uuid) == {"error": ["EOrder:Unknown order"]}
    assert add(kraken, cl_ord_id=uuid)["error"] == []


def test_a_halted_market_takes_cancels_only(kraken: Direct) -> None:
    add(kraken, cl_ord_id="a")
    kraken.exchange.set_status("BTC/USD", "cancel_only")
    assert add(kraken) == {"error": ["EService:Market in cancel_only mode"]}
    assert result(kraken, "CancelOrder", cl_ord_id="a") == {"count": 1}
    [pair] = json.loads(kraken.request("GET", "/0/public/AssetPairs", "pair=XBTUSD").body)[
        "result"
    ].values()
    assert pair["status"] == "cancel_only"


def test_market_order_by_cost_spends_at_most_that(kraken: Direct) -> None:
    result(kraken, "AddOrder", **{**PAIR, "ordertype": "market", "oflags": "viqc", "volume": "100"})
    [fill] = result(kraken, "TradesHistory")["trades"].values()
    assert Decimal("99.9") < Decimal(fill["cost"]) <= 100
    assert (fill["maker"], fill["ordertype"]) == (False, "market")


def test_validate_places_nothing(kraken: Direct) -> None:
    found = result(kraken, "AddOrder", **{**PAIR, "price": "49000", "validate": "true"})
    assert found["descr"]["order"] == "buy 0.01000000 XBTUSD @ limit 49000.0"
    assert "txid" not in found
    assert not kraken.exchange.orders(kraken.me)


def test_user_references_cancel_together(kraken: Direct) -> None:
    for price in ("49000", "48000"):
        add(kraken, price=price, userref="17")
    add(kraken, price="47000")
    assert len(result(kraken, "OpenOrders", userref="17")["open"]) == 2
    assert result(kraken, "CancelOrder", txid="17") == {"count": 2}
    assert result(kraken, "CancelAll") == {"count": 1}


def test_a_batch_answers_each_order(kraken: Direct) -> None:
    nonce = str(next(NONCES))
    leg = {"ordertype": "limit", "type": "buy", "volume": "0.01"}
    orders = [{**leg, "price": "49000"}, {**leg, "price": "50001", "oflags": "post"}]
    body = json.dumps({"nonce": nonce, "pair": "XBTUSD", "orders": orders}).encode()
    first, second = signed(kraken, "AddOrderBatch", body, nonce, kraken.key)["result"]["orders"]
    assert first["txid"].startswith("O")
    assert second == {"error": "EOrder:Post only order"}
    nonce = str(next(NONCES))
    body = json.dumps({"nonce": nonce, "orders": [first["txid"], "OXXXXX-XXXXX-XXXXXX"]}).encode()
    cancelled = signed(kraken, "CancelOrderBatch", body, nonce, kraken.key)
    assert cancelled["result"] == {"count": 1}


def test_amend_keeps_the_order_and_below_what_is_filled_ends_it(kraken: Direct) -> None:
    [txid] = add(kraken, price="50000.5", volume="0.02")["result"]["txid"]
    kraken.make("sell", "0.005", "50000.5")
    assert result(kraken, "AmendOrder", txid=txid, order_qty="0.01")["amend_id"].startswith("T")
    [found] = result(kraken, "QueryOrders", txid=txid, trades="true").values()
    assert (found["vol"], found["vol_exec"], len(found["trades"])) == (
        "0.01000000", "0.00500000", 1,
    )  # fmt: skip
    crossing = call(kraken, "AmendOrder", txid=txid, limit_price="50001", post_only="true")
    assert crossing == {"error": ["EOrder:Post only order"]}
    result(kraken, "AmendOrder", txid=txid, order_qty="0.005")
    [found] = result(kraken, "QueryOrders", txid=txid).values()
    assert found["status"] == "canceled"


def test_dead_man_s_switch_cancels_everything_in_time(kraken: Direct) -> None:
    add(kraken)
    found = result(kraken, "CancelAllOrdersAfter", timeout=60)
    assert found["triggerTime"] > found["currentTime"]
    kraken.step(50)
    result(kraken, "CancelAllOrdersAfter", timeout=60)
    kraken.step(50)
    assert len(result(kraken, "OpenOrders")["open"]) == 1
    kraken.step(11)
    assert result(kraken, "OpenOrders")["open"] == {}
    [closed] = result(kraken, "ClosedOrders")["closed"].values()
    assert closed["reason"] == "Cancel all orders after"
    assert result(kraken, "CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"


def test_history_pages_by_fifty_newest_first(kraken: Direct) -> None:
    for n in range(60):
        result(kraken, "AddOrder", **{**PAIR, "ordertype": "market", "volume": "0.0001"})
        kraken.step(0.1)
        assert n < 60
    first = result(kraken, "TradesHistory")
    second = result(kraken, "TradesHistory", ofs=50)
    times = [t["time"] for page in (first, second) for t in page["trades"].values()]
    assert (first["count"], len(times)) == (60, 60)
    assert times == sorted(times, reverse=True)
    later = result(kraken, "TradesHistory", start=times[5])
    assert len(later["trades"]) == 5


def test_balances_count_fees_in_quote(kraken: Direct) -> None:
    result(kraken, "AddOrder", **{**PAIR, "ordertype": "market", "volume": "1"})
    result(kraken, "AddOrder", **PAIR, price="49000")
    shown = result(kraken, "BalanceEx")
    trades = result(kraken, "TradesHistory")["trades"].values()
    spent = sum(Decimal(t["cost"]) + Decimal(t["fee"]) for t in trades)
    assert Decimal(shown["ZUSD"]["balance"]) == 1_000_000 - spent
    assert Decimal(shown["XXBT"]["balance"]) == 11
    assert Decimal(shown["ZUSD"]["hold_trade"]) == kraken.balance("USD")[1] > 490


def test_all_that_is_held_is_worth_something(kraken: Direct) -> None:
    markets = {m.symbol: m for m in kraken.exchange.markets}
    kraken.exchange.deposit(kraken.me, "USDT", "1000")  # has no market against USD
    btc, usdt = (m.price(m.last_px) for m in (markets["BTC/USD"], markets["BTC/USDT"]))
    usd, coins = sum(kraken.balance("USD")), sum(kraken.balance("BTC"))
    whole = usd + coins * btc + 1000 * btc / usdt
    told = result(kraken, "TradeBalance")
    assert Decimal(told["eb"]) == pytest.approx(whole, abs=Decimal("0.0001"))
    assert (told["mf"], told["m"]) == (told["eb"], "0.0000")
    in_bitcoin = result(kraken, "TradeBalance", asset="XBT")
    assert Decimal(in_bitcoin["eb"]) == pytest.approx(whole / btc, abs=Decimal("0.0001"))
    assert call(kraken, "TradeBalance", asset="NONE")["error"] == ["EQuery:Unknown asset"]


def test_a_trade_tells_its_cost_to_the_last_digit(kraken: Direct) -> None:
    result(kraken, "AddOrder", **{**PAIR, "ordertype": "market", "volume": "0.02000374"})
    (told,) = result(kraken, "TradesHistory")["trades"].values()
    assert Decimal(told["cost"]) == Decimal(told["price"]) * Decimal("0.02000374")


# websocket


def test_orders_over_the_websocket(kraken: Direct) -> None:
    line = private(kraken)
    placed = order(line, cl_ord_id="ws1")
    assert placed["success"]
    assert placed["req_id"] == 7
    assert placed["result"]["cl_ord_id"] == "ws1"
    order_id = placed["result"]["order_id"]
    token = line.token  # type: ignore[attr-defined]
    amended = ask(line, "amend_order", order_id=order_id, limit_price=48000.1, token=token)[-1]
    assert amended["result"]["order_id"] == order_id
    assert str(kraken.exchange.open_orders(kraken.me)[0].px_ticks) == "480001"
    refused = order(line, limit_price=60000, post_only=True)
    assert (refused["success"], refused["error"]) == (False, "EOrder:Post only order")
    answers = ask(line, "cancel_order", order_id=[order_id, "nothing"], token=token)
    assert [a["success"] for a in answers] == [True, False]
    assert answers[1]["error"] == "EOrder:Unknown order"
    assert order(line, order_type="market", limit_price=None)["success"]
    by_cost = order(line, order_type="market", cash_order_qty=50, order_qty=None, limit_price=None)
    assert by_cost["success"]
    assert kraken.exchange.fills(kraken.me)[-1].qty_lots < 100_000
    order(line)
    assert ask(line, "cancel_all", token=token)[-1]["result"] == {"count": 1}
    assert ask(line, "sing", token=token)[-1]["error"] == "Unsupported method"


def test_a_reader_s_token_places_no_order(kraken: Direct) -> None:
    reader = kraken.another_key("read")
    token = call(kraken, "GetWebSocketsToken", reader)["result"]["token"]
    line = kraken.line("/v2")
    line.token = token  # type: ignore[attr-defined]
    assert order(line)["error"] == "EGeneral:Permission denied"


def test_batches_over_the_websocket(kraken: Direct) -> None:
    line = private(kraken)
    leg = {"order_type": "limit", "side": "buy", "order_qty": 0.01}
    orders = [{**leg, "limit_price": 49000, "cl_ord_id": "A"}]
    orders += [{**leg, "limit_price": 60000, "post_only": True, "cl_ord_id": "B"}]
    token = line.token  # type: ignore[attr-defined]
    *_, answer = ask(line, "batch_add", symbol="BTC/USD", orders=orders, token=token)
    first, second = answer["result"]["orders"]
    assert (first["success"], first["cl_ord_id"]) == (True, "A")
    assert second == {"cl_ord_id": "B", "success": False, "error": "EOrder:Post only order"}
    [done] = ask(line, "batch_cancel", orders=["A", "C"], token=token)
    assert done["result"] == {"orders_cancelled": 1}


def test_the_dead_man_s_switch_over_the_websocket(kraken: Direct) -> None:
    line = private(kraken)
    order(line)
    token = line.token  # type: ignore[attr-defined]
    assert ask(line, "cancel_all_orders_after", timeout=5, token=token)[-1]["success"]
    kraken.step(6)
    assert not kraken.exchange.open_orders(kraken.me)


def test_an_order_s_life_is_told_in_order(kraken: Direct) -> None:
    line = private(kraken, "executions")
    add(kraken, price="50000.5", cl_ord_id="life")
    kraken.make("sell", "0.004", "50000.5")
    kraken.make("sell", "0.006", "50000.5")
    messages = [m for m in line.take() if m["channel"] == "executions"]
    told = [entry for message in messages for entry in message["data"]]
    assert [e["exec_type"] for e in told] == ["pending_new", "new", "trade", "trade", "filled"]
    assert [e["order_status"] for e in told][-3:] == ["partially_filled", "filled", "filled"]
    assert {e["cl_ord_id"] for e in told} == {"life"}
    assert [e["cum_qty"] for e in told[2:]] == [Decimal("0.004"), Decimal("0.01"), Decimal("0.01")]
    assert {e["liquidity_ind"] for e in told[2:4]} == {"m"}
    sequences = [m["sequence"] for m in messages]
    assert sequences == list(range(sequences[0], sequences[0] + 5))


def test_snapshots_tell_what_is_open_and_what_was_filled(kraken: Direct) -> None:
    add(kraken, cl_ord_id="resting")
    result(kraken, "AddOrder", **{**PAIR, "ordertype": "market"})
    line = kraken.line("/v2")
    token = result(kraken, "GetWebSocketsToken")["token"]
    ask(line, "subscribe", channel="executions", token=token, snap_trades=True)
    line = private(kraken)
    snapshot = ask(line, "subscribe", channel="executions", token=token, snap_trades=True)[-1]
    assert snapshot["type"] == "snapshot"
    assert [e["exec_type"] for e in snapshot["data"]] == ["pending_new", "trade"]


def test_the_ledger_adds_up_to_the_balance(kraken: Direct) -> None:
    line = private(kraken, "balances")
    add(kraken, price="50003", volume="1.2")
    kraken.exchange.deposit(kraken.me, "USD", "7")
    kraken.exchange.deposit(kraken.me, "BTC", "-1")
    entries = [e for m in line.take() if m["channel"] == "balances" for e in m["data"]]
    assert [e["type"] for e in entries][-2:] == ["deposit", "withdrawal"]
    for asset, start in (("BTC", 10), ("USD", 1_000_000)):
        moves = [e for e in entries if e["asset"] == asset]
        assert sum(e["amount"] - e["fee"] for e in moves) + start == moves[-1]["balance"]
        assert moves[-1]["balance"] == sum(kraken.balance(asset))


def test_what_cannot_be_subscribed_says_so(kraken: Direct) -> None:
    line = kraken.line("/v2")
    line.take()
    found = ask(line, "subscribe", channel="book", symbol=["BTC/USD", "XX/YY"], depth=10)
    assert [m.get("success") for m in found] == [True, None, False]
    assert (found[2]["error"], found[2]["symbol"]) == (
        "Currency pair not supported XX/YY", "XX/YY",
    )  # fmt: skip
    [depth] = ask(line, "subscribe", channel="book", symbol=["BTC/USD"], depth=11)
    assert depth["error"] == "Subscription depth not supported"
    [nonsense] = line.say("{")
    assert nonsense["error"] == "Malformed request"
    [token] = ask(line, "subscribe", channel="executions", token="none")
    assert token["error"] == "ESession:Invalid session"


def test_silence_is_filled_with_heartbeats(kraken: Direct) -> None:
    line = kraken.line("/v2")
    line.take()
    kraken.step(3)
    assert line.take() == []
    ask(line, "subscribe", channel="trade", symbol=["BTC/USD"])
    kraken.step(3)
    assert [m["channel"] for m in line.take()] == ["heartbeat"] * 2 + ["heartbeat"]
    assert ask(line, "ping")[-1]["method"] == "pong"


@pytest.mark.parametrize("depth", [10, 25, 100])
def test_the_followed_book_has_the_checksum_at_every_step(kraken: Direct, depth: int) -> None:
    line = kraken.line("/v2")
    messages = ask(line, "subscribe", channel="book", symbol=["BTC/USD"], depth=depth)
    sides: dict[str, dict[Decimal, Decimal]] = {"bids": {}, "asks": {}}
    seen = 0
    for _ in kraken.flow(500):
        messages += line.take()
        while messages:
            message = messages.pop(0)
            if message.get("channel") != "book":
                continue
            [entry] = message["data"]
            follow(sides, entry, depth)
            assert check(sides) == entry["checksum"]
            seen += 1
    assert seen > 100
    assert (sides["bids"], sides["asks"]) == kraken.book(depth)


def test_levels_that_are_pushed_out_are_not_told_and_those_that_come_in_are(kraken: Direct) -> None:
    line = kraken.line("/v2")
    ask(line, "subscribe", channel="book", symbol=["BTC/USD"], depth=10)
    best = kraken.make("buy", "1", "49999.5")
    [update] = line.take()
    [entry] = update["data"]
    assert entry["bids"] == [{"price": Decimal("49999.5"), "qty": 1}]
    kraken.exchange.cancel(kraken.maker, best.id)
    [entry] = line.take()[0]["data"]
    assert [level["price"] for level in entry["bids"]] == [Decimal("49999.5"), 49990]
    assert [level["qty"] for level in entry["bids"]] == [0, Decimal("0.5")]


def follow(sides: dict[str, dict[Decimal, Decimal]], entry: Any, depth: int) -> None:
    """Apply a message as the venue's guide tells: set, delete, drop what is beyond the depth."""
    for name, side in sides.items():
        for level in entry[name]:
            if level["qty"]:
                side[level["price"]] = level["qty"]
            else:
                side.pop(level["price"], None)
        ranked = sorted(side, reverse=name == "bids")
        for price in ranked[depth:]:
            del side[price]


def check(sides: dict[str, dict[Decimal, Decimal]]) -> int:
    """The checksum of the venue's guide, from the texts: 1 decimal of price, 8 of size."""
    text = ""
    for name in ("asks", "bids"):
        for price in sorted(sides[name], reverse=name == "bids")[:10]:
            for value, digits in ((price, 1), (sides[name][price], 8)):
                text += f"{value:.{digits}f}".replace(".", "").lstrip("0")
    return crc32(text.encode())


def test_the_ticker_of_best_prices_speaks_when_they_change(kraken: Direct) -> None:
    line = kraken.line("/v2")
    snapshot = ask(line, "subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo")[-1]
    assert snapshot["type"] == "snapshot"
    kraken.make("buy", "1", "49000")
    assert line.take() == []
    kraken.make("buy", "1", "49999.5")
    [update] = line.take()
    assert update["data"][0]["bid"] == Decimal("49999.5")


def test_a_book_without_a_side_has_no_ticker(kraken: Direct) -> None:
    line = kraken.line("/v2")
    for order_ in kraken.exchange.open_orders(kraken.maker):
        if order_.side == "sell":
            kraken.exchange.cancel(kraken.maker, order_.id)
    answer = ask(line, "subscribe", channel="ticker", symbol=["BTC/USD"], event_trigger="bbo")[-1]
    assert answer["success"]
    kraken.make("buy", "1", "49999.5")
    assert line.take() == []
    kraken.make("sell", "1", "50001")
    assert line.take()[-1]["channel"] == "ticker"


def test_transaction_ids_are_ids_of_the_venue_and_lead_back() -> None:
    seen = {transaction("O", number) for number in range(1, 2000)}
    assert len(seen) == 1999
    assert {number_of(each) for each in seen} == set(range(1, 2000))
    assert all(len(each) == 19 and each[6] == each[12] == "-" for each in seen)
    assert number_of("Onothing") is None
