"""What a depth shows of a book: a receiver that follows the deltas has the best levels, always."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.venues.server.dialects.depth_window import Change, Delta, DepthWindow
from kimera_cli.venues.server.model import BUY, SELL, Side

Book = dict[Side, dict[int, int]]

SIDES: tuple[Side, Side] = (BUY, SELL)
CHANGE = st.tuples(st.sampled_from(SIDES), st.integers(1, 12), st.integers(0, 3))
EVENTS = st.lists(st.lists(CHANGE, max_size=4), max_size=30)
LEVELS = st.dictionaries(st.integers(1, 12), st.integers(1, 3), max_size=8)


def best(book: Book, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The best levels of a whole book, the slow way."""
    bids = sorted(book[BUY].items(), reverse=True)[:depth]
    return bids, sorted(book[SELL].items())[:depth]


def follow(view: Book, delta: Delta) -> None:
    """Apply a delta as a receiver does that deletes what it is told to."""
    for side in SIDES:
        for px, qty in delta.of(side):
            if qty:
                view[side][px] = qty
            else:
                view[side].pop(px, None)


@given(LEVELS, LEVELS, EVENTS, st.integers(1, 6))
def test_receiver_that_deletes_what_it_is_told_has_the_best_levels(
    bids: dict[int, int], asks: dict[int, int], events: list[list[Change]], depth: int
) -> None:
    book: Book = {BUY: dict(bids), SELL: dict(asks)}
    window = DepthWindow(bids.items(), asks.items())
    view: Book = {BUY: dict(window.best(depth)[0]), SELL: dict(window.best(depth)[1])}
    for changes in events:
        for side, px, qty in changes:
            book[side][px] = qty
            if not qty:
                del book[side][px]
        (delta,) = window.apply(changes, (depth,))
        follow(view, delta)
        assert best(view, 99) == best(book, depth) == window.best(depth)


@given(LEVELS, LEVELS, EVENTS, st.integers(1, 6))
def test_receiver_that_drops_what_is_out_of_view_has_the_best_levels(
    bids: dict[int, int], asks: dict[int, int], events: list[list[Change]], depth: int
) -> None:
    window = DepthWindow(bids.items(), asks.items())
    view: Book = {BUY: dict(window.best(depth)[0]), SELL: dict(window.best(depth)[1])}
    for changes in events:
        (delta,) = window.apply(changes, (depth,))
        follow(view, delta.without_pushed_out())
        kept = best(view, depth)
        view = {BUY: dict(kept[0]), SELL: dict(kept[1])}
        assert kept == window.best(depth)


def test_new_level_pushes_the_last_one_out() -> None:
    window = DepthWindow([(10, 1), (9, 2), (8, 3)], [])
    (delta,) = window.apply([(BUY, 11, 4)], (2,))
    assert delta == Delta([(11, 4), (9, 0)], [], frozenset({(BUY, 9)}))
    assert delta.without_pushed_out().bids == [(11, 4)]


def test_level_that_goes_pulls_the_next_into_view() -> None:
    window = DepthWindow([], [(10, 1), (11, 2), (12, 3)])
    two, one = window.apply([(SELL, 10, 0)], (2, 1))
    assert two.asks == [(10, 0), (12, 3)]
    assert one.asks == [(10, 0), (11, 2)]


def test_change_out_of_view_says_nothing() -> None:
    window = DepthWindow([(10, 1), (9, 2), (8, 3)], [])
    (delta,) = window.apply([(BUY, 8, 5)], (2,))
    assert not delta
