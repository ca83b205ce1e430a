"""HTX's texts: numbers as Java writes doubles, names in small letters, times in milliseconds.

Public data has JSON numbers (`1.7E-4`, `65321.0`), private data decimal text. The digits are made
from integers, so they are exact.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.model import Market

ORDER_BASE = 357_630_000_000_000
ACCOUNT_BASE = 10_000_000
PLAIN = range(-3, 7)
"""Powers of ten that Java writes without an exponent."""


def java(value: Decimal) -> str:
    """Return a number as Java's Double.toString has it: `50000.0`, `1.0E-5`, `4.0E7`."""
    if not value:
        return "0.0"
    sign, digits, exponent = value.normalize().as_tuple()
    text = "".join(map(str, digits))
    power = len(digits) - 1 + int(exponent)
    minus = "-" if sign else ""
    if power not in PLAIN:
        return f"{minus}{text[0]}.{text[1:] or '0'}E{power}"
    if power < 0:
        return f"{minus}0.{'0' * (-power - 1)}{text}"
    whole = text.ljust(power + 1, "0")
    return f"{minus}{whole[: power + 1]}.{whole[power + 1 :] or '0'}"


def number(value: Decimal | str | int) -> msgspec.Raw:
    """Return a number for JSON as Java writes it."""
    return msgspec.Raw(java(Decimal(value)).encode())


def exact(value: Decimal | str) -> msgspec.Raw:
    """Return a number for JSON with the digits that it has (`0.0001`, `1000`)."""
    return msgspec.Raw(format(Decimal(value), "f").encode())


def px(market: Market, px_ticks: int) -> str:
    """Return a price as Java writes it."""
    return java(market.price(px_ticks))


def qty(market: Market, lots: int) -> str:
    """Return a size as Java writes it."""
    return java(market.qty(lots))


def long_text(amount: int) -> str:
    """Return atoms as decimal text with 18 decimals."""
    return amounts.fixed(amount, 18)


def ms(ns: int) -> int:
    """Return whole milliseconds."""
    return ns // NS_PER_MS


def name_of(market: Market) -> str:
    """Return the venue's name of a market (btcusdt)."""
    return (market.base + market.quote).lower()


def names(markets: list[Market]) -> dict[str, Market]:
    """Return the markets by the venue's name."""
    return {name_of(market): market for market in markets}


def order_text(number: int) -> int:
    """Return an order's id as the venue has it."""
    return ORDER_BASE + number


def order_number(text: object) -> int:
    """Return the number in an order's id; -1 when it is none of ours."""
    try:
        return int(str(text)) - ORDER_BASE
    except ValueError:
        return -1


def account_id(account: int) -> int:
    """Return the id of an account's spot account."""
    return ACCOUNT_BASE + account


def account_number(text: object) -> int:
    """Return the account of a spot account's id; -1 when it is none."""
    try:
        return int(str(text)) - ACCOUNT_BASE
    except ValueError:
        return -1
