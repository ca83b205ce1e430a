"""API keys: from a file that only its owner can read, or from the environment; never from argv.

A keys file is TOML with a table per venue:

    [binance]
    key = "..."
    secret = "env:BINANCE_SECRET"      # a value may name a variable instead
    passphrase = "..."                 # okx, coinbaseexchange

Without a file, `KIMERA_<VENUE>_KEY`, `_SECRET` and `_PASSPHRASE` are read. A secret is held as a
bytearray and is in no repr, error, record or pickle; `Redactor` takes secrets out of any text.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import stat
import sys
import tomllib
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.names import did_you_mean, nearest
from kimera_cli.venues.orders.rules import ALIASES
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import Signing

HIDDEN = "[redacted]"
FIELDS = ("key", "secret", "passphrase")
WITH_PASSPHRASE = ("okx", "coinbaseexchange")
REFERENCE = "env:"
ENVIRONMENT = "the environment"
SHORTEST = 6
"""A secret of fewer characters is not looked for in texts: it would hide ordinary words."""


class Credentials:
    """The key of one account at one venue."""

    __slots__ = ("_secret", "key", "passphrase", "venue")

    def __init__(self, venue: str, key: str, secret: str, passphrase: str = "") -> None:
        self.venue, self.key, self.passphrase = venue, key, passphrase
        self._secret = bytearray(secret.replace("\\n", "\n").encode())

    def account(self, signing: Signing) -> Account:
        """Return the signing state that request templates use; it takes a copy of the secret."""
        return Account(signing, self.key, bytearray(self._secret), self.passphrase)

    def mac(self, signing: Signing) -> hmac.HMAC:
        """Return an HMAC with the secret folded in, to be copied for each message."""
        secret = bytes(self._secret)
        if signing.secret == "base64":
            try:
                secret = b64decode(secret, validate=True)
            except Base64Error:
                raise _unfit(self.venue, "a secret in base64") from None
        if not secret:
            raise _unfit(self.venue, "a secret that is not empty")
        return hmac.new(secret, digestmod=getattr(hashlib, signing.hash))

    def pem(self) -> bytes:
        """Return the secret where it is a private key."""
        return bytes(self._secret)

    def secrets(self) -> list[str]:
        """Return what no text may show, in each spelling that a request may give it."""
        plain = [self.key, self._secret.decode(), self.passphrase]
        plain += [line for line in plain[1].splitlines() if "-----" not in line]
        found = []
        for text in plain:
            encoded = b64encode(text.encode()).decode()
            found += [text, quote(text, safe=""), text.replace("\n", "\\n"), encoded]
        return found

    def wipe(self) -> None:
        """Zero the secret."""
        self._secret[:] = bytes(len(self._secret))

    def __repr__(self) -> str:
        return f"Credentials({self.venue})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not pickled or copied: they hold a secret")


class Redactor:
    """Takes known secrets out of texts, and what stands as a signature or as a JSON web token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {text for text in secrets if len(text) >= SHORTEST}
        self._known = sorted(known, key=len, reverse=True)
        self._bytes = [text.encode() for text in self._known]

    def also(self, *secrets: str) -> Redactor:
        """Return one that knows more: what a connection was given for as long as it lasts."""
        return Redactor((*self._known, *secrets))

    def text(self, text: str) -> str:
        """Return the text with each secret replaced."""
        return self.data(text.encode(errors="surrogatepass")).decode(errors="surrogatepass")

    def data(self, data: bytes) -> bytes:
        """Return bytes with each secret replaced; the same object where there is none."""
        for secret in self._bytes:
            if secret in data:
                data = data.replace(secret, HIDDEN.encode())
        if b"ign" in data or b"IGN" in data or b"jwt" in data:
            data = _SIGNED.sub(rb"\1" + HIDDEN.encode(), data)
        return data

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)})"


_SIGNED = re.compile(
    rb"""((?:sign(?:ature)?|jwt)[\\"']*\s*[:=]\s*[\\"']*)[A-Za-z0-9+/=%._-]{16,}""", re.I
)


def from_file(path: Path, venue: str, env: Mapping[str, str]) -> Credentials:
    """Return a venue's credentials from a keys file.

    UsageError `usage.keys_mode` when others can read it, `usage.keys` when it cannot be read, or
    has no such venue or field. No message holds a value of the file.
    """
    tables = _tables(path)
    table = tables.get(venue)
    if not isinstance(table, dict):
        raise UsageError(
            "usage.keys",
            f"{path}: expected a table [{venue}], was {_shown(tables)}",
            _nearest_table(venue, tables),
            file=str(path),
        )
    _refuse_unknown(path, venue, table)
    values = {name: _value(path, venue, name, table.get(name, ""), env) for name in FIELDS}
    return _checked(venue, values, str(path))


def venues_in(path: Path) -> list[str]:
    """Return the venues that a keys file has keys of, by their present names."""
    return [name for name, table in _tables(path).items() if isinstance(table, dict)]


def from_environment(venue: str, env: Mapping[str, str]) -> Credentials | None:
    """Return a venue's credentials from its variables; None when there is no key among them."""
    values = {name: env.get(f"KIMERA_{venue.upper()}_{name.upper()}", "") for name in FIELDS}
    return _checked(venue, values, ENVIRONMENT) if values["key"] else None


def _shown(tables: Mapping[str, Any]) -> str:
    named = (f"[{name}]" if isinstance(each, dict) else name for name, each in tables.items())
    return ", ".join(named) or "none"


def _nearest_table(venue: str, tables: Mapping[str, Any]) -> str:
    near = nearest(venue, (name for name, each in tables.items() if isinstance(each, dict)))
    return f"did you mean '{near}'?" if near else f'[{venue}] with key = "..." and secret = "..."'


def _tables(path: Path) -> dict[str, Any]:
    """Return the file's tables; a venue may have its former name."""
    return {ALIASES.get(name, name): table for name, table in _read(path).items()}


def _refuse_unknown(path: Path, venue: str, table: Mapping[str, Any]) -> None:
    for name in table:
        if name not in FIELDS:
            raise UsageError(
                "usage.keys",
                f"{path}: expected {', '.join(FIELDS)} in [{venue}], was '{name}'",
                did_you_mean(name, FIELDS),
                file=str(path),
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if sys.platform != "win32" and stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            "usage.keys_mode",
            f"{path}: expected a keys file that only its owner can read (0600), "
            f"was {stat.S_IMODE(mode):04o}",
            f"chmod 600 {path}, and renew the keys if others may have read them",
            file=str(path),
        )
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # The parser's own words may quote the line, and the line may be a secret.
        raise _unreadable(path, "no TOML") from None


def _value(path: Path, venue: str, name: str, value: object, env: Mapping[str, str]) -> str:
    if not isinstance(value, str):
        raise _unreadable(path, f"something else at {venue}.{name}")
    if not value.startswith(REFERENCE):
        return value
    variable = value.removeprefix(REFERENCE)
    if variable not in env:
        raise UsageError(
            "usage.keys",
            f"{path}: expected the variable {variable} of {venue}.{name} to be set, was not",
            f"export {variable}=...",
            file=str(path),
        )
    return env[variable]


def _checked(venue: str, values: Mapping[str, str], where: str) -> Credentials:
    wanted = FIELDS if venue in WITH_PASSPHRASE else FIELDS[:2]
    missing = [name for name in wanted if not values[name]]
    if missing:
        raise UsageError(
            "usage.keys",
            f"{where}: expected {' and '.join(missing)} of {venue}, was nothing",
            _mend(venue, missing, where),
        )
    return Credentials(venue, values["key"], values["secret"], values["passphrase"])


def _mend(venue: str, missing: Iterable[str], where: str) -> str:
    if where == ENVIRONMENT:
        return " ".join(f"export KIMERA_{venue.upper()}_{name.upper()}=..." for name in missing)
    return f"in the table [{venue}]: " + ", ".join(f'{name} = "..."' for name in missing)


def _unreadable(path: Path, was: str) -> UsageError:
    return UsageError(
        "usage.keys",
        f"{path}: expected a readable keys file of text values, was {was}",
        "a table per venue with key, secret and passphrase",
        file=str(path),
    )


def _unfit(venue: str, expected: str) -> VenueError:
    return VenueError(
        "venue.credentials",
        f"{venue}: expected {expected}, was something else",
        "copy the credentials again from where the venue showed them",
    )
