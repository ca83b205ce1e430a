"""Who speaks at HTX: a signature over method, host, path and sorted query, each on a line.

https://www.htx.com/en-us/opend/newApiPages/?id=419. The host is part of the text, in small letters;
a POST's body is not. The time has whole seconds and is valid for five minutes. Websocket v2 signs
the parameters of its `auth` request in the same way (version 2.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlencode

from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.server.auth import iso_ms, mac_base64, same
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects.htx_errors import (
    BAD_SIGNATURE,
    NO_PERMISSION,
    WRONG_KEY,
    WRONG_SIGNATURE,
    WRONG_TIME,
    HtxError,
)
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

HOST = "api.huobi.pro"
WINDOW_MS = 300_000
REST_VERSION, SOCKET_VERSION = "2", "2.1"
SIGNED = ("accessKey", "signatureMethod", "signatureVersion", "timestamp")


def host_of(request: Request) -> str:
    """Return the host that a client signs: its own of the venue's, whatever address it dialled."""
    return HOST if request.plain else request.host.partition(":")[0].lower()


def authorized(keys: KeyStore, request: Request, need: Permission) -> Key:
    """Return the key of a request; HtxError otherwise."""
    pairs = [part.partition("=") for part in request.raw_query.split("&")]
    given = {name: unquote(value) for name, _, value in pairs}
    signed = "&".join(f"{n}={v}" for n, _, v in sorted(pairs) if n != "Signature")
    text = "\n".join((request.method, host_of(request), request.path, signed))
    key = _key(keys, given.get("AccessKeyId", ""))
    _check_time(given.get("Timestamp", ""), request.now_ns)
    if given.get("SignatureMethod") != "HmacSHA256":
        raise HtxError(BAD_SIGNATURE, WRONG_SIGNATURE)
    if given.get("SignatureVersion") != REST_VERSION:
        raise HtxError(BAD_SIGNATURE, WRONG_SIGNATURE)
    if not same(given.get("Signature", ""), mac_base64(key.secret, text)):
        raise HtxError(BAD_SIGNATURE, WRONG_SIGNATURE)
    if not key.may(need):
        raise HtxError(BAD_SIGNATURE, NO_PERMISSION)
    return key


def login(keys: KeyStore, request: Request, params: Mapping[str, str], now_ns: int) -> Key:
    """Return the key of a websocket's `auth` request; HtxError otherwise.

    `request` is the handshake. A client that dialled another address signs that whole address.
    """
    key = _key(keys, params.get("accessKey", ""))
    _check_time(params.get("timestamp", ""), now_ns)
    if params.get("signatureVersion") != SOCKET_VERSION:
        raise HtxError(BAD_SIGNATURE, WRONG_SIGNATURE)
    query = urlencode([(name, params.get(name, "")) for name in SIGNED])
    paths = [request.path]
    if request.plain:
        paths.append(f"ws://{request.host}/htx{request.path}")
    texts = ["\n".join(("GET", host_of(request), path, query)) for path in paths]
    if not any(same(params.get("signature", ""), mac_base64(key.secret, t)) for t in texts):
        raise HtxError(BAD_SIGNATURE, WRONG_SIGNATURE)
    return key


def _key(keys: KeyStore, name: str) -> Key:
    key = keys.find(name)
    if key is None:
        raise HtxError(BAD_SIGNATURE, WRONG_KEY)
    return key


def _check_time(text: str, now_ns: int) -> None:
    sent = iso_ms(text)
    if sent is None or abs(sent - now_ns // NS_PER_MS) > WINDOW_MS:
        raise HtxError(BAD_SIGNATURE, WRONG_TIME)
