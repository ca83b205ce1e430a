"""The exchange without any protocol: money, holds, fees, orders, events; exact to the atom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_world import PAIR, START_NS, Hall, market

from kimera_cli.errors import RunError
from kimera_cli.venues.server.accounts import Ledger
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.invariants import check_uncrossed
from kimera_cli.venues.server.model import (
    BalanceChanged,
    BookChanged,
    FeeTier,
    Market,
    OrderChanged,
    OrderRequest,
    Reject,
    RequestDone,
    Traded,
)
from kimera_cli.venues.server.rules import Rules

D = Decimal
S = 10**9


def refused(act: Any, reason: str) -> Reject:
    with pytest.raises(Reject) as found:
        act()
    assert found.value.reason == reason
    return found.value


def test_a_trade_moves_base_quote_and_fees() -> None:
    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    taker = hall.buy(hall.b, "0.4", "50100")
    assert taker.status == "filled"
    assert taker.cost == 20_000 * 10**18  # at the maker's price
    assert hall.free(hall.b, "BTC") == D("10.4") - D("0.0004")  # fee in what was received
    assert hall.free(hall.b, "USDT") == D(980_000)
    assert hall.free(hall.a, "USDT") == D(1_000_000) + 20_000 - 20
    assert hall.held(hall.a, "BTC") == D("0.6")
    assert hall.free(1, "USDT") == 20
    assert hall.free(1, "BTC") == D("0.0004")


def test_trades_are_numbered_by_market_and_fills_by_exchange() -> None:
    """As venues do: a hole in a market's numbers is a lost trade, not one of another market."""
    other = Market("ETH/USDT", Decimal("0.01"), Decimal("0.0001"), start_px=Decimal(3000))
    exchange = Exchange("test", [market(), other], Clock(start_ns=START_NS), 7)
    wealth = {"BTC": "10", "ETH": "10", "USDT": "1000000"}
    a, b = (exchange.open_account(name, wealth).id for name in "ab")
    for symbol, price in ((PAIR, "50000"), ("ETH/USDT", "3000"), (PAIR, "50000")) * 3:
        exchange.place(a, OrderRequest(symbol, "sell", "limit", "0.1", price))
        exchange.place(b, OrderRequest(symbol, "buy", "limit", "0.1", price))
    for symbol, n in ((PAIR, 6), ("ETH/USDT", 3)):
        ids = [trade.id for trade in exchange.trades(symbol)]
        assert ids == list(range(ids[0], ids[0] + n))
    for account in (a, b):
        fills = exchange.fills(account)
        assert [fill.serial for fill in fills] == list(range(1, 10))
        assert len({(fill.order.market.symbol, fill.trade_id) for fill in fills}) == 9


def test_a_buyer_pays_the_fee_in_quote_where_the_venue_says_so() -> None:
    hall = Hall(Rules(fee_asset="quote"))
    order = hall.buy(hall.b, "1", "50000")
    assert hall.held(hall.b, "USDT") == D(50_050)  # with the highest fee that can come
    hall.sell(hall.a, "1", "49000")
    assert order.status == "filled"
    assert hall.free(hall.b, "BTC") == 11
    assert hall.free(hall.b, "USDT") == D(950_000) - 50
    assert hall.held(hall.b, "USDT") == 0


def test_what_a_better_price_saved_is_free_at_once() -> None:
    hall = Hall()
    hall.sell(hall.a, "0.4", "50000")
    order = hall.buy(hall.b, "1", "50100")
    assert order.is_open
    assert hall.held(hall.b, "USDT") == D("0.6") * 50_100, "what the rest may cost, no more"
    assert hall.free(hall.b, "USDT") == D(1_000_000) - 20_000 - D("0.6") * 50_100


def test_fees_fall_with_the_volume_traded() -> None:
    tiers = (FeeTier(D(0), D("0.001"), D("0.001")), FeeTier(D(50_000), D(0), D("0.0005")))
    hall = Hall(Rules(tiers=tiers))
    hall.sell(hall.a, "2", "50000")
    first = hall.buy(hall.b, "1", "50000")
    second = hall.buy(hall.b, "1", "50000")
    assert [f.fee for f in first.fills + second.fills] == [10**15, 10**15 // 2]
    assert [f.fee for f in hall.exchange.fills(hall.a)] == [50 * 10**18, 0]


def test_a_cancel_releases_the_hold() -> None:
    hall = Hall()
    order = hall.buy(hall.a, "1", "49000", client_id="x")
    assert (hall.free(hall.a, "USDT"), hall.held(hall.a, "USDT")) == (951_000, 49_000)
    hall.exchange.cancel(hall.a, client_id="x")
    assert (hall.free(hall.a, "USDT"), hall.held(hall.a, "USDT")) == (1_000_000, 0)
    assert (order.status, order.reason) == ("canceled", "user")
    again = refused(lambda: hall.exchange.cancel(hall.a, order.id), "not_found")
    assert again.order is order  # the dialect can tell what became of it
    refused(lambda: hall.exchange.cancel(hall.b, order.id), "not_found")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"price": "49000.001"}, "tick"),
        ({"price": "0"}, "tick"),
        ({"price": "nan"}, "bad_request"),
        ({"qty": "0.000001"}, "lot"),
        ({"qty": "-1"}, "lot"),
        ({"qty": "9001"}, "max_qty"),
        ({"qty": "0.0001"}, "min_notional"),
        ({"qty": "100"}, "funds"),
        ({"price": "1"}, "price_band"),
        ({"symbol": "X/Y"}, "bad_symbol"),
        ({"price": None}, "bad_request"),
        ({"qty": None}, "bad_request"),
        ({"kind": "market", "price": None, "qty": None}, "bad_request"),
        ({"kind": "market", "price": None}, "no_liquidity"),
        ({"kind": "market", "price": None, "qty": None, "cost": "-3"}, "bad_request"),
    ],
)
def test_refusals_change_nothing(fields: dict[str, Any], reason: str) -> None:
    hall = Hall()
    before = hall.exchange.balances(hall.a)
    request = {"symbol": PAIR, "side": "buy", "qty": "1", "price": "45000", **fields}
    if reason == "no_liquidity":  # accepted, and at once without a rest
        order = hall.exchange.place(hall.a, OrderRequest(**request))
        assert (order.status, order.reason) == ("expired", "no_liquidity")
    else:
        refused(lambda: hall.exchange.place(hall.a, OrderRequest(**request)), reason)
        assert not hall.events
    assert hall.exchange.balances(hall.a) == before
    hall.exchange.check_conservation()


def test_minimum_quantity_is_not_the_lot() -> None:
    hall = Hall(min_qty=D("0.001"), min_notional=D(0))
    refused(lambda: hall.buy(hall.a, "0.0009", "49000"), "min_qty")
    hall.exchange.market(PAIR).set_minimum(qty=D("0.0005"))
    assert hall.buy(hall.a, "0.0009", "49000").is_open


def test_market_orders_by_quantity_and_by_cost() -> None:
    hall = Hall()
    hall.sell(hall.a, "0.5", "50000")
    hall.sell(hall.a, "0.5", "50100")
    by_quantity = hall.buy(hall.b, "0.6")
    assert by_quantity.cost == (25_000 + 5_010) * 10**18
    by_cost = hall.buy(hall.c, "", None, cost="10000")
    assert by_cost.filled_lots == 19_960  # 10,000 / 50,100, in whole lots
    assert by_cost.cost <= 10_000 * 10**18
    rest = hall.buy(hall.b, "5")
    assert (rest.status, rest.reason) == ("expired", "no_liquidity")
    assert hall.held(hall.b, "USDT") == 0
    refused(lambda: hall.buy(hall.c, "", None, cost="10000"), "no_liquidity")


def test_cost_with_the_fee_inside_leaves_the_account_with_it() -> None:
    hall = Hall(Rules(fee_asset="quote", cost_includes_fee=True))
    hall.sell(hall.a, "5", "50000")
    hall.buy(hall.b, "", None, cost="1001")
    spent = 1_000_000 - hall.free(hall.b, "USDT")
    assert D("1000") < spent <= D("1001")


def test_post_only_and_fok_by_the_venue_s_own_rule() -> None:
    strict = Hall(Rules(post_only_cross="reject", fok_unfilled="reject"))
    strict.sell(strict.a, "1", "50000")
    refused(lambda: strict.buy(strict.b, "1", "50000", post_only=True), "post_only")
    refused(lambda: strict.buy(strict.b, "2", "50000", tif="fok"), "fok")
    assert not strict.exchange.orders(strict.b)
    lenient = Hall(Rules(post_only_cross="cancel", fok_unfilled="expire"))
    lenient.sell(lenient.a, "1", "50000")
    late = lenient.buy(lenient.b, "1", "50000", post_only=True)
    assert (late.status, late.reason, late.filled_lots) == ("canceled", "post_only", 0)
    none = lenient.buy(lenient.b, "2", "50000", tif="fok")
    assert (none.status, none.reason, none.filled_lots) == ("expired", "fok", 0)
    assert lenient.held(lenient.b, "USDT") == 0
    assert lenient.buy(lenient.b, "1", "50000", tif="fok").status == "filled"


def test_ioc_trades_what_it_can_and_expires() -> None:
    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    order = hall.buy(hall.b, "3", "50000", tif="ioc")
    assert (order.status, order.reason, order.filled_lots) == ("expired", "ioc", 100_000)
    assert hall.exchange.book(PAIR) == ([], [])


@pytest.mark.parametrize(
    ("mode", "resting", "newcomer", "filled"),
    [
        ("cancel_newest", ("open", ""), ("expired", "self_trade"), 0),
        ("cancel_oldest", ("canceled", "self_trade"), ("open", ""), 50_000),
        ("cancel_both", ("canceled", "self_trade"), ("expired", "self_trade"), 0),
        ("decrement", ("canceled", "self_trade"), ("open", ""), 50_000),
        ("none", ("filled", ""), ("open", ""), 150_000),
    ],
)
def test_self_trade_modes(mode: Any, resting: Any, newcomer: Any, filled: int) -> None:
    hall = Hall()
    own = hall.sell(hall.a, "1", "50000")
    hall.sell(hall.b, "0.5", "50001")
    order = hall.buy(hall.a, "2", "50001", self_trade=mode)
    assert (own.status, own.reason) == resting
    assert (order.status, order.reason) == newcomer
    assert order.filled_lots == filled
    assert order.prevented_lots == (100_000 if mode == "decrement" else 0)


@pytest.mark.parametrize(("resting", "newcomer"), [("1", "3"), ("3", "1"), ("2", "2")])
@pytest.mark.parametrize("fees", ["received", "quote"])
def test_what_a_prevented_self_trade_took_is_not_held_any_more(
    resting: str, newcomer: str, fees: Any
) -> None:
    hall = Hall(Rules(fee_asset=fees, tiers=(FeeTier(D(0), D("0.001"), D("0.001")),)))
    rate = D("1.001") if fees == "quote" else D(1)
    hall.buy(hall.a, resting, "50000")
    hall.sell(hall.a, newcomer, "50000", self_trade="decrement")
    rest = D(resting) - D(newcomer)
    assert hall.held(hall.a, "USDT") == max(rest, D(0)) * 50_000 * rate
    assert hall.held(hall.a, "BTC") == max(-rest, D(0))


def test_a_market_order_counts_only_what_it_may_trade_with() -> None:
    hall = Hall(Rules(self_trade="cancel_oldest"))
    hall.sell(hall.a, "1", "50000")
    hall.sell(hall.b, "1", "51000")
    order = hall.buy(hall.a, "", None, cost="51000")
    assert order.filled_lots == 100_000
    assert order.cost == 51_000 * 10**18


@pytest.mark.parametrize("mode", ["cancel_newest", "cancel_both"])
def test_no_more_is_held_than_an_own_order_in_the_way_lets_through(mode: Any) -> None:
    hall = Hall()
    hall.sell(hall.b, "1", "50000")
    hall.sell(hall.a, "1", "50001")
    hall.sell(hall.c, "10", "55000")
    hall.sell(hall.b, "9", "55000")
    order = hall.buy(hall.a, "20", self_trade=mode)  # all of it would cost more than there is
    assert (order.filled_lots, order.reason) == (100_000, "self_trade")


def test_client_ids() -> None:
    hall = Hall(Rules(client_id_unique="open"))
    first = hall.buy(hall.a, "1", "49000", client_id="x")
    found = refused(lambda: hall.buy(hall.a, "1", "49000", client_id="x"), "dup_client_id")
    assert found.order is first
    hall.buy(hall.b, "1", "49000", client_id="x")  # another account's
    hall.exchange.cancel(hall.a, first.id)
    assert hall.buy(hall.a, "1", "49000", client_id="x").is_open
    kept = Hall(Rules(client_id_unique="kept", client_id_window_ns=60 * S))
    order = kept.buy(kept.a, "1", "49000", client_id="x")
    kept.exchange.cancel(kept.a, order.id)
    refused(lambda: kept.buy(kept.a, "1", "49000", client_id="x"), "dup_client_id")
    kept.clock.step(60 * S)
    assert kept.buy(kept.a, "1", "49000", client_id="x").is_open


def test_amend_keeps_the_id_and_the_money() -> None:
    hall = Hall()
    order = hall.buy(hall.a, "1", "49000")
    behind = hall.buy(hall.b, "1", "49000")
    hall.exchange.amend(hall.a, order.id, qty="0.5")
    assert hall.held(hall.a, "USDT") == D(24_500)
    hall.sell(hall.c, "0.5", "49000")
    assert (order.status, behind.filled_lots) == ("filled", 0)  # its place was kept
    hall.exchange.amend(hall.b, behind.id, price="49500", qty="2")
    assert hall.held(hall.b, "USDT") == D(99_000)
    refused(lambda: hall.exchange.amend(hall.b, behind.id, qty="100"), "funds")
    assert hall.held(hall.b, "USDT") == D(99_000)
    hall.sell(hall.c, "0.5", "49500")
    refused(lambda: hall.exchange.amend(hall.b, behind.id, qty="0.5"), "bad_request")
    hall.exchange.check_conservation()


def test_amend_may_trade_unless_post_only() -> None:
    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    order = hall.buy(hall.b, "1", "49000")
    hall.exchange.amend(hall.b, order.id, price="50500")
    assert order.status == "filled"
    assert hall.free(hall.b, "USDT") == 950_000
    hall.sell(hall.a, "1", "50000")
    passive = hall.buy(hall.c, "1", "49000", post_only=True)
    refused(lambda: hall.exchange.amend(hall.c, passive.id, price="50500"), "post_only")
    assert (passive.is_open, hall.held(hall.c, "USDT")) == (True, D(49_000))
    hall.exchange.check_conservation()


def test_dead_man_switch() -> None:
    hall = Hall()
    order = hall.buy(hall.a, "1", "49000")
    other = hall.buy(hall.b, "1", "49000")
    assert hall.exchange.cancel_all_after(hall.a, 60 * S) == START_NS + 60 * S
    hall.clock.step(59 * S)
    hall.exchange.tick()
    assert order.is_open
    hall.exchange.cancel_all_after(hall.a, 60 * S)
    hall.clock.step(59 * S)
    hall.exchange.tick()
    assert order.is_open  # called again in time
    hall.clock.step(S)
    hall.exchange.tick()
    assert (order.status, order.reason, other.is_open) == ("canceled", "dead_man", True)
    hall.exchange.cancel_all_after(hall.b, 60 * S)
    assert hall.exchange.cancel_all_after(hall.b, 0) == 0
    hall.clock.step(600 * S)
    hall.exchange.tick()
    assert other.is_open


@pytest.mark.parametrize(
    ("status", "reason"),
    [("halt", "halted"), ("cancel_only", "cancel_only"), ("delisted", "bad_symbol")],
)
def test_a_market_that_does_not_trade_takes_cancels(status: Any, reason: str) -> None:
    hall = Hall()
    order = hall.buy(hall.a, "1", "49000")
    hall.exchange.set_status(PAIR, status)
    refused(lambda: hall.buy(hall.a, "1", "49000"), reason)
    if status == "delisted":
        assert (order.status, order.reason) == ("canceled", "delisted")
    else:
        hall.exchange.cancel(hall.a, order.id)
    hall.exchange.set_status(PAIR, "trading")
    assert hall.buy(hall.a, "1", "49000").is_open


def test_events_come_in_order_and_tell_each_state() -> None:
    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    hall.sell(hall.a, "1", "50001")
    hall.events.clear()
    states: list[tuple[str, int, int]] = []
    hall.exchange.subscribe(
        lambda e: (
            states.append((e.what, e.order.filled_lots, e.order.version))
            if isinstance(e, OrderChanged) and e.order.account == hall.b
            else None
        )
    )
    hall.buy(hall.b, "3", "50001")
    kinds = [type(event) for event in hall.events]
    trade = [Traded, OrderChanged, OrderChanged]
    assert kinds[:7] == [OrderChanged, *trade, *trade]
    assert set(kinds[7:-2]) == {BalanceChanged}
    assert kinds[-2:] == [BookChanged, RequestDone]
    assert states == [("new", 0, 1), ("trade", 100_000, 2), ("trade", 200_000, 3)]
    book = hall.events[-2]
    assert isinstance(book, BookChanged)
    assert book.changes == (
        ("sell", 5_000_000, 0),
        ("sell", 5_000_100, 0),
        ("buy", 5_000_100, 100_000),
    )
    assert (book.first_seq, book.last_seq) == (1003, 1005)


def test_a_crossed_book_is_a_bug_that_is_told() -> None:
    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    hall.exchange.desk(PAIR).depth.add("buy", 5_000_000, 1)
    with pytest.raises(RunError, match="expected a bid below the ask") as told:
        check_uncrossed(hall.exchange.desk(PAIR))
    assert told.value.code == "run.venue_crossed"


def test_no_balance_is_ever_negative() -> None:
    ledger = Ledger()
    poor, rich = ledger.open("poor").id, ledger.open("rich").id
    ledger.deposit(poor, "BTC", 10)
    ledger.hold(poor, "BTC", 4)
    for act in (
        lambda: ledger.hold(poor, "BTC", 7),
        lambda: ledger.hold(poor, "BTC", -5),
        lambda: ledger.pay(poor, rich, "BTC", 5),
        lambda: ledger.deposit(poor, "BTC", -7),
    ):
        with pytest.raises(RunError, match="expected no negative balance"):
            act()
    assert (
        ledger.accounts[poor].balance("BTC").free,
        ledger.accounts[poor].balance("BTC").held,
    ) == (6, 4)


def test_the_account_forgets_the_oldest_beyond_what_it_keeps() -> None:
    hall = Hall(Rules(kept_orders=2))
    orders = [hall.buy(hall.a, "1", "49000", client_id=str(n)) for n in range(4)]
    for order in orders:
        hall.exchange.cancel(hall.a, order.id)
    assert [o.client_id for o in hall.exchange.orders(hall.a)] == ["2", "3"]
    refused(lambda: hall.exchange.find(hall.a, orders[0].id), "not_found")
    refused(lambda: hall.exchange.find(hall.a, client_id="1"), "not_found")


def test_a_sum_that_changed_ends_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    pay = Ledger.pay

    def with_a_gift(ledger: Ledger, payer: int, payee: int, asset: str, atoms: int) -> None:
        pay(ledger, payer, payee, asset, atoms)
        balance = ledger.accounts[payee].balance(asset)
        ledger._set(balance, balance.free + 1, balance.held, payee, asset)

    hall = Hall()
    hall.sell(hall.a, "1", "50000")
    monkeypatch.setattr(Ledger, "pay", with_a_gift)
    request = OrderRequest(PAIR, "buy", "limit", "1", "50000")
    with pytest.raises(RunError, match="over all accounts to stay, was \\+") as told:
        hall.exchange.place(hall.b, request)
    assert told.value.code == "run.venue_conservation"


def test_a_broken_ledger_is_found() -> None:
    hall = Hall()
    hall.buy(hall.a, "1", "49000")
    balance = hall.exchange.ledger.accounts[hall.a].balance("USDT")
    balance.free += 1
    with pytest.raises(RunError, match="over all accounts"):
        hall.exchange.check_conservation()
    balance.free -= 2
    balance.held += 1
    with pytest.raises(RunError, match="to hold"):
        hall.exchange.check_conservation()
    balance.free, balance.held = balance.free + 1, balance.held - 1
    hall.exchange.desks[PAIR].depth.add("buy", 4_900_000, 1)
    with pytest.raises(RunError, match="as in the engine"):
        hall.exchange.check_conservation()


MODES = ["none", "cancel_newest", "cancel_oldest", "cancel_both", "decrement"]
KINDS = ["limit", "ioc", "fok", "post", "market", "cost", "cancel", "amend"]
REST = ["cancel all", "deposit", "withdraw", "dead man", "time", "halt", "cancel_only", "trading"]
ACTS = st.lists(
    st.tuples(
        st.sampled_from(KINDS * 3 + REST),
        st.integers(0, 2),
        st.booleans(),
        st.integers(-30, 30),
        st.integers(1, 40),
        st.sampled_from([None, *MODES]),
    ),
    max_size=60,
)
RULES = st.builds(
    Rules,
    fee_asset=st.sampled_from(["received", "quote"]),
    self_trade=st.sampled_from(MODES),
    post_only_cross=st.sampled_from(["reject", "cancel"]),
    fok_unfilled=st.sampled_from(["reject", "expire"]),
    cost_includes_fee=st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(ACTS, RULES)
def test_whatever_is_asked_nothing_is_lost(acts: list[Any], rules: Rules) -> None:
    hall = Hall(rules)
    accounts = (hall.a, hall.b, hall.c)
    hall.exchange.deposit(hall.c, "USDT", "-997000")  # too poor for some of it
    hall.exchange.deposit(hall.c, "BTC", "-9.97")
    told: dict[tuple[int, str], tuple[int, int]] = {}
    levels: dict[tuple[str, int], int] = {}
    hall.exchange.subscribe(lambda e: follow(e, told, levels))
    for kind, who, buys, away, lots, mode in acts:
        act(hall, kind, accounts[who], buys, away, lots, self_trade=mode)
        hall.exchange.check_conservation()
    for account in accounts:
        for asset, amounts in hall.exchange.balances(account).items():
            assert told.get((account, asset), amounts) == amounts
        for order in hall.exchange.orders(account):
            assert order.filled_lots == sum(f.qty_lots for f in order.fills)
            assert order.hold == 0 or order.is_open
    bids, asks = hall.exchange.book(PAIR)
    book = {("buy", px): n for px, n in bids} | {("sell", px): n for px, n in asks}
    assert {level: n for level, n in levels.items() if n} == book


def follow(event: Any, told: dict[Any, Any], levels: dict[Any, int]) -> None:
    if isinstance(event, BalanceChanged):
        told[event.account, event.asset] = (event.free, event.held)
    elif isinstance(event, BookChanged):
        levels.update({(side, px): n for side, px, n in event.changes})


def act(hall: Hall, kind: str, account: int, buys: bool, away: int, lots: int, **more: Any) -> None:
    exchange, price, qty = hall.exchange, f"{50000 + away}", f"{lots / 1000:.3f}"
    place = hall.buy if buys else hall.sell
    orders = exchange.open_orders(account)
    try:
        if kind in ("ioc", "fok"):
            place(account, qty, price, tif=kind, **more)
        elif kind == "market":
            place(account, qty, **more)
        elif kind == "cost":
            place(account, "", None, cost=str(lots * 40), **more)
        elif kind == "cancel" and orders:
            exchange.cancel(account, orders[lots % len(orders)].id)
        elif kind == "amend" and orders:
            chosen = orders[lots % len(orders)]
            exchange.amend(account, chosen.id, price=price, qty=qty)
        elif kind in REST:
            act_otherwise(hall, kind, account, "BTC" if buys else "USDT", lots)
        else:
            place(account, qty, price, post_only=kind == "post", **more)
    except Reject:
        pass


def act_otherwise(hall: Hall, kind: str, account: int, asset: str, lots: int) -> None:
    """What is not an order of the account."""
    exchange = hall.exchange
    if kind == "cancel all":
        exchange.cancel_all(account, PAIR)
    elif kind in ("deposit", "withdraw"):
        exchange.deposit(account, asset, D(lots) if kind == "deposit" else -D(lots))
    elif kind == "dead man":
        exchange.cancel_all_after(account, lots * S)
    elif kind == "time":
        hall.clock.step(lots * S)
        exchange.tick()
    else:
        exchange.set_status(PAIR, kind)  # type: ignore[arg-type]
