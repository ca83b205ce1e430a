"""Coinbase Exchange: signatures, limits, orders' fine print, and answers like the recorded ones."""

from __future__ import annotations

import base64
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from probe import Probe, Said
from recordings import rest_answer

from kimera_cli.venues.json_shapes import lacking, unlike
from kimera_cli.venues.server.new_keys import new_key

CLIENT_ID = "0b1c2d3e-0000-4000-8000-{:012d}"
NEWER = {
    "fx_stablecoin", "max_slippage_percentage", "auction_mode", "high_bid_limit_percentage",
}  # fmt: skip
"""Fields of a product that are documented now and were not there when it was recorded."""
OLDER = {"base_min_size", "base_max_size", "max_market_funds"}
"""Recorded fields that the venue has dropped since."""


@pytest.fixture
def probe() -> Probe:
    return Probe("coinbaseexchange", cadence_ns=0)


def place(probe: Probe, client: Any = None, **terms: Any) -> Said:
    known = {"product_id": "BTC-USD", "side": "buy", "type": "limit"}
    if terms.get("type", "limit") == "limit":
        known |= {"size": "0.01", "price": "49000"}
    client = client or probe.signer()
    return probe.call(client, ["private"], "POST", "orders", **{**known, **terms})


def get(probe: Probe, path: str, **params: Any) -> Said:
    return probe.call(probe.signer(), ["private"], "GET", path, **params)


# who speaks


@pytest.mark.parametrize(
    ("config", "status", "message"),
    [
        ({"apiKey": "0" * 32}, 401, "Invalid API Key"),
        ({"secret": base64.b64encode(b"x" * 64).decode()}, 401, "invalid signature"),
        ({"password": "wrong"}, 401, "Invalid Passphrase"),
        ({"late_ms": 31_000}, 400, "request timestamp expired"),
        ({"late_ms": -31_000}, 400, "request timestamp expired"),
    ],
)
def test_wrong_credentials(probe: Probe, config: Any, status: int, message: str) -> None:
    said = place(probe, probe.signer(**config))
    assert (said.status, said.body) == (status, {"message": message})
    assert not probe.exchange.orders(probe.account("client"))


def test_thirty_seconds_are_fine(probe: Probe) -> None:
    for late_ms in (29_000, -29_000):
        assert place(probe, probe.signer(late_ms=late_ms)).status == 200


def test_a_missing_header_is_named(probe: Probe) -> None:
    said = probe.ask("GET", "https://api.exchange.coinbase.com/accounts")
    assert said.status == 401
    assert said.body["message"].endswith("header is required")


def test_a_key_that_may_only_read(probe: Probe) -> None:
    key = new_key(probe.venue.name, 7, probe.account("client"), frozenset({"read"}), 1)
    probe.venue.keys.add(key)
    client = probe.signer(key)
    assert place(probe, client).status == 403
    assert probe.call(client, ["private"], "GET", "accounts").status == 200


@pytest.mark.parametrize(
    ("path", "burst", "refill", "word"),
    [("fills", 20, 10, "Private"), ("orders", 30, 15, "Private"), ("time", 15, 10, "Public")],
)
def test_limits(path: str, burst: int, refill: int, word: str) -> None:
    probe = Probe("coinbaseexchange", limits=True)
    client = probe.signer()
    api = ["public" if path == "time" else "private"]
    params = {"product_id": "BTC-USD"} if path == "fills" else {}

    def ask(times: int) -> list[Said]:
        return [probe.call(client, api, "GET", path, **params) for _ in range(times)]

    said = ask(burst + 1)
    assert [s.status for s in said] == [200] * burst + [429]
    assert said[-1].body == {"message": f"{word} rate limit exceeded"}
    probe.step(1)
    assert [s.status for s in ask(refill + 1)] == [200] * refill + [429]


# orders


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ({"size": "0.000000001"}, "size is too accurate. Smallest unit is 0.00000001"),
        ({"price": "49000.001"}, "price is too accurate. Smallest unit is 0.01"),
        ({"size": "0.00001"}, "funds is too small. Minimum funds is 1.00000000"),
        ({"size": "5000"}, "size is too large. Maximum size is 3400"),
        ({"size": "3000"}, "Insufficient funds"),
        ({"product_id": "BTC-XYZ"}, "Product not found"),
        ({"client_oid": "mine"}, "client_oid must be a valid UUID"),
        ({"stp": "zz"}, "stp is invalid"),
        ({"stop": "loss", "stop_price": "48000"}, "stop is not supported"),
        ({"post_only": True, "time_in_force": "IOC"}, "time_in_force IOC is invalid"),
    ],
)
def test_refusals(probe: Probe, terms: Any, message: str) -> None:
    said = place(probe, **terms)
    assert (said.status, said.body) == (400, {"message": message})
    assert not probe.exchange.orders(probe.account("client"))


def test_a_post_only_order_that_would_trade_is_rejected_with_200(probe: Probe) -> None:
    said = place(probe, price="50500", post_only=True)
    assert said.status == 200
    assert (said.body["status"], said.body["reject_reason"]) == ("rejected", "post only")
    assert not probe.exchange.orders(probe.account("client"))


def test_a_new_order_is_pending_and_then_what_it_is(probe: Probe) -> None:
    said = place(probe, price="50500", client_oid=CLIENT_ID.format(1))
    assert (said.body["status"], Decimal(said.body["filled_size"])) == ("pending", 0)
    found = get(probe, f"orders/{said.body['id']}").body
    assert (found["status"], found["done_reason"]) == ("done", "filled")
    assert Decimal(found["filled_size"]) == Decimal("0.01")
    by_client_id = get(probe, f"orders/client:{CLIENT_ID.format(1)}").body
    assert by_client_id == found
    fills = get(probe, "fills", order_id=said.body["id"]).body
    assert sum(Decimal(f["size"]) for f in fills) == Decimal("0.01")
    assert {f["liquidity"] for f in fills} == {"T"}


def test_a_client_id_is_good_once(probe: Probe) -> None:
    assert place(probe, client_oid=CLIENT_ID.format(1)).status == 200
    again = place(probe, client_oid=CLIENT_ID.format(1))
    assert (again.status, again.body) == (400, {"message": "client_oid already exists"})


@pytest.mark.parametrize(
    ("stp", "resting", "crossing"),
    [
        ("dc", "0.01000000", None),
        ("co", None, "0.01000000"),
        ("cn", "0.02000000", None),
        ("cb", None, None),
    ],
)
def test_self_trade_modes(probe: Probe, stp: str, resting: Any, crossing: Any) -> None:
    """A sell of 0.01 meets the own buy of 0.02; what is left of each."""
    first = place(probe, size="0.02", price="50000").body["id"]
    second = place(probe, side="sell", size="0.01", price="50000", stp=stp).body["id"]
    assert not probe.exchange.fills(probe.account("client"), "BTC/USD")
    left = {order["id"]: order["size"] for order in get(probe, "orders").body}
    assert (left.get(first), left.get(second)) == (resting, crossing)


def test_cancels(probe: Probe) -> None:
    client = probe.signer()
    first, second = (place(probe).body["id"] for _ in range(2))
    assert probe.call(client, ["private"], "DELETE", f"orders/{first}").body == first
    again = probe.call(client, ["private"], "DELETE", f"orders/{first}")
    assert (again.status, again.body) == (400, {"message": "Order already done"})
    missing = probe.call(client, ["private"], "DELETE", "orders/" + CLIENT_ID.format(9))
    assert (missing.status, missing.body) == (404, {"message": "order not found"})
    assert probe.call(client, ["private"], "DELETE", "orders").body == [second]


def test_pages_are_walked_by_headers(probe: Probe) -> None:
    ids = [place(probe).body["id"] for _ in range(5)]
    client, seen, after = probe.signer(), [], {}
    while True:
        page = probe.call(client, ["private"], "GET", "orders", limit=2, **after)
        if not page.body:
            break
        seen += [order["id"] for order in page.body]
        after = {"after": page.headers["cb-after"]}
    assert seen == ids[::-1]


# recorded


def test_products_are_like_the_recorded_ones(probe: Probe, shared_data: Path) -> None:
    theirs = rest_answer(shared_data, "COINBASE.0")
    ours = probe.ask("GET", "https://api.exchange.coinbase.com/products").body
    extra = {d.rpartition(".")[2].partition(":")[0] for d in unlike(ours, theirs)}
    assert extra == NEWER
    assert {d.rpartition(".")[2] for d in lacking(ours, theirs)} <= OLDER
