"""What the venues' signature schemes have in common; each dialect composes its own from these."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec

Algorithm = Literal["sha256", "sha512"]


def mac(secret: str | bytes, message: str | bytes, algorithm: Algorithm = "sha256") -> bytes:
    """Return the HMAC of a message."""
    return hmac.digest(_bytes(secret), _bytes(message), algorithm)


def mac_hex(secret: str | bytes, message: str | bytes, algorithm: Algorithm = "sha256") -> str:
    """Return the HMAC as lower-case hex."""
    return mac(secret, message, algorithm).hex()


def mac_base64(secret: str | bytes, message: str | bytes, algorithm: Algorithm = "sha256") -> str:
    """Return the HMAC as base64."""
    return base64.b64encode(mac(secret, message, algorithm)).decode()


def sha256(message: str | bytes) -> bytes:
    """Return the SHA-256 of a message."""
    return hashlib.sha256(_bytes(message)).digest()


def same(given: str | bytes, wanted: str | bytes) -> bool:
    """Compare two signatures in constant time."""
    return hmac.compare_digest(_bytes(given), _bytes(wanted))


def from_base64(text: str) -> bytes:
    """Return decoded base64; empty when it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def iso_ms(text: str) -> int | None:
    """Return milliseconds of an ISO 8601 time (without zone: UTC), None when it is none."""
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)


class Nonces:
    """The highest nonce per key: each new one must be above it."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def take(self, key: str, nonce: int) -> bool:
        """Use a nonce; False when it is not above the last one."""
        if nonce <= self._last.get(key, -1):
            return False
        self._last[key] = nonce
        return True


class Jwt(msgspec.Struct, frozen=True):
    """A token's header and claims, its signature not yet checked."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


def read_jwt(token: str) -> Jwt | None:
    """Take a compact JWT apart; None when it is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims, signature = (
            base64.urlsafe_b64decode(p + "=" * (-len(p) % 4)) for p in parts
        )
        return Jwt(
            msgspec.json.decode(header, type=dict[str, Any]),
            msgspec.json.decode(claims, type=dict[str, Any]),
            f"{parts[0]}.{parts[1]}".encode(),
            signature,
        )
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None


def verify_es256(private_pem: str, jwt: Jwt) -> bool:
    """Check a token's ES256 signature (raw r and s, 32 bytes each) with the key's public half."""
    if jwt.header.get("alg") != "ES256" or len(jwt.signature) != 64:
        return False
    return _es256(private_pem)(jwt.signature, jwt.signed)


@lru_cache(maxsize=64)
def _es256(private_pem: str) -> Callable[[bytes, bytes], bool]:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    key = serialization.load_pem_private_key(private_pem.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("expected an elliptic curve key")
    public = key.public_key()

    def check(signature: bytes, signed: bytes) -> bool:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        try:
            public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True

    return check


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
