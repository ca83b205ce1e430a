"""How far a venue's clock is from ours, also when somebody sets ours."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.clock import RENEW_NS, VenueClock
from kimera_cli.venues.clients.world import World

S, MS = 1_000_000_000, 1_000_000
T0 = 1_700_000_000 * S


class Host:
    """This host's two clocks; the venue's is true."""

    def __init__(self) -> None:
        self.steady_ns = 5 * S
        self.wrong_ns = 0

    @property
    def true_ns(self) -> int:
        return T0 + self.steady_ns

    def world(self) -> World:
        return World(
            lambda: self.true_ns + self.wrong_ns, lambda: self.steady_ns, bytes, lambda error: None
        )

    def probe(self, clock: VenueClock) -> None:
        sent = self.true_ns + self.wrong_ns
        self.steady_ns += 10 * MS
        venue_ns = self.true_ns // MS * MS
        self.steady_ns += 10 * MS
        clock.add(sent, venue_ns, self.true_ns + self.wrong_ns)


@pytest.fixture
def host() -> Host:
    return Host()


def probed(host: Host) -> VenueClock:
    clock = VenueClock("binance", host.world())
    for _ in range(5):
        host.probe(clock)
    return clock


def test_our_clock_is_set_between_two_probes(host: Host) -> None:
    """Nothing new from that moment on, cancels with the right time, and a probe ends it."""
    clock = probed(host)
    clock.check()
    assert not clock.due
    for step in (2 * S, -2 * S):
        host.wrong_ns += step
        assert clock.stepped_ns == step
        assert abs(clock.now_ns() - host.true_ns) < 20 * MS
        assert clock.due
        with pytest.raises(VenueError, match="was [+]2" if step < 0 else "was -[12]"):
            clock.check()
        host.wrong_ns -= step
        clock.check()


def test_a_small_step_is_corrected_and_probed_again(host: Host) -> None:
    clock = probed(host)
    host.wrong_ns = 400 * MS
    clock.check()
    assert clock.due
    assert abs(clock.now_ns() - host.true_ns) < 20 * MS
    host.probe(clock)
    assert not clock.due
    assert abs(clock.now_ns() - host.true_ns) < 20 * MS


def test_a_step_that_was_probed_counts_as_the_clock_that_it_is(host: Host) -> None:
    clock = probed(host)
    host.wrong_ns = 3 * S
    host.probe(clock)
    with pytest.raises(VenueError, match=r"was -(3|2\.99)"):
        clock.check()
    host.wrong_ns = 0
    host.probe(clock)
    clock.check()


def test_a_probe_is_due_every_half_hour(host: Host) -> None:
    clock = probed(host)
    host.steady_ns += RENEW_NS
    assert not clock.due
    host.steady_ns += S
    assert clock.due


def test_what_was_known_stays_until_the_venue_answers_again(host: Host) -> None:
    host.wrong_ns = -3 * S
    clock = probed(host)
    clock.forget()
    with pytest.raises(VenueError, match="within 1 s"):
        clock.check()
    host.wrong_ns = 0
    host.probe(clock)
    clock.check()


def test_an_estimate_without_a_step_is_what_it_was(host: Host) -> None:
    """Reading two clocks takes time: a difference of microseconds is no step."""
    clock = probed(host)
    late = replace(host.world(), monotonic_ns=lambda: host.steady_ns - 30_000)
    before = clock.now_ns()
    clock.world = late
    assert clock.stepped_ns == 0
    assert clock.now_ns() == before
