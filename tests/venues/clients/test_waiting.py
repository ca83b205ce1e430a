"""Answers that are waited for: each gets its own patience from one timer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.waiting import Waiting


async def code_of(future: asyncio.Future[str]) -> str:
    with pytest.raises(VenueError) as caught:
        await asyncio.wait_for(future, 120)
    assert caught.value.code == "venue.no_answer"
    return caught.value.message


def test_an_answer_reaches_who_asked_and_nobody_else() -> None:
    async def work() -> None:
        waiting: Waiting[str] = Waiting()
        first, second = waiting.ask(1, 20), waiting.ask(2, 20)
        waiting.answer(2, "two")
        waiting.answer(2, "again")
        waiting.answer(3, "three")
        assert await second == "two"
        waiting.drop(2)
        assert not first.done()
        assert len(waiting) == 1
        waiting.answer(1, "one")
        assert await first == "one"

    asyncio.run(work())


def test_patience_ends_for_each_in_its_time_whatever_the_order_of_asking() -> None:
    async def work() -> None:
        waiting: Waiting[str] = Waiting()
        futures = {s: waiting.ask(n, s) for n, s in enumerate((0.06, 0.02, 600.0, 0.04))}
        ended: list[float] = []
        for s, future in futures.items():
            future.add_done_callback(lambda _, s=s: ended.append(s))  # type: ignore[misc]
        assert await code_of(futures[0.06]) == "no answer for 0.06 s"
        assert ended == [0.02, 0.04, 0.06]
        assert await code_of(futures[0.02]) == "no answer for 0.02 s"
        assert await code_of(futures[0.04]) == "no answer for 0.04 s"
        assert not futures[600.0].done()
        for number in range(4):
            waiting.drop(number)
        assert await code_of(waiting.ask(9, 0.01)) == "no answer for 0.01 s"

    asyncio.run(work())


def test_one_timer_stands_for_all_and_none_is_left() -> None:
    async def work() -> None:
        loop, waiting = asyncio.get_running_loop(), Waiting[str]()
        made, real = [], loop.call_at

        def call_at(when: float, what: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:
            timer = real(when, what, *args, **more)
            if what == waiting._ring:
                made.append(timer)
            return timer

        loop.call_at = call_at  # type: ignore[assignment, method-assign]
        for number in range(1000):
            future = waiting.ask(number, 30.0)
            waiting.answer(number, "yes")
            assert await future == "yes"
            waiting.drop(number)
        assert len(made) == 1
        late = waiting.ask(1000, 1.0)
        assert len(made) == 2
        waiting.fail("the connection ended")
        assert await code_of(late) == "the connection ended"
        assert all(timer.cancelled() for timer in made)

    asyncio.run(work())
