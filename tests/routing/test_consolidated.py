"""The consolidated book: worked examples, the sorted union, what is left out, and the router."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.consolidate import MOST
from kimera_cli.layouts import ASK, BID, CLEAR, DEPTH, EVENT, F_GAP, F_LAST, NO_SIDE
from kimera_cli.market.book import Book
from kimera_cli.market.common_units import common_units
from kimera_cli.market.consolidated import FULL, NO_BOOK, OUT_OF_STEP, ConsolidatedBook
from kimera_cli.routing.split import Router, Side, Terms

D = Decimal
ONE = {"USD": D(1), "USDT": D(1)}


def spot(venue: str, fee: float = 0.0, **more: Any) -> Instrument:
    """One tick is 0.01 USD, one lot 1."""
    settings = {"tick": D("0.01"), "lot": D(1), "base": "BTC", "quote": "USD", **more}
    return Instrument(venue=venue, symbol="BTCUSD", kind="spot", taker_fee=fee, **settings)


def message(
    k: int, levels: list[tuple[int, int, int]], *, clear: bool = True, at_ns: int = 0
) -> Any:
    """A book of (side, ticks, lots) of instrument k as one message."""
    events = np.zeros(len(levels) + clear, EVENT)
    events["instrument"], events["ts_local_ns"] = k, at_ns
    if clear:
        events[0]["kind"], events[0]["side"] = CLEAR, NO_SIDE
    for event, (side, px, lots) in zip(events[int(clear) :], levels, strict=True):
        event["kind"], event["side"] = DEPTH, side
        event["px_ticks"], event["qty_lots"] = px, lots
    events[-1]["flags"] |= F_LAST
    return events


def lost(k: int) -> Any:
    """The mark of a book that is out of step."""
    events = np.zeros(1, EVENT)
    events["instrument"], events["kind"], events["side"] = k, CLEAR, NO_SIDE
    events["flags"] = F_GAP | F_LAST
    return events


def told(levels: list[Any]) -> list[tuple[str, str, str, str]]:
    """Venue, own price, size, net price."""
    return [
        (each.instrument.venue, str(each.px), str(each.qty), format(each.net.normalize(), "f"))
        for each in levels
    ]


# --- worked examples ---------------------------------------------------------------------------
def test_asks_are_sorted_by_what_a_unit_costs() -> None:
    """A 100 and 101 at 10 bp, B 100.05 without a fee, C 100.02 at 10 bp."""
    book = ConsolidatedBook([spot("a", 0.001), spot("b"), spot("c", 0.001)], ONE)
    book.apply(message(0, [(ASK, 10_000, 1), (ASK, 10_100, 5)]))
    book.apply(message(1, [(ASK, 10_005, 2)]))
    book.apply(message(2, [(ASK, 10_002, 1)]))
    assert told(book.levels(ASK, 10)) == [
        ("b", "100.05", "2", "100.05"),
        ("a", "100.00", "1", "100.1"),
        ("c", "100.02", "1", "100.12002"),
        ("a", "101.00", "5", "101.101"),
    ]
    assert [each.instrument.venue for each in book.levels(ASK, 10, fees=False)] == list("acba")
    assert len(book.levels(ASK, 2)) == 2
    assert book.levels(BID, 10) == []
    assert book.top().bid is None
    assert book.top().crossed_bps is None


def test_crossed_across_venues_is_told_and_left_as_it_is() -> None:
    """Bid 100.50 at 10 bp brings 100.3995, ask 100.00 at 20 bp costs 100.2: 19.9 bp to be had.

    At twice the fees the books still cross, but nothing is to be had.
    """
    for scale, arbitrage, bps in ((1, True, 19.9102), (2, False, -10.05976)):
        book = ConsolidatedBook([spot("a", 0.001 * scale), spot("b", 0.002 * scale)], ONE)
        book.apply(message(0, [(BID, 10_050, 1), (ASK, 10_060, 1)]))
        book.apply(message(1, [(BID, 9_990, 1), (ASK, 10_000, 3)]))
        top = book.top()
        assert top.bid is not None
        assert top.ask is not None
        assert (top.bid.instrument.venue, top.ask.instrument.venue) == ("a", "b")
        assert top.bid.gross > top.ask.gross
        assert top.arbitrage == arbitrage
        assert top.crossed_bps == pytest.approx(bps, rel=1e-5)


def test_quote_currencies_are_not_the_same_thing() -> None:
    """60,000 USDT at 0.9985 is 59,910 USD: cheaper than 59,950 USD; at par it is dearer."""
    ours = [spot("a", quote="USDT"), spot("b", tick=D("0.1"), lot=D("0.5"))]
    for rate, first in (("0.9985", "a"), ("1", "b")):
        book = ConsolidatedBook(ours, {"USDT": D(rate), "USD": D(1)})
        book.apply(message(0, [(ASK, 6_000_000, 2)]))
        book.apply(message(1, [(ASK, 599_500, 3)]))
        levels = book.levels(ASK, 2)
        assert levels[0].instrument.venue == first
        assert {each.instrument.venue: each.gross for each in levels} == {
            "a": 60_000 * D(rate), "b": D("59950.0"),
        }  # fmt: skip
        assert {each.instrument.venue: each.qty for each in levels} == {"a": 2, "b": D("1.5")}


# --- what is left out --------------------------------------------------------------------------
def test_a_book_that_is_not_good_is_left_out_and_said_why() -> None:
    book = ConsolidatedBook([spot("a"), spot("b"), spot("c")], ONE, stale_ns=5_000_000_000)
    now = 1_000_000_000_000
    assert set(book.left_out(now).values()) == {NO_BOOK}
    book.apply(message(0, [(ASK, 10_000, 1)], at_ns=now))
    book.apply(message(1, [(ASK, 9_000, 1)], at_ns=now - 6_000_000_000))
    book.apply(message(2, [(ASK, 8_000, 1)], at_ns=now))
    book.apply(lost(2))
    assert book.left_out(now) == {"b/BTCUSD": "silent for 6.0 s", "c/BTCUSD": OUT_OF_STEP}
    assert [each.instrument.venue for each in book.levels(ASK, 9, now)] == ["a"]
    book.apply(message(2, [(ASK, 8_500, 1)], at_ns=now))
    assert [each.instrument.venue for each in book.levels(ASK, 9, now)] == ["c", "a"]


def test_a_book_with_too_many_levels_is_left_out() -> None:
    book = ConsolidatedBook([spot("a"), spot("b")], ONE)
    book.apply(message(0, [(ASK, 10_000, 1)]))
    book.apply(message(1, [(ASK, 100_000 * k, 1) for k in range(1, 30_000)]))
    assert book.left_out(0) == {"b/BTCUSD": FULL}


@pytest.mark.parametrize(
    ("instruments", "rates"),
    [
        ([], ONE),
        ([spot("a"), spot("b", base="ETH")], ONE),
        ([spot("a", quote="EUR")], ONE),
        ([spot("a")], {"USD": D(0)}),
    ],
)
def test_what_cannot_be_one_book(instruments: list[Instrument], rates: dict[str, D]) -> None:
    with pytest.raises(DataError, match="expected") as caught:
        ConsolidatedBook(instruments, rates)
    assert caught.value.code == "data.consolidated"


def test_a_price_that_would_not_be_exact_is_an_error() -> None:
    book = ConsolidatedBook([spot("a", quote="USDT")], {"USDT": D("0.99987654321")})
    book.apply(message(0, [(ASK, MOST, 1)]))
    with pytest.raises(DataError, match="fewer digits"):
        book.levels(ASK, 1)


def test_krakens_bitcoin_is_bitcoin() -> None:
    assert len(ConsolidatedBook([spot("a"), spot("kraken", base="XBT")], ONE).instruments) == 2


# --- the sorted union --------------------------------------------------------------------------
VENUES = st.lists(
    st.tuples(
        st.sampled_from(["0.01", "0.1", "0.05"]),
        st.sampled_from(["1", "0.5", "0.001"]),
        st.sampled_from([-100, 0, 250, 1_000, 2_600]),
        st.sampled_from(["USD", "USDT"]),
        st.dictionaries(st.integers(9_900, 10_100), st.integers(1, 9), max_size=12),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(venues=VENUES, side=st.sampled_from([BID, ASK]), depth=st.integers(1, 40))
def test_it_is_the_sorted_union_of_the_good_books(venues: Any, side: int, depth: int) -> None:
    rates = {"USD": D(1), "USDT": D("0.9993")}
    ours = [
        spot(f"v{k}", fee / 1e6, tick=D(tick), lot=D(lot), quote=quote)
        for k, (tick, lot, fee, quote, _, _) in enumerate(venues)
    ]
    book = ConsolidatedBook(ours, rates)
    expected = []
    for k, (tick, lot, fee, quote, levels, good) in enumerate(venues):
        book.apply(message(k, [(side, px, qty) for px, qty in levels.items()]))
        if not good:
            book.apply(lost(k))
            continue
        sign = 1 if side == ASK else -1
        for px, qty in levels.items():
            net = px * D(tick) * rates[quote] * (1 + sign * D(fee) / 1_000_000)
            expected.append((sign * net, k, net, px * D(tick), qty * D(lot)))
    found = [
        (ours.index(each.instrument), each.net, each.px, each.qty)
        for each in book.levels(side, depth)
    ]
    assert found == [row[1:] for row in sorted(expected)][:depth]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_taking_from_its_top_costs_what_the_router_finds(data: st.DataObject) -> None:
    """With one lot and no minimums the greedy split is the optimum: both are the same walk."""
    venues = data.draw(st.integers(1, 4))
    fees = [data.draw(st.sampled_from([0, 500, 1_000])) for _ in range(venues)]
    ours = [spot(f"v{k}", fee / 1e6) for k, fee in enumerate(fees)]
    book, sides = ConsolidatedBook(ours, ONE), []
    for k in range(venues):
        levels = data.draw(
            st.dictionaries(st.integers(9_900, 10_100), st.integers(1, 9), min_size=1, max_size=9)
        )
        book.apply(message(k, [(ASK, px, qty) for px, qty in levels.items()]))
        px, qty = zip(*sorted(levels.items()), strict=True)
        sides.append(Side(np.array(px), np.array(qty)))
    wanted = data.draw(st.integers(1, 60))
    terms = [Terms(o.venue, o.tick, o.lot, fee) for o, fee in zip(ours, fees, strict=True)]
    split = Router(terms).split(BID, D(wanted), sides)
    left, cost = D(wanted), D(0)
    for level in book.levels(ASK, 100):
        part = min(left, level.qty)
        left, cost = left - part, cost + part * level.net
    assert (left, cost) == (split.unfilled, split.cost)


def test_common_units() -> None:
    found = common_units([(D("0.10"), D("0.5")), (D("0.25"), D(2))])
    assert found == (D("0.05"), D("0.5"), (2, 5), (1, 4))


def test_books_of_many_levels_come_out_whole() -> None:
    """Far beyond the ladder's window: the merge walks as the books themselves do."""
    rng = np.random.default_rng(5)
    book = ConsolidatedBook([spot("a"), spot("b", 0.001)], ONE)
    alone = Book()
    levels = [(BID, int(px), 1) for px in rng.choice(200_000, 600, replace=False) + 1]
    book.apply(message(0, levels))
    for side, px, qty in levels:
        alone.set(side, px, qty)
    found = [int(each.px * 100) for each in book.levels(BID, 1_000)]
    assert found == list(alone.levels(BID, 1_000)[0])
