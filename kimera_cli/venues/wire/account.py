"""One API key as signing state: the secret is folded into it once and not kept.

Nothing here shows a secret: not repr, not an error, not a pickle. `wipe` zeroes the state; Python
text that the caller passed in is the caller's, so pass secrets as bytearrays, which are zeroed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from typing import NoReturn

import numpy as np

from kimera_cli.errors import VenueError
from kimera_cli.kernels.hmac_sha import KEY, TOKEN_BYTES, set_key256, set_key512
from kimera_cli.venues.wire.dialect import Signing

BLOCKS = {"sha256": 64, "sha512": 128}
VISIBLE = re.compile(r"[!-~]+")
VISIBLE_OR_SPACE = re.compile(r"[ -~]+")


class Account:
    """Signing state of one API key, shared by all wires of the account.

    VenueError `venue.credentials` when a key, secret or passphrase cannot be one; the message never
    holds any of it.
    """

    def __init__(
        self, signing: Signing, key: str, secret: bytearray | bytes, passphrase: str = ""
    ) -> None:
        self.signing = signing
        self.state = np.zeros(1, KEY)
        self._values: dict[str, str] = {}
        try:
            self._name(key, passphrase)
            self._take(secret)
        finally:
            if isinstance(secret, bytearray):
                secret[:] = bytes(len(secret))

    def _name(self, key: str, passphrase: str) -> None:
        if not VISIBLE.fullmatch(key):
            raise _unfit("an API key of visible ASCII characters")
        if self.signing.passphrase and not VISIBLE_OR_SPACE.fullmatch(passphrase):
            raise _unfit("a passphrase of ASCII characters")
        self._values = {
            "key": key,
            "passphrase": passphrase,
            "passphrase_json": json.dumps(passphrase)[1:-1],
        }

    def _take(self, secret: bytearray | bytes) -> None:
        record = self.state.view(np.recarray)[0]
        if self.signing.hash == "token":
            record.ready = 1
            return
        raw = _decoded(secret) if self.signing.secret == "base64" else secret
        if not raw:
            raise _unfit("a secret that is not empty")
        size = BLOCKS[self.signing.hash]
        block = np.zeros(size, np.uint8)
        if len(raw) > size:
            raw = hashlib.new(self.signing.hash, raw).digest()
        block[: len(raw)] = np.frombuffer(raw, np.uint8)
        (set_key256 if self.signing.hash == "sha256" else set_key512)(record, block)

    @property
    def ready(self) -> bool:
        """Whether the state can sign; False after `wipe`."""
        return bool(self.state["ready"][0])

    def values(self) -> dict[str, str]:
        """Return what templates write of the account: key and passphrase."""
        return dict(self._values)

    def set_token(self, token: bytes) -> None:
        """Set the session token that requests with `<token>` carry; empty takes it away."""
        if len(token) > TOKEN_BYTES or any(not 32 < byte < 127 or byte in b'"\\' for byte in token):
            raise _unfit(f"a token of at most {TOKEN_BYTES} visible characters")
        record = self.state.view(np.recarray)[0]
        record.token[:] = 0
        record.token[: len(token)] = np.frombuffer(token, np.uint8)
        record.token_len = len(token)

    def wipe(self) -> None:
        """Zero the signing state; nothing can be signed with it any more."""
        self.state.view(np.uint8)[:] = 0
        self._values = dict.fromkeys(self._values, "")

    def __repr__(self) -> str:
        return f"Account({self.signing.hash}, {'ready' if self.ready else 'wiped'})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Account is not pickled or copied: it holds signing state")


def _decoded(secret: bytearray | bytes) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _unfit("a secret in base64")


def _unfit(expected: str) -> VenueError:
    return VenueError(
        "venue.credentials",
        f"expected {expected}, was something else",
        "copy the credentials again from where the venue showed them",
    )
