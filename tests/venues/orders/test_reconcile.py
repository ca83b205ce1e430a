"""Reconciliation finds exactly what was made different, and its repairs mend what can be mended."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kimera_cli.records import Difference
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.balances import new_baseline
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.entry import Answered, Planned, Released
from kimera_cli.venues.orders.fills import Assets
from kimera_cli.venues.orders.finding import AccountReport
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import Balance, FillUpdate, OrderUpdate, Reason, Unknown
from kimera_cli.venues.orders.reconcile import lasting, reconcile, to_ask

ASSETS = {"BTCUSDT": Assets("BTC", "USDT")}
START = {"BTC": Decimal(50), "USDT": Decimal(100_000), "BNB": Decimal(5)}
SINCE, NOW = 1500, 9000
TIMEOUT = Unknown(why=Reason.NO_ANSWER, detail="timeout")
STATUSES = ("open", "partial", "filled", "canceled")


class World:
    """An account that both sides see alike; `break_` methods make one difference each."""

    def __init__(self, make, statuses):
        self.make = make
        self.journal = []
        self.orders, self.fills = [], []
        self.expected = []
        self.journal.append(new_baseline(balances(START), SINCE, "start"))
        self.money = dict(START)
        for number, status in enumerate(statuses, 1):
            self.add(number, status)
        self.next = len(statuses) + 1
        # Foreign orders of the past are nobody's business.
        self.orders.append(make.order(venue_order_id="past", status="canceled"))

    def add(self, number, status, *, journal=True, venue=True):
        """An order in one of STATUSES; each side may know it or not."""
        intent = self.make.intent(number)
        filled = {"open": 0, "partial": 4, "filled": 10, "canceled": 3}[status]
        told = "open" if status == "partial" else status
        order = self.make.order(intent, status=told, filled=Decimal(filled))
        fill = self.make.fill(intent, number, filled) if filled else None
        if journal:
            self.journal += [Planned(intent=intent),
                             Released(client_id=intent.client_id, ts_ns=1, expires_ns=2),
                             OrderUpdate(order=order)]  # fmt: skip
        if venue:
            self.orders.append(order)
        if fill is not None:
            self.trade(fill, journal=journal, venue=venue)
        return intent, order, fill

    def trade(self, fill, *, journal=True, venue=True):
        if journal:
            self.journal.append(FillUpdate(fill=fill))
        if venue:
            self.fills.append(fill)
        sign = 1 if fill.side == "buy" else -1
        self.money["BTC"] += sign * fill.quantity
        self.money["USDT"] -= sign * fill.money
        self.money[fill.fee_asset] -= fill.fee

    def number(self):
        self.next += 1
        return self.next

    def account(self):
        orders = AccountOrders(self.make.session)
        for entry in self.journal:
            orders.apply(entry)
        return orders

    def report(self):
        return AccountReport(
            venue="binance", account="main", asked_ns=NOW, orders=tuple(self.orders),
            fills=tuple(self.fills), fills_since_ns=SINCE, balances=tuple(balances(self.money)),
        )  # fmt: skip

    def expect(self, kind, name):
        self.expected.append((kind, name))


def balances(money):
    return [Balance(asset=a, free=v - 1, held=Decimal(1)) for a, v in sorted(money.items())]


def in_doubt(world, *, found):
    intent, order, _ = world.add(world.number(), "open", journal=False, venue=found)
    world.journal += [Planned(intent=intent),
                      Released(client_id=intent.client_id, ts_ns=1, expires_ns=2),
                      Answered(client_id=intent.client_id, outcome=TIMEOUT)]  # fmt: skip
    world.expect("order_found" if found else "order_in_doubt", order.client_id)


def gone(world):
    _, order, _ = world.add(world.number(), "open", venue=False)
    world.expect("order_gone", order.client_id)


def canceled_unseen(world):
    intent, order, _ = world.add(world.number(), "open", venue=False)
    world.orders.append(replace(order, status="canceled"))
    world.expect("order_state", intent.client_id)


def filled_unseen(world):
    intent, order, _ = world.add(world.number(), "open", venue=False)
    world.orders.append(replace(order, status="filled", filled=Decimal(10)))
    fill = world.make.fill(intent, world.next, 10)
    world.trade(fill, journal=False)
    world.expect("order_state", intent.client_id)
    world.expect("fill_lost", fill.trade_id)


def venue_says_less(world):
    intent, order, _ = world.add(world.number(), "canceled", venue=False)
    world.fills.append(world.make.fill(intent, world.next, 3))
    world.orders.append(replace(order, status="open"))
    world.expect("order_state", intent.client_id)


def lost(world):
    """The tail of the journal went with the power: the venue still has order and fill."""
    _, order, fill = world.add(world.number(), "partial", journal=False)
    world.expect("order_lost", order.client_id)
    world.expect("fill_lost", fill.trade_id)


def twice(world):
    intent, order, _ = world.add(world.number(), "open")
    world.orders.append(replace(order, venue_order_id=f"again{intent.number}"))
    world.expect("order_twice", intent.client_id)


def foreign_order(world):
    number = world.number()
    name = client_id("binance", IntentKey(world.make.session + 1, number))  # another journal's
    world.orders.append(world.make.order(venue_order_id=f"f{number}", client_id=name, side="sell"))
    world.expect("order_foreign", name)


def foreign_fill(world):
    number = world.number()
    fill = world.make.fill(None, number, 2, venue_order_id=f"x{number}", side="sell")
    world.trade(fill, journal=False)
    world.expect("fill_foreign", fill.trade_id)


def fill_unconfirmed(world):
    intent, order, _ = world.add(world.number(), "open")
    fill = world.make.fill(intent, world.next, 1)
    world.orders[-1] = replace(order, filled=Decimal(1))
    world.trade(fill, venue=False)
    world.expect("fill_unconfirmed", fill.trade_id)


def fill_conflict(world):
    intent, order, _ = world.add(world.number(), "open")
    fill = world.make.fill(intent, world.next, 1)
    world.orders[-1] = replace(order, filled=Decimal(1))
    world.trade(fill)
    world.fills[-1] = replace(fill, price=fill.price + 1)
    world.expect("fill_conflict", fill.trade_id)


def fills_owed(world):
    intent, order, _ = world.add(world.number(), "open", venue=False)
    world.journal.append(OrderUpdate(order=replace(order, filled=Decimal(2))))
    world.orders.append(replace(order, filled=Decimal(2)))
    world.expect("fills_owed", intent.client_id)


def fills_owed_by_the_report(world):
    intent, order, _ = world.add(world.number(), "partial", venue=False)
    world.fills.append(world.make.fill(intent, world.next, 4))
    world.orders.append(replace(order, filled=Decimal(6)))
    world.expect("order_state", intent.client_id)
    world.expect("fills_owed", intent.client_id)


def deposit(world):
    if ("balance", "USDT") not in world.expected:
        world.expect("balance", "USDT")
    world.money["USDT"] += 1000


BREAKS = [
    lambda w: in_doubt(w, found=True),
    lambda w: in_doubt(w, found=False),
    gone, canceled_unseen, filled_unseen, venue_says_less, lost, twice, foreign_order,
    foreign_fill, fill_unconfirmed, fill_conflict, fills_owed, fills_owed_by_the_report, deposit,
]  # fmt: skip


def found(result):
    names = []
    for d in result.differences:
        names.append((d.kind, d.trade_id or d.client_id or d.asset or d.symbol))
    return sorted(names)


@settings(deadline=None)
@given(st.lists(st.sampled_from(STATUSES), max_size=6))
def test_two_sides_that_agree_have_no_differences(make, statuses):
    world = World(make, statuses)
    result = reconcile(world.account(), world.report(), ASSETS)
    assert result.differences == ()
    assert result.repairs == ()
    assert result.is_clean


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.sampled_from(STATUSES), max_size=4),
    st.lists(st.sampled_from(BREAKS), min_size=1, max_size=6),
)
def test_exactly_what_was_made_different_is_found(make, statuses, breaks):
    world = World(make, statuses)
    for break_ in breaks:
        break_(world)
    result = reconcile(world.account(), world.report(), ASSETS)
    assert found(result) == sorted(world.expected)
    assert result.is_clean == all(kind == "order_foreign" for kind, _ in world.expected)
    for difference in result.differences:
        record = msgspec.json.decode(msgspec.json.encode(difference), type=Difference)
        assert record == difference
        assert difference.venue == "binance"
        assert len(difference.text.split()) > 5, "in words"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(BREAKS), min_size=1, max_size=6))
def test_after_the_repairs_only_what_needs_more_than_the_journal_is_left(make, breaks):
    world = World(make, ["open", "filled"])
    for break_ in breaks:
        break_(world)
    orders = world.account()
    result = reconcile(orders, world.report(), ASSETS)
    positions = orders.fills.position("BTCUSDT")
    for entry in result.repairs:
        orders.apply(entry)
    again = reconcile(orders, world.report(), ASSETS)
    left = [d for d in result.differences if d.repair in ("lookup", "none")]
    assert sorted(found(again)) == sorted(
        (d.kind, d.trade_id or d.client_id or d.asset) for d in left
    )
    assert again.repairs == ()
    new = [f for f in world.report().fills if f.name not in world.account().fills]
    signed = sum((f.quantity if f.side == "buy" else -f.quantity for f in new), Decimal(0))
    assert orders.fills.position("BTCUSDT") == positions + signed


@pytest.mark.parametrize(("before_s", "number", "kinds"), [
    (2, None, []),
    (0.5, None, ["fill_foreign"]),  # the venue's clock is not known better
    (2, 7, ["fill_lost"]),
])  # fmt: skip
def test_what_somebody_traded_before_the_baseline_is_in_it(make, before_s, number, kinds):
    """Fills are asked for from a minute before, as the venue's clock is not ours."""
    world, since_ns = World(make, []), 100_000_000_000
    intent = None if number is None else make.intent(number)
    at_ns = since_ns - int(before_s * 1e9)
    name = "theirs" if intent is None else "ours"
    world.fills.append(make.fill(intent, 5, 1, venue_order_id=name, ts_ns=at_ns))
    world.journal[0] = new_baseline(balances(START), since_ns, "start")
    report = replace(world.report(), fills_since_ns=since_ns, asked_ns=since_ns + 9000)
    result = reconcile(world.account(), report, ASSETS)
    assert [d.kind for d in result.differences] == kinds


def test_a_lost_order_is_adopted_with_its_fill(make):
    world = World(make, [])
    lost(world)
    orders = world.account()
    for entry in reconcile(orders, world.report(), ASSETS).repairs:
        orders.apply(entry)
    (state,) = orders.states.values()
    assert (state.phase, state.filled, state.intent.price) == (Phase.PARTIAL, 4, 100)


def test_an_order_told_without_side_must_be_asked_for(make):
    world = World(make, [])
    lost(world)
    world.orders = [replace(world.orders[-1], side=None)]
    result = reconcile(world.account(), world.report(), ASSETS)
    by_kind = {d.kind: d.repair for d in result.differences}
    assert by_kind == {"order_lost": "lookup", "fill_lost": "adopt"}


def test_what_the_open_list_settles_is_not_asked(make):
    world = World(make, ["open", "partial", "filled", "canceled"])
    gone(world)
    in_doubt(world, found=False)
    in_doubt(world, found=True)
    fills_owed(world)
    orders = world.account()
    open_orders = [o for o in world.orders if o.status == "open"]
    asked = {state.client_id for state in to_ask(orders, open_orders)}
    assert asked == {n for kind, n in world.expected if kind in ("order_gone", "order_in_doubt")}


def test_balances_are_compared_exactly_and_only_since_the_baseline(make):
    world = World(make, ["filled"])
    world.money["BNB"] -= Decimal("0.00000001")
    (difference,) = reconcile(world.account(), world.report(), ASSETS).differences
    assert (difference.asset, difference.amount) == ("BNB", "-0.00000001")
    assert "less than the fills explain" in difference.text
    old = world.make.fill(None, 77, 3, venue_order_id="x", ts_ns=SINCE - 10)
    world.journal.append(FillUpdate(fill=old))
    again = reconcile(world.account(), world.report(), ASSETS)
    assert [d.kind for d in again.differences] == ["balance"], "it was in the baseline already"


def test_an_asset_that_the_venue_does_not_list_is_zero(make):
    world = World(make, [])
    del world.money["BNB"]
    (difference,) = reconcile(world.account(), world.report(), ASSETS).differences
    assert (difference.asset, difference.amount, difference.at_venue) == ("BNB", "-5", "0")


def test_a_closed_order_that_owes_fills_is_asked_for(make):
    world = World(make, [])
    intent, _, _ = world.add(1, "canceled")
    world.journal = [e for e in world.journal if not isinstance(e, FillUpdate)]
    assert [s.client_id for s in to_ask(world.account(), [])] == [intent.client_id]


def test_no_baseline_no_comparison(make):
    world = World(make, ["filled"])
    deposit(world)
    world.journal = world.journal[1:]
    assert reconcile(world.account(), world.report(), ASSETS).differences == ()


def test_a_symbol_that_nobody_knows_makes_balances_incomparable(make):
    world = World(make, ["filled"])
    deposit(world)
    (difference,) = reconcile(world.account(), world.report(), {}).differences
    assert (difference.kind, difference.symbol) == ("symbol_unknown", "BTCUSDT")


def test_balances_may_be_left_out(make):
    world = World(make, ["filled"])
    deposit(world)
    report = msgspec.structs.replace(world.report(), balances=None)
    assert reconcile(world.account(), report, ASSETS).is_clean


def test_only_what_lasts_is_alarming(make):
    """F26: a balance that comes before its fill is no difference a moment later."""
    world = World(make, ["open"])
    deposit(world)
    first = reconcile(world.account(), world.report(), ASSETS).differences
    gone(world)
    second = reconcile(world.account(), world.report(), ASSETS).differences
    assert {d.kind for d in lasting(first, second)} == {"balance"}
    world.money["USDT"] -= 1
    third = reconcile(world.account(), world.report(), ASSETS).differences
    assert {d.kind for d in lasting(second, third)} == {"order_gone"}, "another amount"


DAYS_8 = 8 * 86_400_000_000_000


def old_doubt(make, venue="okx"):
    """An order that was sent eight days ago and never answered, and what the venue says now."""
    world = World(make, [])
    intent = make.intent(1, venue=venue)
    world.journal += [Planned(intent=intent),
                      Released(client_id=intent.client_id, ts_ns=1000, expires_ns=2000),
                      Answered(client_id=intent.client_id, outcome=TIMEOUT)]  # fmt: skip
    return world, replace(world.report(), asked_ns=DAYS_8, fills_since_ns=900)


def test_an_order_that_nobody_can_find_any_more_and_that_left_no_trace_is_absent(make):
    """Otherwise it would forbid new orders for ever."""
    world, report = old_doubt(make)
    result = reconcile(world.account(), report, ASSETS)
    assert [(d.kind, d.repair) for d in result.differences] == [("order_in_doubt", "adopt")]
    assert "taken for absent" in result.differences[0].text
    orders = world.account()
    for entry in result.repairs:
        orders.apply(entry)
    assert [s.phase for s in orders.states.values()] == [Phase.ABSENT]


@pytest.mark.parametrize(
    "why", ["found by id for ever", "fills not asked so far back", "too early", "unexplained fill"]
)
def test_an_order_that_may_have_left_a_trace_stays_in_doubt(make, why):
    world, report = old_doubt(make, "binance" if why == "found by id for ever" else "okx")
    if why == "fills not asked so far back":
        report = replace(report, fills_since_ns=1500)
    if why == "too early":
        report = replace(report, asked_ns=DAYS_8 - 2 * 86_400_000_000_000)
    if why == "unexplained fill":
        fill = make.fill(None, 5, 1, venue_order_id="whose")
        report = replace(report, fills=(fill,), balances=None)
    result = reconcile(world.account(), report, ASSETS)
    repairs = {d.kind: d.repair for d in result.differences}
    assert repairs["order_in_doubt"] == "lookup"


def test_fills_of_the_other_side_or_of_known_orders_are_no_trace(make):
    world, report = old_doubt(make)
    _, _, known = world.add(2, "filled")
    sell = make.fill(None, 6, 1, venue_order_id="whose", side="sell")
    report = replace(report, fills=(known, sell), orders=tuple(world.orders), balances=None)
    result = reconcile(world.account(), report, ASSETS)
    assert {d.kind: d.repair for d in result.differences}["order_in_doubt"] == "adopt"


WORDS = [
    (canceled_unseen, "(buy 10 BTCUSDT at 100, open): the venue has it canceled"),
    (foreign_order, "is not ours and is left alone"),
    (gone, "does not list it any more"),
    (twice, "one is too many"),
    (foreign_fill, "(sell 2 at 100) of an order that is not ours is not journaled"),
    (fills_owed, "2 more is filled than all fills come to"),
    (fill_conflict, "the journal has buy 1 at 100, the venue says buy 1 at 101"),
    (deposit, "1000 more than the fills explain: a deposit"),
]


@pytest.mark.parametrize(("break_", "words"), WORDS)
def test_differences_in_words(make, break_, words):
    world = World(make, [])
    break_(world)
    result = reconcile(world.account(), world.report(), ASSETS)
    assert words in result.differences[-1].text
