"""API keys of the simulated venues: whom a request speaks for and what it may do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Permission = Literal["read", "trade", "withdraw"]
ALL: frozenset[Permission] = frozenset(("read", "trade"))
"""What a client's key may do. A key that may withdraw is told so; there is nothing to withdraw by.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One API key. `secret` is text as the client uses it: base64, or PEM for coinbase."""

    venue: str
    key: str
    secret: str
    passphrase: str
    account: int
    permissions: frozenset[Permission] = ALL

    def may(self, permission: Permission) -> bool:
        """Whether the key has a permission."""
        return permission in self.permissions


class KeyStore:
    """The keys of one venue."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = {key.key: key for key in keys}

    def add(self, key: Key) -> None:
        """Add or replace a key."""
        self._keys[key.key] = key

    def remove(self, name: str) -> None:
        """Withdraw a key."""
        self._keys.pop(name, None)

    def find(self, name: str) -> Key | None:
        """Return the key of that name."""
        return self._keys.get(name)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._keys.values())
