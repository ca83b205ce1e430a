"""The heap of requests and answers against a sorted list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.kernels.heap import heap_drop, heap_up
from kimera_cli.kernels.state import REQUEST

CAP = 64
STEPS = st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=150)


@given(STEPS)
def test_requests_leave_in_time_then_in_order_of_sending(steps: list[int | None]) -> None:
    """A number sends a request due then, None takes the first away."""
    items = np.zeros(CAP, REQUEST).view(np.recarray)
    model: list[tuple[int, int, int]] = []
    n = 0
    for seq, due in enumerate(steps):
        if due is not None and n < CAP - 1:
            items[n].due_ns, items[n].seq, items[n].id = due, seq, seq * 7
            n += 1
            heap_up(items, n)
            model = sorted([*model, (due, seq, seq * 7)])
        elif due is None and n:
            n = heap_drop(items, n)
            model.pop(0)
        assert n == len(model)
        if model:
            assert (items[0].due_ns, items[0].seq, items[0].id) == model[0]
    while n:
        assert (items[0].due_ns, items[0].seq, items[0].id) == model.pop(0)
        n = heap_drop(items, n)
    assert not model
