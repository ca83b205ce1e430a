"""Generated API keys in each venue's own format, and the file that hands them to a client.

A key is a function of seed, venue and account, so a restarted server knows its clients.
The file is TOML, readable by its owner only: one table per venue with key, secret and passphrase.
"""

from __future__ import annotations

import base64
import json
import string
from collections.abc import Iterable
from pathlib import Path
from random import Random
from uuid import UUID

from kimera_cli.files import write_atomic
from kimera_cli.venues.server.keys import ALL, Key, Permission

ALPHABET = string.ascii_letters + string.digits
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def new_key(
    venue: str, seed: int, account: int, permissions: frozenset[Permission] = ALL, number: int = 0
) -> Key:
    """Return the key of an account; `number` tells several keys of one account apart."""
    seeded = Random(f"{venue}/{seed}/{account}/{number}")
    key, secret, passphrase = _PARTS.get(venue, _plain)(seeded)
    return Key(venue, key, secret, passphrase, account, permissions)


def _plain(seeded: Random) -> tuple[str, str, str]:
    return _text(seeded, 64), _text(seeded, 64), ""


def _short(seeded: Random) -> tuple[str, str, str]:
    return _text(seeded, 18), _text(seeded, 36), ""


def _kraken(seeded: Random) -> tuple[str, str, str]:
    return _text(seeded, 56), base64.b64encode(seeded.randbytes(64)).decode(), ""


def _okx(seeded: Random) -> tuple[str, str, str]:
    key = str(UUID(bytes=seeded.randbytes(16), version=4))
    return key, seeded.randbytes(16).hex().upper(), _text(seeded, 16)


def _coinbase_exchange(seeded: Random) -> tuple[str, str, str]:
    secret = base64.b64encode(seeded.randbytes(64)).decode()
    return seeded.randbytes(16).hex(), secret, _text(seeded, 12)


def _coinbase(seeded: Random) -> tuple[str, str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    ids = [UUID(bytes=seeded.randbytes(16), version=4) for _ in range(2)]
    number = seeded.randrange(1, P256_ORDER)
    pem = ec.derive_private_key(number, ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return f"organizations/{ids[0]}/apiKeys/{ids[1]}", pem.decode(), ""


def _text(seeded: Random, length: int) -> str:
    return "".join(seeded.choices(ALPHABET, k=length))


_PARTS = {
    "kraken": _kraken,
    "okx": _okx,
    "coinbaseexchange": _coinbase_exchange,
    "coinbase": _coinbase,
    "bybit": _short,
}


def write_keys(path: Path, keys: Iterable[Key]) -> None:
    """Write keys as TOML with mode 0600, whole or not at all."""
    tables = [
        f"[{key.venue}]\nkey = {_quoted(key.key)}\nsecret = {_quoted(key.secret)}\n"
        f"passphrase = {_quoted(key.passphrase)}\n"
        for key in keys
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, "\n".join(tables).encode())


def _quoted(text: str) -> str:
    return json.dumps(text)  # a TOML basic string
