"""What the scaling series run on: books that are as deep as they say, events that are all there."""

from __future__ import annotations

import numpy as np
import pytest

from kimera_cli.bench import scale
from kimera_cli.layouts import ASK, BID
from kimera_cli.market.book import Book, new_books


@pytest.mark.parametrize(("depth", "gap"), [(10, 1), (5_000, 1), (1_000, 10)])
def test_a_deep_book_is_as_deep_as_its_name_says(depth: int, gap: int) -> None:
    opening, updates = scale.deep_events(depth, gap, 20_000)
    book = Book()
    book.apply(opening)
    assert [len(book.levels(side, 10_000)[0]) for side in (BID, ASK)] == [depth, depth]
    book.apply(updates)
    held = [len(book.levels(side, 10_000)[0]) for side in (BID, ASK)]
    assert all(0.85 * depth <= n <= depth for n in held), held
    assert (np.diff(book.levels(BID, 10_000)[0]) % gap == 0).all()


def test_the_markets_of_every_point_have_as_many_events() -> None:
    for count in (1, 4):
        markets = scale._markets(count, 8_000)
        assert [len(events) for _, events in markets] == [8_000 // count] * count
        assert [set(events["instrument"].tolist()) for _, events in markets] == [
            {k} for k in range(count)
        ]


def test_mixed_books_are_the_books_of_each_instrument_alone() -> None:
    markets = scale._markets(3, 6_000)
    events = np.concatenate([events for _, events in markets])
    events = events[np.argsort(events["ts_local_ns"], kind="stable")]
    books = new_books(3)
    features = np.zeros(3, scale.FEATURES).view(np.recarray)
    scale.mixed_all(books, features, events)
    for k, (_, own) in enumerate(markets):
        alone = Book()
        alone.apply(own)
        best = (books[k].best_bid_ticks, books[k].best_ask_ticks)
        assert best == (int(alone.levels(BID, 1)[0][0]), int(alone.levels(ASK, 1)[0][0]))
        assert features[k].best_bid_ticks == books[k].best_bid_ticks


def test_the_loop_runs_every_event_of_every_stream() -> None:
    markets = scale._markets(3, 3_000)
    sources = [scale.MemorySource(f"s{k}", i, events) for k, (i, events) in enumerate(markets)]
    run = scale.ManyRun(sources)
    run.run()
    assert int(run.arrays.loop[0]["n_events"]) >= 3_000
