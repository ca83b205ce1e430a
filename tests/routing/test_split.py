"""Order splitting: worked examples, an integer program, every split there is, and properties."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp

from kimera_cli.errors import DataError
from kimera_cli.kernels import route as kernel
from kimera_cli.kernels.route import MILLION, ROUTE_VENUE, route
from kimera_cli.layouts import ASK, BID
from kimera_cli.routing.split import Router, Side, Split, Terms, latency_premium

D = Decimal


def side_of(*levels: tuple[int, int]) -> Side:
    px, lots = zip(*levels, strict=True) if levels else ((), ())
    return Side(np.array(px, np.int64), np.array(lots, np.int64))


def terms(name: str = "A", fee_ppm: int = 0, **more: Any) -> Terms:
    return Terms(name, **{"tick": D(1), "lot": D(1), "taker_fee_ppm": fee_ppm, **more})


def sent(split: Split) -> dict[str, Decimal]:
    return {part.venue: part.qty for part in split.parts}


# --- worked examples ---------------------------------------------------------------------------
def test_fees_decide_where_prices_alone_would_not() -> None:
    """Buy 3: B costs 100.05, A 100.10 with its fee, C 100.12002 with its fee."""
    cents = {"tick": D("0.01"), "lot": D(1)}
    router = Router(
        [terms("A", 1_000, **cents), terms("B", 0, **cents), terms("C", 1_000, **cents)]
    )
    books = [side_of((10_000, 1), (10_100, 5)), side_of((10_005, 2)), side_of((10_002, 1))]
    split = router.split(BID, D(3), books)
    assert sent(split) == {"A": 1, "B": 2}
    assert split.cost == D("300.20")
    assert split.unfilled == 0


def test_a_sell_takes_the_best_bids_after_fees() -> None:
    router = Router([terms("A", 1_000), terms("B", -100)])
    books = [side_of((1_000, 2), (900, 9)), side_of((999, 2), (998, 9))]
    split = router.split(ASK, D(3), books)
    assert sent(split) == {"A": 1, "B": 2}  # net: B 999.0999, A 999, B 998.0998
    assert split.cost == -(1_000 * D("0.999") + 2 * 999 * D("1.0001"))


def test_ticks_and_lots_of_each_venue_become_common() -> None:
    router = Router(
        [
            Terms("A", D("0.5"), D("0.01"), 0),
            Terms("B", D("0.2"), D("0.004"), 0),
        ]
    )
    assert (router.px_unit, router.qty_unit) == (D("0.1"), D("0.002"))
    split = router.split(BID, D("0.04"), [side_of((201, 2)), side_of((502, 100))])
    assert sent(split) == {"B": D("0.04")}
    (part,) = split.parts
    assert (part.px, part.notional) == (D("100.4"), D("4.016"))


def test_a_rest_below_a_lot_changes_the_split_rather_than_staying_behind() -> None:
    router = Router([Terms("A", D("0.5"), D("0.01"), 0), Terms("B", D("0.2"), D("0.004"), 0)])
    split = router.split(BID, D("0.03"), [side_of((201, 2)), side_of((502, 100))])
    assert (sent(split), split.unfilled) == ({"A": D("0.01"), "B": D("0.020")}, 0)


def test_a_cheap_piece_is_left_alone_when_it_makes_the_rest_dear() -> None:
    router = Router([terms("A", lot=D(2)), terms("B"), terms("C")])
    books = [side_of((10_000, 5)), side_of((9_999, 1)), side_of((20_000, 9))]
    assert sent(router.split(BID, D(2), books)) == {"A": 2}
    assert sent(router.split(BID, D(3), books)) == {"A": 2, "B": 1}


def test_an_order_beyond_all_books_says_what_is_left() -> None:
    router = Router([terms("A"), terms("B")])
    split = router.split(BID, D(10), [side_of((5, 2)), side_of()])
    assert (sent(split), split.unfilled) == ({"A": 2}, 8)


def test_what_may_be_sent_to_a_venue_bounds_it() -> None:
    router = Router([terms("A"), terms("B")])
    books = [side_of((5, 9)), side_of((6, 9))]
    assert sent(router.split(BID, D(4), books, at_most=[D(1), None])) == {"A": 1, "B": 3}
    assert sent(router.split(BID, D(4), books, at_most=[D(0), None])) == {"B": 4}
    assert sent(router.split(BID, D(4), books)) == {"A": 4}, "no limit is remembered"


def test_a_premium_on_a_slow_venue_counts_like_price_and_is_not_paid() -> None:
    router = Router([terms("A"), terms("B")])
    books = [side_of((100, 9)), side_of((101, 9))]
    assert sent(router.split(BID, D(2), books, premiums=[0.9, 0.0])) == {"A": 2}
    split = router.split(BID, D(2), books, premiums=[1.1, 0.0])
    assert (sent(split), split.cost) == ({"B": 2}, 202)


def test_the_premium_is_the_mean_absolute_move_of_a_driftless_price() -> None:
    """E|N(0, sigma^2 tau)| = sigma sqrt(2 tau / pi)."""
    moves = np.abs(np.random.default_rng(1).normal(0, 3.0 * np.sqrt(0.04), 400_000))
    assert latency_premium(3.0, 0.04) == pytest.approx(moves.mean(), rel=0.005)
    assert latency_premium(3.0, 0.04, 2.0) == 2 * latency_premium(3.0, 0.04)


def test_a_minimum_moves_the_order_where_it_can_be_kept() -> None:
    router = Router([terms("A", min_qty=D(5)), terms("B")])
    books = [side_of((100, 9)), side_of((101, 9))]
    assert sent(router.split(BID, D(4), books)) == {"B": 4}
    assert sent(router.split(BID, D(5), books)) == {"A": 5}
    cheap = [side_of((100, 3), (109, 9)), side_of((101, 3), (120, 9))]
    assert sent(router.split(BID, D(6), cheap)) == {"A": 5, "B": 1}, "A gets its least, B the rest"


def test_a_minimum_notional_counts_the_levels_that_are_taken() -> None:
    router = Router([terms("A", min_notional=D(350)), terms("B")])
    books = [side_of((100, 2), (151, 9)), side_of((110, 9))]
    assert sent(router.split(BID, D(2), books)) == {"B": 2}
    only = Router([terms("A", min_notional=D(351))])
    assert only.split(BID, D(3), books[:1]).unfilled == 0  # 100 + 100 + 151
    assert only.split(BID, D(2), books[:1]).unfilled == 2


# --- against other methods ---------------------------------------------------------------------
def case(rng: np.random.Generator, venues: int, levels: int, minimum: int) -> tuple[Any, Any, Any]:
    """Random ladders for a buy with one lot everywhere; returns (rows, px, lots)."""
    rows = np.zeros(venues, ROUTE_VENUE).view(np.recarray)
    rows.fee_ppm = rng.choice([-50, 0, 200, 450, 1_000], venues)
    rows.step, rows.max_qty, rows.levels = 1, rng.integers(1, 80, venues), levels
    rows.min_qty = rng.integers(0, minimum + 1, venues) if minimum else 0
    px = 10_000 + np.cumsum(rng.integers(1, 9, (venues, levels)), axis=1)
    return rows, px, rng.integers(1, 9, (venues, levels))


def money(rows: Any) -> float:
    """Cost in price units."""
    return float(sum(r.notional * (MILLION + int(r.fee_ppm)) for r in rows)) / MILLION


@pytest.mark.parametrize("minimum", [0, 12])
def test_five_hundred_splits_cost_what_an_integer_program_finds(minimum: int) -> None:
    rng = np.random.default_rng(8)
    for number in range(500 if not minimum else 150):
        rows, px, lots = case(rng, 3 + number % 4, 4, minimum)
        qty = int(rng.integers(1, 40))
        left = int(route(rows, px, lots, BID, np.int64(qty)))
        assert rows.qty.sum() == qty - left
        best = _integer_program(rows, px, lots, qty - left)
        assert money(rows) == pytest.approx(best, rel=1e-12), number
        assert left == 0 or _integer_program(rows, px, lots, qty - left + 1) is None, number


def _integer_program(rows: Any, px: Any, lots: Any, qty: int) -> float | None:
    """Least cost of exactly `qty` by HiGHS; None when it cannot be had."""
    venues, levels = px.shape
    n = venues * levels
    key = (px * (MILLION + rows.fee_ppm[:, None]) / MILLION).ravel()
    table = [np.r_[np.ones(n), np.zeros(venues)]]
    low, high = [float(qty)], [float(qty)]
    for v in range(venues):
        here = np.zeros(n + venues)
        here[v * levels : (v + 1) * levels] = 1
        for bound, limits in ((-rows.max_qty[v], (-np.inf, 0)), (-rows.min_qty[v], (0, np.inf))):
            line = here.copy()
            line[n + v] = bound
            table.append(line)
            low.append(limits[0])
            high.append(limits[1])
    found = milp(
        np.r_[key, np.zeros(venues)],
        constraints=LinearConstraint(np.array(table), low, high),
        integrality=np.ones(n + venues),
        bounds=(0, np.r_[lots.ravel(), np.ones(venues)]),
        options={"mip_rel_gap": 0},
    )
    return float(found.fun) if found.success else None


def test_the_deepest_split_costs_what_a_linear_program_finds() -> None:
    rng = np.random.default_rng(9)
    rows, px, lots = case(rng, 6, 20, 0)
    rows.max_qty = 1 << 40
    qty = int(lots.sum()) * 3 // 4
    assert route(rows, px, lots, BID, np.int64(qty)) == 0
    key = (px * (MILLION + rows.fee_ppm[:, None]) / MILLION).ravel()
    bounds = [(0, int(x)) for x in lots.ravel()]
    found = linprog(key, A_eq=np.ones((1, key.size)), b_eq=[qty], bounds=bounds)
    assert money(rows) == pytest.approx(found.fun, rel=1e-12)


def walk(px: Any, lots: Any, qty: int) -> int | None:
    """Value of taking `qty` from one ladder, None when it does not hold so much."""
    value = 0
    for price, size in zip(px.tolist(), lots.tolist(), strict=True):
        part = min(size, qty)
        value, qty = value + part * price, qty - part
    return value if qty == 0 else None


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), qty=st.integers(1, 12), notional=st.booleans())
def test_no_split_there_is_fills_more_or_costs_less(seed: int, qty: int, notional: bool) -> None:
    """All splits of a small order over three venues with minimums, one by one."""
    rng = np.random.default_rng(seed)
    rows, px, lots = case(rng, 3, 3, 6)
    rows.max_qty = rng.integers(0, 12, 3)
    if notional:
        rows.min_notional = rng.integers(0, 60_000, 3)
    best = (qty, 0.0)
    for parts in itertools.product(range(qty + 1), repeat=3):
        values = [walk(px[v], lots[v], part) for v, part in enumerate(parts)]
        if sum(parts) > qty or any(value is None for value in values):
            continue
        used = [v for v in range(3) if parts[v]]
        if all(
            rows.min_qty[v] <= parts[v] <= rows.max_qty[v] and values[v] >= rows.min_notional[v]
            for v in used
        ):
            cost = sum(values[v] * (MILLION + int(rows.fee_ppm[v])) for v in used) / MILLION
            best = min(best, (qty - sum(parts), cost))
    left = int(route(rows, px, lots, BID, np.int64(qty)))
    assert (left, money(rows)) == (best[0], pytest.approx(best[1], rel=1e-12))


# --- properties --------------------------------------------------------------------------------
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.sampled_from([BID, ASK]), qty=st.integers(1, 400))
def test_never_dearer_than_one_venue_and_nothing_is_lost(seed: int, side: int, qty: int) -> None:
    rng = np.random.default_rng(seed)
    lots_of = [D(1), D("0.5"), D(2)]
    router = Router([terms(f"V{v}", int(rng.integers(0, 900)), lot=lots_of[v]) for v in range(3)])
    sign = 1 if side == BID else -1
    books = [
        side_of(*((10_000 + sign * (k + 7 * v), int(rng.integers(1, 30))) for k in range(5)))
        for v in range(3)
    ]
    split = router.split(side, D(qty), books)
    assert sum((p.qty for p in split.parts), D(0)) + split.unfilled == qty
    for part in split.parts:
        at = [t.venue for t in router.terms].index(part.venue)
        assert part.qty % lots_of[at] == 0
        assert part.px in [D(int(x)) for x in books[at].px_ticks]
    for v in range(3):
        blocked = [None if u == v else D(0) for u in range(3)]
        alone = router.split(side, D(qty), books, at_most=blocked)
        assert (split.unfilled, split.cost) <= (alone.unfilled, alone.cost)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), qty=st.integers(1, 60))
def test_never_dearer_than_pro_rata(seed: int, qty: int) -> None:
    """By the sizes shown, rounded to whole lots."""
    rng = np.random.default_rng(seed)
    rows, px, lots = case(rng, 4, 5, 0)
    rows.max_qty = 1 << 40
    shown = lots.sum(axis=1)
    parts = np.floor(qty * np.cumsum(shown) / shown.sum()).astype(int)
    parts = np.diff(np.r_[0, parts])
    values = [walk(px[v], lots[v], int(parts[v])) for v in range(4)]
    if any(value is None for value in values):
        return
    shared = sum(v * (MILLION + int(r.fee_ppm)) for v, r in zip(values, rows, strict=True))
    assert route(rows, px, lots, BID, np.int64(qty)) == 0
    assert money(rows) <= shared / MILLION


def test_compiled_and_plain_python_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    cases = [(case(rng, 5, 6, 9), int(rng.integers(1, 60))) for _ in range(25)]
    compiled = []
    for (rows, px, lots), qty in cases:
        left = route(rows, px, lots, BID, np.int64(qty))
        compiled.append((int(left), rows.qty.tolist(), rows.notional.tolist()))
    for name in ("_key", "_reset", "_take", "_fill", "_kept", "_least", "_try", "_cost", "_search"):
        part = getattr(kernel, name)
        monkeypatch.setattr(kernel, name, getattr(part, "py_func", part))
    plain = getattr(kernel.route, "py_func", kernel.route)
    for ((rows, px, lots), qty), expected in zip(cases, compiled, strict=True):
        rows.qty = rows.notional = 0
        left = plain(rows, px, lots, BID, np.int64(qty))
        assert (int(left), rows.qty.tolist(), rows.notional.tolist()) == expected


# --- inputs that cannot be ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("qty", "book", "match"),
    [
        (D(0), side_of((5, 1)), "above zero"),
        (D("0.5"), side_of((5, 1)), "steps of 1"),
        (D(1), side_of((5, 1), (5, 2)), "best first"),
        (D(1), side_of((6, 1), (5, 2)), "best first"),
        (D(1), side_of((5, 0)), "above zero"),
        (D(1), side_of((-5, 1)), "above zero"),
        (D(1), side_of((1 << 41, 1)), "2^40"),
        (D(1 << 61), side_of((5, 1)), "2^62"),
    ],
)
def test_bad_input_is_named(qty: Decimal, book: Side, match: str) -> None:
    with pytest.raises(DataError) as caught:
        Router([terms()]).split(BID, qty, [book])
    assert match in caught.value.message
    assert caught.value.code == "data.route"


def test_bad_terms_are_named() -> None:
    for bad in (
        [],
        [terms()] * 9,
        [terms(lot=D(0))],
        [terms(fee_ppm=MILLION)],
        [terms(min_qty=D(-1))],
    ):
        with pytest.raises(DataError, match="expected"):
            Router(bad)
    router = Router([terms()])
    with pytest.raises(DataError, match="1 books"):
        router.split(BID, D(1), [])
    with pytest.raises(DataError, match="side"):
        router.split(2, D(1), [side_of((5, 1))])
    with pytest.raises(DataError, match="premium"):
        router.split(BID, D(1), [side_of((5, 1))], premiums=[float("nan")])
