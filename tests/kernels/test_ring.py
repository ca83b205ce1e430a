"""The ring's kernels on memory of one process: order, bounds, wrap, and every interleaving."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels.ring import (
    RING_BROKEN,
    RING_END,
    peek_at,
    pop_at,
    push_at,
    ready_at,
    release_at,
    room_at,
    wait_at,
)
from kimera_cli.layouts import EVENT


class Pair:
    """A ring of `capacity` slots of `lines` lines in plain memory, with both of its ends."""

    def __init__(self, capacity: int, lines: int = 1) -> None:
        self.row = np.dtype([("words", "i8", (8 * lines,))])
        self.indices = np.zeros(32, np.int64)
        self.slots = np.zeros(capacity, self.row)
        self.guard = np.full(64, -7, np.int64)
        at = self.indices.ctypes.data
        common = {"slots": self.slots.ctypes.data, "capacity": capacity, "lines": lines}
        self.producer = self._end(own=at, other=at + 128, **common)
        self.consumer = self._end(own=at + 128, other=at, **common)

    @staticmethod
    def _end(**values: int) -> Any:
        end = np.zeros(1, RING_END)
        for name, value in values.items():
            end[name] = value
        return end

    def rows(self, first: int, n: int) -> Any:
        rows = np.zeros(n, self.row)
        rows["words"] = np.arange(first, first + n)[:, None]
        return rows

    def push(self, rows: Any) -> int:
        return int(push_at(self.producer.ctypes.data, rows.ctypes.data, len(rows)))

    def _take(self, kernel: Any, n: int) -> list[int]:
        rows = np.full(n, -1, np.int64).repeat(self.row.itemsize // 8).view(self.row)
        taken = int(kernel(self.consumer.ctypes.data, rows.ctypes.data, n))
        assert (rows["words"][taken:] == -1).all(), "wrote beyond what it returned"
        assert (rows["words"][:taken] == rows["words"][:taken, :1]).all(), "torn"
        return rows["words"][:taken, 0].tolist()

    def pop(self, n: int) -> list[int]:
        return self._take(pop_at, n)

    def peek(self, n: int) -> list[int]:
        return self._take(peek_at, n)


def test_an_event_is_one_line_and_one_slot() -> None:
    assert EVENT.itemsize == 64
    assert RING_END.itemsize == 64


def test_first_in_first_out_and_full_and_empty() -> None:
    ring = Pair(4)
    assert ring.pop(4) == []
    assert ring.push(ring.rows(0, 6)) == 4, "takes what fits"
    assert ring.push(ring.rows(4, 1)) == 0
    assert ring.pop(3) == [0, 1, 2]
    assert ring.push(ring.rows(4, 6)) == 3
    assert ring.pop(9) == [3], "what it knew of comes first, without looking again"
    assert ring.pop(9) == [4, 5, 6]
    assert ring.pop(1) == []


def test_a_peek_gives_nothing_back() -> None:
    ring = Pair(2)
    ring.push(ring.rows(0, 2))
    assert ring.peek(2) == ring.peek(2) == [0, 1]
    assert ring.push(ring.rows(2, 1)) == 0
    release_at(ring.consumer.ctypes.data, 1)
    assert ring.push(ring.rows(2, 1)) == 1
    assert ring.pop(2) + ring.pop(2) == [1, 2]


def test_counts_of_room_and_ready_are_fresh() -> None:
    ring = Pair(8)
    ring.push(ring.rows(0, 5))
    assert (room_at(ring.producer.ctypes.data), ready_at(ring.consumer.ctypes.data)) == (3, 5)
    ring.pop(2)
    assert (room_at(ring.producer.ctypes.data), ready_at(ring.consumer.ctypes.data)) == (5, 3)


def test_a_wait_ends_when_it_has_spun_enough() -> None:
    ring = Pair(8)
    assert wait_at(ring.consumer.ctypes.data, 1, 100) == 0
    assert ring.consumer["waits"][0] == 101
    ring.push(ring.rows(0, 2))
    assert wait_at(ring.consumer.ctypes.data, 1, 100) == 2
    assert wait_at(ring.consumer.ctypes.data, 3, 5) == 2


def test_an_untouched_index_is_not_read_again() -> None:
    """The cached index is what makes the ring fast: it is read when it does not suffice."""
    ring = Pair(8)
    ring.push(ring.rows(0, 3))
    assert ring.pop(1) == [0]
    ring.indices[0] = 5  # as if two more had been published
    assert ring.pop(8) == [1, 2], "what it knew of came first"
    assert ring.consumer["seen"][0] == 3
    assert len(ring.pop(8)) == 2


@pytest.mark.parametrize("tail", [-1, 5, 15])
def test_a_tail_that_cannot_be_is_refused_each_time(tail: int) -> None:
    ring = Pair(8)
    for _ in range(2):
        ring.push(ring.rows(0, 3))
        ring.pop(3)
    ring.indices[0] = tail  # fallen back, or further on than the ring is long
    for _ in range(2):
        assert ready_at(ring.consumer.ctypes.data) == RING_BROKEN
        assert pop_at(ring.consumer.ctypes.data, ring.guard.ctypes.data, 1) == RING_BROKEN
    assert (ring.guard == -7).all()


@pytest.mark.parametrize("head", [-1, 7, 99])
def test_a_head_that_cannot_be_is_refused_each_time(head: int) -> None:
    ring = Pair(8)
    ring.push(ring.rows(0, 6))
    ring.indices[16] = head
    rows = ring.rows(6, 8)
    for _ in range(2):
        assert push_at(ring.producer.ctypes.data, rows.ctypes.data, 8) == RING_BROKEN
    assert (ring.slots["words"][6:] == 0).all()


STEP = st.tuples(st.sampled_from(["push", "pop", "peek"]), st.integers(0, 12))


@settings(deadline=None)
@given(
    bits=st.integers(1, 4), lines=st.integers(1, 3), start=st.integers(0, 40), steps=st.lists(STEP)
)
def test_it_is_a_bounded_queue(bits: int, lines: int, start: int, steps: list[Any]) -> None:
    """Against a deque, from any place in the ring, with slots of one to three lines."""
    ring, queue, sent = Pair(1 << bits, lines), deque[int](), 0
    for end in (ring.producer, ring.consumer):
        end["position"] = end["seen"] = start
    ring.indices[[0, 16]] = start
    for what, n in steps:
        if what == "push":
            took = ring.push(ring.rows(sent, n))
            assert took == min(n, (1 << bits) - len(queue))
            queue.extend(range(sent, sent + took))
            sent += took
        elif what == "peek":
            got = ring.peek(n)
            assert got == list(queue)[: len(got)]
        else:
            got = ring.pop(n)
            assert got == [queue.popleft() for _ in got]
            assert got or not n or not queue
    while queue:
        got = ring.pop(3)
        assert got
        assert got == [queue.popleft() for _ in got]
    assert not ring.pop(3)


# --- every interleaving ------------------------------------------------------------------------
# The index protocol as atomic steps, one shared access each, explored to the end. Memory is
# sequentially consistent here; that release and acquire suffice is argued in
# docs/explanation/rings.md and tried by the two-process stress test.


def explore(capacity: int, messages: int, *, wrong: str = "") -> tuple[int, str]:
    """Return how many states there are and the first fault found in one; `wrong` plants a fault."""
    # shared: tail, head, slots; producer: step, position, seen; consumer: the same and its copy
    first = (0, 0, (None,) * capacity, ("look", 0, 0), ("look", 0, 0, None), 0)
    seen, open_states = {first}, [first]
    while open_states:
        state = open_states.pop()
        for after in (producer_step(state, capacity, messages, wrong), consumer_step(state, wrong)):
            if isinstance(after, str):
                return len(seen), after
            if after is not None and after not in seen:
                seen.add(after)
                open_states.append(after)
        if not moves(state, capacity, messages, wrong) and state[5] != messages:
            return len(seen), f"stuck at {state}"
    return len(seen), ""


def moves(state: Any, capacity: int, messages: int, wrong: str) -> bool:
    after = (producer_step(state, capacity, messages, wrong), consumer_step(state, wrong))
    return any(step is not None and step != state for step in after)


def producer_step(state: Any, capacity: int, messages: int, wrong: str) -> Any:
    tail, head, slots, (step, position, cached), consumer, taken = state
    if step == "look":
        if position == messages:
            return None
        limit = capacity + 1 if wrong == "one too many" else capacity
        if position - cached < limit:
            step = "publish" if wrong == "published before written" else "write"
        elif cached == head:
            return None
        else:
            cached = head
    elif step == "write":
        slots = (*slots[: position % capacity], position, *slots[position % capacity + 1 :])
        step = "next" if wrong == "published before written" else "publish"
    elif step == "publish":
        tail = position + 1
        step = "write" if wrong == "published before written" else "next"
    if step == "next":
        step, position = "look", position + 1
    return tail, head, slots, (step, position, cached), consumer, taken


def consumer_step(state: Any, wrong: str) -> Any:
    tail, head, slots, producer, (step, position, cached, copy), taken = state
    early = wrong == "given back before read"
    if step == "look":
        if position < cached:
            step = "release" if early else "read"
        elif cached == tail:
            return None
        else:
            cached = tail
    elif step == "read":
        copy = slots[position % len(slots)]
        step = "check" if early else "release"
    elif step == "release":
        head = position + 1
        step = "read" if early else "check"
    if step == "check":
        if copy != position:
            return f"expected message {position}, was {copy}"
        step, position, copy, taken = "look", position + 1, None, taken + 1
    return tail, head, slots, producer, (step, position, cached, copy), taken


@pytest.mark.parametrize("capacity", [1, 2, 4])
def test_no_interleaving_of_the_protocol_loses_tears_or_sticks(capacity: int) -> None:
    states, fault = explore(capacity, messages=3 * capacity + 2)
    assert not fault
    assert states > 30 * capacity


@pytest.mark.parametrize(
    "wrong", ["one too many", "published before written", "given back before read"]
)
def test_the_exploration_finds_a_planted_fault(wrong: str) -> None:
    assert explore(2, 8, wrong=wrong)[1]
