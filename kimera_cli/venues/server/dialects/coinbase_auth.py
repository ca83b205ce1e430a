"""Who speaks at Coinbase Advanced Trade: a token per request, signed with the key's EC key.

https://docs.cdp.coinbase.com/get-started/authentication/jwt-authentication: ES256 over header and
claims; `sub` is the key's name, `uri` is method, host and path without query, and the token lives
for two minutes at most. On the websocket the token has no `uri`. A bad token is answered with the
bare text Unauthorized (the older /v2 paths answer with a list of errors).
"""

from __future__ import annotations

from typing import Any

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.auth import Jwt, read_jwt, verify_es256
from kimera_cli.venues.server.dialect import HttpError, Request, Response, refuse
from kimera_cli.venues.server.keys import Key, KeyStore, Permission

ISSUERS = ("cdp", "coinbase-cloud")
LIVES_S = 120
SKEW_S = 5
"""How far `nbf` may lie ahead of the venue's clock."""


def check_token(keys: KeyStore, token: object, now_ns: int, uri: str | None) -> Key | None:
    """Return the key that signed a token, None when the token is not good (now, for this uri)."""
    jwt = read_jwt(token) if isinstance(token, str) else None
    if jwt is None or jwt.claims.get("iss") not in ISSUERS or not _lives(jwt, now_ns):
        return None
    name = jwt.claims.get("sub")
    key = keys.find(name) if isinstance(name, str) else None
    if key is None or jwt.header.get("kid") != name or not verify_es256(key.secret, jwt):
        return None
    return key if uri is None or jwt.claims.get("uri") == uri else None


def _lives(jwt: Jwt, now_ns: int) -> bool:
    begin, end = jwt.claims.get("nbf"), jwt.claims.get("exp")
    if not isinstance(begin, int) or not isinstance(end, int) or end - begin > LIVES_S:
        return False
    now = now_ns / NS_PER_S
    return begin - SKEW_S <= now < end


def authorized(keys: KeyStore, request: Request, need: Permission) -> Key:
    """Return the key of a request; HttpError 401 for a bad token, 403 for a lacking permission."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = None
    if scheme == "Bearer":
        key = check_token(keys, token, request.now_ns, _uri(request, token))
    if key is None:
        raise unauthorized(request.path)
    if not key.may(need):
        raise forbidden("Missing required scopes")
    return key


def _uri(request: Request, token: str) -> str:
    """Return what `uri` must be: a client that was given another address signs that address."""
    host = request.host.partition(":")[0]
    if request.plain:
        jwt = read_jwt(token)
        claimed = str(jwt.claims.get("uri", "")) if jwt else ""
        address, path = claimed.partition(" ")[2], request.path
        if address.removeprefix("http://").startswith(request.host) and address.endswith(path):
            return f"{request.method} {address}"
    return f"{request.method} {host}{request.path}"


def unauthorized(path: str) -> HttpError:
    """Return the answer to a request that nobody signed."""
    if path.startswith("/v2/"):
        body: dict[str, Any] = {"errors": [{"id": "invalid_token", "message": "invalid token"}]}
        return refuse(body, 401)
    return HttpError(Response(b"Unauthorized\n", 401, (), "text/plain"))


def forbidden(why: str) -> HttpError:
    """Return the answer to a key without the permission."""
    return refuse({"error": "PERMISSION_DENIED", "error_details": why, "message": why}, 403)
