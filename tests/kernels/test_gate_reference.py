"""The gate's one pass over the account against the same rules written out one after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.kernels.gate import check_new, holdings, portfolio_value
from kimera_cli.kernels.state import GATE, KILL_ALL, KILL_RISK, SLEEVE, STREAM
from kimera_cli.layouts import (
    ASK,
    BID,
    DENIALS,
    FEATURES,
    INSTRUMENT,
    INVERSE,
    LIMIT,
    MARKET,
    SPOT,
    VIEW,
)

NOW = 1_000_000_000_000


def value_of(inst: Any, px: float, lots: int) -> float:
    size = lots * inst.lot * inst.contract_size
    return float(size if inst.kind == INVERSE else size * px * inst.tick)


def mark_of(world: dict[str, Any], k: int) -> float:
    """The mid, or else the last one that there was."""
    mid, last = float(world["features"][k].mid_ticks), float(world["streams"][k].last_mid)
    return last if math.isnan(mid) and last else mid


def worth_of_sleeve(world: dict[str, Any], s: int) -> float:
    view, k = world["views"][s], world["sleeves"][s].stream
    inst, mid = world["instruments"][k], mark_of(world, k)
    own = float(view.cash)
    if view.position_lots != 0:
        size = view.position_lots * inst.lot * inst.contract_size
        own += -size / (mid * inst.tick) if inst.kind == INVERSE else size * mid * inst.tick
    if inst.kind == INVERSE:
        own = own * mid * inst.tick
    return float(own * inst.settle_rate)


def reference(world: dict[str, Any], s: int, side: int, kind: int, px: int, lots: int) -> str:
    """The rules one after the other, each on its own."""
    views, sleeves = world["views"], world["sleeves"]
    k = sleeves[s].stream
    inst, f = world["instruments"][k], world["features"][k]
    mid = float(f.mid_ticks)
    if not mid > 0:
        return "no_book"
    if world["streams"][k].away:
        return "venue_away"
    if kind == MARKET:
        px = f.best_ask_ticks if side == BID else f.best_bid_ticks
    if lots < inst.min_lots or (inst.max_lots and lots > inst.max_lots):
        return "instrument_filter"
    here = [v for v, sleeve in zip(views, sleeves, strict=True) if sleeve.stream == k]
    position = sum(v.position_lots for v in here)
    opened = sum(v.open_bid_lots if side == BID else v.open_ask_lots for v in here)
    held = -position if side == BID else position
    if world["gate"].kill == KILL_ALL and (
        value_of(inst, px, lots) >= inst.min_notional or (held > 0 and opened + lots <= held)
    ):
        return "kill_switch"
    if held > 0 and opened + lots <= held:
        return "ok"
    if value_of(inst, px, lots) < inst.min_notional:
        return "instrument_filter"
    return latched(world, k, mid, px) or limited(world, k, side, px, lots, held - opened)


def latched(world: dict[str, Any], k: int, mid: float, px: float) -> str:
    """The reason that needs no account, "" when there is none."""
    gate, stream = world["gate"], world["streams"][k]
    for reason, denied in (
        ("kill_switch", gate.kill),
        ("not_trading", not gate.trading),
        (DENIALS[gate.halted], gate.halted),
        ("stale_data", stream.gap or NOW - stream.ts_local_ns > gate.stale_ns),
        ("price_collar", abs(px - mid) > gate.collar * mid),
        ("open_orders", gate.open_orders >= gate.max_open_orders),
    ):
        if denied:
            return reason
    return ""


def limited(world: dict[str, Any], k: int, side: int, px: float, lots: int, room: int) -> str:
    """The answer of the limits; `room` is what may still be reduced (negative: added already)."""
    gate, views = world["gate"], world["views"]
    inst, mid, stream = world["instruments"][k], world["features"][k].mid_ticks, world["streams"][k]
    if inst.kind == SPOT and side == ASK and not gate.spot_short and lots > room:
        return "position_limit"
    busy = [i for i, v in enumerate(views) if v.position_lots or v.cash]
    total = float(gate.cash)
    for i in busy:
        total += worth_of_sleeve(world, i)
    if not total > 0:
        return "no_book"
    worth = max(value_of(inst, px, lots), value_of(inst, mid, lots)) * inst.settle_rate
    if worth > gate.max_order * total:
        return "max_order"
    if value_of(inst, max(px, mid), lots - room) * inst.settle_rate > gate.max_position * total:
        return "position_limit"
    exposure = exposed(world, stream.asset, side)
    if not exposure + worth <= gate.max_asset * total:
        return "asset_exposure"
    return "ok" if gate.tokens >= 1.0 else "order_rate"


def exposed(world: dict[str, Any], asset: int, side: int) -> float:
    """Worst-case value of the asset in the order's own direction."""
    exposure = 0.0
    for view, sleeve in zip(world["views"], world["sleeves"], strict=True):
        at = sleeve.stream
        left = view.position_lots + (view.open_bid_lots if side == BID else -view.open_ask_lots)
        if world["streams"][at].asset == asset and left:
            row, price = world["instruments"][at], mark_of(world, at)
            exposure += value_of(row, price, left) * row.settle_rate
    return exposure if side == BID else -exposure


def rows(dtype: np.dtype, n: int) -> Any:
    return np.zeros(n, dtype).view(np.recarray)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """One to three instruments of any kind, one to six sleeves, limits that sometimes bind."""
    n, m = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    world = {
        "gate": rows(GATE, 1)[0],
        "views": rows(VIEW, m),
        "sleeves": rows(SLEEVE, m),
        "streams": rows(STREAM, n),
        "instruments": rows(INSTRUMENT, n),
        "features": rows(FEATURES, n),
    }
    often = st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1])
    gate = world["gate"]
    gate.halted, gate.spot_short = 10 * draw(often), draw(often)
    gate.kill = draw(st.sampled_from([0] * 14 + [KILL_RISK, KILL_ALL]))
    gate.trading, gate.open_orders = 1 - draw(often), 5 * draw(often)
    gate.max_open_orders, gate.stale_ns, gate.cash = 5, 10, draw(st.floats(-1e4, 1e6))
    gate.tokens = draw(st.sampled_from([0.5, 1.0, 9.0, 9.0]))
    gate.token_burst, gate.token_ts_ns = 10.0, NOW
    gate.collar = draw(st.sampled_from([0.01, 0.2]))
    gate.max_order, gate.max_position, gate.max_asset = (
        draw(st.sampled_from([0.02, 0.2, 2.0])) for _ in range(3)
    )
    for k in range(n):
        size = 100.0 if draw(st.booleans()) else 1.0
        world["instruments"][k] = (
            draw(st.integers(0, 2)), 0.5, 0.25, size, 0.0, 0.0, draw(st.integers(1, 3)),
            draw(st.sampled_from([0, 60])), draw(st.sampled_from([0.0, 900.0])), 1.25,
        )  # fmt: skip
        mid = draw(st.sampled_from([1_000.5, 1_001.0, 1_002.5, math.nan]))
        f = world["features"][k]
        f.mid_ticks = mid
        if not math.isnan(mid):
            f.best_bid_ticks, f.best_ask_ticks = math.floor(mid - 0.5), math.ceil(mid + 0.5)
        world["streams"][k].last_mid = draw(st.sampled_from([0.0, 990.5, 1_003.0]))
        world["streams"][k].asset = draw(st.integers(0, 1))
        world["streams"][k].gap = draw(often)
        world["streams"][k].away = draw(often)
        world["streams"][k].ts_local_ns = NOW - 11 * draw(often)
    lots = st.sampled_from([0, 0, 1, 7, 50])
    for s in range(m):
        world["sleeves"][s].stream = draw(st.integers(0, n - 1))
        view = world["views"][s]
        view.position_lots = draw(lots) * draw(st.sampled_from([-1, 1]))
        view.open_bid_lots, view.open_ask_lots = draw(lots), draw(lots)
        view.cash = draw(st.sampled_from([0.0, 0.0, -3_000.25, 12.5]))
    return world


@settings(max_examples=400, deadline=None)
@given(
    world=worlds(),
    side=st.sampled_from([BID, ASK]),
    kind=st.sampled_from([LIMIT, MARKET]),
    px=st.sampled_from([900, 995, 1_000, 1_005, 1_300]),
    lots=st.integers(1, 80),
)
def test_the_gate_answers_as_its_rules_written_out(
    world: dict[str, Any], side: int, kind: int, px: int, lots: int
) -> None:
    expected = reference(world, 0, side, kind, px, lots)
    code = check_new(*world.values(), len(world["views"]), 0, side, kind, px, lots, NOW)
    assert DENIALS[code] == expected


@settings(max_examples=100, deadline=None)
@given(world=worlds(), side=st.sampled_from([BID, ASK]))
def test_the_one_pass_gives_the_portfolio_value_that_the_losses_are_watched_by(
    world: dict[str, Any], side: int
) -> None:
    """To the last bit: a limit and a halt are judged by the same number."""
    gate, views, sleeves, streams, instruments, features = world.values()
    n = len(views)
    whole = portfolio_value(gate, views, sleeves, streams, instruments, features, n)
    value = holdings(gate, views, sleeves, streams, instruments, features, n, np.uint64(0), side)[2]
    assert value == whole or (math.isnan(value) and math.isnan(whole))
