"""The book of the best levels against one of dictionaries, and its checksum against zlib."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from zlib import crc32

import numpy as np
import pytest

from kimera_cli.data.checks.checksum import Digits, kraken_text
from kimera_cli.data.checks.level_book import LevelBook
from kimera_cli.data.importers.depth_limit import DepthLimit
from kimera_cli.kernels.top_book import (
    LEVELS,
    TOP,
    TOP_CROSSED,
    TOP_FULL,
    TOP_OK,
    TOP_WRONG,
    top_clear,
    top_crc,
    top_message,
    top_set,
)
from kimera_cli.layouts import ASK, BID, CHECKSUM, DEPTH, EVENT, F_LAST, Events


def top_of(depth: int, px_factor: int = 1, qty_factor: int = 1) -> np.recarray:
    top = np.zeros(1, TOP).view(np.recarray)
    top["depth"], top["px_factor"], top["qty_factor"] = depth, px_factor, qty_factor
    return top[0]


def message(levels: list[tuple[int, int, int]], crc: int) -> Events:
    events = np.zeros(2 * len(levels) + 2, EVENT)
    for k, (side, px, qty) in enumerate(levels):
        events[k]["kind"], events[k]["side"] = DEPTH, side
        events[k]["px_ticks"], events[k]["qty_lots"] = px, qty
        events[k]["seq"] = 5
    events[len(levels)]["kind"], events[len(levels)]["qty_lots"] = CHECKSUM, crc
    events[len(levels)]["flags"] = F_LAST
    return events


class Twin:
    """The same, slowly."""

    def __init__(self, depth: int) -> None:
        self.book, self.limit = LevelBook(), DepthLimit(depth)

    def take(self, levels: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
        """Apply levels; return (side, price) of those that fall behind the depth."""
        for side, px, qty in levels:
            self.book.set(side, px, qty)
            self.limit.set(side, px, qty)
        cut = self.limit.overflow()
        for side, px in cut:
            self.book.set(side, px, 0)
        return cut

    def crc(self, px: Digits, qty: Digits) -> int:
        text = kraken_text(self.book.top(BID, 10), self.book.top(ASK, 10), px, qty)
        return crc32(text.encode())


@pytest.mark.parametrize("depth", [10, 25])
@pytest.mark.parametrize(("tick", "decimals"), [("0.1", 1), ("0.05", 2), ("0.00001", 5)])
def test_levels_cut_and_checksum_are_those_of_the_twin(
    depth: int, tick: str, decimals: int
) -> None:
    rng, twin = Random(depth), Twin(depth)
    px, qty = Digits(Decimal(tick), decimals), Digits(Decimal("0.00000001"), 8)
    top = top_of(depth, int(Decimal(tick).scaleb(decimals)))
    for _ in range(300):
        levels = []
        for _ in range(rng.randrange(1, 12)):
            side = rng.randrange(2)
            place = rng.randrange(1, 40) * (1 if side == ASK else -1)
            size = 0 if rng.random() < 0.3 else rng.randrange(1, 10 ** rng.randrange(1, 13))
            levels.append((side, 5_000 + place, size))
        cut = twin.take(levels)
        events = message(levels, twin.crc(px, qty))
        status, n = top_message(top, events.view(np.recarray), len(levels) + 1)
        assert status == TOP_OK
        assert n == len(levels) + 1 + len(cut)
        told = events[len(levels) : n - 1]
        assert {(int(e["side"]), int(e["px_ticks"])) for e in told} == set(cut)
        assert not told["qty_lots"].any()
        assert set(told["kind"].tolist()) <= {DEPTH}
        assert set(told["seq"].tolist()) <= {5}
        assert not told["flags"].any()
        assert (events[n - 1]["kind"], events[n - 1]["flags"]) == (CHECKSUM, F_LAST)
        assert top_crc(top) == twin.crc(px, qty)
    top_clear(top)
    assert top_crc(top) == 0


def test_what_is_wrong_is_told() -> None:
    top = top_of(10)
    events = message([(BID, 100, 5), (ASK, 101, 6)], 1)
    assert top_message(top, events.view(np.recarray), 3) == (TOP_WRONG, 3)
    right = crc32(b"10161005")
    events = message([(BID, 100, 5)], right)
    assert top_message(top, events.view(np.recarray), 2) == (TOP_OK, 2)
    events = message([(BID, 101, 5)], right)
    assert top_message(top, events.view(np.recarray), 2) == (TOP_CROSSED, 2)


def test_a_message_with_too_many_levels_is_refused() -> None:
    top = top_of(10)
    for px in range(1, LEVELS + 1):
        assert top_set(top, ASK, px, 1) == TOP_OK
    assert top_set(top, ASK, LEVELS + 1, 1) == TOP_FULL
    events = message([(BID, 100, 5)], 1)
    assert top_message(top, events.view(np.recarray), 2) == (TOP_FULL, 2)


def test_the_checksum_is_kept_while_the_ten_best_stay_as_they_are() -> None:
    top, twin = top_of(100), Twin(100)
    one = Digits(Decimal(1), 0)
    for px in range(1, 31):
        top_set(top, ASK, px, px)
        twin.take([(ASK, px, px)])
    assert top_crc(top) == twin.crc(one, one)
    for px in (30, 12, 11, 10, 9, 1):
        top_set(top, ASK, px, 0)
        twin.take([(ASK, px, 0)])
        assert top_crc(top) == twin.crc(one, one), px
        top_set(top, ASK, px, 77)
        twin.take([(ASK, px, 77)])
        assert top_crc(top) == twin.crc(one, one), px
