"""The event-driven peer gets the same market and makes the same decisions as far as it can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("nautilus_trader", reason="needs pip install 'kimera[peers]'")

from kimera_cli.bench import backtest, peer_books, peer_nautilus, replay, tape
from kimera_cli.bench.harness import Watch
from kimera_cli.layouts import ASK, BID, DEPTH
from kimera_cli.market.book import Book

MS = 100


def run_peer(what: replay.Setting) -> tuple[Any, Any]:
    """The engine after its run (its caches still readable), and the counts."""
    other = backtest._Nautilus(what)
    state = other.fresh()
    other.run(state, Watch(lambda: 0))
    return state


@pytest.fixture(scope="module")
def source() -> Any:
    return replay.memory_source(tape.synthetic(20_000))


def test_its_book_ends_as_ours(source: Any) -> None:
    engine, strategy = run_peer(replay.setting("x", source, "noop", MS, {}))
    book = Book()
    book.apply(source.events)
    theirs = engine.cache.order_book(peer_nautilus.ID)
    tick = float(source.instrument.tick)
    for side, levels in ((BID, theirs.bids()), (ASK, theirs.asks())):
        px, _ = book.levels(side, 5)
        assert [round(float(level.price) / tick) for level in levels[:5]] == px.tolist()
    assert strategy.counts.steps > 50
    engine.dispose()


def test_the_grid_asks_for_about_the_same_orders(source: Any) -> None:
    what = replay.setting("x", source, "grid", MS, replay.grid_params())
    run = what.loop()
    run.run()
    ours = run.outcome()
    engine, strategy = run_peer(what)
    theirs = strategy.counts
    assert theirs.steps == pytest.approx(ours.steps, abs=2)
    assert theirs.submits == pytest.approx(ours.submits, rel=0.25)
    assert theirs.cancels == pytest.approx(ours.cancels, rel=0.25)
    assert theirs.fills > 0
    engine.dispose()


def test_peer_books_hold_the_same_best_prices() -> None:
    from kimera_cli.bench.request import Request

    made = tape.synthetic(5_000)
    levels = made.levels()
    levels = levels[levels["kind"] == DEPTH][: peer_books.LEVELS]
    book = Book()
    book.apply(np.ascontiguousarray(levels))
    tick = float(made.instrument.tick)
    for peer in peer_books.available(Request(clock=lambda: 0, peers=True)):
        theirs, rows = state = peer.prepare(made)
        assert len(rows) == len(levels)
        peer.run(state, Watch(lambda: 0))
        if peer.package == peer_books.CCXT:
            best = [theirs["bids"][0][0], theirs["asks"][0][0]]
        else:
            best = [float(theirs.best_bid_price()), float(theirs.best_ask_price())]
        ours = [book.levels(side, 1)[0][0] * tick for side in (BID, ASK)]
        assert best == pytest.approx(ours), peer.package
