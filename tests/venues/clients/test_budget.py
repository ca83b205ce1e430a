"""Budgets: what waits, who goes first, what stops everything; time moves only when told."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from loopback import run

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.budget import ALL, ORDERS, Budget, Rule
from kimera_cli.venues.clients.limits import budget_for, pause_s
from kimera_cli.venues.clients.venues import api_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import RULES

S = 10**9


class Time:
    """A clock that sleepers move, each to its own end."""

    def __init__(self) -> None:
        self.now = 0
        self.sleepers: list[tuple[int, asyncio.Future[None]]] = []

    @property
    def world(self) -> World:
        return World(lambda: self.now, lambda: self.now, bytes, lambda error: None, self.sleep)

    async def sleep(self, seconds: float) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + int(seconds * S), waiter))
        await waiter

    async def forward(self, seconds: float) -> None:
        """Let time pass, sleeper by sleeper."""
        end = self.now + int(seconds * S)
        for _ in range(10_000):
            for _ in range(20):
                await asyncio.sleep(0)
            self.sleepers = [s for s in self.sleepers if not s[1].done()]
            due = [s for s in self.sleepers if s[0] <= end]
            if not due:
                break
            first = min(due, key=lambda s: s[0])
            self.now = max(self.now, first[0])
            first[1].set_result(None)
        self.now = end


def test_a_bucket_gives_what_it_has_at_once_and_then_as_fast_as_it_fills() -> None:
    async def work() -> None:
        clock = Time()
        budget = Budget("v", (Rule("all", 10, 10.0, ALL),), clock.world)
        sent: list[int] = []

        async def send() -> None:
            await budget.take("cancel")
            sent.append(clock.now)

        tasks = [asyncio.ensure_future(send()) for _ in range(15)]
        await clock.forward(0)
        assert len(sent) == 10
        await clock.forward(3.5)
        assert len(sent) == 13
        await clock.forward(2)
        assert len(sent) == 15
        assert all(b - a >= S - 1 for a, b in pairwise(sent[9:]))
        await asyncio.gather(*tasks)

    run(work())


def test_cancels_go_before_orders_and_these_before_questions_and_parts_are_kept_for_them() -> None:
    async def work() -> None:
        clock = Time()
        budget = Budget("v", (Rule("all", 10, 10.0, ALL),), clock.world)
        order: list[str] = []

        async def send(kind: Any) -> None:
            await budget.take(kind)
            order.append(kind)

        tasks = [asyncio.ensure_future(send("query")) for _ in range(9)]
        await clock.forward(0)
        assert order == ["query"] * 8, "the last fifth is not for questions"
        kinds = ("place", "place", "cancel", "cancel")
        tasks += [asyncio.ensure_future(send(kind)) for kind in kinds]
        await clock.forward(0)
        assert order[8:] == ["place", "cancel"], "the last tenth is for cancels alone"
        await clock.forward(20)
        assert order[10:] == ["cancel", "place", "query"]
        await asyncio.gather(*tasks)

    run(work())


def test_the_venues_own_count_is_believed() -> None:
    async def work() -> None:
        clock = Time()
        budget = Budget("v", (Rule("all", 100, 60.0, ALL),), clock.world)
        budget.told({"all": 0.0, "unknown": 5.0})
        waiting = asyncio.ensure_future(budget.take("cancel", 10))
        await clock.forward(5)
        assert not waiting.done()
        await clock.forward(2)
        assert waiting.done()
        budget.told({"all": 1e9})
        assert budget.left()["all"] < 100, "headers never give more than was counted here"

    run(work())


def test_a_pause_holds_everything_and_a_ban_refuses() -> None:
    async def work() -> None:
        clock = Time()
        budget = Budget("v", (), clock.world)
        budget.pause(7)
        order: list[str] = []

        async def send(kind: Any) -> None:
            await budget.take(kind)
            order.append(kind)

        tasks = [asyncio.ensure_future(send(kind)) for kind in ("query", "place", "cancel")]
        await clock.forward(6)
        assert order == []
        await clock.forward(2)
        assert order[0] == "cancel"
        await asyncio.gather(*tasks)
        budget.pause(120, ban=True)
        with pytest.raises(VenueError) as caught:
            await budget.take("cancel")
        assert caught.value.code == "venue.banned"
        await clock.forward(121)
        await budget.take("cancel")

    run(work())


def test_headers_and_rules_of_venues_speak_of_the_same_buckets() -> None:
    clock = Time()
    names = {venue: {rule.name for rule in budget_for(venue, clock.world).rules} for venue in RULES}
    assert all(names.values())
    told = api_for("binance").left({"x-mbx-used-weight-1m": "5990"})
    assert told == {"all 60 s": 10.0}
    assert set(told) <= names["binance"]
    told = api_for("bybit").left({"x-bapi-limit-status": "3", "x-bapi-limit": "10"})
    assert set(told) <= names["bybit"]
    assert told["orders 1 s"] == 3
    assert api_for("binance").left({}) == {}
    assert pause_s({"retry-after": "17"}, ban=False) == 17
    assert pause_s({"retry-after": "Wed, 21 Oct"}, ban=True) == 120
    assert ORDERS < ALL
