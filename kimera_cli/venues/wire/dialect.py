"""What one venue's order entry is made of, declared: texts, names, limits of ids, how it signs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from kimera_cli.venues.wire.template import Template

KINDS = ("gtc", "ioc", "fok", "post_only", "market")
"""Kinds of new orders in the order of layouts.GTC, IOC, FOK, POST_ONLY, and market orders."""

FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"

Values = Mapping[str, str]


class Signing(NamedTuple):
    """How a venue's secret becomes a key."""

    hash: Literal["sha256", "sha512", "token"]
    """`token`: nothing is signed here, requests carry a token of the account."""
    secret: Literal["text", "base64"]
    passphrase: bool = False


class IdRule(NamedTuple):
    """Client order ids that a venue takes."""

    pattern: re.Pattern[bytes]
    words: str


class Way(NamedTuple):
    """One way into a venue."""

    venue: str
    way: Literal["rest", "websocket"]
    host: str


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """Order entry of one venue by one way.

    `orders` gives, per kind, the values that its text has in `place` (for both sides, or a pair for
    buy and sell); a kind that is not there is one that the venue does not have.
    """

    way: Way
    signing: Signing
    client_id: IdRule
    sides: tuple[str, str]
    orders: Mapping[str, Values | tuple[Values | None, Values | None]]
    place: Template
    cancel_client_id: Template | None = None
    cancel_venue_id: Template | None = None
    login: Template | None = None
    """What is sent once before orders: a session's login, or the request for its token."""
    options: tuple[str, ...] = ()
    """Names of values that the caller must give (an account's number)."""
    defaults: Values = field(default_factory=dict)

    def values(self, kind: str, side: int) -> dict[str, str] | None:
        """Return the values of a new order's text; None when there is no such order."""
        of_kind = self.orders.get(kind)
        if isinstance(of_kind, tuple):
            of_kind = of_kind[side]
        return None if of_kind is None else {"side": self.sides[side], **of_kind}


def request(method: str, target: str, *headers: str) -> str:
    """Return the head of an HTTP/1.1 request without body."""
    lines = (f"{method} {target} HTTP/1.1", "Host: <host>", "User-Agent: kimera", *headers)
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"


def post(target: str, *headers: str) -> str:
    """Return a POST whose body is the template's part `body`."""
    return request("POST", target, *headers, "Content-Length: <length body>") + "<copy body>"
