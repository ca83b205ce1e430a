"""A REST request before it is signed, and as bytes; a REST answer as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

from kimera_cli.venues.clients.budget import Kind

FORM = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
Headers = Sequence[tuple[str, str]]

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder()
UNREADABLE = object()
"""What `parsed` returns for a body that is not JSON."""


class Query(NamedTuple):
    """One request to a venue. `params` go into the query (GET, DELETE) or the venue's body."""

    method: str
    path: str
    params: Mapping[str, str] = {}
    body: Any = None
    """A JSON body, not yet text."""
    signed: bool = True
    kind: Kind = "query"
    weight: int = 1
    safe: bool = True
    """Whether it may be sent again when no answer came: it changes nothing."""
    since_ns: int = 0
    """Where a list that runs back in time may end; not sent."""


def get(path: str, signed: bool = True, weight: int = 1, **params: object) -> Query:
    """Return a query that changes nothing; parameters that are None or empty are left out."""
    return Query("GET", path, _present(params), signed=signed, weight=weight)


def change(method: str, path: str, kind: Kind, **params: object) -> Query:
    """Return a request that changes something, with parameters."""
    return Query(method, path, _present(params), kind=kind, safe=False)


def change_json(path: str, kind: Kind, body: Any, method: str = "POST") -> Query:
    """Return a request that changes something, with a JSON body."""
    return Query(method, path, body=body, kind=kind, safe=False)


def _present(params: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items() if value not in (None, "")}


def encoded(params: Mapping[str, str]) -> str:
    """Return parameters as a query's text."""
    return urlencode(params, quote_via=quote)


def target(query: Query) -> str:
    """Return path and query text."""
    return f"{query.path}?{encoded(query.params)}" if query.params else query.path


def json_text(body: Any) -> str:
    """Return a JSON body as text; empty for none."""
    return "" if body is None else _ENCODER.encode(body).decode()


def message(method: str, host: str, path: str, headers: Headers, body: str = "") -> bytes:
    """Return an HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: kimera"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


def parsed(body: bytes) -> Any:
    """Return a body's JSON with exact decimals; UNREADABLE when it is none."""
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, ArithmeticError, RecursionError):
        return UNREADABLE
