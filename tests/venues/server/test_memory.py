"""What a server remembers of its past: how much, and that the numbers in it are right."""

from __future__ import annotations

import gc
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_world import PAIR, START_NS, Hall, market

from kimera_cli.market.matching import new_engines
from kimera_cli.venues.server import candles as candles_module
from kimera_cli.venues.server import prints as prints_module
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.candles import MINUTE_NS, Candles
from kimera_cli.venues.server.dialects import binance_tape
from kimera_cli.venues.server.flow import KEPT, LEVELS, Flow
from kimera_cli.venues.server.model import BUY, SELL, Fill, Order, Trade
from kimera_cli.venues.server.prints import FIRST_TRADE, Prints
from kimera_cli.venues.server.ring import Ring

S = 10**9


def trade(number: int, random: Random, ts_ns: int = START_NS, **fields: Any) -> Trade:
    known = {
        "id": number, "serial": number * 3, "market": MARKET, "px_ticks": random.randrange(1, 99),
        "qty_lots": random.randrange(1, 10**12), "side": random.choice((BUY, SELL)),
        "ts_ns": ts_ns, "maker_id": random.randrange(10**12), "taker_id": random.randrange(10**12),
        "taker_kind": random.choice(("limit", "market")),
    }  # fmt: skip
    return Trade(**{**known, **fields})


MARKET = market()


def words(found: Trade) -> tuple[Any, ...]:
    return tuple(getattr(found, name) for name in Trade.__struct_fields__)


def test_the_background_leaves_no_orders_behind() -> None:
    """Trades by the thousand, and no more orders alive than stand or are asked for."""
    host = build_host(Setup(venues=["binance", "coinbaseexchange"], rate=0.0), None, fail, (), S)
    exchanges = [venue.exchange for venue in host.venues.values()]
    flows = [cast(Flow, f) for venue in host.venues.values() for f in venue.background]
    for _ in range(1_000):
        for flow in flows:
            flow.act()
    gc.collect()
    ours = {id(market) for e in exchanges for market in e.markets}
    alive = Counter(type(each) for each in gc.get_objects() if id(market_of(each)) in ours)
    known = [a for e in exchanges for a in e.ledger.accounts.values()]
    orders = {id(o) for a in known for o in (*a.open.values(), *a.closed)}
    orders |= {id(f.order) for a in known for f in a.fills}
    assert alive[Order] == len(orders) <= len(flows) * 2 * (2 * KEPT + LEVELS)
    assert alive[Fill] <= len(flows) * 4 * (2 * KEPT + LEVELS)
    assert sum(e.trade_count for e in exchanges) > 700


def market_of(each: object) -> Any:
    """Of a fill or an order; by type(), since isinstance() raises for a dead weak proxy."""
    if type(each) is Fill:
        each = each.order
    return each.market if type(each) is Order else None


def fail(venue: str, where: str, error: Exception) -> None:
    raise error


def test_orders_without_fills_or_tags_share_what_they_do_not_have() -> None:
    hall = Hall()
    one, other = (hall.buy(hall.a, "0.1", "49000") for _ in range(2))
    assert one.extra is other.extra
    assert one.fills is other.fills


def test_an_engine_takes_memory_for_what_is_used() -> None:
    engine = new_engines(1, 4_475_712, small_pages=True)
    assert not engine["levels"]["qty_lots"].any()
    assert not engine["orders"]["id"].any()
    before = resident()
    for px in range(0, 20_000, 100):
        engine[0]["levels"][px]["qty_lots"] = 1
    assert resident() - before < 2**20
    assert engine.dtype == new_engines(1).dtype


def resident() -> int:
    told = Path("/proc/self/statm")
    if not told.exists():
        pytest.skip("the system does not tell how much memory is in use")
    return int(told.read_text("ascii").split()[1]) * 4096


@given(st.integers(1, 7), st.integers(0, 30), st.integers(-2, 40), st.integers(-2, 40))
def test_a_ring_is_the_end_of_a_list(kept: int, n: int, first: int, end: int) -> None:
    ring = Ring(2, kept, 5)
    rows = [[number, -(10**15) * number] for number in range(5, 5 + n)]
    for row in rows:
        ring.append(tuple(row))
    left = rows[max(0, n - kept) :]
    assert list(ring.ids) == [row[0] for row in left]
    assert ring.between(first, end) == [(r[0], r) for r in left if first <= r[0] < end]
    assert ring.column(1).tolist() == [row[1] for row in left]


@pytest.mark.parametrize("n", [0, 3, 8, 29])
def test_a_tape_gives_back_the_trades_as_they_were(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(prints_module, "KEPT_TRADES", 8)
    random, tape = Random(n), Prints(MARKET)
    assert (tape.last_id, tape.next_id) == (0, FIRST_TRADE)
    # The clock is set back once.
    times = [START_NS + S * (at if at < 25 else at - 10) for at in range(n)]
    made = [trade(FIRST_TRADE + at, random, times[at]) for at in range(n)]
    for each in made:
        tape.add(each)
        assert tape.last_id == each.id
    made = made[-8:]
    assert [words(t) for t in tape.newest()] == [words(t) for t in made]
    assert [t.id for t in tape] == list(tape.ids)
    assert len(tape) == len(made)
    for few in (0, 1, 5, 100):
        assert [t.id for t in tape.newest(few)] == [t.id for t in made[max(0, len(made) - few) :]]
    for at in (-1, 0, 5, 16, 24, 28, 60):
        since = START_NS + at * S
        assert [t.id for t in tape.after(since)] == [t.id for t in made if t.ts_ns > since]
    assert tape.between(10**30, 10**31) == tape.after(10**30) == []


def test_aggregates_are_given_back_as_they_were_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binance_tape, "KEPT", 5)
    tape, random = binance_tape.Tape(MARKET), Random(1)
    told = []
    for request in range(9):
        for at, px in enumerate((7, 7, 8, 8)[: 1 + request % 4]):
            number = FIRST_TRADE + 10 * request + at
            tape.add(trade(number, random, START_NS + request, px_ticks=px, taker_id=request))
        told += tape.take_fresh()
    assert [(a.first % 10, a.last % 10) for a in told[:5]] == [
        (1, 1), (1, 2), (1, 2), (3, 3), (1, 2),
    ]  # fmt: skip
    assert [a.id for a in told] == list(range(told[0].id, told[0].id + len(told)))
    rows = tape.chosen(0, 0, 1 << 62)
    assert [tape.aggregate(row).shape() for row in rows] == [a.shape() for a in told[-5:]]
    assert [row[0] for row in tape.chosen(told[-2].id, 0, 1 << 62)] == [a.id for a in told[-2:]]
    assert tape.chosen(0, 0, START_NS // 10**6 - 1) == tape.chosen(10**30, 0, 1 << 62) == []


class Slow:
    """The bars as they were before they were packed: a list per minute."""

    def __init__(self, px: int, first: int) -> None:
        self.start_px, self.first = px, first
        self.rows: dict[int, list[int]] = {}

    def add(self, minute: int, px: int, lots: int, bought: bool) -> None:
        row = self.rows.setdefault(minute, [px, px, px, px, 0, 0, 0, 0, 0])
        row[1], row[2], row[3] = max(row[1], px), min(row[2], px), px
        for at, more in enumerate((lots, px * lots, 1, lots * bought, px * lots * bought)):
            row[4 + at] += more

    def minutes(self, first: int, end: int) -> list[list[int]]:
        before = [m for m in self.rows if m < first]
        px = self.rows[max(before)][3] if before and first > self.first else self.start_px
        found = []
        for minute in range(first, end):
            row = self.rows.get(minute, [px] * 4 + [0] * 5)
            found.append(row)
            px = row[3]
        return found


ACTS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 99), st.integers(1, 10**6), st.booleans()),
    max_size=25,
)


@settings(max_examples=60)
@given(ACTS, st.integers(0, 10), st.integers(0, 12))
def test_bars_are_those_of_a_slow_reference(acts: Any, first: int, n: int) -> None:
    """Minutes in any order: the clock may be set back."""
    bars = Candles(MARKET, 1, START_NS)
    slow = Slow(MARKET.last_px, bars.first_live)
    for minute, px, lots, bought in acts:
        ts_ns = (bars.first_live + minute) * MINUTE_NS
        side = BUY if bought else SELL
        bars.add(trade(1, Random(1), ts_ns, px_ticks=px, qty_lots=lots, side=side))
        slow.add(bars.first_live + minute, px, lots, bought)
        begin = bars.first_live + first
        assert bars.minutes(begin, begin + n).tolist() == slow.minutes(begin, begin + n)


def test_bars_forget_what_is_older_than_they_keep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candles_module, "KEPT_MINUTES", 4)
    bars = Candles(MARKET, 1, START_NS)
    for minute in range(6):
        ts_ns = (bars.first_live + minute) * MINUTE_NS
        bars.add(trade(1, Random(1), ts_ns, px_ticks=100 + minute))
    found = bars.minutes(bars.first_live, bars.first_live + 8)[:, 3]
    assert np.array_equal(found[2:], [102, 103, 104, 105, 105, 105])
    assert (found[:2] == MARKET.last_px).all()


def test_market_orders_are_told_from_limit_orders_afterwards() -> None:
    hall = Hall()
    maker = hall.sell(hall.a, "1", "50000")
    takers = hall.buy(hall.b, "0.1"), hall.buy(hall.b, "0.2", "50000")
    found = hall.exchange.trades(PAIR)
    assert [t.taker_kind for t in found] == ["market", "limit"]
    assert [t.taker_id for t in found] == [t.id for t in takers]
    assert {t.maker_id for t in found} == {maker.id}
    assert {t.maker_side for t in found} == {"sell"}
    assert found[0].market.qty(found[0].qty_lots) == Decimal("0.1")
