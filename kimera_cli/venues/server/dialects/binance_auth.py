"""Binance's request security: HMAC-SHA256 in hex over the very bytes sent, and a time window.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/request-security
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from kimera_cli.venues.server.auth import mac_hex, same
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects.binance_errors import BinanceError, illegal, missing
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

NO_KEY = BinanceError(-2014, "API-key format invalid.", 401)
BAD_KEY = BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)
BAD_SIGNATURE = BinanceError(-1022, "Signature for this request is not valid.")
OUTSIDE = BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")
AHEAD = BinanceError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
LONGEST_WINDOW_MS = 60_000
WINDOW = re.compile(r"[0-9]{1,16}(\.[0-9]{1,3})?")
AHEAD_MS = 1000


def check_rest(
    request: Request, keys: KeyStore, permission: Permission
) -> tuple[Key, dict[str, str]]:
    """Verify a signed REST request; return its key and its parameters."""
    key = _key(keys, request.headers.get("x-mbx-apikey", ""), permission)
    parts = request.raw_query, request.body.decode("utf-8", "replace")
    (query, in_query), (body, in_body) = (_without_signature(part) for part in parts)
    payload, given = query + body, in_query or in_body
    params = request.query | request.form
    if not given:
        raise missing("signature")
    if not same(given, mac_hex(key.secret, payload)):
        raise BAD_SIGNATURE
    check_time(params, request.now_ns // 1_000_000)
    return key, params


def check_call(
    params: Mapping[str, Any], keys: KeyStore, permission: Permission, now_ms: int
) -> tuple[Key, dict[str, str]]:
    """Verify a signed request of the websocket API: parameters sorted by name are signed."""
    texts = {name: as_text(value) for name, value in params.items()}
    key = _key(keys, texts.get("apiKey", ""), permission)
    given = texts.pop("signature", "")
    if not given:
        raise missing("signature")
    payload = "&".join(f"{name}={texts[name]}" for name in sorted(texts))
    if not same(given, mac_hex(key.secret, payload)):
        raise BAD_SIGNATURE
    check_time(texts, now_ms)
    return key, texts


def check_time(params: Mapping[str, str], now_ms: int) -> None:
    """Refuse a request from outside its window."""
    try:
        stamp = int(params.get("timestamp", ""))
    except ValueError:
        raise missing("timestamp") from None
    if stamp > 10**14:  # microseconds are allowed
        stamp //= 1000
    given = params.get("recvWindow") or "5000"
    if not WINDOW.fullmatch(given):
        raise illegal("recvWindow", WINDOW.pattern)
    window = float(given)
    if window > LONGEST_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000.")
    if stamp >= now_ms + AHEAD_MS:
        raise AHEAD
    if now_ms - stamp > window:
        raise OUTSIDE


def as_text(value: Any) -> str:
    """Return a JSON value as it is signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _key(keys: KeyStore, name: str, permission: Permission) -> Key:
    if not name:
        raise NO_KEY
    key = keys.find(name)
    if key is None or not key.may(permission):
        raise BAD_KEY
    return key


def _without_signature(total: str) -> tuple[str, str]:
    before, mark, rest = total.partition("signature=")
    if not mark:
        return total, ""
    given, _, after = rest.partition("&")
    payload = before.rstrip("&") + (f"&{after}" if after else "")
    return payload, unquote(given)
