"""Orders and fills: what was sent, what came of it, how long it took.

An order counts as sent when its intent passed the gate. What is made of the counts: `execution`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimera_cli.journal.denials import numbers
from kimera_cli.layouts import (
    DENIALS,
    F64,
    GTC,
    I64,
    LIMIT,
    POST_ONLY,
    R_ACCEPTED,
    R_AMEND_INTENT,
    R_CANCEL_INTENT,
    R_CANCELLED,
    R_DENIED,
    R_INTENT,
    R_REJECTED,
    REJECTS,
)
from kimera_cli.report.run import Rows
from kimera_cli.report.sleeve import Sleeve


@dataclass(frozen=True)
class Flow:
    """Counts and samples of the orders of one or more sleeves."""

    sent: int
    sent_value: float
    """Value of all orders at their prices, portfolio currency."""
    filled: int
    """Sent orders with at least one fill."""
    fills: int
    maker_fills: int
    turnover: float
    """Traded value, portfolio currency."""
    cancelled: int
    messages: int
    """New orders, amendments and cancels that reached the venue."""
    waits_s: F64
    """Venue time from acceptance to the first fill, of orders that rested."""
    queue_ratio: F64
    """Quantity ahead at acceptance over own size, of orders that rested."""
    closing: int
    """Fills that reduced a position."""
    winning: int
    """Those of them that closed with a gain."""
    denials: Counter[str]
    rejects: Counter[str]


def flow(sleeve: Sleeve) -> Flow:
    """Count the orders of one sleeve."""
    orders, fills, leg = sleeve.orders, sleeve.fills, sleeve.leg
    denied = orders[orders["kind"] == R_DENIED]
    rejected = orders[orders["kind"] == R_REJECTED]
    intents = _first_rows(orders[orders["kind"] == R_INTENT])
    sent = intents[~np.isin(intents["order_id"], denied["order_id"])]
    priced = np.where(sent["px_ticks"] > 0, sent["px_ticks"], sleeve.final_mid_ticks)
    cancelled = orders[orders["kind"] == R_CANCELLED]
    changes = np.isin(orders["kind"], (R_CANCEL_INTENT, R_AMEND_INTENT))
    closing, winning = _closing(sleeve)
    return Flow(
        sent=len(sent),
        sent_value=float(leg.notional(priced, sent["qty_lots"]).sum()),
        filled=int(np.isin(sent["order_id"], fills["order_id"]).sum()),
        fills=len(fills),
        maker_fills=int((fills["type"] == 1).sum()),
        turnover=float(leg.notional(fills["px_ticks"], fills["qty_lots"]).sum()),
        cancelled=np.unique(cancelled["order_id"]).size,
        messages=len(sent) + int(changes.sum()),
        waits_s=_waits_s(orders, fills),
        queue_ratio=_queue_ratio(orders, fills),
        closing=closing,
        winning=winning,
        denials=_codes(denied, numbers(denied), "risk", DENIALS),
        rejects=_codes(rejected, np.ones(len(rejected), np.int64), "venue", REJECTS),
    )


def add(parts: list[Flow]) -> Flow:
    """Return the flow of several sleeves as one."""
    counts: dict[str, Any] = {
        name: sum(getattr(p, name) for p in parts)
        for name, kind in Flow.__annotations__.items()
        if kind in ("int", "float")
    }
    samples: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts]) if parts else np.empty(0)
        for name in ("waits_s", "queue_ratio")
    }
    codes: dict[str, Any] = {
        name: sum((getattr(p, name) for p in parts), Counter[str]())
        for name in ("denials", "rejects")
    }
    return Flow(**counts, **samples, **codes)


def _first_rows(rows: Rows) -> Rows:
    """Return the first row of each order id."""
    _, first = np.unique(rows["order_id"], return_index=True)
    earliest: Rows = rows[np.sort(first)]
    return earliest


def _waits_s(orders: Rows, fills: Rows) -> F64:
    accepted = _first_rows(orders[orders["kind"] == R_ACCEPTED])
    first = _first_rows(fills[fills["type"] == 1])
    _, a, f = np.intersect1d(accepted["order_id"], first["order_id"], return_indices=True)
    waits: F64 = (first["ts_exch_ns"][f] - accepted["ts_exch_ns"][a]) / 1e9
    return waits


def _queue_ratio(orders: Rows, fills: Rows) -> F64:
    """Return quantity ahead over own size of the orders that joined a queue."""
    intents = _first_rows(orders[orders["kind"] == R_INTENT])
    may_rest = (intents["type"] == LIMIT) & np.isin(intents["tif"], (GTC, POST_ONLY))
    took = np.isin(intents["order_id"], fills["order_id"][fills["type"] == 0])
    resting = intents[may_rest & ~took]
    accepted = _first_rows(orders[orders["kind"] == R_ACCEPTED])
    _, a, r = np.intersect1d(accepted["order_id"], resting["order_id"], return_indices=True)
    ratio = accepted["ahead_lots"][a] / resting["qty_lots"][r]
    return np.asarray(ratio[np.isfinite(ratio)], dtype=np.float64)


def _codes(rows: Rows, counts: I64, family: str, names: tuple[str, ...]) -> Counter[str]:
    """Return how many there are of each code; `counts`: how many each row stands for."""
    found: Counter[str] = Counter()
    for code, n in zip(rows["code"].tolist(), counts.tolist(), strict=True):
        found[f"{family}.{names[code]}"] += n
    return found


def _closing(sleeve: Sleeve) -> tuple[int, int]:
    """Return how many fills reduced a position, and how many of those gained on its average."""
    values: I64 = sleeve.fills["qty_lots"]
    lots = (values * sleeve.signs).tolist()
    worth = sleeve.leg.phi(sleeve.fills["px_ticks"]).tolist()
    position, average, closing, winning = 0.0, 0.0, 0, 0
    for lot, value in zip(lots, worth, strict=True):
        if position * lot >= 0:
            average = (average * position + value * lot) / (position + lot)
        else:
            closing += 1
            winning += (value - average) * position > 0
            if abs(lot) > abs(position):
                average = value
        position += lot
    return closing, winning
