"""Who speaks to Bybit: signed REST requests and logins of its websockets.

https://bybit-exchange.github.io/docs/v5/guide#authentication: X-BAPI-SIGN is HMAC-SHA256, hex, over
timestamp + key + receive window + raw query or body. The time must lie in
[server time - window, server time + 1 s).
"""

from __future__ import annotations

from kimera_cli.venues.server import auth
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects.bybit_text import BybitError
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

WINDOW_MS = 5000
AHEAD_MS = 1000


class Gate:
    """Checks who asks."""

    def __init__(self, keys: KeyStore, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock

    def enter(self, request: Request, permission: Permission) -> Key:
        """Return the key of a signed request; BybitError says why not."""
        headers = request.headers
        name = headers.get("x-bapi-api-key", "")
        stamp = headers.get("x-bapi-timestamp", "")
        window = headers.get("x-bapi-recv-window") or str(WINDOW_MS)
        given = headers.get("x-bapi-sign", "")
        if not name or not stamp or not given:
            raise BybitError(
                10001, f"empty value: apiTimestamp[{stamp}] apiKey[{name}] apiSignature[{given}]"
            )
        key = self._keys.find(name)
        if key is None:
            raise BybitError(10003, "API key is invalid.")
        self.check_time(stamp, window)
        payload = request.body if request.method == "POST" else request.raw_query.encode()
        wanted = auth.mac_hex(key.secret, f"{stamp}{name}{window}".encode() + payload)
        if not auth.same(given, wanted):
            raise BybitError(10004, "Error sign, please check your signature generation algorithm.")
        check_permission(key, permission)
        return key

    def check_time(self, stamp: object, window: object) -> None:
        """Refuse a request that was made too early or too late."""
        at, span, now = str(stamp), str(window or WINDOW_MS), self._clock.now_ms()
        if not at.isdecimal() or not span.isdecimal():
            raise BybitError(10001, "params error: timestamp or recv_window invalid")
        if not now - int(span) <= int(at) < now + AHEAD_MS:
            raise BybitError(
                10002,
                "invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{at}],server_timestamp[{now}],recv_window[{span}]",
            )

    def login(self, arguments: object) -> Key:
        """Return the key of a websocket's `auth`: key, expiry in ms, signature."""
        if not isinstance(arguments, list) or len(arguments) != 3:
            raise BybitError(10001, "Params Error")
        name, expires, given = (str(each) for each in arguments)
        key = self._keys.find(name)
        if key is None:
            raise BybitError(10003, "Invalid apikey")
        if not expires.isdecimal() or int(expires) <= self._clock.now_ms():
            raise BybitError(10001, "Params Error: request expired")
        if not auth.same(given, auth.mac_hex(key.secret, f"GET/realtime{expires}")):
            raise BybitError(10004, "Invalid sign")
        return key


def check_permission(key: Key, permission: Permission) -> None:
    """Refuse what a key may not do."""
    if not key.may(permission):
        raise BybitError(10005, "Permission denied, please check your API key permissions.")
