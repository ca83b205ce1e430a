"""Checksums: the venues' published examples, and properties of the text that they are taken
over.
"""

from __future__ import annotations

from decimal import Decimal
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.data.checks.checksum import (
    Digits,
    checksum,
    kraken_text,
    okx_text,
    shortest,
)

Levels = list[tuple[int, int]]

sides = st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**12)), max_size=40)
grids = st.tuples(st.integers(0, 8), st.integers(0, 8))
SIGNED_MINUS_1881014294 = 2**32 - 1881014294


def test_kraken_published_example() -> None:
    """docs.kraken.com, "Book checksum (v1)": ten levels a side of 0.00000500, CRC32 974947235."""
    px, qty = Digits(Decimal("0.00001"), 5), Digits(Decimal("0.00000001"), 8)
    asks = [(5005 + 5 * n, 500) for n in range(10)]
    bids = [(ticks, 500) for ticks in (5000, 4995, 4990, *range(4980, 4945, -5))]
    text = kraken_text(bids, asks, px, qty)
    assert text.startswith("50055005010500")
    assert text.endswith("49555004950500")
    assert checksum(text) == 974947235


def test_okx_published_example() -> None:
    """OKX docs v5, "Checksum": 3366.1:7:3366.8:9:3366:6:3368:8 is -1881014294."""
    tick, lot = Decimal("0.1"), Decimal("1")
    text = okx_text([(33661, 7), (33660, 6)], [(33668, 9), (33680, 8)], tick, lot)
    assert text == "3366.1:7:3366.8:9:3366:6:3368:8"
    assert checksum(text) == SIGNED_MINUS_1881014294


def test_okx_goes_on_with_the_longer_side() -> None:
    """OKX docs v5, "Checksum": one bid and three asks."""
    tick, lot = Decimal("0.1"), Decimal("1")
    text = okx_text([(33661, 7)], [(33668, 9), (33680, 8), (33720, 8)], tick, lot)
    assert text == "3366.1:7:3366.8:9:3368:8:3372:8"


@given(sides, sides, grids)
def test_kraken_text_is_that_of_the_sent_decimals(
    bids: Levels, asks: Levels, grid: tuple[int, int]
) -> None:
    """Venue's rule on decimal text as sent, with two decimals more than the grid has."""
    decimals = (grid[0] + 2, grid[1] + 2)
    steps = [Decimal(1).scaleb(-places) for places in grid]

    def rule(steps_count: int, step: Decimal, places: int) -> str:
        sent = f"{steps_count * step:.{places}f}"
        return sent.replace(".", "").lstrip("0")

    expected = "".join(
        rule(px, steps[0], decimals[0]) + rule(qty, steps[1], decimals[1])
        for side in (asks, bids)
        for px, qty in side[:10]
    )
    digits = [Digits(step, places) for step, places in zip(steps, decimals, strict=True)]
    assert kraken_text(bids, asks, *digits) == expected


@given(sides, sides, grids)
def test_okx_text_reads_back(bids: Levels, asks: Levels, grid: tuple[int, int]) -> None:
    tick, lot = (Decimal(1).scaleb(-places) for places in grid)
    parts = okx_text(bids, asks, tick, lot).split(":") if bids or asks else []
    levels = [
        (Decimal(p) / tick, Decimal(q) / lot) for p, q in zip(parts[::2], parts[1::2], strict=True)
    ]
    paired = min(len(bids[:25]), len(asks[:25]))
    assert levels[0 : 2 * paired : 2] == bids[:paired]
    assert levels[1 : 2 * paired : 2] == asks[:paired]
    assert levels[2 * paired :] == (bids[paired:25] or asks[paired:25])


@given(st.decimals(-(10**9), 10**9, places=8))
def test_shortest_is_the_same_number_without_needless_zeros(value: Decimal) -> None:
    text = shortest(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not (("." in text) and text.endswith(("0", ".")))


@given(sides, sides, st.integers(0, 19), st.booleans())
def test_any_change_within_the_levels_changes_the_text(
    bids: Levels, asks: Levels, at: int, price: bool
) -> None:
    digits = (Digits(Decimal("0.01"), 4), Digits(Decimal("0.1"), 8))
    before = kraken_text(bids, asks, *digits)
    side = bids if at % 2 else asks
    index = at // 2
    if index >= len(side):
        return
    px, qty = side[index]
    side[index] = (px + 1, qty) if price else (px, qty + 1)
    assert kraken_text(bids, asks, *digits) != before


def test_checksum_is_the_crc32_of_ascii() -> None:
    assert checksum("123456789") == 0xCBF43926 == crc32(b"123456789")


def test_decimals_below_those_of_the_grid_are_refused() -> None:
    with pytest.raises(ValueError, match="at least the decimals"):
        Digits(Decimal("0.01"), 1)
