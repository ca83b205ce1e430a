"""A feed in the loop's own thread: frames that come together wake it once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kimera_cli.layouts import EVENT
from kimera_cli.live.feed import FeedArguments
from kimera_cli.live.same_thread import ThreadFeed


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> ThreadFeed:
    """A feed whose work goes on for some turns after it is told to stop, as connections close."""
    clocks: Any = SimpleNamespace(now_ns=lambda: 0, monotonic_ns=lambda: 0)
    made = ThreadFeed(FeedArguments((), bytes, ""), clocks)

    async def work() -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    monkeypatch.setattr(made, "_run", work)
    return made


def take(feed: ThreadFeed) -> None:
    feed._take(np.zeros(3, EVENT), 3)


def test_two_frames_in_one_turn_end_one_wait_and_not_the_end_of_the_run(feed: ThreadFeed) -> None:
    feed._loop.call_soon(take, feed)
    feed._loop.call_soon(take, feed)
    feed.idle(60.0)
    feed.begin()
    found = feed.finish()
    assert feed._work is not None
    assert feed._work.done()
    assert not feed._work.cancelled()
    assert found["events"] == {"taken": 0}


def test_a_stop_that_is_left_over_ends_nothing(feed: ThreadFeed) -> None:
    """uvloop reads sockets once more after it was stopped: a frame then stops what is run next."""
    feed._loop.stop()
    feed.begin()
    feed.finish()
    assert feed._work is not None
    assert feed._work.done()


def test_an_interrupt_while_it_waits_leaves_no_waiting(feed: ThreadFeed) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    feed._loop.call_soon(interrupt)
    with pytest.raises(KeyboardInterrupt):
        feed.idle(60.0)
    take(feed)
    feed.begin()
    feed.finish()
    assert feed._work is not None
    assert feed._work.done()
