"""Answers of the binance dialect against documented and recorded ones: same keys, same types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from served_venues import World

from kimera_cli.venues.server.auth import mac_hex
from kimera_cli.venues.server.build import client_key

PAIR = "BTC/USDT"
BASE = "https://api.binance.com"
ABSENT = {
    # what the recordings of 2021 have not yet, or futures have and spot has not
    "exchange_info_response": {"filters"},
    "agg_trade_stream": {"st", "M"},
    "trade_stream": {"M"},
    "execution_report_wrapped": set(),
}


@pytest.fixture
def documented(shared_data: Path) -> Any:
    folder = shared_data / "golden" / "nautilus_adapters" / "binance"
    if not folder.is_dir():
        pytest.skip(f"no documented answers in {folder}")
    return lambda name: json.loads((folder / f"{name}.json").read_text())


def differences(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Say where two JSON values differ in keys or types; one member of a list stands for all."""
    if type(ours) is not type(theirs):
        both_numbers = {type(ours), type(theirs)} == {int, float}
        return [] if both_numbers else [f"{path}: {ours!r} is not like {theirs!r}"]
    if isinstance(ours, dict):
        odd = [f"{path}.{key}: only one has it" for key in set(ours) ^ set(theirs)]
        common = set(ours) & set(theirs)
        return odd + [d for k in common for d in differences(ours[k], theirs[k], f"{path}.{k}")]
    if isinstance(ours, list) and ours and theirs:
        return differences(ours[0], theirs[0], f"{path}[]")
    return []


def without(value: Any, names: set[str]) -> Any:
    if isinstance(value, dict):
        return {k: without(v, names) for k, v in value.items() if k not in names}
    return [without(v, names) for v in value] if isinstance(value, list) else value


async def ask(world: World, method: str, path: str, query: str = "") -> Any:
    """A signed request."""
    key = client_key(world.venue())
    text = f"{query}&timestamp={world.exchange().clock.now_ms()}".lstrip("&")
    url = f"{BASE}{path}?{text}&signature={mac_hex(key.secret, text)}"
    session = world.session()
    async with session.request(method, url, headers={"X-MBX-APIKEY": key.key}) as answer:
        found = await answer.json()
        assert answer.status == 200, found
        return found


async def collect(world: World) -> dict[str, Any]:
    """Every answer that there is a document for."""
    limit = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=49000"
    found: dict[str, Any] = {}
    session = world.session()
    socket = await session.ws_connect("wss://ws-api.binance.com:443/ws-api/v3")
    key = client_key(world.venue())
    params = {"apiKey": key.key, "timestamp": world.exchange().clock.now_ms()}
    signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
    call = {
        "id": 1,
        "method": "userDataStream.subscribe.signature",
        "params": {**params, "signature": mac_hex(key.secret, signed)},
    }
    await socket.send_json(call)
    assert (await socket.receive_json())["result"] == {"subscriptionId": 0}

    found["order"] = await ask(world, "POST", "/api/v3/order", limit)
    found["execution_report_wrapped"] = await socket.receive_json()
    found["account_position_wrapped"] = await socket.receive_json()
    await world.control("POST", "binance/deposit", {"asset": "BTC", "amount": "100"})
    found["balance_update_wrapped"] = await socket.receive_json()
    number = f"symbol=BTCUSDT&orderId={found.pop('order')['orderId']}"
    found["order_response"] = await ask(world, "GET", "/api/v3/order", number)
    found["open_orders_response"] = await ask(world, "GET", "/api/v3/openOrders")
    found["all_orders_response"] = await ask(world, "GET", "/api/v3/allOrders", "symbol=BTCUSDT")
    found["cancel_order_response"] = await ask(world, "DELETE", "/api/v3/order", number)
    await ask(world, "POST", "/api/v3/order", limit)
    found["cancel_open_orders_response"] = await ask(
        world, "DELETE", "/api/v3/openOrders", "symbol=BTCUSDT"
    )
    found["new_order_full_response"] = await ask(
        world, "POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.5"
    )
    found["account_response"] = await ask(world, "GET", "/api/v3/account")
    found["account_trades_response"] = await ask(world, "GET", "/api/v3/myTrades", "symbol=BTCUSDT")
    for name, path in (
        ("depth_response", "depth?symbol=BTCUSDT"),
        ("klines_response", "klines?symbol=BTCUSDT&interval=1m"),
        ("ticker_24hr_response", "ticker/24hr?symbol=BTCUSDT"),
        ("trades_response", "trades?symbol=BTCUSDT"),
        ("book_ticker_response", "ticker/bookTicker?symbol=BTCUSDT"),
        ("avg_price_response", "avgPrice?symbol=BTCUSDT"),
        ("ticker_price_response", "ticker/price?symbol=BTCUSDT"),
        ("server_time_response", "time"),
        ("ping_response", "ping"),
        ("exchange_info_response", "exchangeInfo?symbol=BTCUSDT"),
    ):
        async with session.get(f"{BASE}/api/v3/{path}") as answer:
            found[name] = await answer.json()
    await socket.close()
    return found


def test_answers_have_the_documented_keys_and_types(serve: Any, documented: Any) -> None:
    found = serve(collect, "binance")
    assert len(found) == 21
    odd = {}
    for name, ours in found.items():
        theirs = documented(name)
        if name == "cancel_open_orders_response":
            theirs = theirs[:1]
        if name == "exchange_info_response":
            del ours["sors"], theirs["sors"]
        hidden = ABSENT.get(name, set())
        if differing := differences(without(ours, hidden), without(theirs, hidden)):
            odd[name] = differing
    assert odd == {}


def recorded(shared_data: Path) -> dict[str, Any]:
    """One recorded message of each stream."""
    path = shared_data / "l2_raw" / "cryptofeed" / "BINANCE.ws.1.0"
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    found: dict[str, Any] = {}
    for line in path.read_text().splitlines()[1:]:
        _, _, text = line.partition(": ")
        if not text.startswith("{"):
            continue
        message = json.loads(text)
        channel = message["stream"].partition("@")[2]
        if channel != "depth@100ms" or (message["data"]["b"] and message["data"]["a"]):
            found.setdefault(channel, message)
    return found


def test_streams_have_the_recorded_keys_and_types(serve: Any, shared_data: Path) -> None:
    theirs = recorded(shared_data)
    assert set(theirs) >= {"depth@100ms", "bookTicker", "kline_1m", "aggTrade"}

    async def scenario(world: World) -> dict[str, Any]:
        names = "/".join(f"btcusdt@{channel}" for channel in theirs)
        url = f"wss://stream.binance.com:9443/stream?streams={names}"
        ours: dict[str, Any] = {}
        async with world.session().ws_connect(url) as socket:
            while set(ours) != set(theirs):
                for _ in range(20):
                    world.venue().background[0].act()  # type: ignore[attr-defined]
                world.exchange().clock.step(1_000_000_000)
                world.venue().tick()
                world.host.sockets()[0].send('{"stream":"@last"}')
                while (message := await socket.receive_json())["stream"] != "@last":
                    channel = message["stream"].partition("@")[2]
                    if channel != "depth@100ms" or all(message["data"][side] for side in "ba"):
                        ours[channel] = message
        return ours

    ours = serve(scenario, "binance", cadence_ns=None)
    for channel, message in theirs.items():
        assert differences(ours[channel], message) == [], channel
