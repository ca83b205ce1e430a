"""A "no" is believed only when a late arrival is impossible."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.orders.entry import Answered, ProvedAbsent, Released
from kimera_cli.venues.orders.lookup import (
    CLOCK_ALLOWANCE_NS,
    SHORTEST_NS,
    Resend,
    expiry_ns,
    learn,
    resend_of,
    search_for,
)
from kimera_cli.venues.orders.machine import advance, begin
from kimera_cli.venues.orders.outcome import Absent, Found, NoAnswer, Reason, Unknown
from kimera_cli.venues.orders.rules import RULES, rules_of

SENT = 1000 * NS_PER_S
TIMEOUT = Unknown(why=Reason.NO_ANSWER, detail="timeout")


def unknown(make, venue="binance", window_ns=2 * NS_PER_S, **changes):
    intent = make.intent(venue=venue, **changes)
    state = advance(
        begin(intent),
        Released(client_id=intent.client_id, ts_ns=SENT, expires_ns=SENT + window_ns),
    )
    return advance(state, Answered(client_id=intent.client_id, outcome=TIMEOUT))


def absent(search, seconds):
    at = SENT + int(seconds * NS_PER_S)
    return learn(search, Absent(asked_ns=at), at)


def test_two_noes_five_seconds_apart_after_the_expiry_are_believed(make):
    search = search_for(unknown(make))
    assert not search.is_over
    search = absent(search, 1)
    search = absent(search, 5.9)
    assert not search.is_absent, "4.9 s lie between them"
    search = absent(search, 6)
    assert search.is_absent
    assert search.is_over


def test_one_no_is_never_enough(make):
    search = absent(search_for(unknown(make)), 3600)
    assert not search.is_absent


def test_noes_before_the_expiry_are_not_enough(make):
    search = search_for(unknown(make, window_ns=60 * NS_PER_S))
    for at in (0, 30, 60, 60.9):
        search = absent(search, at)
    assert not search.is_absent, "our idea of the venue's clock may be a second wrong"
    assert absent(search, 61).is_absent


def test_a_window_longer_than_five_seconds_must_lie_between(make):
    search = search_for(unknown(make, "htx", window_ns=300 * NS_PER_S))
    search = absent(absent(search, 200), 301)
    assert not search.is_absent
    assert absent(search, 500).is_absent


def test_a_venue_that_forgets_ids_cannot_say_no_for_ever(make):
    """HTX lists filled orders for 180 days: later, "not found" says nothing."""
    search = search_for(unknown(make, "htx", window_ns=300 * NS_PER_S))
    day = 86_400
    late = absent(absent(absent(search, 179 * day), 180 * day), 181 * day)
    assert late.negatives == ()
    assert not late.is_over
    assert absent(absent(search, 100), 178 * day).is_absent
    other = search_for(unknown(make, "kraken"))
    assert absent(absent(other, 86_400), 86_410).is_absent


def test_no_answer_is_no_information(make):
    search = search_for(unknown(make))
    for second in range(100):
        search = learn(search, NoAnswer(why="timeout"), SENT + second * NS_PER_S)
    assert not search.is_over
    assert search.negatives == ()


def test_found_ends_it_whatever_was_said_before(make):
    state = unknown(make)
    search = absent(absent(search_for(state), 1), 3)
    search = learn(search, Found(order=make.order(state.intent)), SENT)
    assert search.is_over
    assert not search.is_absent
    assert not absent(absent(search, 100), 200).is_absent


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 600), st.booleans()), max_size=30),
    st.floats(0.001, 300),
)
def test_whatever_comes_a_belief_meets_all_conditions(make, questions, window):
    window_ns = int(window * NS_PER_S)
    search = search_for(unknown(make, window_ns=window_ns))
    noes = []
    for second, answered in sorted(questions):
        at = SENT + int(second * NS_PER_S)
        search = learn(search, Absent(asked_ns=at) if answered else NoAnswer(why=""), at)
        noes += [at] if answered else []
        believed = (
            len(noes) >= 2
            and noes[-1] - noes[0] >= max(window_ns, SHORTEST_NS)
            and noes[-1] >= SENT + window_ns + CLOCK_ALLOWANCE_NS
        )
        assert search.is_absent == believed


@pytest.mark.parametrize("venue_", sorted(RULES))
def test_asking_at_the_times_it_proposes_ends_soon_and_is_no_storm(make, venue_):
    window_ns = rules_of(venue_).window.default_ns
    search = search_for(unknown(make, venue_, window_ns=window_ns))
    now, questions = SENT, 0
    while not search.is_over:
        now = max(now, search.next_ns)
        search = learn(search, Absent(asked_ns=now), now)
        questions += 1
    assert now - SENT <= max(window_ns + CLOCK_ALLOWANCE_NS, SHORTEST_NS)
    assert questions <= 8 + window_ns // (5 * NS_PER_S)


def test_an_order_is_sent_again_once(make):
    state = unknown(make)
    assert resend_of(state) is Resend.NO, "still in doubt"
    proved = ProvedAbsent(client_id=state.client_id, ts_ns=9, asked_ns=(1, 2))
    state = advance(state, proved)
    assert resend_of(state) is Resend.NEW_ID, "binance refuses an id only while it is open"
    linked = unknown(make, resends="km0")
    assert resend_of(advance(linked, ProvedAbsent(client_id=linked.client_id, ts_ns=9,
                                                  asked_ns=(1, 2)))) is Resend.NO  # fmt: skip


@pytest.mark.parametrize(
    ("venue_", "how"),
    [
        ("okx", Resend.SAME_ID),
        ("bybit", Resend.SAME_ID),
        ("htx", Resend.NEW_ID),
        ("coinbase", Resend.SAME_ID),
        ("kraken", Resend.NEW_ID),
        ("coinbaseexchange", Resend.NEW_ID),
        ("binance", Resend.NEW_ID),
    ],
)
def test_the_same_id_only_where_a_second_use_is_refused(make, venue_, how):
    state = unknown(make, venue_)
    proved = ProvedAbsent(client_id=state.client_id, ts_ns=9, asked_ns=(1, 2))
    state = advance(state, proved)
    assert resend_of(state) is how
    state = advance(state, Released(client_id=state.client_id, ts_ns=SENT, expires_ns=SENT + 1))
    state = advance(state, Answered(client_id=state.client_id, outcome=TIMEOUT))
    assert resend_of(advance(state, proved)) is Resend.NO


@pytest.mark.parametrize(
    ("venue_", "seconds"),
    [
        ("binance", 5),
        ("bybit", 5),
        ("coinbase", 30),
        ("coinbaseexchange", 30),
        ("htx", 300),
        ("kraken", 5),
        ("okx", 5),
    ],
)
def test_a_request_lives_as_long_as_it_says_or_the_venue_lets(venue_, seconds):
    assert expiry_ns(venue_, 7) == 7 + seconds * NS_PER_S
