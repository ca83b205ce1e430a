"""Who speaks to Kraken: signed REST requests, nonces, permissions, and tokens of its websocket.

https://docs.kraken.com/exchange/guides/rest/authentication: API-Sign is the base64 of HMAC-SHA512,
keyed with the base64-decoded secret, of path + SHA-256(nonce + body). The nonce of a key rises with
every request. A websocket token is good for 15 minutes, and beyond where it is in use.
"""

from __future__ import annotations

import base64
from typing import Any

from kimera_cli.venues.server import auth
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects.kraken_text import NS
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

TOKEN_S = 900
_TOKEN_NS = TOKEN_S * NS
Parameters = dict[str, Any]


class KrakenError(Exception):
    """A request is refused with these words."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def bad(argument: str) -> KrakenError:
    """Return the refusal of an argument."""
    return KrakenError(f"EGeneral:Invalid arguments:{argument}")


class Gate:
    """Checks who asks. One nonce store and one token store for all connections."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._nonces = auth.Nonces()
        self._tokens: dict[str, tuple[Key, int]] = {}
        self._issued = 0

    def enter(self, request: Request, permission: Permission) -> tuple[Key, Parameters]:
        """Return key and parameters of a signed request; KrakenError says why not."""
        key = self._keys.find(request.headers.get("api-key", ""))
        if key is None:
            raise KrakenError("EAPI:Invalid key")
        parameters = parameters_of(request)
        nonce = str(parameters.get("nonce", ""))
        if not auth.same(request.headers.get("api-sign", ""), signature(key, request, nonce)):
            raise KrakenError("EAPI:Invalid signature")
        if not nonce.isascii() or not nonce.isdigit() or not self._nonces.take(key.key, int(nonce)):
            raise KrakenError("EAPI:Invalid nonce")
        if not key.may(permission):
            raise KrakenError("EGeneral:Permission denied")
        return key, parameters

    def issue(self, key: Key) -> str:
        """Return a new websocket token."""
        self._issued += 1
        now = self._clock.now_ns()
        token = auth.mac(key.secret, f"{now}/{self._issued}")
        text = base64.b64encode(token).decode().rstrip("=")
        self._tokens[text] = (key, now)
        return text

    def admit(self, token: object, in_use: bool = False) -> Key | None:
        """Return the key that a token speaks for, None when it is unknown or too old."""
        key, issued = self._tokens.get(str(token), (None, 0))
        if key is None or self._keys.find(key.key) is None:
            return None
        return key if in_use or self._clock.now_ns() - issued < _TOKEN_NS else None


def parameters_of(request: Request) -> Parameters:
    """Return the parameters of a body, a form or JSON."""
    if request.body[:1] != b"{":
        return dict(request.form)
    found = request.json
    return found if isinstance(found, dict) else {}


def signature(key: Key, request: Request, nonce: str) -> str:
    """Return what API-Sign must be."""
    digest = auth.sha256(nonce.encode() + request.body)
    message = request.path.encode() + digest
    return auth.mac_base64(auth.from_base64(key.secret), message, "sha512")
