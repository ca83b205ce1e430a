"""No sequence of accepted orders and hostile fills passes a hard limit, open orders at their worst.

Two strategies trade four instruments of one asset: spot on two venues (the other one in lots of a
quarter, and in a currency at 0.8), linear, inverse. What was accepted may fill in any order and in
any parts, or never. Prices stand still, so the portfolio's value does too.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kimera_cli.instrument import Instrument
from kimera_cli.kernels.gate import check_new
from kimera_cli.kernels.ledger import book_fill
from kimera_cli.kernels.state import GATE, SLEEVE, STREAM
from kimera_cli.layouts import ASK, BID, FEATURES, INVERSE, LIMIT, SPOT, VIEW

MID = 1_000
VALUE = 100_000.0
MAX_POSITION, MAX_ASSET, MAX_OPEN = 0.1, 0.2, 12
KINDS = ("spot", "linear", "inverse", "other spot")
N = len(KINDS)
LOT_VALUE = (1_000, 1_000, 500, 200)
"""Value of one lot at the mid in quote currency."""


def instrument(kind: str) -> Any:
    size = Decimal(500) if kind == "inverse" else Decimal(1)
    other = kind == "other spot"
    lot, rate = (Decimal("0.25"), 0.8) if other else (Decimal(1), 1.0)
    kind = "spot" if other else kind
    return Instrument(
        venue="v", symbol=kind, kind=kind, tick=Decimal(1), lot=lot, contract_size=size  # type: ignore[arg-type]
    ).row(rate)  # fmt: skip


@dataclass
class Open:
    s: int
    side: int
    lots: int
    reduced: bool


class Gate(RuleBasedStateMachine):
    """The gate's own records, and a list of open orders beside them."""

    reductions = True

    @initialize()
    def start(self) -> None:
        self.gate = np.zeros(1, GATE).view(np.recarray)[0]
        values = {
            "trading": 1,
            "cash": VALUE,
            "max_open_orders": MAX_OPEN,
            "stale_ns": 1,
            "tokens": 1e9,
            "token_burst": 1e9,
            "max_order": 1.0,
            "max_position": MAX_POSITION,
            "max_asset": MAX_ASSET,
            "collar": 1.0,
        }
        for name, value in values.items():
            setattr(self.gate, name, value)
        self.views = np.zeros(2 * N, VIEW).view(np.recarray)
        self.sleeves = np.zeros(2 * N, SLEEVE).view(np.recarray)
        self.sleeves["stream"] = np.arange(2 * N) % N
        self.streams = np.zeros(N, STREAM).view(np.recarray)
        self.features = np.zeros(N, FEATURES).view(np.recarray)
        for f in self.features:
            f.best_bid_ticks, f.best_ask_ticks, f.mid_ticks = MID, MID, float(MID)
        self.rows = np.concatenate([instrument(k) for k in KINDS]).view(np.recarray)
        self.open: list[Open] = []

    def _position(self, k: int) -> int:
        return int(self.views["position_lots"][k::N].sum())

    def _opened(self, k: int, side: int) -> int:
        return sum(o.lots for o in self.open if o.s % N == k and o.side == side)

    def _show(self, order: Open, lots: int) -> None:
        name = "open_bid_lots" if order.side == BID else "open_ask_lots"
        self.views[name][order.s] += lots

    @rule(s=st.integers(0, 2 * N - 1), side=st.sampled_from((BID, ASK)), lots=st.integers(1, 21))
    def ask(self, s: int, side: int, lots: int) -> None:
        """Ask for an order; it joins the open ones when the gate lets it through."""
        k = s % N
        held = self._position(k) * (1 if side == ASK else -1)
        reduces = held > 0 and self._opened(k, side) + lots <= held
        if reduces and not self.reductions:
            return
        code = check_new(
            self.gate, self.views, self.sleeves, self.streams, self.rows, self.features,
            2 * N, s, side, LIMIT, MID, lots, 0,
        )  # fmt: skip
        assert code == 0 or not reduces
        if code == 0:
            self.open.append(Open(s, side, lots, reduces))
            self._show(self.open[-1], lots)
            self.gate.open_orders += 1

    @rule(data=st.data(), whole=st.booleans())
    def fill(self, data: st.DataObject, whole: bool) -> None:
        """Fill some of an open order, or all of it."""
        if not self.open:
            return
        order = self.open[data.draw(st.integers(0, len(self.open) - 1))]
        lots = order.lots if whole else data.draw(st.integers(1, order.lots))
        row = self.rows[order.s % N]
        book_fill(self.views[order.s], self.sleeves[order.s], row, order.side, MID, lots, 0)
        self._take(order, lots)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """An open order goes."""
        if self.open:
            order = self.open[data.draw(st.integers(0, len(self.open) - 1))]
            self._take(order, order.lots)

    def _take(self, order: Open, lots: int) -> None:
        order.lots -= lots
        self._show(order, -lots)
        if order.lots == 0:
            self.open.remove(order)
            self.gate.open_orders -= 1

    @invariant()
    def positions_stay_within_their_limit_if_any_one_side_fills(self) -> None:
        for k in range(N):
            longest = self._position(k) + self._opened(k, BID)
            shortest = self._position(k) - self._opened(k, ASK)
            assert max(longest, -shortest) * LOT_VALUE[k] <= MAX_POSITION * VALUE

    @invariant()
    def spot_is_never_short(self) -> None:
        for k, row in enumerate(self.rows):
            if row.kind == SPOT:
                assert self._position(k) >= self._opened(k, ASK)

    @invariant()
    def only_reductions_go_beyond_the_cap_of_open_orders(self) -> None:
        assert sum(not o.reduced for o in self.open) <= MAX_OPEN

    @invariant()
    def the_asset_stays_within_its_limit(self) -> None:
        """Closing one leg of a hedge may pass the limit, because a reduction always passes."""
        if self.reductions:
            return
        for side, sign in ((BID, 1), (ASK, -1)):
            lots = [sign * self._position(k) + self._opened(k, side) for k in range(N)]
            worst = sum(a * b for a, b in zip(lots, LOT_VALUE, strict=True))
            assert worst <= MAX_ASSET * VALUE


class GateWithoutReductions(Gate):
    """Orders that only add: then the asset's limit holds too, over all its instruments."""

    reductions = False


ENOUGH = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestAnySequence = Gate.TestCase
TestAnySequence.settings = ENOUGH
TestSequencesThatOnlyAdd = GateWithoutReductions.TestCase
TestSequencesThatOnlyAdd.settings = ENOUGH


def test_the_inverse_row_is_inverse() -> None:
    assert instrument("inverse")["kind"][0] == INVERSE
