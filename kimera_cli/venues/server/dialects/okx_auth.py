"""Who speaks to OKX: signed REST requests and logins of its websockets.

https://www.okx.com/docs-v5/en/#overview-rest-authentication: OK-ACCESS-SIGN is the base64 of
HMAC-SHA256 over timestamp + method + path with query + body; the time is within 30 s of the
venue's. A websocket signs its login once, over seconds + GET/users/self/verify.
"""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import auth
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects.okx_text import NS_PER_MS, OkxError
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

WINDOW_MS = 30_000
UNAUTHORIZED = 401
_HEADERS = (
    ("ok-access-key", "50103"),
    ("ok-access-passphrase", "50104"),
    ("ok-access-sign", "50106"),
    ("ok-access-timestamp", "50107"),
)


def _refuse(code: str, text: str) -> OkxError:
    return OkxError(code, text, UNAUTHORIZED)


class Gate:
    """Checks who asks."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def enter(self, request: Request, permission: Permission) -> Key:
        """Return the key of a signed request; OkxError says why not."""
        headers = request.headers
        for name, code in _HEADERS:
            if not headers.get(name):
                raise _refuse(code, f"Request header {name.upper()} can not be empty.")
        key = self._keys.find(headers["ok-access-key"])
        if key is None:
            raise _refuse("50111", "Invalid OK-ACCESS-KEY")
        stamp = headers["ok-access-timestamp"]
        self._check_time(stamp)
        if not auth.same(headers["ok-access-passphrase"], key.passphrase):
            raise _refuse("50105", "OK-ACCESS-PASSPHRASE incorrect")
        signed = f"{stamp}{request.method}{request.target}".encode() + request.body
        if not auth.same(headers["ok-access-sign"], auth.mac_base64(key.secret, signed)):
            raise _refuse("50113", "Invalid Sign")
        check_permission(key, permission)
        return key

    def _check_time(self, stamp: str) -> None:
        at_ms = auth.iso_ms(stamp)
        if at_ms is None or not stamp.endswith("Z"):
            raise _refuse("50112", "Invalid OK-ACCESS-TIMESTAMP")
        if abs(self._clock.now_ms() - at_ms) > WINDOW_MS:
            raise _refuse("50102", "Timestamp request expired")

    def login(self, argument: dict[str, Any]) -> Key:
        """Return the key of a websocket's login."""
        key = self._keys.find(str(argument.get("apiKey", "")))
        if key is None:
            raise OkxError("60005", "Invalid apiKey")
        stamp = str(argument.get("timestamp", ""))
        if not stamp.replace(".", "", 1).isdecimal():
            raise OkxError("60004", "Invalid timestamp")
        if abs(self._clock.now_ms() - int(float(stamp) * 1000)) > WINDOW_MS:
            raise OkxError("60006", "Timestamp request expired")
        if not auth.same(str(argument.get("passphrase", "")), key.passphrase):
            raise OkxError("60024", "Wrong passphrase")
        wanted = auth.mac_base64(key.secret, f"{stamp}GET/users/self/verify")
        if not auth.same(str(argument.get("sign", "")), wanted):
            raise OkxError("60007", "Invalid sign")
        return key


def check_permission(key: Key, permission: Permission) -> None:
    """Refuse what a key may not do."""
    if not key.may(permission):
        raise _refuse("50120", "This API key doesn't have permission to use this function")


def check_expiry(value: object, now_ns: int) -> None:
    """Refuse an order request whose expTime (milliseconds) has passed."""
    if value is None:
        return
    text = str(value)
    if not text.isdecimal():
        raise OkxError("51000", "Parameter expTime error")
    if int(text) * NS_PER_MS <= now_ns:
        raise OkxError("51149", "Order timed out. Please try again later.")
