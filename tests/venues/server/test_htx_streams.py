"""HTX's websockets: gzip, pings, chained books, private channels; recorded shapes and parsers."""

from __future__ import annotations

import gzip
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from frame_readers import Reading, instrument
from probe import Probe, Talk
from recordings import first_of_each

from kimera_cli.feeds.htx import HTX
from kimera_cli.layouts import QUOTE, TRADE
from kimera_cli.venues.json_shapes import lacking, unlike

PAIR = "BTC/USDT"


@pytest.fixture
def probe() -> Probe:
    return Probe("htx", cadence_ns=0)


def sub(talk: Talk, *kinds: str) -> None:
    for kind in kinds:
        talk.say(sub=f"market.btcusdt.{kind}", id=1)


def reading(probe: Probe) -> Reading:
    return Reading(HTX, instrument("htx", probe.market, "BTCUSDT"))


# the connection


def test_frames_are_gzip_and_answers_are_like_the_recorded_ones(
    probe: Probe, shared_data: Path
) -> None:
    talk = probe.open("/ws")
    sub(talk, "depth.step0")
    assert all(gzip.decompress(f.payload) == f.plain for f in talk.frames)
    answer, book = talk.take()
    probe.step(5)
    ping = next(m for m in talk.take() if "ping" in m)
    name = "HUOBI.ws.44.0.gz"
    for ours, field in ((answer, "status"), (book, "ch"), (ping, "ping")):
        theirs = next(iter(first_of_each(shared_data, name, field).values()))
        assert unlike(ours, theirs) == []
        assert lacking(ours, theirs) == []
        assert list(ours) == list(theirs)


def test_two_pings_without_an_answer_close_the_connection(probe: Probe) -> None:
    silent, polite = probe.open("/ws"), probe.open("/feed")
    for _ in range(3):
        assert silent.closed_with is None
        probe.step(5)
        polite.say(pong=polite.take()[0]["ping"])
    assert silent.closed_with is not None
    assert polite.closed_with is None


def test_what_cannot_be_subscribed(probe: Probe) -> None:
    talk = probe.open("/ws")
    for kind in ("nothing", "mbp.150", "depth.step9", "kline.2min"):
        sub(talk, kind)
    talk.say(sub="market.btcxyz.bbo", id=1)
    talk.say(unsub="market.btcusdt.bbo", id=1)
    talk.conversation.receive("{")
    assert [m["status"] for m in talk.take()] == ["error"] * 7


# books


@pytest.mark.parametrize("depth", [5, 20, 150, 400])
@pytest.mark.parametrize("cadence_ns", [0, None])
def test_a_chain_and_the_book_that_was_asked_for(depth: int, cadence_ns: Any) -> None:
    probe = Probe("htx", cadence_ns=cadence_ns)
    probe.act(20)
    talk = probe.open("/feed")
    sub(talk, f"mbp.{depth}")
    for _ in range(5):
        probe.act(20)
        probe.step(0.1)
    before = len(talk.frames)
    talk.say(req=f"market.btcusdt.mbp.{depth}", id=2)
    asked = probe.open("/feed")
    asked.frames = [talk.frames.pop()]
    assert len(talk.frames) == before
    for _ in range(5):
        probe.act(20)
        probe.step(0.1)
    ticks = [m["tick"] for m in talk.take() if "tick" in m]
    assert all(b["prevSeqNum"] == a["seqNum"] for a, b in pairwise(ticks))
    [answer] = asked.take()
    whole = answer["data"]
    later = [t for t in ticks if t["seqNum"] > whole["seqNum"]]
    assert later[0]["prevSeqNum"] == whole["seqNum"]
    found = {side: {px: n for px, n in whole[side]} for side in ("bids", "asks")}
    for tick in later:
        for side in ("bids", "asks"):
            found[side].update({px: n for px, n in tick.get(side, [])})
    bids, asks = probe.exchange.book(PAIR, depth)
    for side, truth in (("bids", bids), ("asks", asks)):
        mine = sorted(((p, n) for p, n in found[side].items() if n), reverse=side == "bids")
        market = probe.market
        assert mine[:depth] == [(float(market.price(p)), float(market.qty(n))) for p, n in truth]


def test_the_own_parser_reads_the_feed(probe: Probe) -> None:
    talk, read = probe.open("/feed"), reading(probe)
    sub(talk, "mbp.150")
    talk.say(req="market.btcusdt.mbp.150", id=2)
    for _ in range(10):
        probe.act(30)
        probe.step(0.1)
    read.read(talk.frames)
    assert read.apply() == tuple(probe.exchange.book(PAIR))
    assert read.by_kernel > 0.9 * (len(talk.frames) - 4)


def test_the_own_parser_reads_market_data(probe: Probe) -> None:
    talk, read = probe.open("/ws"), reading(probe)
    sub(talk, "trade.detail", "bbo", "depth.step0", "mbp.refresh.20")
    probe.act(300)
    probe.step(1)
    read.read(talk.frames)
    kinds = [int(event["kind"]) for event in read.events]
    assert kinds.count(TRADE) == len(probe.exchange.trades(PAIR))
    assert QUOTE in kinds
    assert read.by_kernel > 0.9 * (len(talk.frames) - 5)


def test_a_state_that_changed_between_two_looks_is_told_at_the_next() -> None:
    probe = Probe("htx")
    talk = probe.open("/ws")
    sub(talk, "bbo")
    probe.step(0.1)
    talk.take()
    probe.place("buy", "0.01")
    probe.place("buy", "0.5")
    probe.step(0.05)
    first = talk.take()
    probe.step(0.05)
    said = [m["tick"] for m in [*first, *talk.take()] if "tick" in m]
    px_ticks, lots = probe.exchange.book(PAIR, 1)[1][0]
    assert said[-1]["ask"] == float(probe.market.price(px_ticks))
    assert said[-1]["askSize"] == float(probe.market.qty(lots))


def test_requests_for_data(probe: Probe) -> None:
    probe.place("buy", "0.01")
    talk = probe.open("/ws")
    talk.say(req="market.btcusdt.kline.1min", id="a")
    talk.say(req="market.btcusdt.trade.detail", id="b")
    bars, trades = talk.take()
    assert (bars["rep"], bars["id"], bars["status"]) == ("market.btcusdt.kline.1min", "a", "ok")
    assert len(bars["data"]) == 150
    assert trades["data"][0]["data"][0]["direction"] == "buy"


# the private websocket


def params(probe: Probe, **changes: str) -> dict[str, str]:
    """What a client logs in with, signed by ccxt's primitives."""
    import hashlib

    client = probe.signer(late_ms=int(changes.pop("late_ms", "0")))
    known = {
        "accessKey": probe.key.key,
        "signatureMethod": "HmacSHA256",
        "signatureVersion": "2.1",
        "timestamp": client.ymdhms(client.milliseconds(), "T"),
    }
    text = "\n".join(("GET", "api.huobi.pro", "/ws/v2", urlencode(known)))
    secret = client.encode(probe.key.secret)
    signature = client.hmac(client.encode(text), secret, hashlib.sha256, "base64")
    return {**known, "authType": "api", "signature": signature, **changes}


def log_in(probe: Probe, *channels: str) -> Talk:
    talk = probe.open("/ws/v2")
    talk.say(action="req", ch="auth", params=params(probe))
    for channel in channels:
        talk.say(action="sub", ch=channel)
    said = talk.take()
    assert {m["code"] for m in said if "code" in m} == {200}
    return talk


@pytest.mark.parametrize(
    "changes",
    [
        {"accessKey": "nobody"},
        {"signature": "wrong"},
        {"signatureVersion": "2"},
        {"late_ms": "301000"},
        {"late_ms": "-301000"},
    ],
)
def test_wrong_logins(probe: Probe, changes: dict[str, str]) -> None:
    talk = probe.open("/ws/v2")
    talk.say(action="req", ch="auth", params=params(probe, **changes))
    talk.say(action="sub", ch="orders#btcusdt")
    login, later = talk.take()
    assert (login["code"], login["ch"], login["message"]) == (2002, "auth", "auth.fail")
    assert (later["code"], later["message"]) == (2002, "invalid.auth.state")


def order(probe: Probe, **terms: Any) -> str:
    account = str(10_000_000 + probe.account("client"))
    known = {"account-id": account, "symbol": "btcusdt", "type": "buy-limit", "price": "50000",
             "amount": "0.02", "client-order-id": "mine"}  # fmt: skip
    path = "v1/order/orders/place"
    client = probe.signer()
    said = probe.call(client, ["spot", "private"], "POST", path, **{**known, **terms})
    return str(said.body["data"])


def test_an_order_s_steps_and_its_fill_after_clearing(probe: Probe) -> None:
    talk = log_in(probe, "orders#btcusdt", "trade.clearing#btcusdt#1")
    number = order(probe)
    probe.place("sell", "0.005", "50000", tif="ioc")
    path = f"v1/order/orders/{number}/submitcancel"
    probe.call(probe.signer(), ["spot", "private"], "POST", path)
    said = talk.take()
    steps = [m["data"] for m in said if m["ch"] == "orders#btcusdt"]
    assert [s["eventType"] for s in steps] == ["creation", "trade", "cancellation"]
    assert [s["orderStatus"] for s in steps] == ["submitted", "partial-filled", "partial-canceled"]
    assert {str(s["orderId"]) for s in steps} == {number}
    assert {s["clientOrderId"] for s in steps} == {"mine"}
    assert (steps[1]["tradeVolume"], steps[1]["remainAmt"]) == ("0.005", "0.015")
    cleared = [m["data"] for m in said if m["ch"].startswith("trade.clearing")]
    assert [c["eventType"] for c in cleared] == ["trade", "cancellation"]
    fill = probe.exchange.fills(probe.account("client"), PAIR)[0]
    assert Decimal(cleared[0]["transactFee"]) == Decimal(fill.fee) / 10**18
    assert (cleared[0]["feeCurrency"], cleared[0]["aggressor"]) == ("btc", False)


@pytest.mark.parametrize("mode", ["0", "1", "2"])
def test_balances(probe: Probe, mode: str) -> None:
    talk = log_in(probe, f"accounts.update#{mode}")
    order(probe)
    held = [m["data"] for m in talk.take() if m["action"] == "push"]
    assert {b["changeType"] for b in held} <= {None, "order-place"}
    assert bool([b for b in held if b["changeType"]]) == (mode != "0")
    probe.place("sell", "0.02", "50000", tif="ioc")
    last: dict[tuple[str, str], str] = {}
    for each in (m["data"] for m in talk.take()):
        for what in ("balance", "available"):
            if what in each:
                last[each["currency"], what] = each[what]
    truth = probe.exchange.balances(probe.account("client"))
    free, held_now = truth["BTC"]
    assert Decimal(last["btc", "balance"]) == Decimal(free + held_now) / 10**18
    if mode != "0":
        assert Decimal(last["btc", "available"]) == Decimal(free) / 10**18


def test_the_private_websocket_pings_and_closes(probe: Probe) -> None:
    silent, polite = log_in(probe), log_in(probe)
    for _ in range(4):
        assert silent.closed_with is None
        probe.step(20)
        [ping] = polite.take()
        polite.say(action="pong", data=ping["data"])
    assert silent.closed_with is not None
    assert polite.closed_with is None
