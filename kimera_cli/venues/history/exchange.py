"""A ccxt client for reading: exact decimals, no request that is not needed, its own connections.

ccxt hands JSON numbers on as floats; here they stay the text that the venue wrote. What is no JSON
is an error, which ccxt would make an empty answer of.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from kimera_cli.errors import UsageError
from kimera_cli.plain_text import excerpt
from kimera_cli.venues.clients.addresses import Addresses, Server

if TYPE_CHECKING:
    import ssl

SPOT = {"types": ["spot"]}
_ANY_TYPE: dict[str, Any] = {"defaultType": "spot"}
OPTIONS: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": SPOT, "fetchCurrencies": False, "fetchMargins": False},
    "okx": {"fetchMarkets": SPOT},
    "bybit": {
        "fetchMarkets": SPOT,
        "enableUnifiedMargin": False,
        "enableUnifiedAccount": True,
    },
    "htx": {"fetchMarkets": {"types": {"spot": True, "linear": False, "inverse": False}}},
}
"""Keeps ccxt from asking for markets that nobody wants, and for what needs a key."""
SWAPS: dict[str, dict[str, Any]] = {
    "binance": {"fetchMarkets": {"types": ["linear", "inverse"]}},
    "okx": {"fetchMarkets": {"types": ["swap"]}},
    "bybit": {"fetchMarkets": {"types": ["linear", "inverse"]}},
    "htx": {"fetchMarkets": {"types": {"spot": False, "linear": True, "inverse": True}}},
}
"""The same where perpetual swaps are wanted."""
TIMEOUT_MS = 20_000
TOO_MANY = (418, 429)


def venues() -> list[str]:
    """Return all venues that ccxt knows."""
    import ccxt.async_support

    return list(ccxt.async_support.exchanges)


def options_of(venue: str, symbols: Sequence[str], *, swaps: bool) -> dict[str, Any]:
    """Return ccxt's options: the kinds of markets are told by the symbols (`BTC/USDT:USDT`)."""
    swaps = swaps or any(":" in each or each.upper().endswith(("SWAP", "PERP")) for each in symbols)
    chosen = (SWAPS if swaps else OPTIONS).get(venue, {})
    base = {"defaultType": "swap"} if swaps else _ANY_TYPE
    return {**base, **OPTIONS.get(venue, {}), **chosen}


@asynccontextmanager
async def opened(venue: str, options: dict[str, Any], server: Addresses) -> AsyncIterator[Any]:
    """Open a client of a venue, at a venue server if one is given; markets are not loaded yet.

    UsageError `usage.server`: the server was given by a plain address; ccxt speaks TLS only.
    """
    import ccxt.async_support

    config: dict[str, Any] = {
        "enableRateLimit": True,
        "number": str,
        "timeout": TIMEOUT_MS,
        "options": options,
        "aiohttp_trust_env": True,
    }
    session = None
    if isinstance(server, Server):
        session = config["session"] = _session(server)
    exchange = getattr(ccxt.async_support, venue)(config)
    exchange.on_json_response = exact_json
    exchange.has = {**exchange.has, "fetchCurrencies": False}
    exchange.fetch = _checked(exchange.fetch)
    exchange.handle_errors = _limited(exchange.handle_errors)
    try:
        yield exchange
    finally:
        await exchange.close()
        if session is not None:
            await session.close()


def exact_json(body: str) -> Any:
    """Return JSON with its decimals as the text that they were; ValueError when it is none."""
    try:
        return json.loads(body, parse_float=str)
    except RecursionError:
        raise ValueError("expected JSON, was lists in lists without end") from None


def _checked(fetch: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Return a `fetch` that refuses answers of which ccxt would make an empty list."""
    from ccxt.base.errors import BadResponse

    async def checked(*args: Any, **more: Any) -> Any:
        answer = await fetch(*args, **more)
        if not isinstance(answer, dict | list) or answer == {}:
            text = answer if isinstance(answer, str) else json.dumps(answer)
            raise BadResponse(f"HTTP 200: {excerpt(text)}")
        return answer

    return checked


def _limited(handle_errors: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `handle_errors` that knows too many requests by the status, whatever the body.

    ccxt makes a plain refusal of a 429 of okx and bybit that has no body of theirs. `retry_after_s`
    of the error is the pause that the answer asks for, 0 for none.
    """
    from ccxt.base.errors import RateLimitExceeded

    def handle(code: int, reason: str, url: str, method: str, headers: Any, *more: Any) -> Any:
        if code in TOO_MANY:
            error = RateLimitExceeded(f"{code} {reason}")
            told = {name.lower(): value for name, value in (headers or {}).items()}
            pause = str(told.get("retry-after", ""))
            error.retry_after_s = float(pause) if pause.isdecimal() else 0.0
            raise error
        return handle_errors(code, reason, url, method, headers, *more)

    return handle


def _session(server: Server) -> Any:
    import aiohttp
    from aiohttp.abc import AbstractResolver, ResolveResult

    if server.tls is None:
        raise UsageError(
            "usage.server",
            "expected --server FILE of a venue_listening record with a TLS port, was a plain one",
            "kimera venue serve --format jsonl > FILE writes it",
        )

    class Resolver(AbstractResolver):
        """Every host is the server, which refuses what it does not serve."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            found = server.endpoint(host, port)
            return [
                ResolveResult(
                    hostname=host, host=found.address, port=found.port, family=socket.AF_INET,
                    proto=0, flags=int(socket.AI_NUMERICHOST),
                )
            ]  # fmt: skip

        async def close(self) -> None:
            """Nothing is held."""

    tls: ssl.SSLContext = server.tls
    connector = aiohttp.TCPConnector(ssl=tls, resolver=Resolver(), use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector)
