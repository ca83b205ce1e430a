"""A desk for tests of strategies: one view of a market, and what the strategy says about it.

No market and no venue: orders and fills are what the test puts on the desk. Both protocols work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.layouts import (
    ACT_AMEND,
    ACT_CANCEL,
    ACT_CANCEL_ALL,
    ACT_NEW,
    BID,
    LINEAR,
    ORDER_NONE,
    ORDER_OPEN,
    VIEW,
)
from kimera_cli.strategies.params import resolve, row
from kimera_cli.strategies.protocol import StrategySpec

KINDS = {ACT_NEW: "new", ACT_CANCEL: "cancel", ACT_AMEND: "amend", ACT_CANCEL_ALL: "cancel_all"}


class Action(NamedTuple):
    """One thing that a strategy asked for."""

    kind: str
    side: str
    px_ticks: int
    qty_lots: int
    type: int
    tif: int
    order: int
    tag: int


class Desk:
    """One strategy in front of one instrument."""

    def __init__(
        self, spec: StrategySpec, params: Mapping[str, float] | None = None, **fields: float
    ) -> None:
        """Set a linear perpetual at 9999 to 10001 ticks of 0.01, lots of 0.001, then `fields`."""
        values = resolve(spec, params or {})
        self.array = np.zeros(1, VIEW)
        self.view: Any = self.array.view(np.recarray)[0]
        self._decide = spec.compiled or spec.python(values).decide
        self.view.params[:] = row(values)
        self.set(tick=0.01, lot=0.001, contract_size=1.0, settle_rate=1.0, min_lots=1, kind=LINEAR)
        self.set(best_bid_ticks=9_999, best_bid_lots=50, best_ask_ticks=10_001, best_ask_lots=50)
        self.set(now_ns=1_700_000_000_000_000_000, vol_fast=1.0, vol_mid=1.0, vol_slow=1.0)
        self.set(**fields)

    def set(self, **fields: float) -> None:
        """Change fields of the view; the mid follows the best prices unless it is given."""
        for name, value in fields.items():
            self.array[name] = value
        if "mid_ticks" not in fields:
            bid, ask = self.array["best_bid_ticks"], self.array["best_ask_ticks"]
            self.array["mid_ticks"] = 0.5 * (bid + ask)

    def order(self, side: int, px_ticks: int, lots: int, tag: int = 0, state: int = 0) -> int:
        """Put an own order on the desk (open unless `state` says otherwise); return its index."""
        rows = self.array["orders"][0]
        slot = int(np.flatnonzero(rows["state"] == ORDER_NONE)[0])
        for name, value in (("side", side), ("px_ticks", px_ticks), ("left_lots", lots)):
            rows[name][slot] = value
        rows["tag"][slot], rows["id"][slot] = tag, slot + 1
        rows["state"][slot] = state or ORDER_OPEN
        self.view.n_orders += 1
        return slot

    def decide(self) -> list[Action]:
        """Wake the strategy; return what it asks for. AssertionError when it returns a code < 0."""
        code = self.code()
        assert code >= 0, f"decide returned {code}"
        return self.said()

    def code(self) -> int:
        """Wake the strategy; return what `decide` returns."""
        self.view.n_actions = 0
        return int(self._decide(self.view))

    def said(self) -> list[Action]:
        """Return the actions of the last wake."""
        rows = self.array["actions"][0][: int(self.view.n_actions)]
        return [
            Action(
                KINDS[int(r["kind"])],
                "buy" if r["side"] == BID else "sell",
                *(int(r[n]) for n in ("px_ticks", "qty_lots", "type", "tif", "order", "tag")),
            )
            for r in rows
        ]
