"""HTX over REST: signed queries, limits, orders' fine print, the switch, recorded shapes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from probe import Probe, Said
from recordings import rest_answer

from kimera_cli.venues.json_shapes import lacking, unlike
from kimera_cli.venues.server.auth import mac_base64
from kimera_cli.venues.server.new_keys import new_key

SPOT = ["spot", "private"]
PLACE = "v1/order/orders/place"


@pytest.fixture
def probe() -> Probe:
    return Probe("htx", cadence_ns=0)


def post(probe: Probe, path: str, client: Any = None, **params: Any) -> Said:
    api, path = (["v2Private"], path[3:]) if path.startswith("v2/") else (SPOT, path)
    return probe.call(client or probe.signer(), api, "POST", path, **params)


def get(probe: Probe, path: str, client: Any = None, **params: Any) -> Said:
    return probe.call(client or probe.signer(), SPOT, "GET", path, **params)


def account(probe: Probe) -> str:
    return str(get(probe, "v1/account/accounts").body["data"][0]["id"])


def place(probe: Probe, kind: str = "buy-limit", client: Any = None, **terms: Any) -> Said:
    known = {"account-id": account(probe), "symbol": "btcusdt", "type": kind, "amount": "0.01"}
    if not kind.endswith("market"):
        known["price"] = "49000"
    return post(probe, PLACE, client, **{**known, **terms})


def order_of(probe: Probe, said: Said) -> Any:
    assert said.body["status"] == "ok", said
    return get(probe, f"v1/order/orders/{said.body['data']}").body["data"]


# who speaks


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"apiKey": "nobody"}, "Incorrect Access key"),
        ({"secret": "wrong"}, "Verification failure"),
        ({"late_ms": 301_000}, "Invalid submission time"),
        ({"late_ms": -301_000}, "Invalid submission time"),
    ],
)
def test_wrong_credentials(probe: Probe, config: Any, words: str) -> None:
    said = get(probe, "v1/account/accounts", probe.signer(**config))
    assert said.status == 200
    assert said.body["err-code"] == "api-signature-not-valid"
    assert words in said.body["err-msg"]


def test_five_minutes_are_fine(probe: Probe) -> None:
    for late_ms in (299_000, -299_000):
        client = probe.signer(late_ms=late_ms)
        assert get(probe, "v1/account/accounts", client).body["status"] == "ok"


def test_host_and_path_are_part_of_the_signature(probe: Probe) -> None:
    client = probe.signer()
    url = client.sign("v1/account/accounts", SPOT, "GET", {})["url"]
    assert probe.ask("GET", url).body["status"] == "ok"
    for changed in (
        url.replace("api.huobi.pro", "api.htx.com"),
        url.replace("/accounts?", "/accounts/?"),
        url + "&more=1",
    ):
        assert probe.ask("GET", changed).body["status"] == "error"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "ok"),
        ({"SignatureMethod": "HmacSHA1"}, "error"),
        ({"SignatureVersion": "1"}, "error"),
    ],
)
def test_method_and_version_are_the_venue_s(probe: Probe, changes: Any, status: str) -> None:
    """Even where the text is signed right."""
    client, path = probe.signer(), "/v1/account/accounts"
    url = client.sign(path.removeprefix("/"), SPOT, "GET", {})["url"]
    named = dict(parse_qsl(urlsplit(url).query)) | changes
    del named["Signature"]
    query = urlencode(sorted(named.items()))
    sign = mac_base64(client.secret, f"GET\napi.huobi.pro\n{path}\n{query}")
    target = f"https://api.huobi.pro{path}?{query}&{urlencode({'Signature': sign})}"
    assert probe.ask("GET", target).body["status"] == status


def test_a_key_that_may_only_read(probe: Probe) -> None:
    key = new_key("htx", 7, probe.account("client"), frozenset({"read"}), 1)
    probe.venue.keys.add(key)
    client = probe.signer(key)
    assert "no permission" in place(probe, client=client).body["err-msg"]
    assert get(probe, "v1/order/openOrders", client).body["status"] == "ok"
    assert not probe.exchange.orders(probe.account("client"))


def test_limits_are_per_endpoint_and_two_seconds() -> None:
    probe = Probe("htx", limits=True)
    client = probe.signer()

    def ask(path: str) -> Said:
        return get(probe, path, client, symbol="btcusdt")

    said = [ask("v1/order/matchresults") for _ in range(21)]
    assert [s.status for s in said] == [200] * 20 + [429]
    assert said[0].headers["X-HB-RateLimit-Requests-Remain"] == "19"
    expires = int(said[0].headers["X-HB-RateLimit-Requests-Expire"])
    assert expires == probe.clock.now_ms() + 2000
    assert ask("v1/order/openOrders").status == 200
    probe.step(2)
    assert ask("v1/order/matchresults").status == 200


# orders


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"amount": "0.0000001"}, "order-orderamount-precision-error"),
        ({"price": "49000.001"}, "order-orderprice-precision-error"),
        ({"amount": "0.000001"}, "order-limitorder-amount-min-error"),
        ({"amount": "2000"}, "order-limitorder-amount-max-error"),
        ({"amount": "0.0001", "price": "49000"}, "order-value-min-error"),
        ({"amount": "900"}, "account-frozen-balance-insufficient-error"),
        ({"symbol": "btcxyz"}, "base-symbol-error"),
        ({"account-id": "5"}, "account-get-accounts-inexistent-error"),
        ({"client-order-id": "a b"}, "invalid-client-order-id"),
        ({"client-order-id": "a" * 65}, "invalid-client-order-id"),
        ({"kind": "buy-stop"}, "order-type-invalid"),
        ({"stop-price": "48000", "operator": "lte"}, "order-type-invalid"),
        ({"amount": ""}, "validation-constraints-required"),
    ],
)
def test_refusals(probe: Probe, terms: Any, code: str) -> None:
    said = place(probe, **terms)
    assert (said.status, said.body["status"]) == (200, "error")
    assert said.body["err-code"] == code
    assert not probe.exchange.orders(probe.account("client"))


def test_a_limit_maker_that_would_trade_is_accepted_and_cancelled(probe: Probe) -> None:
    found = order_of(probe, place(probe, "buy-limit-maker", price="50500"))
    assert (found["state"], Decimal(found["field-amount"])) == ("canceled", 0)


def test_market_orders_by_value_and_by_size(probe: Probe) -> None:
    bought = order_of(probe, place(probe, "buy-market", amount="1000"))
    assert bought["state"] == "filled"
    assert Decimal("999.9") < Decimal(bought["field-cash-amount"]) <= 1000
    sold = order_of(probe, place(probe, "sell-market", amount="0.02"))
    assert Decimal(sold["field-amount"]) == Decimal("0.02")
    for order, asset in ((bought, "btc"), (sold, "usdt")):
        path = f"v1/order/orders/{order['id']}/matchresults"
        fills = get(probe, path).body["data"]
        assert {f["fee-currency"] for f in fills} == {asset}
        assert sum(Decimal(f["filled-fees"]) for f in fills) == Decimal(order["field-fees"])


@pytest.mark.parametrize(("kind", "filled"), [("buy-limit-fok", False), ("buy-ioc", True)])
def test_ioc_and_fok(probe: Probe, kind: str, filled: bool) -> None:
    px_ticks, lots = probe.exchange.book("BTC/USDT", 1)[1][0]
    price, top = probe.market.px_text(px_ticks), probe.market.qty(lots)
    said = place(probe, kind, amount=format(top + 1, "f"), price=price)
    found = order_of(probe, said)
    assert found["state"] == ("partial-canceled" if filled else "canceled")
    assert Decimal(found["field-amount"]) == (top if filled else 0)


def test_client_ids_are_not_unique_and_the_newest_answers(probe: Probe) -> None:
    first = place(probe, **{"client-order-id": "mine"}).body["data"]
    second = place(probe, **{"client-order-id": "mine"}).body["data"]
    assert first != second
    path = "v1/order/orders/getClientOrder"

    def number() -> Any:
        return get(probe, path, clientOrderId="mine").body

    assert str(number()["data"]["id"]) == second
    cancel = post(probe, "v1/order/orders/submitCancelClientOrder", **{"client-order-id": "mine"})
    assert cancel.body["data"] == 10
    probe.step(2 * 3600 + 1)
    assert number()["err-code"] == "base-record-invalid"


def test_orders_of_one_user_trade_unless_told_not_to(probe: Probe) -> None:
    place(probe, price="50000")
    careful = place(probe, "sell-limit", price="50000", **{"self-match-prevent": 1})
    assert order_of(probe, careful)["state"] == "canceled"
    assert not probe.exchange.fills(probe.account("client"), "BTC/USDT")
    both = order_of(probe, place(probe, "sell-limit", price="50000"))
    assert both["state"] == "filled"
    assert len(probe.exchange.fills(probe.account("client"), "BTC/USDT")) == 2


def test_cancels(probe: Probe) -> None:
    ids = [place(probe).body["data"] for _ in range(4)]

    def cancel(number: str) -> Any:
        return post(probe, f"v1/order/orders/{number}/submitcancel").body

    assert cancel(ids[0])["data"] == ids[0]
    late = cancel(ids[0])
    assert (late["err-code"], late["order-state"]) == ("order-orderstate-error", 7)
    assert cancel("123")["err-code"] == "base-record-invalid"
    batch = post(probe, "v1/order/orders/batchcancel", **{"order-ids": [ids[1], "9"]}).body["data"]
    assert batch["success"] == [ids[1]]
    assert [f["order-id"] for f in batch["failed"]] == ["9"]
    both = post(probe, "v1/order/orders/batchCancelOpenOrders", symbol="btcusdt", size="1")
    assert both.body["data"]["success-count"] == 1
    assert str(both.body["data"]["next-id"]) == ids[3]


def test_the_dead_man_s_switch(probe: Probe) -> None:
    place(probe)
    path = "v2/algo-orders/cancel-all-after"
    assert post(probe, path, timeout=3).body["code"] == 2002
    said = post(probe, path, timeout=5).body
    assert (said["code"], said["data"]["triggerTime"]) == (200, probe.clock.now_ms() + 5000)
    probe.step(4)
    post(probe, path, timeout=5)
    probe.step(4)
    assert probe.exchange.open_orders(probe.account("client"))
    probe.step(1)
    assert not probe.exchange.open_orders(probe.account("client"))
    place(probe)
    post(probe, path, timeout=5)
    assert post(probe, path, timeout=0).body["data"]["triggerTime"] == 0
    probe.step(60)
    assert probe.exchange.open_orders(probe.account("client"))


# recorded


def test_symbols_are_like_the_recorded_ones(probe: Probe, shared_data: Path) -> None:
    theirs = rest_answer(shared_data, "HUOBI.0.gz")
    ours = probe.ask("GET", "https://api.huobi.pro/v1/common/symbols").body
    assert unlike(ours, theirs) == []
    assert lacking(ours, theirs) == []
