"""Texts that both of Coinbase's interfaces share: order ids, times, sizes.

Ids are UUIDs; an order's number is in the low half, so that an id is read back without a table.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID, uuid5

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.auth import iso_ms
from kimera_cli.venues.server.model import Market, Reject

_HIGH = 0x6B696D65_7261_4000  # version 4
_LOW = 0x8000_0000_0000_0000  # variant of RFC 9562
_NUMBERS = (1 << 62) - 1
_NAMES = UUID(int=_HIGH << 64 | _LOW)
NEVER = "0001-01-01T00:00:00Z"
"""How Coinbase writes a time that is not set."""


def order_uuid(number: int) -> str:
    """Return an order's id as the venue writes it."""
    return str(UUID(int=_HIGH << 64 | _LOW | number))


def order_number(text: str) -> int:
    """Return the number in an order's id, with or without dashes; -1 when it is none of ours."""
    try:
        found = UUID(text).int
    except (ValueError, AttributeError, TypeError):
        return -1
    return found & _NUMBERS if found >> 64 == _HIGH else -1


def is_uuid(text: str) -> bool:
    """Return True for a UUID, with or without dashes."""
    try:
        UUID(text)
    except (ValueError, AttributeError, TypeError):
        return False
    return True


def named_uuid(*parts: object) -> str:
    """Return the UUID of a thing that has a name: an account's wallet, a user, a portfolio."""
    return str(uuid5(_NAMES, "/".join(map(str, parts))))


def iso(ns: int) -> str:
    """Return UTC nanoseconds as ISO 8601 with microseconds and Z."""
    seconds, rest = divmod(ns, NS_PER_S)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def iso_ns(text: str, what: str) -> int:
    """Return the nanoseconds of a client's time; Reject bad_request when it is none."""
    ms = iso_ms(text)
    if ms is None:
        raise Reject("bad_request", f"{what} is not a time: {text!r}")
    return ms * 1_000_000


def price(market: Market, px_ticks: int) -> str:
    """Return a price without trailing zeros."""
    return amounts.text(px_ticks * market.tick_atoms)


def size(market: Market, lots: int) -> str:
    """Return a size without trailing zeros."""
    return amounts.text(lots * market.lot_atoms)


def product_id(market: Market) -> str:
    """Return the venue's name of a market (BTC-USD)."""
    return f"{market.base}-{market.quote}"


def symbol_of(product: object) -> str:
    """Return the canonical name of a product; any case, as the venue takes it."""
    return str(product).upper().replace("-", "/")
