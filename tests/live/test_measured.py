"""Order latency of a live run, from its records."""

from __future__ import annotations

import numpy as np

from kimera_cli.engine.live import HOLD_NS, hold_of
from kimera_cli.layouts import R_ACCEPTED, R_INTENT, RECORD
from kimera_cli.live.measured import measured, with_latency
from kimera_cli.settings import Latency, Profile

T0, MS = 1_795_000_000_000_000_000, 1_000_000


def rows(*orders: tuple[int, int | None, int]) -> np.ndarray:
    """Return records of orders: sent, at the venue (None: not told), known; in ms."""
    found = np.zeros(2 * len(orders), RECORD)
    for k, (sent, there, known) in enumerate(orders):
        found[2 * k]["kind"], found[2 * k + 1]["kind"] = R_INTENT, R_ACCEPTED
        found["order_id"][2 * k : 2 * k + 2] = k + 1
        found[2 * k]["ts_ns"] = found[2 * k]["ts_exch_ns"] = T0 + sent * MS
        found[2 * k + 1]["ts_ns"] = T0 + known * MS
        found[2 * k + 1]["ts_exch_ns"] = T0 + (known if there is None else there) * MS
    return found


def test_both_ways_are_medians() -> None:
    found = measured(rows((0, 3, 10), (100, 104, 112), (200, 290, 999)))
    assert found == (3, 4 * MS, 8 * MS)


def test_an_acceptance_without_a_stamp_counts_for_the_sum_alone() -> None:
    assert measured(rows((0, 3, 10), (100, None, 110), (200, None, 212))) == (3, 3 * MS, 7 * MS)
    assert measured(rows((0, None, 10))) == (1, 5 * MS, 5 * MS)


def test_a_clock_that_is_off_makes_nothing_negative() -> None:
    assert measured(rows((0, -7, 10))) == (1, 0, 10 * MS)


def test_orders_that_were_never_accepted_tell_nothing() -> None:
    assert measured(rows((0, 3, 10))[:1]).n == 0


def test_a_profile_takes_them() -> None:
    latency = with_latency(Profile(), measured(rows((0, 3, 10)))).latency
    assert (latency.entry, latency.entry_ns) == ("constant", 3 * MS)
    assert (latency.response, latency.response_ns) == ("constant", 7 * MS)


def test_a_simulated_venue_waits_for_the_feed_while_its_answer_is_under_way() -> None:
    assert hold_of(Latency()) == HOLD_NS
    assert hold_of(Latency(response_ns=300 * MS)) == 300 * MS - 2
    assert hold_of(Latency(response="lognormal", response_ns=300 * MS)) == HOLD_NS
