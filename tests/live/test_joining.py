"""When a run begins without a venue, and what becomes of that venue: with attempts as scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kimera_cli.engine.arrivals import Arrival
from kimera_cli.errors import KimeraError, RiskError, UsageError, VenueError
from kimera_cli.live import joining
from kimera_cli.live.joining import AGAIN_NS, Joining, first_of, is_away, stop
from kimera_cli.venues.clients.session import RefusedError
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.reasons import judge

S = 1_000_000_000


class Scene:
    """Venues whose attempts go as scripted: an error is raised, a number lasts, None arrives."""

    def __init__(self) -> None:
        self.now_ns = 10 * AGAIN_NS
        self.pause_ns = S
        self.reported: list[KimeraError] = []
        self.arrived: list[str] = []
        self.changed = asyncio.Event()
        self.begun = asyncio.Event()
        """Without it, no second attempt is made."""
        self.world = World(
            lambda: self.now_ns, lambda: self.now_ns, bytes, self.reported.append, self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        await self.begun.wait()
        self.now_ns += self.pause_ns
        await asyncio.sleep(0)

    def venue(self, name: str, *script: KimeraError | asyncio.Event | None) -> Joining:
        steps = list(script)

        async def attempt() -> Arrival:
            step = steps.pop(0) if steps else None
            if isinstance(step, asyncio.Event):
                await step.wait()
                step = steps.pop(0) if steps else None
            if isinstance(step, KimeraError):
                raise step
            return Arrival(name, 0, 0)

        return Joining(
            name, attempt, lambda a: self.arrived.append(a.venue), self.world, changed=self.changed
        )

    def codes(self) -> list[str]:
        return [each.code for each in self.reported]


def play(what: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        await what(Scene())

    asyncio.run(whole())


def out(code: str = "venue.unreachable") -> VenueError:
    return VenueError(code, f"expected an answer, was {code}")


async def ended(scene: Scene, late: Joining) -> None:
    scene.begun.set()
    await late.task


def test_all_are_there() -> None:
    async def what(scene: Scene) -> None:
        await first_of([scene.venue("okx"), scene.venue("kraken")])
        assert scene.arrived == ["okx", "kraken"]
        assert scene.codes() == []

    play(what)


def test_what_has_failed_is_not_waited_for_and_joins_when_it_can() -> None:
    async def what(scene: Scene) -> None:
        late = scene.venue("okx", out(), out(), out("venue.maintenance"))
        await first_of([late, scene.venue("kraken")])
        assert scene.arrived == ["kraken"]
        assert late.patience_s == 0.0
        assert scene.codes() == ["venue.away"]
        assert scene.reported[0].details["why"] == "venue.unreachable"
        await ended(scene, late)
        assert scene.arrived == ["kraken", "okx"]
        assert scene.codes() == ["venue.away", "venue.away", "venue.joined"]

    play(what)


def test_what_is_still_away_is_told_again_but_not_over_and_over() -> None:
    async def what(scene: Scene) -> None:
        scene.pause_ns = AGAIN_NS // 10
        late = scene.venue("okx", *(out() for _ in range(25)))
        await first_of([late, scene.venue("kraken")])
        await ended(scene, late)
        assert scene.codes() == ["venue.away"] * 3 + ["venue.joined"], "once in eleven attempts"

    play(what)


@pytest.mark.parametrize("doubt", [True, False])
def test_what_takes_longer_than_the_others_is_given_its_time(monkeypatch: Any, doubt: bool) -> None:
    until_ns = S if doubt else 0

    async def what(scene: Scene) -> None:
        monkeypatch.setattr(joining, "DOUBT_S" if doubt else "SLOW_S", 0.01)
        answers = asyncio.Event()
        late = scene.venue("okx", answers)
        if doubt:
            late.pending = lambda: RiskError("risk.order_in_doubt", "in doubt: x", until_ns=S)
        await first_of([late, scene.venue("kraken")])
        assert scene.arrived == ["kraken"]
        assert (scene.codes(), scene.reported[0].details["until_ns"]) == (["venue.away"], until_ns)
        answers.set()
        await ended(scene, late)
        assert scene.arrived == ["kraken", "okx"]

    play(what)


def test_without_any_venue_the_first_error_ends_the_start() -> None:
    async def what(scene: Scene) -> None:
        both = [scene.venue("okx", *[out()] * 9), scene.venue("kraken", *[out("venue.dns")] * 9)]
        with pytest.raises(VenueError) as raised:
            await first_of(both)
        await stop(both)
        assert raised.value.code == "venue.unreachable"
        assert scene.codes() == []

    play(what)


@pytest.mark.parametrize("code", ["venue.auth", "venue.clock", "venue.halted", "venue.not_served"])
def test_what_is_no_outage_ends_a_start(code: str) -> None:
    async def what(scene: Scene) -> None:
        never = asyncio.Event()
        both = [scene.venue("okx", never), scene.venue("kraken", out(code))]
        with pytest.raises(VenueError) as raised:
            await first_of(both)
        await stop(both)
        assert raised.value.code == code

    play(what)


@pytest.mark.parametrize(
    ("error", "joins"),
    [
        (out("venue.clock"), True),
        (out("venue.halted"), True),
        (RiskError("risk.order_in_doubt", "x"), True),
        (out("venue.auth"), False),
        (out("venue.steps_changed"), False),
        (UsageError("usage.symbol", "x"), False),
    ],
)
def test_later_it_ends_no_run(error: KimeraError, joins: bool) -> None:
    async def what(scene: Scene) -> None:
        late = scene.venue("okx", out(), error)
        await first_of([late, scene.venue("kraken")])
        await ended(scene, late)
        assert scene.codes()[-1] == ("venue.joined" if joins else "venue.left_out")
        assert scene.arrived == (["kraken", "okx"] if joins else ["kraken"])
        assert late.joined is joins

    play(what)


def test_what_nobody_foresaw_is_raised() -> None:
    async def what(scene: Scene) -> None:
        async def attempt() -> Arrival:
            raise KeyError("a bug")

        wrong = Joining("okx", attempt, lambda arrival: None, scene.world, changed=scene.changed)
        with pytest.raises(KeyError):
            await first_of([wrong, scene.venue("kraken", asyncio.Event())])

    play(what)


@pytest.mark.parametrize(
    ("status", "code", "away"),
    [
        (503, "", True),
        (429, "", True),
        (403, "", True),
        (200, "50001", True),
        (401, "", False),
        (400, "51008", False),
    ],
)
def test_a_refusal_is_an_outage_when_waiting_may_mend_it(
    status: int, code: str, away: bool
) -> None:
    verdict = judge("okx", code, "", status)
    assert is_away(RefusedError("okx", verdict, code, "")) is away
