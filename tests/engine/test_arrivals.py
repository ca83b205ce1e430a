"""Venues that join a run: the gate opens for each one when the word of it comes."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tapes import SPOT, plain_profile

from kimera_cli.engine import setup
from kimera_cli.engine.arrivals import Arrival, Arrivals
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.errors import RunError, VenueError
from kimera_cli.live.source import LiveSource
from kimera_cli.settings import Fees
from kimera_cli.strategies.loader import load

OTHER = replace(SPOT, venue="okx")
SAME = replace(SPOT, venue="okx", symbol="ETHUSD")


class Waiter:
    """The process that waits for venues, as far as the engine asks for it."""

    def __init__(self) -> None:
        self.news: list[Arrival] = []
        self.notes: list[Any] = []
        self.error: Exception | None = None
        self.checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.error is not None:
            raise self.error


class Rig:
    def __init__(self, fees: Fees | None = None, away: tuple[str, ...] = ("okx",)) -> None:
        instruments = [SPOT, OTHER, SAME]
        sources: Any = [LiveSource(each) for each in instruments]
        request = RunRequest("venue", sources, [Sleeved(load("noop"), {})], plain_profile(), seed=1)
        self.arrays = setup.build(request)[0]
        self.waiter: Any = Waiter()
        self.clocks: dict[str, Any] = {}
        self.arrivals = Arrivals(
            self.arrays,
            instruments,
            away,
            self.waiter,
            fees=fees or Fees(),
            clocks=self.clocks,
            notices=[VenueError("venue.left_out", "x")],
        )

    @property
    def away(self) -> list[int]:
        found: list[int] = self.arrays.streams["away"].tolist()
        return found


def test_a_venue_is_away_until_it_joins() -> None:
    rig = Rig()
    rig.arrivals.look()
    assert rig.away == [0, 1, 1]
    rig.waiter.news.append(Arrival("okx", 5_000, 70))
    rig.arrivals.look()
    assert rig.away == [0, 0, 0]
    assert rig.arrays.streams["venue_shift_ns"].tolist() == [0, -5_000, -5_000]
    assert rig.clocks == {"okx": {"ahead_ns": 5_000, "uncertainty_ns": 70}}
    rig.arrivals.look()
    assert rig.waiter.checks == 2, "nobody is awaited any more"


@pytest.mark.parametrize(("fixed", "expected"), [(None, 0.003), (0.5, 0.5)])
def test_fees_are_what_was_learnt_unless_the_profile_says_them(
    fixed: float | None, expected: float
) -> None:
    rig = Rig(Fees(taker=fixed))
    for rows in (rig.arrays.instruments, rig.arrays.views):
        rows["taker_fee"] = 0.5
    rig.waiter.news.append(Arrival("okx", 0, 0, {OTHER.symbol: (0.001, 0.003)}))
    rig.arrivals.look()
    for rows in (rig.arrays.instruments, rig.arrays.views):
        assert rows["taker_fee"].tolist() == [0.5, expected, 0.5]
        assert rows["maker_fee"][1] == 0.001


def test_units_that_a_start_used_up_are_not_there_for_new_orders() -> None:
    rig = Rig()
    paces = rig.arrays.gate[0]["paces"]
    rig.arrays.streams["pace"] = [1, 2, 2]
    paces["tokens"] = paces["token_burst"] = 54.0
    rig.waiter.news.append(Arrival("okx", 0, 0, {}, units_left=37.5, told_ns=7))
    rig.arrivals.look()
    assert paces["tokens"][:2].tolist() == [54.0, 37.5]
    assert paces["token_ts_ns"][:2].tolist() == [0, 7]


def test_who_tells_no_units_leaves_them() -> None:
    rig = Rig()
    paces = rig.arrays.gate[0]["paces"]
    rig.arrays.streams["pace"] = [1, 2, 2]
    paces["tokens"] = paces["token_burst"] = 54.0
    rig.waiter.news.append(Arrival("okx", 0, 0, told_ns=7))
    rig.arrivals.look()
    assert paces["tokens"][:2].tolist() == [54.0, 54.0]
    assert paces["token_ts_ns"][:2].tolist() == [0, 0]


def test_notices_are_told_once() -> None:
    rig = Rig()
    rig.waiter.notes.append(VenueError("venue.away", "x"))
    assert [each.code for each in rig.arrivals.notices()] == ["venue.left_out", "venue.away"]
    assert rig.arrivals.notices() == []


def test_an_end_of_who_waits_is_raised() -> None:
    rig = Rig()
    rig.waiter.error = RunError("run.child_ended", "x")
    with pytest.raises(RunError):
        rig.arrivals.look()
