"""Random markets and a strategy that does anything, both repeatable from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
from rig import MS, Row, amend, cancel, cancel_all, new, tape

from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_SNAPSHOT,
    FOK,
    GTC,
    IOC,
    LIMIT,
    MARKET,
    NO_SIDE,
    ORDER_NONE,
    POST_ONLY,
    TRADE,
)


def wild_tape(seed: int, messages: int, latency: bool = True) -> np.ndarray:
    """Return a two-sided L2 market around 100: levels, trades, snapshots, bursts and pauses."""
    draw = random.Random(seed)
    now, local, middle = 0, 0, 100
    rows: list[Row] = []
    for number in range(messages):
        now += draw.choice((0, 0, 1_000, MS // 2, 3 * MS, 40 * MS))
        local = max(local, now + (draw.choice((0, MS // 3, 5 * MS)) if latency else 0))
        middle += draw.choice((0, 0, 0, 0, -1, 1))
        if number == 0 or draw.random() < 0.03:
            message = _snapshot(draw, now, middle)
        elif draw.random() < 0.35:
            side = draw.choice((BID, ASK, BID, ASK, NO_SIDE))
            px = middle + draw.choice((-2, -1, 0, 1, 2))
            message = [Row(now, TRADE, side, px, draw.randint(1, 9))]
        else:
            message = [_level(draw, now, middle) for _ in range(draw.randint(1, 3))]
        rows += [r._replace(last=0, local=local) for r in message[:-1]]
        rows.append(message[-1]._replace(last=1, local=local))
    return tape(rows)


def _level(draw: random.Random, now: int, middle: int) -> Row:
    side = draw.choice((BID, ASK))
    away = draw.choice((-1, 1, 1, 1, 2, 2, 3))
    px = middle - away if side == BID else middle + away
    return Row(now, DEPTH, side, px, draw.choice((0, 1, 3, 8, 20)))


def _snapshot(draw: random.Random, now: int, middle: int) -> list[Row]:
    rows = [Row(now, CLEAR, NO_SIDE, 0, 0)]
    for away in (1, 2, 3, 4):
        rows.append(Row(now, DEPTH, BID, middle - away, draw.randint(1, 15)))
        rows.append(Row(now, DEPTH, ASK, middle + away, draw.randint(1, 15)))
    return [r._replace(flags=F_SNAPSHOT) for r in rows]


def wild(seed: int, busy: float = 0.5) -> Callable[[Any], int]:
    """Return a strategy whose every act follows from what it is shown, and from the seed."""

    def decide(view: Any) -> int:
        held = [int(o["tag"]) for o in view.orders if o["state"] != ORDER_NONE]
        told = (seed, int(view.now_ns), int(view.best_bid_ticks), int(view.position_lots), *held)
        draw = random.Random(hash(told))
        if draw.random() > busy:
            return 0
        for _ in range(draw.randint(1, 3)):
            _act(draw, view, held)
        return 0

    return decide


def _act(draw: random.Random, view: Any, held: list[int]) -> None:
    tag = draw.randint(1, 1 << 40)
    side, qty = draw.choice((BID, ASK)), draw.randint(1, 6)
    px = 100 + draw.randint(-4, 4)
    what = draw.random()
    if what < 0.55 or not held:
        new(side, px, qty, LIMIT, draw.choice((GTC, GTC, GTC, POST_ONLY, IOC, FOK)), tag)(view)
    elif what < 0.62:
        new(side, 0, qty, MARKET, GTC, tag)(view)
    elif what < 0.8:
        cancel(draw.choice(held))(view)
    elif what < 0.97:
        amend(draw.choice(held), px, qty)(view)
    else:
        cancel_all(view)
