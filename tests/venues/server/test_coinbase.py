"""Coinbase Advanced Trade: tokens, limits, orders' fine print, and the numbered websocket."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from frame_readers import Reading, instrument
from probe import Probe, Said, Talk

from kimera_cli.feeds.coinbase import COINBASE
from kimera_cli.layouts import QUOTE, TRADE
from kimera_cli.venues.server.dialects.coinbase_auth import check_token
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.new_keys import new_key

ORDERS = "brokerage/orders"
PRIVATE = ["v3", "private"]
LIMIT = {"limit_limit_gtc": {"base_size": "0.01", "limit_price": "49000"}}


@pytest.fixture
def probe() -> Probe:
    return Probe("coinbase", cadence_ns=0)


def place(probe: Probe, number: int = 0, client: Any = None, side: str = "BUY",
          product: str = "BTC-USD", **configuration: Any) -> Said:  # fmt: skip
    return probe.call(
        client or probe.signer(), PRIVATE, "POST", ORDERS,
        client_order_id=f"0b1c2d3e-0000-4000-8000-{number:012d}", product_id=product,
        side=side, order_configuration=configuration or LIMIT,
    )  # fmt: skip


def limit(qty: str = "0.01", price: str = "49000", kind: str = "limit_limit_gtc",
          **more: Any) -> dict[str, Any]:  # fmt: skip
    return {kind: {"base_size": qty, "limit_price": price, **more}}


def order_of(probe: Probe, said: Said) -> Any:
    uuid = said.body["success_response"]["order_id"]
    client = probe.signer()
    return probe.call(client, PRIVATE, "GET", f"brokerage/orders/historical/{uuid}").body["order"]


# who speaks


@pytest.mark.parametrize("late_ms", [125_000, -10_000])
def test_a_token_lives_for_two_minutes(probe: Probe, late_ms: int) -> None:
    for fine in (0, 110_000, -4_000):
        assert place(probe, client=probe.signer(late_ms=fine)).status == 200
    said = place(probe, client=probe.signer(late_ms=late_ms))
    assert (said.status, said.body) == (401, "Unauthorized\n")


def test_wrong_keys(probe: Probe) -> None:
    other = new_key("coinbase", 8, 1)
    wrong = {"apiKey": probe.key.key, "secret": other.secret}
    for client in (probe.signer(other), probe.signer(**wrong)):
        assert place(probe, client=client).status == 401
    assert not probe.exchange.orders(probe.account("client"))


def token(key: Key, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token that is signed right, whatever it says."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = b".".join(part(json.dumps(each).encode()) for each in (header, claims))
    private = serialization.load_pem_private_key(key.secret.encode(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = utils.decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
    return (signed + b"." + part(r.to_bytes(32, "big") + s.to_bytes(32, "big"))).decode()


@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({}, True),
        ({"iss": "coinbase-cloud"}, True),
        ({"iss": "somebody"}, False),
        ({"kid": "another key"}, False),
        ({"sub": "nobody"}, False),
        ({"exp": 121}, False),
        ({"nbf": 6}, False),
        ({"nbf": 5, "exp": 125}, True),
        ({"nbf": "0"}, False),
    ],
)
def test_what_a_token_says_must_be_right(probe: Probe, changes: Any, good: bool) -> None:
    """However well it is signed. `nbf` and `exp` are seconds from now."""
    now_ns, name = probe.clock.now_ns(), probe.key.key
    known = {"kid": name, "sub": name, "iss": "cdp", "nbf": 0, "exp": 120} | changes
    header = {"alg": "ES256", "typ": "JWT", "kid": known.pop("kid")}
    for each in ("nbf", "exp"):
        if isinstance(known[each], int):
            known[each] += now_ns // 10**9
    found = check_token(probe.venue.keys, token(probe.key, header, known), now_ns, None)
    assert found == (probe.key if good else None)


def test_a_token_is_for_one_method_and_path(probe: Probe) -> None:
    client = probe.signer()
    made = client.sign("brokerage/accounts", PRIVATE, "GET", {})
    assert probe.ask("GET", made["url"], headers=made["headers"]).status == 200
    elsewhere = made["url"].replace("accounts", "transaction_summary")
    assert probe.ask("GET", elsewhere, headers=made["headers"]).status == 401
    assert probe.ask("POST", made["url"], headers=made["headers"]).status in (401, 404)


def test_a_key_that_may_only_read(probe: Probe) -> None:
    key = new_key("coinbase", 7, probe.account("client"), frozenset({"read"}), 1)
    probe.venue.keys.add(key)
    said = place(probe, client=probe.signer(key))
    assert said.status == 403
    assert said.body["error"] == "PERMISSION_DENIED"
    reading = probe.call(probe.signer(key), PRIVATE, "GET", "brokerage/accounts")
    assert reading.status == 200


def test_the_limit_is_thirty_a_second() -> None:
    probe = Probe("coinbase", limits=True)
    client = probe.signer()
    path = "brokerage/accounts"
    said = [probe.call(client, PRIVATE, "GET", path) for _ in range(31)]
    assert [s.status for s in said] == [200] * 30 + [429]
    assert said[0].headers["x-ratelimit-remaining"] == "29"
    assert said[-1].headers["x-ratelimit-remaining"] == "0"
    probe.step(0.5)
    assert [probe.call(client, PRIVATE, "GET", path).status for _ in range(16)].count(200) == 15


# orders


@pytest.mark.parametrize(
    ("configuration", "error", "preview"),
    [
        (limit("0.010000001"), "INVALID_SIZE_PRECISION", "INVALID_SIZE_PRECISION"),
        (limit(price="49000.001"), "INVALID_PRICE_PRECISION", "INVALID_PRICE_PRECISION"),
        (limit("0.00001"), "UNKNOWN_FAILURE_REASON", "INVALID_QUOTE_SIZE_TOO_SMALL"),
        (limit("5000"), "UNKNOWN_FAILURE_REASON", "INVALID_BASE_SIZE_TOO_LARGE"),
        (limit("3000"), "INSUFFICIENT_FUND", "INSUFFICIENT_FUND"),
        (
            limit(price="50500", post_only=True),
            "INVALID_LIMIT_PRICE_POST_ONLY",
            "INVALID_LIMIT_PRICE_POST_ONLY",
        ),
        (limit(kind="limit_limit_gtd"), "UNSUPPORTED_ORDER_CONFIGURATION", "INVALID_ORDER_CONFIG"),
    ],
)
def test_refusals(probe: Probe, configuration: Any, error: str, preview: str) -> None:
    said = place(probe, **configuration)
    assert said.status == 200
    assert said.body["success"] is False
    assert said.body["error_response"]["error"] == error
    assert said.body["error_response"]["preview_failure_reason"] == f"PREVIEW_{preview}"
    assert said.body["order_configuration"] == configuration
    assert not probe.exchange.orders(probe.account("client"))


def test_a_product_that_is_not_there(probe: Probe) -> None:
    assert place(probe, product="BTC-XYZ").body["error_response"]["error"] == "INVALID_PRODUCT_ID"


def test_margin_is_refused(probe: Probe) -> None:
    said = probe.call(
        probe.signer(), PRIVATE, "POST", ORDERS, client_order_id="x", product_id="BTC-USD",
        side="BUY", leverage="3", order_configuration=LIMIT,
    )  # fmt: skip
    assert said.body["error_response"]["error"] == "UNSUPPORTED_ORDER_CONFIGURATION"


def test_a_client_id_used_again_is_answered_with_its_order(probe: Probe) -> None:
    first, second = place(probe, 1), place(probe, 1)
    assert first.body == second.body
    assert len(probe.exchange.orders(probe.account("client"))) == 1


def test_ioc_and_fok(probe: Probe) -> None:
    best = probe.exchange.book("BTC/USD", 1)[1][0]
    price, top = probe.market.px_text(best[0]), probe.market.qty(best[1])
    more = format(top + 1, "f")
    killed = order_of(probe, place(probe, 1, **limit(more, price, "limit_limit_fok")))
    assert (killed["status"], killed["filled_size"]) == ("CANCELLED", "0")
    part = order_of(probe, place(probe, 2, **limit(more, price, "sor_limit_ioc")))
    assert part["status"] == "CANCELLED"
    assert Decimal(part["filled_size"]) == top
    assert part["time_in_force"] == "IMMEDIATE_OR_CANCEL"


def test_a_market_order_by_cost_spends_no_more(probe: Probe) -> None:
    account = probe.account("client")
    before = sum(probe.exchange.balances(account)["USD"])
    found = order_of(probe, place(probe, market_market_ioc={"quote_size": "1000"}))
    spent = Decimal(before - sum(probe.exchange.balances(account)["USD"])) / 10**18
    assert Decimal("999.99") < spent <= 1000
    assert Decimal(found["total_value_after_fees"]) == spent
    assert found["size_inclusive_of_fees"] is True
    assert found["status"] == "FILLED"


def test_edit_keeps_the_id(probe: Probe) -> None:
    uuid = place(probe).body["success_response"]["order_id"]
    client = probe.signer()

    def edit(**terms: str) -> Any:
        path = f"{ORDERS}/edit"
        return probe.call(client, PRIVATE, "POST", path, order_id=uuid, **terms).body

    assert edit(price="48000", size="0.02")["success"] is True
    [resting] = probe.exchange.open_orders(probe.account("client"))
    market = resting.market
    assert (market.px_text(resting.px_ticks), market.qty(resting.qty_lots)) == (
        "48000.00",
        Decimal("0.02"),
    )
    refused = edit(price="48000.001", size="0.02")
    assert refused["errors"][0]["edit_failure_reason"] == "INVALID_EDITED_PRICE"
    cancel = probe.call(client, PRIVATE, "POST", f"{ORDERS}/batch_cancel", order_ids=[uuid, "x"])
    assert [r["success"] for r in cancel.body["results"]] == [True, False]
    assert cancel.body["results"][1]["failure_reason"] == "UNKNOWN_CANCEL_ORDER"
    assert edit(price="48000", size="0.02")["success"] is False


def test_orders_of_one_user_do_not_trade_with_each_other(probe: Probe) -> None:
    price = "50000"
    place(probe, 1, **limit("0.02", price))
    crossing = order_of(probe, place(probe, 2, side="SELL", **limit("0.01", price)))
    assert crossing["status"] == "CANCELLED"
    assert crossing["filled_size"] == "0"
    [resting] = probe.exchange.open_orders(probe.account("client"))
    assert probe.market.qty(resting.left_lots) == Decimal("0.01")


# the websocket


def subscribe(talk: Talk, channel: str, **more: Any) -> None:
    talk.say(type="subscribe", channel=channel, product_ids=["BTC-USD"], **more)


def test_all_messages_of_a_connection_are_numbered(probe: Probe) -> None:
    talks = [probe.open(), probe.open()]
    for channel in ("level2", "market_trades", "ticker", "heartbeats"):
        subscribe(talks[0], channel)
    subscribe(talks[1], "ticker")
    for _ in range(5):
        probe.act(20)
        probe.step(1)
    for talk in talks:
        numbers = [m["sequence_num"] for m in talk.take()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) > 5


def test_silent_clients_are_disconnected(probe: Probe) -> None:
    silent, talking = probe.open(), probe.open()
    subscribe(talking, "heartbeats")
    probe.step(4.9)
    assert silent.closed_with is None
    probe.step(0.1)
    assert silent.closed_with is not None
    assert talking.closed_with is None


def test_trades_come_in_batches_of_a_quarter_second() -> None:
    probe = Probe("coinbase")
    talk = probe.open()
    subscribe(talk, "market_trades")
    probe.step(0.25)
    talk.take()
    for _ in range(3):
        probe.place("buy", "0.01")
    assert not talk.take()
    probe.step(0.25)
    [message] = talk.take()
    traded = [str(trade.id) for trade in probe.exchange.trades("BTC/USD")]
    assert [t["trade_id"] for t in message["events"][0]["trades"]] == traded


def test_what_cannot_be_subscribed(probe: Probe) -> None:
    talk = probe.open()
    talk.say(type="subscribe", channel="nothing", product_ids=["BTC-USD"])
    talk.say(type="subscribe", channel="level2", product_ids=["BTC-XYZ"])
    talk.say(type="subscribe", channel="user", product_ids=["BTC-USD"], jwt="x.y.z")
    talk.conversation.receive("{")
    assert {m["type"] for m in talk.take()} == {"error"}


def test_the_own_parser_reads_books_trades_and_tickers(probe: Probe) -> None:
    reading = Reading(COINBASE, instrument("coinbase", probe.market, "BTC-USD"))
    probe.act(50)
    talk = probe.open()
    for channel in ("level2", "market_trades", "ticker"):
        subscribe(talk, channel)
    probe.act(300)
    probe.step(1)
    reading.read(talk.frames)
    assert reading.apply() == tuple(probe.exchange.book("BTC/USD"))
    kinds = [int(event["kind"]) for event in reading.events]
    assert kinds.count(TRADE) == len(probe.exchange.trades("BTC/USD"))
    assert QUOTE in kinds
    assert reading.by_kernel > 0.9 * len(talk.frames)
