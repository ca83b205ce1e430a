"""The life of an order against a reference venue whose messages are lost, doubled and mixed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.entry import (
    Answered,
    ChangeAnswered,
    ChangeAsked,
    Planned,
    ProvedAbsent,
    Released,
    Withheld,
)
from kimera_cli.venues.orders.machine import CLOSED_BY_VENUE, Change, Phase
from kimera_cli.venues.orders.outcome import (
    Accepted,
    AmendIntent,
    CancelIntent,
    FillUpdate,
    Handling,
    OrderUpdate,
    Reason,
    Rejected,
    Unknown,
)

TIMEOUT = Unknown(why=Reason.NO_ANSWER, detail="timeout")


class Client:
    """An account's orders with one order sent, and short words for what happens to it."""

    def __init__(self, make, **changes):
        self.make = make
        self.intent = make.intent(**changes)
        self.orders = AccountOrders(make.session)
        self.orders.apply(Planned(intent=self.intent))
        self.release()

    @property
    def state(self):
        return self.orders.states[self.intent.client_id]

    def release(self):
        return self.orders.apply(Released(client_id=self.intent.client_id, ts_ns=1, expires_ns=2))

    def answered(self, outcome):
        return self.orders.apply(Answered(client_id=self.intent.client_id, outcome=outcome))

    def told(self, **values):
        return self.orders.apply(OrderUpdate(order=self.make.order(self.intent, **values)))

    def fill(self, trade, qty, **values):
        return self.orders.apply(FillUpdate(fill=self.make.fill(self.intent, trade, qty, **values)))

    def cancel(self, outcome=None, kind=CancelIntent, **values):
        intent = kind(number=9, venue="binance", account="main", symbol=self.make.symbol,
                      created_ns=1, client_id=self.intent.client_id, **values)  # fmt: skip
        entry = ChangeAsked(intent=intent) if outcome is None else ChangeAnswered(
            intent=intent, outcome=outcome
        )  # fmt: skip
        return self.orders.apply(entry)


@pytest.fixture
def client(make):
    return Client(make)


def phase_of(final, fills):
    if final.status != "open":
        return Phase(final.status)
    return Phase.PARTIAL if fills else Phase.OPEN


def follow(make, history, delivered):
    """Deliver messages; at each step nothing that is filled shrinks and closed stays closed."""
    orders = AccountOrders(make.session)
    for entry in history.start:
        orders.apply(entry)
    client_id = history.intent.client_id
    before = orders.states[client_id]
    for entry in delivered:
        orders.apply(entry)
        after = orders.states[client_id]
        assert after.done >= before.done
        assert after.filled >= before.filled
        assert after.filled <= 10
        if before.phase in CLOSED_BY_VENUE:
            assert after.phase in {before.phase, Phase.FILLED}
        if before.venue_order_id:
            assert after.venue_order_id == before.venue_order_id
        before = after
    return orders


def answers(history):
    """The answer to the order request itself: in time, late, lost."""
    client_id = history.intent.client_id
    order_id = history.final.venue_order_id
    return st.sampled_from(
        [
            Answered(client_id=client_id, outcome=Accepted(venue_order_id=order_id, ts_ns=3)),
            Answered(client_id=client_id, outcome=TIMEOUT),
            ProvedAbsent(client_id=client_id, ts_ns=5, asked_ns=(1, 4)),
        ]
    )


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_any_order_of_all_messages_comes_to_the_truth(make, data):
    history = data.draw(make.histories())
    extra = data.draw(st.lists(answers(history), max_size=2))
    delivered = data.draw(make.deliveries([*history.messages, *extra], drops=False))
    orders = follow(make, history, delivered)
    state = orders.states[history.intent.client_id]
    assert state.phase is phase_of(history.final, history.fills)
    assert state.filled == state.told == sum((f.quantity for f in history.fills), Decimal(0))
    assert state.cost == 100 * state.filled
    assert not orders.foreign
    assert not orders.unclaimed
    assert not state.must_ask


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_whatever_was_lost_asking_at_the_end_comes_to_the_truth(make, data):
    history = data.draw(make.histories())
    extra = data.draw(st.lists(answers(history), max_size=2))
    delivered = data.draw(make.deliveries([*history.messages, *extra], drops=True))
    orders = follow(make, history, [*delivered, *history.truth])
    state = orders.states[history.intent.client_id]
    assert state.phase is phase_of(history.final, history.fills)
    assert state.filled == sum((f.quantity for f in history.fills), Decimal(0))
    assert state.is_settled == (history.final.status != "open")
    sign = 1 if history.intent.side == "buy" else -1
    assert orders.fills.position(make.symbol) == sign * state.filled
    assert len(orders.fills) == len(history.fills)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_several_orders_do_not_mix(make, data):
    several = [data.draw(make.histories(number=n)) for n in (1, 2, 3)]
    messages = [m for h in several for m in h.messages]
    orders = AccountOrders(make.session)
    for history in several:
        for entry in history.start:
            orders.apply(entry)
    for entry in data.draw(make.deliveries(messages, drops=False)):
        orders.apply(entry)
    for history in several:
        state = orders.states[history.intent.client_id]
        assert state.phase is phase_of(history.final, history.fills)
        assert state.filled == sum((f.quantity for f in history.fills), Decimal(0))
    states = orders.states.values()
    assert set(orders.live()) == {s for s in states if s.is_live}
    assert set(orders.in_doubt()) == {s for s in states if s.must_ask}
    assert set(orders.unsettled()) == {s for s in states if not s.is_settled}


def test_a_fill_before_the_acknowledgement_waits_for_its_order(client):
    """F10: kraken and coinbase name only their own id in a fill."""
    assert client.fill(1, 4, client_id="") == []
    assert client.orders.fills.position(client.make.symbol) == 4, "money is counted at once"
    changes = client.answered(client.make.accepted(client.intent))
    assert [change.after.phase for change in changes] == [Phase.OPEN, Phase.PARTIAL]
    assert changes[1].fill.quantity == 4
    assert client.state.filled == 4
    assert not client.orders.unclaimed


def test_a_lost_answer_and_then_the_order_on_the_stream(client):
    client.answered(TIMEOUT)
    assert client.state.phase is Phase.UNKNOWN
    assert client.state.must_ask
    client.told(status="open", filled=Decimal(0))
    assert client.state.phase is Phase.OPEN
    client.answered(TIMEOUT)
    assert client.state.phase is Phase.OPEN, "a late timeout outweighs nothing"


def test_a_late_acknowledgement_is_taken_once(client):
    """F3."""
    client.answered(TIMEOUT)
    assert client.answered(client.make.accepted(client.intent))
    assert client.answered(client.make.accepted(client.intent)) == []
    assert client.state.phase is Phase.OPEN
    assert client.state.surprises == ()


def test_a_duplicate_id_is_looked_up_not_rejected(client):
    """F9: an order of that id is there already."""
    client.answered(Unknown(why=Reason.DUPLICATE_ID, detail="51016"))
    assert client.state.phase is Phase.UNKNOWN
    client.told(status="open")
    assert client.state.phase is Phase.OPEN


@pytest.mark.parametrize("handling", [Handling.DEFINITE, Handling.AUTH])
def test_a_definite_refusal_closes_the_intent(client, handling):
    """F8."""
    client.answered(Rejected(reason=Reason.FUNDS, raw="-2010 no funds", handling=handling))
    assert client.state.phase is Phase.REJECTED
    assert (client.state.reason, client.state.raw) == (Reason.FUNDS, "-2010 no funds")
    assert client.state.is_settled
    client.release()
    assert client.state.phase is Phase.REJECTED, "a closed intent is never sent again"


@pytest.mark.parametrize("handling", [Handling.DEFINITE, Handling.AUTH, Handling.CLOCK])
def test_a_late_refusal_ends_no_order_that_the_venue_has_told_of(client, handling):
    """It is the answer to another request: of the same id, sent twice by a proxy on the way."""
    client.told(status="open", filled=Decimal(0))
    client.answered(Rejected(reason=Reason.FUNDS, raw="-2010 no funds", handling=handling))
    assert client.state.phase is Phase.OPEN
    client.told(status="canceled", filled=Decimal(0))
    client.answered(Rejected(reason=Reason.FUNDS, raw="-2010 no funds", handling=handling))
    assert client.state.phase is Phase.CANCELED


@pytest.mark.parametrize("handling", [Handling.RETRY_LATER, Handling.CLOCK])
def test_what_was_not_executed_may_be_sent_again(client, handling):
    """F6, F7."""
    client.answered(Rejected(reason=Reason.CLOCK, raw="-1021", handling=handling))
    assert client.state.phase is Phase.NEW
    client.release()
    assert (client.state.phase, client.state.attempts) == (Phase.SENT, 2)


def test_a_pause_asked_while_in_doubt_does_not_end_the_doubt(client):
    client.answered(TIMEOUT)
    client.answered(Rejected(reason=Reason.RATE_LIMIT, raw="429", handling=Handling.RETRY_LATER))
    assert client.state.phase is Phase.UNKNOWN


def test_proved_absent_may_be_sent_once_more_and_withheld_never(client):
    client.answered(TIMEOUT)
    client.orders.apply(ProvedAbsent(client_id=client.intent.client_id, ts_ns=9, asked_ns=(3, 9)))
    assert client.state.phase is Phase.ABSENT
    assert client.state.is_settled
    client.release()
    assert client.state.phase is Phase.SENT
    other = Client(client.make, number=2)
    other.answered(Rejected(reason=Reason.CLOCK, raw="", handling=Handling.CLOCK))
    other.orders.apply(Withheld(client_id=other.intent.client_id, ts_ns=1, why="clock"))
    other.release()
    assert other.state.phase is Phase.WITHHELD


@pytest.mark.parametrize("conclude", ["absent", "rejected"])
def test_the_venue_outweighs_a_conclusion_and_a_note_says_so(client, conclude):
    client.answered(TIMEOUT)
    if conclude == "absent":
        client.orders.apply(
            ProvedAbsent(client_id=client.intent.client_id, ts_ns=9, asked_ns=(3, 9))
        )
    else:
        client.answered(Rejected(reason=Reason.FUNDS, raw=""))
    client.fill(1, 3)
    assert client.state.phase is Phase.PARTIAL
    assert client.state.surprises == (f"was taken for {conclude}, yet the venue has it",)


def test_accepted_then_canceled_by_the_venue(client):
    """F11: post-only that would take, self-trade prevention, remainder of IOC."""
    client.answered(client.make.accepted(client.intent))
    client.told(status="canceled", reason=Reason.POST_ONLY, raw_status="CANCELED", version=2)
    assert (client.state.phase, client.state.reason) == (Phase.CANCELED, Reason.POST_ONLY)
    client.told(status="open", version=1)
    assert client.state.phase is Phase.CANCELED


def test_rejected_on_the_stream_is_final(client):
    client.answered(client.make.accepted(client.intent))
    client.told(status="rejected", reason=Reason.POST_ONLY)
    client.told(status="open")
    assert client.state.phase is Phase.REJECTED
    assert client.state.surprises == ()


def test_a_cancel_that_loses_against_the_last_fill(client):
    """F12: the fill counts once, and the order is filled, not canceled."""
    client.answered(client.make.accepted(client.intent))
    client.cancel()
    client.told(status="canceled", filled=Decimal(4))
    assert client.state.owed == 4
    assert client.state.must_ask
    client.fill(1, 4)
    assert client.state.is_settled
    client.fill(2, 6)
    client.fill(2, 6)
    assert (client.state.phase, client.state.filled) == (Phase.FILLED, 10)


@pytest.mark.parametrize("outcome", [TIMEOUT, Rejected(reason=Reason.NOT_FOUND, raw="-2011")])
def test_a_cancel_without_a_clear_answer_is_asked_after(client, outcome):
    client.answered(client.make.accepted(client.intent))
    client.cancel()
    client.cancel(outcome)
    assert client.state.change is Change.UNKNOWN
    assert client.state.must_ask
    client.told(status="open", updated_ns=5)
    assert client.state.must_ask, "an order that was open before the cancel proves nothing"
    client.told(status="canceled", updated_ns=9)
    assert (client.state.phase, client.state.must_ask) == (Phase.CANCELED, False)


def test_a_cancel_acknowledged_without_the_order_waits_for_the_stream(client):
    client.answered(client.make.accepted(client.intent))
    client.cancel()
    client.cancel(client.make.accepted(client.intent))
    assert (client.state.phase, client.state.change) == (Phase.OPEN, Change.ACCEPTED)
    client.cancel(Rejected(reason=Reason.BAD_REQUEST, raw="no"))
    assert client.state.change is Change.NONE


def test_an_amendment_in_flight_leaves_the_end_to_the_venue(client):
    client.answered(client.make.accepted(client.intent))
    client.cancel(kind=AmendIntent, quantity=Decimal(20))
    client.fill(1, 10)
    assert client.state.phase is Phase.PARTIAL, "the order may be larger by now"
    grown = client.make.order(client.intent, quantity=Decimal(20), filled=Decimal(10), version=3)
    client.cancel(
        Accepted(venue_order_id="v1", ts_ns=1, order=grown), kind=AmendIntent, quantity=Decimal(20)
    )
    assert (client.state.phase, client.state.quantity) == (Phase.PARTIAL, 20)
    client.fill(2, 10)
    assert client.state.phase is Phase.FILLED


def test_a_refused_amendment_ends_the_doubt(client):
    client.answered(client.make.accepted(client.intent))
    client.cancel(kind=AmendIntent, quantity=Decimal(20))
    client.fill(1, 10)
    client.cancel(Rejected(reason=Reason.FUNDS, raw=""), kind=AmendIntent, quantity=Decimal(20))
    assert client.state.phase is Phase.FILLED


def test_two_orders_of_one_intent_are_noticed(client):
    client.answered(client.make.accepted(client.intent))
    client.told(venue_order_id="v9", status="filled", filled=Decimal(10))
    assert client.state.phase is Phase.OPEN
    assert client.state.surprises == ("a second order at the venue: v9 beside v1",)
    client.fill(7, 10, venue_order_id="v9")
    assert client.state.filled == 0, "its fills are not those of the first"
    assert [f.trade_id for f in client.orders.foreign_fills()] == ["t7"]


def test_a_fill_under_another_order_of_the_same_id_is_noticed(client):
    client.answered(client.make.accepted(client.intent))
    client.fill(7, 10, venue_order_id="v9")
    assert (client.state.phase, client.state.filled) == (Phase.OPEN, 0)
    assert client.state.surprises == ("a second order at the venue: v9 beside v1",)
    assert [f.trade_id for f in client.orders.foreign_fills()] == ["t7"]


def test_what_is_told_without_our_id_before_the_acknowledgement_is_not_lost(client):
    client.told(client_id="", status="canceled", reason=Reason.POST_ONLY)
    assert list(client.orders.foreign) == [(client.make.symbol, "v1")]
    client.answered(client.make.accepted(client.intent))
    assert (client.state.phase, client.state.reason) == (Phase.CANCELED, Reason.POST_ONLY)
    assert not client.orders.foreign


def test_the_first_end_that_the_venue_tells_stays(client):
    client.told(status="expired")
    client.told(status="canceled")
    assert client.state.phase is Phase.EXPIRED


def test_an_older_telling_changes_neither_price_nor_quantity(client):
    client.told(status="open", version=5, quantity=Decimal(20), price=Decimal(99))
    client.told(status="open", version=4, quantity=Decimal(10), price=Decimal(100))
    assert (client.state.quantity, client.state.price) == (20, 99)
    client.told(status="open", version=6, quantity=Decimal(7), price=None)
    assert (client.state.quantity, client.state.price) == (7, 99)


def test_a_market_order_by_cost_ends_when_the_venue_says_so(make):
    client = Client(make, kind="market", tif="ioc", price=None, quantity=None, cost=Decimal(1000))
    client.answered(make.accepted(client.intent))
    client.fill(1, 9)
    assert client.state.phase is Phase.PARTIAL
    client.told(status="filled", quantity=None, price=None, filled=Decimal(9), cost=Decimal(900))
    assert client.state.is_settled


def test_foreign_orders_and_fills_are_kept_apart(client):
    foreign = client.make.order(venue_order_id="f1", client_id="by hand", side="sell")
    assert client.orders.apply(OrderUpdate(order=foreign)) == []
    assert not client.orders.is_ours(foreign)
    assert client.orders.apply(
        FillUpdate(fill=client.make.fill(None, 50, 2, venue_order_id="f1", side="sell"))
    ) == []  # fmt: skip
    assert client.orders.fills.position(client.make.symbol) == -2, "the position is what it is"
    assert list(client.orders.foreign) == [(client.make.symbol, "f1")]
    assert client.state.phase is Phase.SENT


def test_orders_may_end_while_they_are_walked(make):
    clients = [Client(make, number=n) for n in (1, 2)]
    orders = clients[0].orders
    second = clients[1].intent
    orders.apply(Planned(intent=second))
    orders.apply(Released(client_id=second.client_id, ts_ns=1, expires_ns=2))
    for state in orders.live():
        done = make.order(state.intent, status="canceled", filled=Decimal(0))
        orders.apply(OrderUpdate(order=done))
    assert list(orders.live()) == []


def test_unknown_entries_change_nothing(client):
    nothing = Answered(client_id="km", outcome=TIMEOUT)
    assert client.orders.apply(nothing) == []
    assert client.orders.apply(Planned(intent=client.intent)) == []
