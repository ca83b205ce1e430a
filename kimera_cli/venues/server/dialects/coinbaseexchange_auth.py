"""Who speaks at Coinbase Exchange: HMAC-SHA256 over time, method, path and body, with a passphrase.

https://docs.cdp.coinbase.com/exchange/rest-api/authentication. The secret is base64; the time is in
seconds, decimals allowed, and within 30 s of the venue's. The websocket signs
`GET/users/self/verify` the same way, in the fields of `subscribe`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.auth import from_base64, mac_base64, same
from kimera_cli.venues.server.dialect import Request, refuse
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

WINDOW_S = 30
VERIFY = "GET/users/self/verify"


class Claim(NamedTuple):
    """What a client sent to prove who it is."""

    key: str
    sign: str
    timestamp: str
    passphrase: str


class Refusal(Exception):  # noqa: N818 - a venue's answer
    """Why a claim is not believed: HTTP status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def verify(keys: KeyStore, claim: Claim, text: str, now_ns: int) -> Key:
    """Return the key that made a claim over `text`; Refusal says what is wrong with it."""
    for name, value in zip(claim._fields, claim, strict=True):
        if not value:
            raise Refusal(401, f"CB-ACCESS-{name.upper()} header is required")
    key = keys.find(claim.key)
    if key is None:
        raise Refusal(401, "Invalid API Key")
    try:
        late = abs(float(claim.timestamp) - now_ns / NS_PER_S)
    except ValueError:
        raise Refusal(400, "invalid timestamp") from None
    if not late <= WINDOW_S:
        raise Refusal(400, "request timestamp expired")
    wanted = mac_base64(from_base64(key.secret), claim.timestamp + text)
    if not same(claim.sign, wanted):
        raise Refusal(401, "invalid signature")
    if not same(claim.passphrase, key.passphrase):
        raise Refusal(401, "Invalid Passphrase")
    return key


def authorized(keys: KeyStore, request: Request, need: Permission) -> Key:
    """Return the key of a request; HttpError otherwise."""
    header = request.headers.get
    claim = Claim(*(header(f"cb-access-{name}", "") for name in Claim._fields))
    text = f"{request.method}{request.target}" + request.body.decode("utf-8", "replace")
    try:
        key = verify(keys, claim, text, request.now_ns)
    except Refusal as refusal:
        raise refuse({"message": refusal.message}, refusal.status) from None
    if not key.may(need):
        raise refuse({"message": "Forbidden"}, 403)
    return key


def subscriber(keys: KeyStore, wanted: dict[str, Any], now_ns: int) -> Key | None:
    """Return the key of a `subscribe`, None when it has no signature; Refusal when a bad one."""
    if "signature" not in wanted:
        return None
    claim = Claim(*(_text(wanted.get(n)) for n in ("key", "signature", "timestamp", "passphrase")))
    return verify(keys, claim, VERIFY, now_ns)


def _text(value: object) -> str:
    return "" if value is None else str(value)
