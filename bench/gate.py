"""The risk gate alone: one decision per order, in a compiled loop as the engine calls it.

`gate.accept` asks about orders that pass every check, which is the longest path. `gate.mixed` asks
about orders of which some meet a limit; `detail.answers` counts the answers, so that the row says
what it timed. Every sleeve of the account has a position, cash and open orders on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.borrow import borrowed
from kimera_cli.kernels.gate import check_new
from kimera_cli.kernels.state import GATE, SLEEVE, STREAM
from kimera_cli.layouts import ACTION, DENIALS, FEATURES, INSTRUMENT, LINEAR, VIEW
from kimera_cli.records import Bench

from . import targets
from .harness import BATCH, Case, Watch
from .request import Request, row

ORDERS = 500_000
UNLIKE = BATCH
"""So many orders are unlike and judged again and again: a megabyte, which stays in a level-2 cache,
where an order is that its strategy has just written."""
MID_TICKS = 600_000.5
SLEEVES = 4
SEED = 7
RATE = 30e6


@kernel
def decide_all(gate, views, sleeves, streams, instruments, features, orders, answers):  # type: ignore[no-untyped-def]
    """Judge every order, 10 us apart, and let that time pass; count the answers by code."""
    views, sleeves, streams = borrowed(views), borrowed(sleeves), borrowed(streams)
    instruments, features = borrowed(instruments), borrowed(features)
    for i in range(orders.shape[0]):
        a = orders[np.uint64(i)]
        code = check_new(
            gate,
            views,
            sleeves,
            streams,
            instruments,
            features,
            views.shape[0],
            i & (SLEEVES - 1),
            a.side,
            a.type,
            a.px_ticks,
            a.qty_lots,
            streams[0].ts_local_ns + i * 10_000,
        )
        answers[np.uint64(code)] += 1
    streams[0].ts_local_ns += orders.shape[0] * 10_000


def rows(request: Request) -> Iterator[Bench]:
    """Time orders that all pass, and orders of which some are refused."""
    n = request.size(ORDERS)
    unlike = min(n, UNLIKE)
    mixes = {"gate.accept": passing_orders(unlike), "gate.mixed": mixed_orders(unlike)}
    cases = [_case(name, orders, n) for name, orders in mixes.items()]
    timings = request.measure(cases)
    for name, orders in mixes.items():
        yield row(
            request,
            name,
            timings[name],
            kind=f"batches of {BATCH} decisions",
            goals=[targets.rate(timings[name], RATE, "decisions")],
            answers=answer_counts(orders),
            sleeves=SLEEVES,
        )


def _case(name: str, orders: Any, n: int) -> Case:
    def prepare() -> tuple[Any, ...]:
        *world, _, answers = new_state(orders)
        whole, rest = divmod(n, len(orders))
        plain = orders.view(np.ndarray)
        return *world, [plain] * whole + [plain[:rest]] * bool(rest), answers

    return Case(name, prepare, _decide)


def answer_counts(orders: Any) -> dict[str, int]:
    """Return how often each answer is given to these orders."""
    state = new_state(orders)
    decide_all(*state)
    return {DENIALS[code]: int(count) for code, count in enumerate(state[-1]) if count}


def _decide(state: tuple[Any, ...], watch: Watch) -> None:
    *world, parts, answers = state
    watch.start()
    for part in parts:
        decide_all(*world, part, answers)
        watch.lap(len(part))


def new_state(orders: Any) -> tuple[Any, ...]:
    """Return an account of four sleeves in one instrument, with the shipped profiles' limits."""
    gate = np.zeros(1, GATE).view(np.recarray)[0]
    gate.trading, gate.cash, gate.peak, gate.day_start = 1, 1e6, 1e6, 1e6
    gate.max_open_orders, gate.stale_ns = 100, 10**18
    gate.tokens, gate.token_rate, gate.token_burst = 1e9, 1e9, 1e9
    gate.max_order, gate.max_position, gate.max_asset = 0.10, 0.10, 0.20
    gate.collar, gate.max_drawdown, gate.max_daily_loss = 0.05, 0.10, 0.10
    instruments = np.zeros(1, INSTRUMENT).view(np.recarray)
    instruments[0] = (LINEAR, 0.1, 0.001, 1.0, 0.0002, 0.0005, 1, 0, 5.0, 1.0)
    features = np.zeros(1, FEATURES).view(np.recarray)
    features.best_bid_ticks, features.best_ask_ticks, features.mid_ticks = (
        600_000,
        600_001,
        MID_TICKS,
    )
    views = np.zeros(SLEEVES, VIEW).view(np.recarray)
    views.position_lots, views.cash = (10, -20, 30, 5), (-600.0, 1200.0, -1800.0, -300.0)
    views.open_bid_lots, views.open_ask_lots = (5, 50, 0, 20), (50, 5, 20, 0)
    sleeves = np.zeros(SLEEVES, SLEEVE).view(np.recarray)
    streams = np.zeros(1, STREAM).view(np.recarray)
    return (
        gate,
        views,
        sleeves,
        streams,
        instruments,
        features,
        orders,
        np.zeros(len(DENIALS), np.int64),
    )


def passing_orders(n: int) -> Any:
    """Return n small limit orders around the touch, both sides."""
    rng = np.random.default_rng(SEED)
    orders = np.zeros(n, ACTION).view(np.recarray)
    orders.side = rng.integers(0, 2, n)
    orders.px_ticks = np.int64(MID_TICKS) + rng.integers(-200, 200, n)
    orders.qty_lots = rng.integers(20, 200, n)
    return orders


def mixed_orders(n: int) -> Any:
    """Return the same with one in five too large, too far away or too small."""
    rng = np.random.default_rng(SEED + 1)
    orders = passing_orders(n)
    fate = rng.integers(0, 15, n)
    orders.qty_lots[fate == 0] = 3_000
    orders.px_ticks[fate == 1] += 60_000
    orders.qty_lots[fate == 2] = 0
    return orders
