"""A server in the test's own event loop, and unmodified ccxt.pro clients for it.

Time is real by default (ccxt signs with the host's clock) but the background market stands still
unless a test gives it a rate, so that what a test sees is what it did. A bug of the server fails
the test.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from kimera_cli.venues.server.build import Setup, build_host, client_key
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.faults import Rule
from kimera_cli.venues.server.hijack import hijack_session
from kimera_cli.venues.server.host import Host, Venue
from kimera_cli.venues.server.serve import Ports, Serving

GUARD_S = 240
"""Only against a hang."""

Scenario = Callable[["World"], Awaitable[Any]]

OPTIONS: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["spot"]}},
    "okx": {"fetchMarkets": {"types": ["spot"]}},
    "bybit": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"},
    "htx": {"fetchMarkets": {"types": {"spot": True, "linear": False, "inverse": False}}},
    "coinbase": {"fetchBalance": "v3PrivateGetBrokerageAccounts"},
}
"""What keeps ccxt from asking for markets that are not spot."""


def plain_urls(venue: str, port: int) -> dict[str, Any]:
    """Return ccxt's `urls.api` for the plain port (it reads some venues' paths: see there)."""
    h, w = f"http://127.0.0.1:{port}/{venue}", f"ws://127.0.0.1:{port}/{venue}"
    htx = {"public": w + "/ws", "private": w + "/ws/v2", "feed": w + "/feed"}
    found: dict[str, dict[str, Any]] = {
        "binance": {
            "public": h + "/api/v3",
            "private": h + "/api/v3",
            "sapi": h + "/sapi/v1",
            "ws": {"spot": w + "/stream/ws", "ws-api": {"spot": w + "/ws-api/v3"}},
        },
        "kraken": {
            "public": h,
            "private": h,
            "ws": {
                "public": w + "/v1",
                "private": w + "/authv1",
                "publicV2": w + "/v2",
                "privateV2": w + "/auth/v2",
            },
        },
        "okx": {"rest": h, "ws": w + "/ws/v5"},
        "bybit": {
            "public": h,
            "private": h,
            "ws": {
                "public": {"spot": w + "/v5/public/spot"},
                "private": {"contract": w + "/v5/private", "trade": w + "/v5/trade"},
            },
        },
        "htx": {
            **dict.fromkeys(
                ("spot", "public", "private", "v2Public", "v2Private", "contract", "status"), h
            ),
            "ws": {"api": {"spot": htx}},
        },
        "coinbase": {"rest": h, "ws": w + "/ws"},
        "coinbaseexchange": {"public": h, "private": h, "ws": w + "/ws"},
    }
    return found[venue]


class World:
    """A running server and what a test needs around it."""

    def __init__(self, serving: Serving, bugs: list[str]) -> None:
        self.serving = serving
        self.host: Host = serving.host
        self.bugs = bugs
        self._open: list[Any] = []

    def venue(self, name: str = "") -> Venue:
        """Return a venue, the first by default."""
        return self.host.venues[name] if name else next(iter(self.host.venues.values()))

    def exchange(self, name: str = "") -> Exchange:
        """Return a venue's exchange."""
        return self.venue(name).exchange

    def account(self, name: str = "client", venue: str = "") -> int:
        """Return the id of an account by its name."""
        accounts = self.exchange(venue).ledger.accounts.values()
        return next(a.id for a in accounts if a.name == name)

    def rule(self, **fields: Any) -> Rule:
        """Put a fault in force."""
        rule = Rule(**fields)
        self.host.faults.add(rule)
        return rule

    def session(self) -> aiohttp.ClientSession:
        """Return a session whose every host is the server."""
        made = hijack_session(
            self.host.by_host, self.serving.listener.tls_port, self.serving.authority.root
        )
        self._open.append(made)
        return made

    def ccxt(self, name: str, mode: str = "hijack", **config: Any) -> Any:
        """Return an unmodified ccxt.pro client with the client account's key."""
        import ccxt.pro

        key = client_key(self.venue(name))
        config.setdefault("apiKey", key.key)
        config.setdefault("secret", key.secret)
        config.setdefault("password", key.passphrase)
        config["options"] = {**OPTIONS.get(name, {}), **config.get("options", {})}
        if mode == "plain":
            config["urls"] = {"api": plain_urls(name, self.serving.listener.port)}
        else:
            config["session"] = self.session()
        client = getattr(ccxt.pro, name)(config)
        self._open.insert(0, client)
        return client

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control API; the answer's JSON."""
        url = f"http://127.0.0.1:{self.serving.control.port}/{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, json=body) as answer,
        ):
            found = json.loads(await answer.read())
            assert answer.status == 200, found
            return found

    async def settle(self) -> None:
        """Let everything that is under way on loopback arrive."""
        for _ in range(20):
            await asyncio.sleep(0.005)

    async def close(self) -> None:
        """Close clients and sessions."""
        for client in self._open:
            await client.close()


def serve_for(scenario: Scenario, folder: Path, venues: tuple[str, ...], **setup: Any) -> Any:
    """Run `await scenario(world)` against a server of its own and return what it returns."""
    bugs: list[str] = []

    def bug(venue: str, where: str, error: Exception) -> None:
        bugs.append(f"{venue} {where}: {type(error).__name__}: {error}")

    async def main() -> Any:
        asked = Setup(venues=venues, **{"seed": 7, "rate": 0.0, "cadence_ns": 0, **setup})
        host = build_host(asked, time.time_ns, bug)
        async with Serving(host, Ports(), folder, time.time_ns()) as serving:
            world = World(serving, bugs)
            try:
                return await asyncio.wait_for(scenario(world), GUARD_S)
            finally:
                await world.close()
                for venue in host.venues.values():
                    venue.exchange.check_conservation()

    found = asyncio.run(main())
    assert not bugs, bugs
    return found


def rest(venue: Venue, method: str, path: str, query: str = "", body: str = "",
         headers: Mapping[str, str] | None = None) -> Request:  # fmt: skip
    """Return a request as the connection makes it, at the exchange's time."""
    return Request(
        method, path, query, headers or {}, body.encode(), venue.dialect.hosts[0],
        venue.exchange.clock.now_ns(),
    )  # fmt: skip
