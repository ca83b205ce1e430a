"""Coinbase Exchange's websocket: numbers without gaps, recorded shapes, own orders, parsers."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from frame_readers import Reading, instrument
from probe import Probe, Talk
from recordings import first_of_each

from kimera_cli.feeds.coinbaseexchange import COINBASE_EXCHANGE
from kimera_cli.layouts import QUOTE, TRADE
from kimera_cli.venues.json_shapes import lacking, unlike
from kimera_cli.venues.server.dialects.coinbaseexchange_auth import VERIFY

NEWER = {"ticker": {"best_bid_size", "best_ask_size"}}
"""Documented fields that came after the recording."""


@pytest.fixture
def probe() -> Probe:
    return Probe("coinbaseexchange", cadence_ns=0)


def signature(probe: Probe, late_s: int = 0, **changes: str) -> dict[str, str]:
    """The fields of a signed subscription, as ccxt makes them."""
    client = probe.signer()
    when = str(probe.clock.now_ns() // 10**9 - late_s)
    text = when + VERIFY
    secret = client.base64_to_binary(probe.key.secret)
    import hashlib

    made = client.hmac(client.encode(text), secret, hashlib.sha256, "base64")
    known = {"key": probe.key.key, "passphrase": probe.key.passphrase, "timestamp": when}
    return {**known, "signature": made, **changes}


def subscribe(talk: Talk, *channels: str, **more: Any) -> list[Any]:
    talk.say(type="subscribe", product_ids=["BTC-USD"], channels=list(channels), **more)
    return talk.take()


def test_the_full_feed_has_no_gap_and_agrees_with_the_book(probe: Probe) -> None:
    probe.act(30)
    talk = probe.open()
    subscribe(talk, "full", **signature(probe))
    path = "https://api.exchange.coinbase.com/products/BTC-USD/book?level=2"
    first = probe.ask("GET", path).body["sequence"]
    probe.act(300)
    said = [m for m in talk.take() if "sequence" in m]
    assert [m["sequence"] for m in said] == list(range(first + 1, first + 1 + len(said)))
    assert {m["type"] for m in said} == {"received", "open", "match", "done"}
    assert probe.ask("GET", path).body["sequence"] == said[-1]["sequence"]
    life = defaultdict(list)
    for each in said:
        if "order_id" in each:
            life[each["order_id"]].append(each["type"])
    assert all(steps in (["received", "open"], ["received", "done"], ["received", "open", "done"],
                         ["done"]) for steps in life.values())  # fmt: skip


def test_messages_are_like_the_recorded_ones(probe: Probe, shared_data: Path) -> None:
    theirs = first_of_each(shared_data, "COINBASE.ws.28.0.gz", "type")
    talk = probe.open()
    probe.place("buy", "0.01")
    said = subscribe(talk, "level2_batch", "matches", "ticker")
    probe.place("sell", "0.7")
    said += talk.take()
    assert {m["type"] for m in said} == set(theirs)
    for each in said:
        recorded = theirs[each["type"]]
        found = {d.rpartition(".")[2].partition(":")[0] for d in unlike(each, recorded)}
        assert found <= NEWER.get(each["type"], set())
        assert lacking(each, recorded) == []
        order = [name for name in each if name not in NEWER.get(each["type"], set())]
        assert order == list(recorded)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"late_s": 31}, "request timestamp expired"),
        ({"passphrase": "wrong"}, "Invalid Passphrase"),
        ({"signature": "wrong"}, "invalid signature"),
        ({"key": "nobody"}, "Invalid API Key"),
    ],
)
def test_bad_signatures(probe: Probe, change: Any, message: str) -> None:
    talk = probe.open()
    [said] = subscribe(talk, "user", **signature(probe, **change))
    assert (said["type"], said["message"]) == ("error", "Authentication Failed")
    assert message in said["reason"]


def test_what_needs_a_signature(probe: Probe) -> None:
    for channel in ("level2", "full", "user", "balance"):
        [said] = subscribe(probe.open(), channel)
        assert said["reason"] == f"{channel} channel requires authentication"
    [said] = subscribe(probe.open(), "nothing")
    assert said["reason"] == "nothing is not a valid channel"


def test_own_orders_fills_and_balances(probe: Probe) -> None:
    talk = probe.open()
    subscribe(talk, "user", "balance", **signature(probe))
    client = probe.signer()
    client_id = "0b1c2d3e-0000-4000-8000-000000000001"
    placed = probe.call(
        client, ["private"], "POST", "orders", product_id="BTC-USD", side="buy", type="limit",
        size="0.02", price="50000", client_oid=client_id,
    ).body  # fmt: skip
    probe.place("sell", "0.01", "50000", tif="ioc")
    probe.call(client, ["private"], "DELETE", f"orders/{placed['id']}")
    said = talk.take()
    steps = [m for m in said if m["type"] != "balance"]
    assert [m["type"] for m in steps] == ["received", "open", "match", "done"]
    assert steps[0]["client_oid"] == client_id
    assert steps[2]["maker_order_id"] == placed["id"]
    assert Decimal(steps[3]["remaining_size"]) == Decimal("0.01")
    last = {m["currency"]: m for m in said if m["type"] == "balance"}
    for asset, (free, held) in probe.exchange.balances(probe.account("client")).items():
        if asset in last:
            assert Decimal(last[asset]["available"]) == Decimal(free) / 10**18
            assert Decimal(last[asset]["holds"]) == Decimal(held) / 10**18
    assert set(last) == {"BTC", "USD"}


def test_batches_of_fifty_milliseconds_leave_the_same_book() -> None:
    probe = Probe("coinbaseexchange")
    reading = Reading(COINBASE_EXCHANGE, instrument("coinbaseexchange", probe.market, "BTC-USD"))
    talk = probe.open()
    talk.say(type="subscribe", product_ids=["BTC-USD"], channels=["level2_batch"])
    probe.act(50)
    assert len(talk.frames) == 2
    for _ in range(10):
        probe.act(20)
        probe.step(0.05)
    assert len(talk.frames) == 12
    reading.read(talk.frames)
    assert reading.apply() == tuple(probe.exchange.book("BTC/USD"))


def test_the_own_parser_reads_books_trades_and_tickers(probe: Probe) -> None:
    reading = Reading(COINBASE_EXCHANGE, instrument("coinbaseexchange", probe.market, "BTC-USD"))
    talk = probe.open()
    talk.say(
        type="subscribe", product_ids=["BTC-USD"], channels=["level2_batch", "matches", "ticker"]
    )
    probe.act(300)
    reading.read(talk.frames)
    assert reading.apply() == tuple(probe.exchange.book("BTC/USD"))
    kinds = [int(event["kind"]) for event in reading.events]
    assert kinds.count(TRADE) == len(probe.exchange.trades("BTC/USD"))
    assert QUOTE in kinds
    assert reading.by_kernel > 0.5 * len(talk.frames)


def test_silent_clients_are_disconnected_and_heartbeats_count(probe: Probe) -> None:
    silent, talking = probe.open(), probe.open()
    subscribe(talking, "heartbeat")
    probe.place("buy", "0.01")
    probe.step(5)
    assert silent.closed_with is not None
    [beat] = [m for m in talking.take() if m["type"] == "heartbeat"]
    assert beat["last_trade_id"] == probe.exchange.trades("BTC/USD")[-1].id
