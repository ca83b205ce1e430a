"""GET over HTTPS for books that a venue tells by REST, and for its lists of markets.

async with RestClient(addresses) as rest:
    body = await rest.fetch("https://api.binance.com/api/v3/depth?symbol=BTCUSDT")
"""

from __future__ import annotations

import ssl
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from kimera_cli.errors import VenueError
from kimera_cli.feeds.network import Addresses, port_of

ANSWER_S = 10.0
LARGEST = 64 << 20
"""Bytes of an answer at most."""
_SHOWN = 200


class RestClient:
    """Keep-alive connections to the hosts of venues."""

    def __init__(self, addresses: Addresses, answer_s: float = ANSWER_S) -> None:
        self._addresses, self._answer_s = addresses, answer_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        limit = aiohttp.ClientTimeout(total=self._answer_s)
        self._session = aiohttp.ClientSession(timeout=limit, auto_decompress=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def fetch(self, url: str) -> bytes:
        """Return the body of a 200 answer.

        VenueError: `venue.unreachable`, `venue.tls`, `venue.no_answer`, `venue.rate_limited` (with
        `retry_after_s`), `venue.answer` for any other status.
        """
        assert self._session is not None
        parts = urlsplit(url)
        host = parts.hostname or ""
        endpoint = self._addresses.endpoint(host, port_of(parts))
        place = urlunsplit(
            parts._replace(
                scheme="https" if endpoint.tls else "http",
                netloc=f"{endpoint.address}:{endpoint.port}",
            )
        )
        options: dict[str, Any] = {"headers": {"Host": parts.netloc}, "allow_redirects": False}
        if endpoint.tls:
            options |= {"ssl": endpoint.tls, "server_hostname": host}
        try:
            async with self._session.get(place, **options) as response:
                body = await _body(url, response)
                return self._checked(url, response.status, dict(response.headers), body)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            raise _failed("tls", url, "a certificate that is trusted", str(error)) from None
        except aiohttp.ClientConnectorError as error:
            raise _failed("unreachable", url, "a connection", str(error.os_error)) from None
        except TimeoutError:
            was = f"nothing for {self._answer_s:g} s"
            raise _failed("no_answer", url, "an answer", was) from None
        except (aiohttp.ClientError, OSError) as error:
            was = str(error) or type(error).__name__
            raise _failed("no_answer", url, "a whole answer", was) from None

    def _checked(self, url: str, status: int, headers: dict[str, str], body: bytes) -> bytes:
        if status == 200:
            return body
        shown = body[:_SHOWN].decode("utf-8", "replace")
        if status in (418, 429):
            wait = headers.get("Retry-After", "")
            raise VenueError(
                "venue.rate_limited",
                f"{url}: expected an answer, was {status}: {shown}",
                "it is asked again later",
                retry_after_s=float(wait) if wait.isdigit() else 0.0,
            )
        raise _failed("answer", url, "an answer 200", f"{status}: {shown}")


async def _body(url: str, response: aiohttp.ClientResponse) -> bytes:
    found = bytearray()
    async for part in response.content.iter_any():
        found += part
        if len(found) > LARGEST:
            raise _failed("answer", url, f"at most {LARGEST} bytes", "more")
    return bytes(found)


_HINTS = {
    "tls": "check the clock of this host, and that nothing stands between it and the venue",
    "unreachable": "check the network; it is asked again by itself",
    "no_answer": "it is asked again by itself",
    "answer": "it is asked again by itself; the venue may be in maintenance",
}


def _failed(kind: str, url: str, expected: str, was: str) -> VenueError:
    return VenueError(
        f"venue.{kind}", f"{url}: expected {expected}, was {was}", _HINTS[kind], url=url
    )
