"""The risk gate: every denial by example, the token bucket exactly, reductions always."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimera_cli.instrument import Instrument
from kimera_cli.kernels.gate import check_new, take_token, valid_action, watch_losses
from kimera_cli.kernels.state import GATE, KILL_ALL, SLEEVE, STREAM
from kimera_cli.layouts import (
    ACTION,
    ASK,
    BID,
    DENIALS,
    FEATURES,
    FOK,
    LIMIT,
    MARKET,
    POST_ONLY,
    VIEW,
)

NOW = 1_000_000_000_000
DAY = 86_400_000_000_000


def instrument(kind: str = "linear", **more: Any) -> Instrument:
    """One unit per lot, one quote unit per tick; inverse: contracts of 10."""
    size = Decimal(10) if kind == "inverse" else Decimal(1)
    settings = {"tick": Decimal(1), "lot": Decimal(1), "contract_size": size, **more}
    return Instrument(venue="v", symbol="s", kind=kind, base="A", quote="USD", **settings)  # type: ignore[arg-type]


class Desk:
    """A portfolio of 100,000 in front of books at 999 to 1,001."""

    def __init__(self, *instruments: Instrument, strategies: int = 1, **limits: float) -> None:
        instruments = instruments or (instrument(),)
        n = len(instruments) * strategies
        self.gate = np.zeros(1, GATE).view(np.recarray)[0]
        self.views = np.zeros(n, VIEW).view(np.recarray)
        self.sleeves = np.zeros(n, SLEEVE).view(np.recarray)
        self.streams = np.zeros(len(instruments), STREAM).view(np.recarray)
        self.features = np.zeros(len(instruments), FEATURES).view(np.recarray)
        self.rows = np.concatenate([i.row() for i in instruments]).view(np.recarray)
        self.sleeves["stream"] = np.tile(np.arange(len(instruments)), strategies)
        self.streams["ts_local_ns"] = NOW
        for k in range(len(instruments)):
            self.book(k, 999, 1_001)
        settings = {
            "trading": 1,
            "cash": 100_000.0,
            "peak": 100_000.0,
            "day_start": 100_000.0,
            "day": NOW // DAY,
            "max_open_orders": 64,
            "stale_ns": 5_000_000_000,
            "tokens": 100.0,
            "token_rate": 10.0,
            "token_burst": 100.0,
            "token_ts_ns": NOW,
            "max_order": 0.1,
            "max_position": 0.1,
            "max_asset": 0.2,
            "collar": 0.05,
            "max_drawdown": 0.1,
            "max_daily_loss": 0.05,
        }
        for name, value in {**settings, **limits}.items():
            setattr(self.gate, name, value)

    def book(self, k: int, bid: int, ask: int) -> None:
        """Set an instrument's best prices."""
        f = self.features[k]
        f.best_bid_ticks, f.best_ask_ticks, f.mid_ticks = bid, ask, 0.5 * (bid + ask)

    def ask(self, side: int, px: int, lots: int, s: int = 0, kind: int = LIMIT, ts=NOW) -> str:
        """Ask for an order; return the denial's name, "ok" when it passes."""
        code = check_new(
            self.gate,
            self.views,
            self.sleeves,
            self.streams,
            self.rows,
            self.features,
            len(self.views),
            s,
            side,
            kind,
            px,
            lots,
            ts,
        )
        return DENIALS[code]

    def hold(self, lots: int, s: int = 0, px: int = 1_000) -> None:
        """Hold a position that was bought at a price."""
        self.views[s].position_lots = lots
        row = self.rows[self.sleeves[s].stream]
        size = lots * row.lot * row.contract_size
        self.views[s].cash = size / px if row.kind == 2 else -size * px

    def open(self, side: int, lots: int, s: int = 0) -> None:
        """Add open size and one open order."""
        name = "open_bid_lots" if side == BID else "open_ask_lots"
        self.views[s][name] += lots
        self.gate.open_orders += 1


# --- denials by example ------------------------------------------------------------------------
def test_an_order_within_all_limits_passes() -> None:
    desk = Desk()
    assert desk.ask(BID, 1_000, 10) == "ok"
    assert desk.ask(ASK, 1_000, 10) == "ok"
    assert desk.ask(BID, 0, 9, kind=MARKET) == "ok"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"kill": 1}, "kill_switch"),
        ({"trading": 0}, "not_trading"),
        ({"halted": 10}, "drawdown"),
        ({"halted": 11}, "daily_loss"),
        ({"open_orders": 64}, "open_orders"),
        ({"tokens": 0.5}, "order_rate"),
    ],
)
def test_latches_and_counters(limits: dict[str, float], expected: str) -> None:
    assert Desk(**limits).ask(BID, 1_000, 1) == expected


def test_an_order_of_more_than_a_tenth_is_denied() -> None:
    desk = Desk(max_position=1.0, max_asset=1.0)
    assert desk.ask(BID, 1_000, 10) == "ok"
    assert desk.ask(BID, 1_000, 11) == "max_order"
    assert desk.ask(BID, 990, 10, kind=MARKET) == "max_order"  # judged at the touch: 1,001


def test_open_orders_count_against_the_position_as_if_all_filled() -> None:
    desk = Desk()
    desk.open(BID, 4)
    desk.open(ASK, 50)  # the other side does not help
    desk.hold(3)
    assert desk.ask(BID, 1_000, 3) == "ok"
    assert desk.ask(BID, 1_000, 4) == "position_limit"


def test_a_position_of_another_strategy_counts() -> None:
    desk = Desk(strategies=2)
    desk.hold(6, s=1)
    assert desk.ask(BID, 1_000, 4, s=0) == "ok"
    assert desk.ask(BID, 1_000, 5, s=0) == "position_limit"


def test_the_worse_of_price_and_mid_counts() -> None:
    desk = Desk(collar=1.0)
    assert desk.ask(BID, 500, 10) == "ok"
    assert desk.ask(BID, 500, 11) == "max_order"  # 5,500 at its price, 11,000 at the mid


def test_an_asset_counts_over_its_instruments() -> None:
    desk = Desk(instrument("spot"), instrument("linear"), instrument("inverse"), max_position=1.0)
    desk.hold(10, s=0)
    desk.hold(9, s=1)
    assert desk.ask(BID, 1_000, 100, s=2) == "ok"  # 100 contracts of 10: one unit's worth
    assert desk.ask(BID, 1_000, 101, s=2) == "asset_exposure"
    assert desk.ask(ASK, 1_000, 1_000, s=2) == "ok"  # a hedge
    desk.streams[2].asset = 1
    assert desk.ask(BID, 1_000, 101, s=2) == "ok"


def test_an_unknown_mid_of_the_asset_denies() -> None:
    desk = Desk(instrument(), instrument())
    desk.open(BID, 3, s=1)
    desk.features[1].mid_ticks = math.nan
    assert desk.ask(BID, 1_000, 1, s=0) == "asset_exposure"
    desk.hold(1, s=1)
    assert desk.ask(BID, 1_000, 1, s=0) == "no_book"


def test_no_book_no_order() -> None:
    desk = Desk()
    desk.hold(5)
    desk.features[0].mid_ticks = math.nan
    assert desk.ask(BID, 1_000, 1) == "no_book"
    assert desk.ask(ASK, 1_000, 1) == "no_book"


def test_a_venue_that_has_not_joined_takes_no_order() -> None:
    desk = Desk(instrument(), instrument())
    desk.hold(5)
    desk.streams[0].away = 1
    assert desk.ask(BID, 1_000, 1) == "venue_away"
    assert desk.ask(ASK, 1_000, 1) == "venue_away", "no venue, no reduction"
    assert desk.ask(BID, 1_000, 1, s=1) == "ok"
    desk.streams[0].away = 0
    assert desk.ask(ASK, 1_000, 1) == "ok"


def test_instrument_filters() -> None:
    desk = Desk(instrument(min_qty=Decimal(2), max_qty=Decimal(5), min_notional=Decimal(2_500)))
    assert desk.ask(BID, 1_000, 1) == "instrument_filter"
    assert desk.ask(BID, 1_000, 2) == "instrument_filter"
    assert desk.ask(BID, 1_000, 3) == "ok"
    assert desk.ask(BID, 1_000, 6) == "instrument_filter"


def test_price_collar() -> None:
    desk = Desk()
    for px, expected in (
        (950, "ok"),
        (949, "price_collar"),
        (1_050, "ok"),
        (1_051, "price_collar"),
    ):
        assert desk.ask(BID, px, 1) == expected


def test_stale_data() -> None:
    desk = Desk()
    assert desk.ask(BID, 1_000, 1, ts=NOW + 5_000_000_000) == "ok"
    assert desk.ask(BID, 1_000, 1, ts=NOW + 5_000_000_001) == "stale_data"


def test_spot_is_never_sold_short_unless_allowed() -> None:
    desk = Desk(instrument("spot"))
    assert desk.ask(ASK, 1_000, 1) == "position_limit"
    desk.hold(3)
    assert desk.ask(ASK, 1_000, 3) == "ok"
    assert desk.ask(ASK, 1_000, 4) == "position_limit"
    desk.open(ASK, 2)
    assert desk.ask(ASK, 1_000, 1) == "ok"
    assert desk.ask(ASK, 1_000, 2) == "position_limit"
    desk.gate.spot_short = 1
    assert desk.ask(ASK, 1_000, 2) == "ok"


# --- reductions --------------------------------------------------------------------------------
@pytest.mark.parametrize("held", [30, -30])
def test_reductions_pass_every_limit(held: int) -> None:
    """Killed, halted, stale, out of tokens, off the collar, far too large: it still reduces."""
    desk = Desk(
        kill=1,
        trading=0,
        halted=10,
        open_orders=64,
        tokens=0.0,
        max_order=1e-9,
        max_position=1e-9,
        max_asset=1e-9,
    )
    desk.hold(held)
    side, other = (ASK, BID) if held > 0 else (BID, ASK)
    late = NOW + DAY
    assert desk.ask(side, 2_000, 30, ts=late) == "ok"
    assert desk.ask(side, 2_000, 31, ts=late) == "kill_switch"
    assert desk.ask(other, 2_000, 1, ts=late) == "kill_switch"
    desk.open(side, 25)
    assert desk.ask(side, 2_000, 5, ts=late) == "ok"
    assert desk.ask(side, 2_000, 6, ts=late) == "kill_switch"


def test_behind_the_latch_of_a_live_run_not_even_a_reduction_leaves() -> None:
    desk = Desk(kill=KILL_ALL)
    desk.hold(30)
    assert desk.ask(ASK, 2_000, 1) == "kill_switch"
    assert desk.ask(BID, 2_000, 1) == "kill_switch"


# --- numbers that mean nothing -----------------------------------------------------------------
def action(**values: int) -> Any:
    """A valid limit order with some values changed."""
    row = np.zeros(1, ACTION).view(np.recarray)[0]
    for name, value in {"side": BID, "px_ticks": 1_000, "qty_lots": 1, **values}.items():
        setattr(row, name, value)
    return row


def test_valid_actions() -> None:
    assert valid_action(action())
    assert valid_action(action(tif=POST_ONLY))
    assert valid_action(action(type=MARKET, px_ticks=0))
    assert valid_action(action(type=MARKET, px_ticks=0, tif=FOK))


@pytest.mark.parametrize(
    "values",
    [
        {"side": 2},
        {"side": -1},
        {"type": 2},
        {"tif": 4},
        {"tif": -1},
        {"qty_lots": 0},
        {"qty_lots": -1},
        {"qty_lots": (1 << 52) + 1},
        {"px_ticks": 0},
        {"px_ticks": -1},
        {"px_ticks": (1 << 52) + 1},
        {"type": MARKET, "tif": POST_ONLY},
    ],
)
def test_actions_that_mean_nothing(values: dict[str, int]) -> None:
    assert not valid_action(action(**values))


# --- losses ------------------------------------------------------------------------------------
def watch(desk: Desk, *values: float, ts: int = NOW) -> list[str]:
    return [DENIALS[watch_losses(desk.gate, v, ts)] for v in values]


def test_drawdown_halts_at_its_limit_from_the_peak() -> None:
    desk = Desk(max_daily_loss=1.0)
    assert watch(desk, 110_000.0, 99_001.0, math.nan) == ["ok", "ok", "ok"]
    assert watch(desk, 98_999.0) == ["drawdown"]
    assert watch(desk, 50_000.0, 200_000.0) == ["ok", "ok"]  # said once, and it stays
    assert desk.gate.halted == DENIALS.index("drawdown")
    assert desk.gate.worst_drawdown == pytest.approx(1 - 50 / 110)


def test_daily_loss_counts_from_the_start_of_the_utc_day() -> None:
    desk = Desk(max_drawdown=1.0)
    assert watch(desk, 96_000.0) == ["ok"]
    assert watch(desk, 92_000.0, ts=NOW + DAY) == ["ok"]  # a new day starts at 92,000
    assert watch(desk, 87_401.0, ts=NOW + DAY) == ["ok"]
    assert watch(desk, 87_400.0, ts=NOW + DAY) == ["daily_loss"]


# --- order rate --------------------------------------------------------------------------------
@given(
    gaps=st.lists(st.integers(0, 400_000_000), max_size=60),
    burst=st.integers(1, 5),
    rate=st.sampled_from([1, 4, 10]),
)
def test_token_bucket(gaps: list[int], burst: int, rate: int) -> None:
    """Against the same bucket in whole billionths of a token."""
    gate = Desk(tokens=float(burst), token_rate=float(rate), token_burst=float(burst)).gate
    ts, tokens = NOW, burst * 10**9
    for gap in gaps:
        ts += gap
        tokens = min(burst * 10**9, tokens + gap * rate)
        if abs(tokens - 10**9) < 10:  # a rounding error either way is no error
            return
        passed = tokens >= 10**9
        assert take_token(gate, 0, ts) == passed
        tokens -= 10**9 if passed else 0


def test_a_venue_with_a_rate_of_its_own_leaves_the_others_theirs() -> None:
    gate = Desk(tokens=4.0, token_rate=1.0, token_burst=4.0).gate
    pace = gate.paces[1]
    pace.tokens = pace.token_burst = 1.0
    pace.token_rate = 0.5
    assert [take_token(gate, 2, NOW) for _ in range(3)] == [True, False, False]
    assert gate.tokens == 3.0  # what the venue's rate denied took nothing of the run's
    assert [take_token(gate, 0, NOW) for _ in range(4)] == [True, True, True, False]
    assert not take_token(gate, 2, NOW + 1_999_000_000)
    assert take_token(gate, 2, NOW + 2_000_000_000)


def test_an_empty_rate_of_the_run_takes_nothing_of_a_venue() -> None:
    gate = Desk(tokens=0.0, token_rate=1.0, token_burst=1.0).gate
    gate.paces[0].tokens = gate.paces[0].token_burst = 1.0
    assert not take_token(gate, 1, NOW)
    assert gate.paces[0].tokens == 1.0


def test_a_burst_then_the_rate() -> None:
    gate = Desk(tokens=3.0, token_rate=2.0, token_burst=3.0).gate
    assert [take_token(gate, 0, NOW) for _ in range(4)] == [True, True, True, False]
    assert not take_token(gate, 0, NOW + 499_999_000)
    assert take_token(gate, 0, NOW + 500_000_000)
    assert not take_token(gate, 0, NOW + 600_000_000)
