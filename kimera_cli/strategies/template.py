"""Files that `kimera strategies new` writes: a working strategy and its test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from kimera_cli.errors import UsageError
from kimera_cli.files import write_atomic
from kimera_cli.strategies.registry import BUILT_IN

COMPILED = '''"""NAME: one order on each side of the mid, leaning against the position.

Say here what the strategy believes, and who pays it for being right.

Parameters
----------
distance_bps : bps
    Distance of each order from the mid, in basis points.
skew_bps : bps/unit
    Shift of both orders against each unit (order) held.
order_notional : portfolio currency
    Value of one order.
max_units : units
    Largest position, in orders.
"""

import numpy as np

from kimera_cli.kernels.quoting import basis_point, keep_quotes
from kimera_cli.kernels.strategy import has_market, lots_for_notional

PARAMS: dict[str, float] = {
    "distance_bps": 1.0,
    "skew_bps": 0.2,
    "order_notional": 1000.0,
    "max_units": 5.0,
}

INTERVAL_NS = 100_000_000  # wake every 100 ms; 0: after every change of the book and every trade

ERRORS = {-1: "order_notional is worth less than the smallest order: raise it"}


def decide(view):
    """Look at the view, append actions; return 0, or a code of ERRORS to stop."""
    if not has_market(view):
        return 0
    lots = lots_for_notional(view, view.params[2])
    if lots == 0:
        return -1
    unit = basis_point(view)
    units_held = view.position_lots / lots
    centre = view.mid_ticks - view.params[1] * units_held * unit
    distance = view.params[0] * unit
    max_lots = np.floor(view.params[3] * lots)
    keep_quotes(view, centre - distance, centre + distance, lots, max_lots, 0.25 * unit)
    return 0
'''

PYTHON = '''"""NAME: one order on each side of the mid, leaning against the position.

Say here what the strategy believes, and who pays it for being right.

Parameters
----------
distance_bps : bps
    Distance of each order from the mid, in basis points.
skew_bps : bps/unit
    Shift of both orders against each unit (order) held.
order_notional : portfolio currency
    Value of one order.
max_units : units
    Largest position, in orders.
"""

from __future__ import annotations

import math

from kimera_cli.strategies import Market, Strategy

PARAMS: dict[str, float] = {
    "distance_bps": 1.0,
    "skew_bps": 0.2,
    "order_notional": 1000.0,
    "max_units": 5.0,
}

INTERVAL_NS = 100_000_000  # wake every 100 ms; 0: after every change of the book and every trade


class CLASS(Strategy):
    """One instance per instrument; remember what you like in attributes."""

    def on_wake(self, market: Market) -> None:
        """Look at the market and act."""
        if not market.has_market:
            return
        size = market.size_for(self.params["order_notional"])
        if size == 0.0:
            raise ValueError("order_notional is worth less than the smallest order: raise it")
        unit = market.mid * 1e-4
        units_held = market.position / size
        centre = market.mid - self.params["skew_bps"] * units_held * unit
        distance = self.params["distance_bps"] * unit
        self.keep(market, "buy", centre - distance, size if self.room(units_held) else 0.0)
        offer = market.sellable(size)  # on spot: what is held
        self.keep(market, "sell", centre + distance, offer if self.room(-units_held) else 0.0)

    def room(self, units_held: float) -> bool:
        """Return True when one more order in this direction stays within the limit."""
        return units_held + 1.0 <= self.params["max_units"]

    def keep(self, market: Market, side: str, px: float, size: float) -> None:
        """Keep one post-only order near px; size 0 withdraws it."""
        if side == "buy":
            ticks = min(math.floor(px / market.tick), market.best_ask_ticks - 1)
        else:
            ticks = max(math.ceil(px / market.tick), market.best_bid_ticks + 1)
        px = ticks * market.tick
        mine = [order for order in market.orders if order.side == side]
        if not mine and size > 0.0:
            place = market.buy if side == "buy" else market.sell
            place(px, size, tif="post_only")
        for order in mine:
            if order.state != "open":
                continue  # a request is under way: wait for the answer
            if size == 0.0:
                market.cancel(order)
            elif abs(order.px_ticks - ticks) > 0.25e-4 * market.mid_ticks:
                market.amend(order, px, size)
'''

TEST = '''"""Tests of NAME: `pytest test_NAME.py`."""

from pathlib import Path

import pytest

from kimera_cli.layouts import ASK, BID
from kimera_cli.strategies import load
from kimera_cli.strategies.testing import Desk


@pytest.fixture(scope="module")
def spec():
    return load(str(Path(__file__).with_name("NAME.py")))


def test_quotes_both_sides_without_crossing(spec):
    desk = Desk(spec)
    buy, sell = desk.decide()
    assert (buy.side, sell.side) == ("buy", "sell")
    assert buy.px_ticks < desk.view.best_ask_ticks
    assert sell.px_ticks > desk.view.best_bid_ticks
    assert buy.qty_lots == sell.qty_lots == 10_000  # 1000.0 at a mid of 100.00, lots of 0.001


def test_leans_against_the_position(spec):
    flat_buy, flat_sell = Desk(spec).decide()
    long_buy, long_sell = Desk(spec, {"skew_bps": 10.0}, position_lots=10_000).decide()
    assert long_buy.px_ticks < flat_buy.px_ticks
    assert long_sell.px_ticks < flat_sell.px_ticks


def test_stops_adding_at_the_limit(spec):
    said = Desk(spec, {"max_units": 1.0}, position_lots=10_000).decide()
    assert [action.side for action in said] == ["sell"]


def test_leaves_good_orders_alone_and_moves_stale_ones(spec):
    desk = Desk(spec)
    for action in desk.decide():
        side = BID if action.side == "buy" else ASK
        desk.order(side, action.px_ticks, action.qty_lots, action.tag)
    assert desk.decide() == []
    desk.set(best_bid_ticks=10_099, best_ask_ticks=10_101)
    assert [action.kind for action in desk.decide()] == ["amend", "amend"]


def test_waits_for_a_market(spec):
    assert Desk(spec, best_ask_ticks=1 << 60, mid_ticks=float("nan")).decide() == []


def test_says_so_when_an_order_would_be_too_small(spec):
    desk = Desk(spec, {"order_notional": 0.01})
    TOO_SMALL
'''

TOO_SMALL = {
    "compiled": "assert desk.code() == -1",
    "python": 'with pytest.raises(Exception, match="order_notional"):\n        desk.code()',
}


def write(name: str, folder: Path, protocol: str) -> Iterator[tuple[Path, str]]:
    """Write NAME.py and test_NAME.py into folder; yield (path, kind). Nothing is overwritten."""
    check_name(name)
    text = COMPILED if protocol == "compiled" else PYTHON.replace("CLASS", class_name(name))
    test = TEST.replace("TOO_SMALL", TOO_SMALL[protocol])
    files = {folder / f"{name}.py": (text, "strategy"), folder / f"test_{name}.py": (test, "test")}
    for path in files:
        if path.exists():
            raise UsageError(
                "usage.exists",
                f"expected a new file, was {path} already there",
                "choose another name or --dir; nothing was written",
                file=str(path),
            )
    make_folder(folder)
    for path, (content, kind) in files.items():
        write_atomic(path, content.replace("NAME", name).encode())
        yield path, kind


def make_folder(folder: Path) -> None:
    """Make the folder; UsageError when it cannot take files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError:
        writable = False
    if not writable:
        raise UsageError(
            "usage.folder",
            f"expected a folder to write to, was {folder}",
            "give another with --dir",
            file=str(folder),
        )


def check_name(name: str) -> None:
    """Raise UsageError unless `name` is a lower-case module name that no built-in strategy has."""
    if not name.isidentifier() or name != name.lower() or name.startswith(("_", "test_")):
        raise UsageError(
            "usage.strategy_name",
            f"expected a lower-case Python name such as my_maker, was {name!r}",
            "letters, digits and _ only",
        )
    if name in BUILT_IN:
        raise UsageError(
            "usage.strategy_name",
            f"expected a name of your own, was {name!r} (built-in)",
            f"for example my_{name}",
        )


def class_name(name: str) -> str:
    """Return the class name for a module name: my_maker becomes MyMaker."""
    return "".join(part.capitalize() for part in name.split("_"))
