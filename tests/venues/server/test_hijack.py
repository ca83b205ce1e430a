"""Clients by the venues' real names: the server answers for each of them, nobody for any other."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import aiohttp
import pytest
import requests
from served_venues import OPTIONS, World

from kimera_cli.venues.server.build import client_key
from kimera_cli.venues.server.ca import make_authority
from kimera_cli.venues.server.dialects import available
from kimera_cli.venues.server.hijack_sync import hijack_requests

ELSEWHERE = (
    "https://example.com/",
    "http://example.com/",
    "https://203.0.113.7/",
    "http://203.0.113.7/",
    "https://[2001:db8::7]/",
    "https://127.0.0.1:9/",
    "https://api.kraken.com.example.com/",
)
"""Names that are not simulated, and addresses, for which no name is looked up."""
PROXY = "http://203.0.113.7:8080"


def sync_session(world: World) -> requests.Session:
    listener, authority = world.serving.listener, world.serving.authority
    return hijack_requests(world.host.by_host, listener.tls_port, authority.root)


@pytest.mark.parametrize("url", ELSEWHERE)
def test_no_other_host_or_address_is_reached(serve: Any, url: str) -> None:
    async def scenario(world: World) -> None:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await world.session().get(url)
        assert "is not simulated" in str(refused.value.os_error)
        with pytest.raises(aiohttp.ClientConnectorError):
            await world.session().ws_connect(url.replace("http", "ws", 1))
        with pytest.raises(requests.ConnectionError, match="is not simulated"):
            await asyncio.to_thread(sync_session(world).get, url)

    serve(scenario, "kraken")


def test_no_proxy_is_a_way_out(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    venue = "https://api.kraken.com/0/public/Time"

    async def scenario(world: World) -> None:
        with pytest.raises(aiohttp.ClientProxyConnectionError):
            await world.session().get(venue, proxy=PROXY)
        session = sync_session(world)
        with pytest.raises(requests.exceptions.ProxyError, match="is not simulated"):
            session.get(venue, proxies={"https": PROXY})
        told = await asyncio.to_thread(session.get, venue)
        assert told.json()["error"] == []

    serve(scenario, "kraken")


def test_the_root_is_the_only_one_that_is_trusted(serve: Any, tmp_path: Any) -> None:
    async def scenario(world: World) -> None:
        listener = world.serving.listener
        now = dt.datetime.now(dt.UTC)
        other = make_authority(tmp_path / "other", world.host.by_host, now)
        session = hijack_requests(world.host.by_host, listener.tls_port, other.root)
        with pytest.raises(requests.exceptions.SSLError):
            await asyncio.to_thread(session.get, "https://api.kraken.com/0/public/Time")

    serve(scenario, "kraken")


@pytest.mark.parametrize("name", available())
def test_ccxt_without_asyncio_trades(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        await asyncio.to_thread(trade, world)

    def trade(world: World) -> None:
        import ccxt

        exchange, key = world.exchange(), client_key(world.venue())
        client = getattr(ccxt, name)({
            "session": sync_session(world), "options": OPTIONS.get(name, {}),
            "apiKey": key.key, "secret": key.secret, "password": key.passphrase,
            "enableRateLimit": False,
        })  # fmt: skip
        market = exchange.markets[0]
        low = float(market.start_px) * 0.98
        placed = client.create_order(market.symbol, "limit", "buy", 0.01, low)
        [listed] = client.fetch_open_orders(market.symbol)
        assert (listed["id"], listed["price"]) == (placed["id"], low)
        client.cancel_order(placed["id"], market.symbol)
        assert [o.status for o in exchange.orders(world.account())] == ["canceled"]

    serve(scenario, name, limits=False)


@pytest.mark.parametrize("name", available())
def test_ccxt_without_any_option_finds_the_markets(serve: Any, name: str) -> None:
    async def scenario(world: World) -> None:
        import ccxt.pro

        key = client_key(world.venue())
        secrets = {"apiKey": key.key, "secret": key.secret, "password": key.passphrase}
        client = getattr(ccxt.pro, name)({**secrets, "session": world.session()})
        try:
            found = await client.load_markets()
        finally:
            await client.close()
        active = {symbol for symbol, market in found.items() if market["active"]}
        assert active == {market.symbol for market in world.exchange().markets}

    serve(scenario, name)
