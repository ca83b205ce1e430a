"""Book checksums as the venues define them, rebuilt from ticks and lots.

Kraken (websocket v1, docs.kraken.com/websockets "checksum"): the ten best asks from low to
high, then the ten best bids from high to low; of each level the price's and the size's digits
as sent, without the point and without leading zeros; CRC32 of it all. OKX (v5, docs
"checksum"): the 25 best bids and asks in turn (bid, ask, bid, ask ...; the longer side goes on
alone), each as price:size in the venue's own shortest form, joined by colons; CRC32 of it,
which the venue sends as a signed number.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import zip_longest
from zlib import crc32

Levels = Sequence[tuple[int, int]]
"""(px_ticks, qty_lots), best first."""

KRAKEN_LEVELS = 10
OKX_LEVELS = 25


class Digits:
    """Writes steps (ticks, lots) as the digits of a decimal with a fixed number of decimals."""

    __slots__ = ("_factor",)

    def __init__(self, step: Decimal, decimals: int) -> None:
        factor = step.scaleb(decimals)
        if factor != int(factor):
            raise ValueError(f"expected at least the decimals of {step}, was {decimals}")
        self._factor = int(factor)

    def text(self, steps: int) -> str:
        """Return the digits without point and leading zeros: 0.0500 is "500"."""
        return str(steps * self._factor)


def kraken_text(bids: Levels, asks: Levels, px: Digits, qty: Digits) -> str:
    """Return the text that Kraken's checksum is computed over."""
    levels = (*asks[:KRAKEN_LEVELS], *bids[:KRAKEN_LEVELS])
    return "".join(px.text(ticks) + qty.text(lots) for ticks, lots in levels)


def okx_text(bids: Levels, asks: Levels, tick: Decimal, lot: Decimal) -> str:
    """Return the text that OKX's checksum is computed over."""
    parts: list[str] = []
    for pair in zip_longest(bids[:OKX_LEVELS], asks[:OKX_LEVELS]):
        for level in pair:
            if level is not None:
                parts += (shortest(level[0] * tick), shortest(level[1] * lot))
    return ":".join(parts)


def shortest(value: Decimal) -> str:
    """Return a decimal without exponent and without zeros at its end: 30236.0 is "30236"."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def checksum(text: str) -> int:
    """Return the CRC32 of the text as an unsigned number."""
    return crc32(text.encode())
