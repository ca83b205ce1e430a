"""Grids of the instruments in a stretch of a raw Binance recording, from their digits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from kimera_cli.data.importers.grid import decimals
from kimera_cli.data.streams import open_lines

HEAD_LINES = 4_000
"""Lines that are looked at, besides the whole of each snapshot among them."""

Key = tuple[str, bool]
"""Symbol, and whether it is a futures symbol."""


class Digits:
    """Most decimals seen of prices and of quantities."""

    def __init__(self) -> None:
        self.price = 0
        self.quantity = 0

    def see(self, price: str, quantity: str) -> None:
        """Take one price and one quantity into account."""
        self.price = max(self.price, decimals(price))
        self.quantity = max(self.quantity, decimals(quantity))

    def steps(self) -> tuple[Decimal, Decimal]:
        """Return (tick, lot)."""
        return Decimal(1).scaleb(-self.price), Decimal(1).scaleb(-self.quantity)


def grids(path: Path, first_line: int = 1) -> dict[Key, Digits]:
    """Return the digits of each instrument in HEAD_LINES lines from `first_line` on.

    Snapshots that name no symbol count for every instrument. Lines that are no frames are left to
    the reading proper, which reports them.
    """
    found: dict[Key, Digits] = {}
    nameless = Digits()
    for _, line in islice(open_lines(path), first_line - 1, first_line - 1 + HEAD_LINES):
        try:
            frame = msgspec.json.decode(line.partition(b" ")[2])
            key = _key(frame)
            digits = found.setdefault(key, Digits()) if key else nameless
            for price, quantity in _pairs(frame.get("data", frame)):
                digits.see(price, quantity)
        except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, ArithmeticError):
            continue
    for digits in found.values():
        digits.price = max(digits.price, nameless.price)
        digits.quantity = max(digits.quantity, nameless.quantity)
    return found


def _key(frame: dict[str, Any]) -> Key | None:
    if "lastUpdateId" in frame:
        return (frame["symbol"], True) if "symbol" in frame else None
    data = frame.get("data")
    if not data or "s" not in data:
        return None
    futures = {"depthUpdate": "pu" in data, "bookTicker": "T" in data}
    futures |= dict.fromkeys(("trade", "aggTrade"), "M" not in data)
    kind = data.get("e", "bookTicker")
    return (data["s"], futures[kind]) if kind in futures else None


def _pairs(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind = data.get("e", "bookTicker")
    if "lastUpdateId" in data:
        yield from (*data["bids"], *data["asks"])
    elif kind == "depthUpdate":
        yield from (*data["b"], *data["a"])
    elif kind == "bookTicker" and "B" in data:
        yield from ((data["b"], data["B"]), (data["a"], data["A"]))
    elif kind in ("trade", "aggTrade"):
        yield data["p"], data["q"]
