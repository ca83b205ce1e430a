"""Coinbase Advanced Trade's answers have the names and types of recorded ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from probe import Probe, Talk

from kimera_cli.venues.json_shapes import lacking, unlike

ROOT = "/api/v3/brokerage"
CLIENT_ID = "0b1c2d3e-0000-4000-8000-000000000001"
USER_EXTRAS = {
    "completion_percentage", "end_time", "filled_value", "limit_price", "number_of_fills",
    "outstanding_hold_amount", "post_only", "retail_portfolio_id", "start_time", "stop_price",
}  # fmt: skip
"""Documented fields of the `user` channel that the recording lacks."""


@pytest.fixture
def recorded(shared_data: Path) -> Any:
    """recorded(name): a recorded answer."""
    folder = shared_data / "golden" / "nautilus_adapters" / "coinbase"
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}")
    return lambda name: json.loads((folder / f"{name}.json").read_text())


@pytest.fixture
def probe() -> Probe:
    """A venue with a trade, an open order and a filled one of the client."""
    made = Probe("coinbase")
    made.place("buy", "0.5")
    order(made, "BUY", limit_limit_gtc={"base_size": "0.01", "limit_price": "49000"})
    order(made, "SELL", market_market_ioc={"base_size": "0.02"})
    return made


def order(probe: Probe, side: str, **configuration: Any) -> Any:
    number = len(probe.exchange.orders(probe.account("client")))
    said = probe.call(
        probe.signer(), ["v3", "private"], "POST", "brokerage/orders",
        client_order_id=f"{CLIENT_ID[:-1]}{number}", product_id="BTC-USD", side=side,
        order_configuration=configuration,
    )  # fmt: skip
    assert said.body["success"], said
    return said.body["success_response"]["order_id"]


def private(probe: Probe, path: str, **params: Any) -> Any:
    said = probe.call(probe.signer(), ["v3", "private"], "GET", f"brokerage/{path}", **params)
    assert said.status == 200, said
    return said.body


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("http_products", "market/products"),
        ("http_product", "market/products/BTC-USD"),
        ("http_product_book", "market/product_book?product_id=BTC-USD"),
        ("http_ticker", "market/products/BTC-USD/ticker?limit=5"),
        ("http_candles", "market/products/BTC-USD/candles?granularity=ONE_HOUR"),
    ],
)
def test_public_answers(probe: Probe, recorded: Any, name: str, path: str) -> None:
    said = probe.ask("GET", f"https://api.coinbase.com{ROOT}/{path}")
    assert said.status == 200, said
    theirs = recorded(name)
    assert unlike(said.body, theirs) == []
    assert lacking(said.body, theirs) == []


@pytest.mark.parametrize(
    ("name", "path", "allowed"),
    [
        ("http_accounts", "accounts", set()),
        ("http_orders_list", "orders/historical/batch", {"market_market_ioc"}),
        ("http_fills", "orders/historical/fills", set()),
    ],
)
def test_private_answers(
    probe: Probe, recorded: Any, name: str, path: str, allowed: set[str]
) -> None:
    ours = private(probe, path)
    assert {d.split(".")[-1].partition(":")[0] for d in unlike(ours, recorded(name))} == allowed


def test_an_order(probe: Probe, recorded: Any) -> None:
    placed = order(
        probe,
        "BUY",
        limit_limit_gtc={"base_size": "0.01", "limit_price": "49000", "post_only": True},
    )
    assert unlike(private(probe, f"orders/historical/{placed}"), recorded("http_order")) == []


def subscribed(probe: Probe, channel: str, **more: Any) -> Talk:
    talk = probe.open()
    talk.say(type="subscribe", channel=channel, product_ids=["BTC-USD"], **more)
    return talk


@pytest.mark.parametrize(
    ("channel", "names"),
    [
        ("level2", {"snapshot": "ws_l2_data_snapshot", "update": "ws_l2_data_update"}),
        ("market_trades", {"snapshot": "ws_market_trades", "update": "ws_market_trades"}),
        ("ticker", {"snapshot": "ws_ticker", "update": "ws_ticker"}),
        ("candles", {"snapshot": "ws_candles", "update": "ws_candles"}),
    ],
)
def test_public_channels(probe: Probe, recorded: Any, channel: str, names: dict[str, str]) -> None:
    talk = subscribed(probe, channel)
    probe.place("buy", "0.7")
    probe.step(1)
    said = talk.take()
    assert unlike([m for m in said if m["channel"] == "subscriptions"],
                  [recorded("ws_subscriptions")]) == [
        f"$[].events[].subscriptions.{channel}: not recorded"
    ] * (channel not in ("level2", "market_trades"))  # fmt: skip
    kinds = set()
    for each in said:
        if each["channel"] != "subscriptions":
            kind = each["events"][0]["type"]
            kinds.add(kind)
            theirs = recorded(names[kind])
            assert unlike(each, theirs) == []
            assert lacking(each, theirs) == []
    assert kinds == {"snapshot", "update"}


def test_heartbeats(probe: Probe, recorded: Any) -> None:
    talk = subscribed(probe, "heartbeats")
    probe.step(1)
    [beat] = [m for m in talk.take() if m["channel"] == "heartbeats"]
    assert unlike(beat, recorded("ws_heartbeats")) == []
    shape = recorded("ws_heartbeats")["events"][0]["current_time"]
    assert len(beat["events"][0]["current_time"]) == len(shape)


def test_the_user_channel(probe: Probe, recorded: Any) -> None:
    client = probe.signer()
    talk = subscribed(probe, "user", jwt=client.create_auth_token(client.seconds()))
    order(probe, "SELL", limit_limit_gtc={"base_size": "0.01", "limit_price": "51000"})
    said = [m for m in talk.take() if m["channel"] == "user"]
    assert [m["events"][0]["type"] for m in said] == ["snapshot", "update"]
    for each in said:
        found = unlike(each, recorded("ws_user"))
        assert {d.rpartition(".")[2].partition(":")[0] for d in found} == USER_EXTRAS, found
        assert lacking(each, recorded("ws_user")) == []
