"""Coinbase Advanced over REST: a token per request, not a signature in it.

https://docs.cdp.coinbase.com/get-started/authentication/jwt-authentication. The token is an ES256
signature over method and path, valid for two minutes: elliptic curves are not for a kernel, so
`cryptography` makes it (the slow path) and the request carries it as `<token>`. Coinbase asks for
another token for each request; whether it takes one twice is not documented, so by default none is
used twice (`reuse_s`). Market buys, whose size the venue wants in the quote currency at the quote's
own precision, are not offered: send an IOC limit. Orders are cancelled by the venue's id only.
"""

from __future__ import annotations

import base64
import json
import re
from typing import NoReturn

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kimera_cli.errors import VenueError
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import JSON, Dialect, IdRule, Signing, Way, post
from kimera_cli.venues.wire.template import Part, Send, Template

PLACE, CANCEL = "/api/v3/brokerage/orders", "/api/v3/brokerage/orders/batch_cancel"
VALID_S = 120
"""Life of a websocket's token; the longest that the venue takes."""
REQUEST_VALID_S = 30
"""Life of a request's token: so long an order can be executed that was lost on its way."""
NONCE_BYTES = 16
LIMIT = '"base_size":"<qty>","limit_price":"<price>"'


def _bearing(path: str, body: str) -> Template:
    return (Part("body", body), Send(post(path, "Authorization: Bearer <token>", JSON)))


REST = Dialect(
    way=Way("coinbase", "rest", "api.coinbase.com"),
    signing=Signing("token", "text"),
    client_id=IdRule(re.compile(rb"[A-Za-z0-9_-]{1,64}"), "1 to 64 of letters, digits and _ -"),
    sides=("BUY", "SELL"),
    orders={
        "gtc": {"order": f'"limit_limit_gtc":{{{LIMIT},"post_only":false}}'},
        "ioc": {"order": f'"sor_limit_ioc":{{{LIMIT}}}'},
        "fok": {"order": f'"limit_limit_fok":{{{LIMIT}}}'},
        "post_only": {"order": f'"limit_limit_gtc":{{{LIMIT},"post_only":true}}'},
        "market": (None, {"order": '"market_market_ioc":{"base_size":"<qty>"}'}),
    },
    place=_bearing(
        PLACE,
        '{"client_order_id":"<client_id>","product_id":"<symbol>","side":"<side>",'
        '"order_configuration":{<order>}}',
    ),
    cancel_venue_id=_bearing(CANCEL, '{"order_ids":["<venue_id>"]}'),
)


class TokenMaker:
    """Makes the tokens of one API key (an EC key on P-256, as PEM).

    VenueError `venue.credentials` when the secret is no such key; the message holds none of it.
    """

    def __init__(self, key: str, secret: bytes | bytearray, *, reuse_s: int = 0) -> None:
        if not 0 <= reuse_s < REQUEST_VALID_S:
            raise VenueError(
                "venue.options",
                f"expected reuse_s from 0 to below {REQUEST_VALID_S}, was {reuse_s}",
            )
        self.key, self.reuse_s = key, reuse_s
        self._private: ec.EllipticCurvePrivateKey | None = _private_key(secret)
        self._made: dict[str, tuple[int, bytes]] = {}

    def authorize(self, account: Account, path: str, now_s: int, nonce: bytes) -> None:
        """Give the account a token for a POST to `path` (PLACE, CANCEL).

        `nonce` is 16 random bytes, for this token alone.
        """
        made_s, token = self._made.get(path, (0, b""))
        if not token or not 0 <= now_s - made_s < self.reuse_s:
            token = self.token(path, now_s, nonce)
            self._made[path] = now_s, token
        account.set_token(token)

    def token(self, path: str, now_s: int, nonce: bytes, *, method: str = "POST") -> bytes:
        """Return a new token: header, claims and signature in base64url, joined by dots.

        `path` is without query; without any, the token is one for a websocket.
        """
        if self._private is None:
            raise VenueError("venue.credentials", "expected a key that was not wiped")
        if len(nonce) != NONCE_BYTES:
            raise VenueError(
                "venue.options", f"expected a nonce of {NONCE_BYTES} bytes, was {len(nonce)}"
            )
        header = {"alg": "ES256", "typ": "JWT", "kid": self.key, "nonce": nonce.hex()}
        claims: dict[str, object] = {
            "aud": ["retail_rest_api_proxy"],
            "iss": "cdp",
            "nbf": now_s,
            "exp": now_s + (REQUEST_VALID_S if path else VALID_S),
            "sub": self.key,
        }
        if path:
            claims["uri"] = f"{method} {REST.way.host}{path}"
        text = b".".join(
            _base64url(json.dumps(p, separators=(",", ":")).encode()) for p in (header, claims)
        )
        r, s = utils.decode_dss_signature(self._private.sign(text, ec.ECDSA(SHA256())))
        return text + b"." + _base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def wipe(self) -> None:
        """Forget the key and the tokens. (The library's memory of the key is its own.)"""
        self._private = None
        self._made.clear()

    def __repr__(self) -> str:
        return f"TokenMaker({'ready' if self._private else 'wiped'})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a TokenMaker is not pickled or copied: it holds a private key")


def _private_key(secret: bytes | bytearray) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(bytes(secret), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise VenueError(
            "venue.credentials",
            "expected an EC private key on P-256 in PEM, was something else",
            "create a key of the kind ECDSA (ES256) at Coinbase",
        )
    return key


def _base64url(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")
