"""Client order ids: derived from the journal, the same after a restart, readable back.

An id says which journal made it (`session`, 30 bits drawn once when the journal is made) and which
of its intents it is (`number`, 35 bits, from 1), and carries a checksum. So a restart makes the
same id again, an order found at a venue is recognised without the journal, and a text that merely
looks like one is not.

short   18 characters that every venue but one takes: `km`, 6 of session, 7 of number, 3 of
        checksum, in Crockford's base32 (no i, l, o, u), small letters.
uuid    RFC 9562 layout, version 5 (name-based), because some checkers know versions 1 to 5 only;
        its hash part is 57 bits of SHA-1, the rest is session and number, to be read back.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import NamedTuple

from kimera_cli.errors import RunError
from kimera_cli.venues.orders.rules import rules_of

PREFIX = "km"
SESSION_BITS, NUMBER_BITS = 30, 35
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_TWO = [high + low for high in _DIGITS for low in _DIGITS]
"""Both digits of 10 bits."""
_SHORT = re.compile(rf"{PREFIX}([{_DIGITS}]{{6}})([{_DIGITS}]{{7}})([{_DIGITS}]{{3}})")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HASH_BITS = 57
_LOW_BITS = 62
"""Bits of a UUID behind its variant."""


class IntentKey(NamedTuple):
    """What an id of ours says: the journal's session and the intent's number in it."""

    session: int
    number: int


def session_of(entropy: bytes) -> int:
    """Return a session from random bytes, drawn once for a journal and kept in its header."""
    return int.from_bytes(hashlib.sha256(entropy).digest()[:4], "big") >> 2


def client_id(venue: str, key: IntentKey) -> str:
    """Return the id of an intent in the form that the venue takes.

    RunError `run.journal_full` when the journal has given all its numbers.
    """
    if not 0 <= key.session < 1 << SESSION_BITS:
        raise ValueError(f"a session has {SESSION_BITS} bits")
    if not 0 < key.number < 1 << NUMBER_BITS:
        raise RunError(
            "run.journal_full",
            f"expected an intent number of 1 to {(1 << NUMBER_BITS) - 1}, was {key.number}",
            "start a new journal for this account",
        )
    return _uuid(key) if rules_of(venue).id_form == "uuid" else _short(key)


def read_client_id(text: str) -> IntentKey | None:
    """Return what an id of ours says; None for any other text."""
    key = None
    if match := _SHORT.fullmatch(text):
        key = IntentKey(_value(match[1]), _value(match[2]))
    elif _UUID.fullmatch(text):
        key = _packed(uuid.UUID(text).int)
    if key is None or not key.number or text not in (_short(key), _uuid(key)):
        return None
    return key


def _short(key: IntentKey) -> str:
    session, number = key
    check = _digest(key) >> (_HASH_BITS - 15)
    return (
        f"{PREFIX}{_TWO[session >> 20]}{_TWO[session >> 10 & 1023]}{_TWO[session & 1023]}"
        f"{_TWO[number >> 25]}{_TWO[number >> 15 & 1023]}{_TWO[number >> 5 & 1023]}"
        f"{_DIGITS[number & 31]}{_DIGITS[check >> 10]}{_TWO[check & 1023]}"
    )


def _uuid(key: IntentKey) -> str:
    payload = key.session << NUMBER_BITS | key.number
    bits = payload << _HASH_BITS | _digest(key)  # 122 bits around version and variant
    high, middle, low = bits >> 74, bits >> 62 & 0xFFF, bits & (1 << _LOW_BITS) - 1
    return str(uuid.UUID(int=high << 80 | 5 << 76 | middle << 64 | 2 << 62 | low))


def _packed(value: int) -> IntentKey:
    low = value & (1 << _LOW_BITS) - 1
    bits = value >> 80 << 74 | (value >> 64 & 0xFFF) << 62 | low
    payload = bits >> _HASH_BITS
    return IntentKey(payload >> NUMBER_BITS, payload & (1 << NUMBER_BITS) - 1)


def _digest(key: IntentKey) -> int:
    text = f"kimera intent {key.session} {key.number}".encode()
    digest = hashlib.sha1(text, usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - _HASH_BITS)


def _value(text: str) -> int:
    value = 0
    for digit in text:
        value = value << 5 | _VALUES[digit]
    return value
