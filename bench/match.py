"""The matching engine: orders/s over all kinds of requests, by price and time.

The tape is drawn once, against a live engine, so that cancels and amends name orders that rest; the
same requests then give the same answers on every fresh engine. `detail.answers` counts them. The
yardstick is the same engine in C++ (limit/match.cpp): its answers must be the same, one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.match import (
    MATCH_AMEND,
    MATCH_CANCEL,
    MATCH_NEW,
    MATCH_REQUEST,
    STP_DECREMENT,
    STP_NONE,
    match_run,
)
from kimera_cli.layouts import FOK, GTC, IOC, LIMIT, MARKET, POST_ONLY, REJECTS
from kimera_cli.market.matching import new_engines
from kimera_cli.records import Bench

from . import targets
from .harness import BATCH, Case, Watch, batches
from .limit import ABSENT
from .request import Request, row
from .yardstick import mixed, require_same, yardstick

ORDERS = 400_000
OPENING = 4_000
"""Requests before the clock starts: they build the book."""
BASE_TICKS = 500_000
MID_TICKS = 1_000_000
SEED = 5
ACCOUNTS = 8
RATE = 10e6
TIMES_CPP = 2.0
REMEMBERED = 1 << 12
"""Ids among which cancels and amends choose; some of them are gone, as at a venue."""


@kernel
def draw_ids(engine, requests, targets, codes, ids, recent):  # type: ignore[no-untyped-def]
    """Run the requests in order, giving cancels and amends the id of an earlier order."""
    known = 0
    for i in range(requests.shape[0]):
        if requests[i].kind != MATCH_NEW and known > 0:
            requests[i].order_id = recent[targets[i] % min(known, recent.shape[0])]
        match_run(engine, requests[i : i + 1], codes[i : i + 1], ids[i : i + 1])
        if requests[i].kind == MATCH_NEW and engine.left_lots > 0:
            recent[known % recent.shape[0]] = ids[i]
            known += 1


def rows(request: Request) -> Iterator[Bench]:
    """Time the tape on fresh engines."""
    tape, codes, trades = draw(request.size(ORDERS) + OPENING)
    with yardstick(request, "match", [tape], OPENING) as limit:
        require_same("match", answers_checksum(tape), limit)
        timings = request.measure([_case(tape), *([limit.case()] if limit else [])])
    timing, floor = timings["match"], timings.get("limit")
    kinds = tape["kind"][OPENING:]
    yield row(
        request,
        "match",
        timing,
        kind=f"batches of {BATCH} requests",
        limit=floor,
        goals=[targets.rate(timing, RATE, "orders"), targets.limit(timing, floor, TIMES_CPP)],
        compared="" if floor else ABSENT,
        requests={
            "new": int(np.count_nonzero(kinds == MATCH_NEW)),
            "cancel": int(np.count_nonzero(kinds == MATCH_CANCEL)),
            "amend": int(np.count_nonzero(kinds == MATCH_AMEND)),
        },
        trades=trades,
        answers={
            REJECTS[code]: int(count)
            for code, count in enumerate(np.bincount(codes[OPENING:]))
            if count
        },
    )


def draw(n: int) -> tuple[Any, Any, int]:
    """Return n requests of all kinds, their answers, and the number of trades they make."""
    rng = np.random.default_rng(SEED)
    tape = np.zeros(n, MATCH_REQUEST).view(np.recarray)
    tape["kind"] = rng.choice([MATCH_NEW, MATCH_CANCEL, MATCH_AMEND], n, p=[0.55, 0.40, 0.05])
    tape["kind"][:OPENING] = MATCH_NEW
    tape["side"] = rng.integers(0, 2, n)
    tape["type"] = np.where(rng.random(n) < 0.05, MARKET, LIMIT)
    tape["tif"] = rng.choice([GTC, POST_ONLY, IOC, FOK], n, p=[0.80, 0.12, 0.05, 0.03])
    tape["tif"][tape["type"] == MARKET] = IOC
    away = rng.geometric(0.05, n) - 4
    tape["px_ticks"] = MID_TICKS + np.where(tape["side"] == 0, -away, away)
    tape["qty_lots"] = rng.integers(1, 100, n)
    new = tape["kind"] == MATCH_NEW
    tape["account"] = np.where(new, rng.integers(0, ACCOUNTS, n), 0)  # 0 may cancel any order
    tape["stp"] = rng.integers(STP_NONE, STP_DECREMENT + 1, n)
    codes, ids = np.zeros(n, np.int64), np.zeros(n, np.int64)
    engine = new_engines(1, BASE_TICKS)[0]
    targets, recent = rng.integers(0, REMEMBERED, n), np.zeros(REMEMBERED, np.int64)
    draw_ids(engine, tape, targets, codes, ids, recent)
    return tape, codes, int(engine.n_trades)


def answers_checksum(tape: Any) -> int:
    """Return the checksum that limit/match.cpp makes of the same requests."""
    codes, ids = np.zeros(len(tape), np.int64), np.zeros(len(tape), np.int64)
    engine = new_engines(1, BASE_TICKS)[0]
    match_run(engine, tape, codes, ids)
    ends = [engine.n_trades, engine.traded_lots, engine.best_bid_ticks, engine.best_ask_ticks]
    return mixed(np.concatenate([np.column_stack([codes, ids]).ravel(), np.array(ends, np.int64)]))


def _case(tape: Any) -> Case:
    codes, ids = np.zeros(len(tape), np.int64), np.zeros(len(tape), np.int64)
    timed = [batches(column[OPENING:]) for column in (tape, codes, ids)]
    parts = list(zip(*timed, strict=True))

    def prepare() -> Any:
        engine = new_engines(1, BASE_TICKS)[0]
        match_run(engine, tape[:OPENING], codes[:OPENING], ids[:OPENING])
        return engine

    def run(engine: Any, watch: Watch) -> None:
        watch.start()
        for requests, some_codes, some_ids in parts:
            match_run(engine, requests, some_codes, some_ids)
            watch.lap(len(requests))

    return Case("match", prepare, run)
