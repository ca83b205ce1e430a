"""One asset on several venues: what strategies see of it together, and a taker that uses it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tapes import INVERSE, LINEAR, MS, SPOT, T0, HandMade, Ran, S, events, plain_profile, quotes

from kimera_cli.engine.request import Sleeved
from kimera_cli.engine.setup import groups
from kimera_cli.errors import ProfileError
from kimera_cli.kernels.gate import DENY_RATE
from kimera_cli.layouts import ASK, BID, CLEAR, DENIALS, F_GAP, F_LAST, NO_SIDE
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve

RunAll = Callable[..., Ran]
Scripted = Callable[..., Sleeved]
KRAKEN = msgspec.structs.replace(
    SPOT,
    venue="kraken",
    symbol="XBTUSD",
    tick=Decimal("0.1"),
    lot=Decimal("0.00000001"),
    base="XBT",
    quote="USD",
    taker_fee=0.0026,
)
RATES = {"portfolio": {"rates": {"USD": 1.0, "USDT": 0.999}}}
SEES = """
if n == 2:
    v = market.view
    self.seen = getattr(self, "seen", {})
    open(FILE, "a").write(repr((int(name), int(v["group_size"]), float(v["group_bid"]),
        int(v["group_bid_instrument"]), float(v["group_bid_size"]), float(v["group_ask"]),
        int(v["group_ask_instrument"]), float(v["group_ask_size"]), float(v["group_position"]),
        int(v["group_orders"]))) + "\\n")
"""


def seen(file: Path) -> dict[int, tuple[Any, ...]]:
    """Return what each instrument's view held."""
    nan = float("nan")
    rows = [eval(line, {"nan": nan}) for line in file.read_text().splitlines()]
    return {row[0]: row[1:] for row in rows}


def test_a_group_is_one_asset_of_one_kind() -> None:
    eth = msgspec.structs.replace(SPOT, symbol="ETHUSDT", base="ETH")
    bybit = msgspec.structs.replace(LINEAR, venue="bybit")
    unknown = msgspec.structs.replace(SPOT, symbol="A", base="")
    found = groups([SPOT, KRAKEN, eth, LINEAR, INVERSE, bybit, unknown, unknown])
    assert found == [[0, 1], [0, 1], [2], [3, 5], [4], [3, 5], [6], [7]]


def test_the_view_has_the_best_net_prices_of_all_venues(
    run_all: RunAll, scripted: Scripted, tmp_path: Path
) -> None:
    """Binance 50,000.00 +- 0.01 USDT at 0.1 %, Kraken 50,100.0 +- 0.1 USD at 0.26 %."""
    file = tmp_path / "seen"
    trader = scripted(
        f"FILE = {str(file)!r}" + SEES + "if n == 1 and name == 1: market.sell(None, 0.25)"
    )
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 6))),
        HandMade(KRAKEN, events(quotes([501_000] * 6, lots=300_000_000))),
        HandMade(LINEAR, events(quotes([400_000] * 6))),
    ]
    run_all(tapes, [trader], plain_profile(**RATES))
    views = seen(file)
    bid, ask = 50_099.9 * (1 - 0.0026), 50_000.01 * 0.999 * 1.001
    assert views[0] == views[1]
    size, *rest = views[0]
    assert size == 2
    assert rest[0] == pytest.approx(bid, rel=1e-12)
    assert rest[1:3] == [1, 3.0]
    assert rest[3] == pytest.approx(ask, rel=1e-12)
    assert rest[4:6] == [0, pytest.approx(10.0)]
    assert rest[6:] == [pytest.approx(-0.25), 0]
    assert views[2][0] == 1


@pytest.mark.parametrize("how", ["gap", "silence", "empty"])
def test_a_book_that_is_not_good_is_left_out(
    run_all: RunAll, scripted: Scripted, tmp_path: Path, how: str
) -> None:
    file = tmp_path / "seen"
    better = events(quotes([500_500], lots=300_000_000))
    if how != "silence":
        lost = better[-1:].copy()
        lost["ts_exch_ns"] = lost["ts_local_ns"] = T0 + S
        if how == "gap":
            lost["kind"], lost["side"], lost["flags"] = CLEAR, NO_SIDE, F_GAP | F_LAST
            better = np.concatenate([better, lost])
        else:
            emptied = np.concatenate([lost, lost])
            emptied["qty_lots"], emptied["side"] = 0, [BID, ASK]
            emptied["px_ticks"] = [500_499, 500_501]
            better = np.concatenate([better, emptied])
    tapes = [HandMade(SPOT, events(quotes([5_000_000] * 6))), HandMade(KRAKEN, better)]
    stale = {"risk": {"stale_after": "500ms" if how == "silence" else "1h"}}
    run_all(tapes, [scripted(f"FILE = {str(file)!r}" + SEES)], plain_profile(**RATES, **stale))
    size, bid, at, _, _, ask_at, *_ = seen(file)[0]
    assert (size, at, ask_at) == (2, 0, 0)
    assert bid == pytest.approx(49_999.99 * 0.999 * 0.999)


def crossed(seconds: int = 6) -> list[HandMade]:
    """Kraken 1 % above Binance for the first seconds, then at par."""
    kraken = [505_000] * 3 + [500_000] * (seconds - 3)
    return [
        HandMade(SPOT, events(quotes([5_000_000] * seconds))),
        HandMade(KRAKEN, events(quotes(kraken, lots=1_000_000_000))),
    ]


def taker(**params: float) -> Sleeved:
    spec = load("cross_taker")
    return Sleeved(spec, resolve(spec, {"order_notional": 1000.0, **params}))


def test_a_pair_is_bought_where_it_is_cheap_and_sold_where_it_is_dear(run_all: RunAll) -> None:
    """By hand: one pair; both legs at the touch, both fees, the tether's rate."""
    ran = run_all(crossed(), [taker(max_units=1.0)], plain_profile(**RATES))
    views = ran.session.arrays.views
    bought, sold = (int(v["position_lots"]) for v in views)
    ask = 50_000.01 * 0.999 * 1.001
    unit = 1000.0 / ask
    assert bought == int(unit / 1e-5)
    assert sold == -int(unit / 1e-8)
    assert ran.summary.fills == 2
    paid = bought * 1e-5 * 50_000.01 * 1.001 * 0.999
    got = -sold * 1e-8 * 50_499.9 * (1 - 0.0026)
    held = bought * 1e-5 * 50_000.0 * 0.999 + sold * 1e-8 * 50_000.0
    assert ran.summary.pnl == pytest.approx(got - paid + held, rel=1e-9)
    assert ran.summary.pnl > 0


def test_no_pair_without_an_edge_beyond_fees(run_all: RunAll) -> None:
    """Kraken 0.2 % above: with the tether at 0.999 less than the two fees."""
    tapes = crossed()
    tapes[1] = HandMade(KRAKEN, events(quotes([501_000] * 6, lots=1_000_000_000)))
    assert run_all(tapes, [taker()], plain_profile(**RATES)).summary.orders == 0


def test_a_leg_that_missed_is_closed(run_all: RunAll) -> None:
    """Kraken's bid is gone when the order gets there; what Binance filled is sold again."""
    dear = [505_000, 500_000, 500_000, 500_000, 500_000, 500_000]
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 6, every_ns=S))),
        HandMade(KRAKEN, events(quotes(dear, every_ns=100 * MS, lots=1_000_000_000))),
    ]
    tapes[1].events["ts_exch_ns"][2:] -= 99 * MS  # known here 99 ms later
    slow = {"latency": {"entry_ns": 5 * MS, "response_ns": MS}}
    ran = run_all(tapes, [taker()], plain_profile(**RATES, **slow))
    assert ran.summary.orders >= 3
    total = sum(int(v["position_lots"]) * float(v["lot"]) for v in ran.session.arrays.views)
    assert abs(total) < 2e-5
    assert ran.summary.pnl < 0


def test_on_spot_without_a_stock_it_says_what_it_needs(run_all: RunAll) -> None:
    from kimera_cli.errors import RunError

    profile = plain_profile(**RATES, risk={"spot_short": False})
    with pytest.raises(RunError, match="spot_short = true"):
        run_all(crossed(), [taker()], profile)


def test_alone_it_does_nothing(run_all: RunAll) -> None:
    assert run_all(crossed()[:1], [taker()], plain_profile(**RATES)).summary.orders == 0


# --- risk over venues --------------------------------------------------------------------------
BUYS = "if n in (1, 3): market.buy(None, 0.06)"


def held(ran: Ran) -> dict[str, float | None]:
    return {h.market: h.qty for h in ran.summary.holdings}


def test_the_limit_of_an_asset_is_over_all_venues(run_all: RunAll, scripted: Scripted) -> None:
    """0.06 at 50,000 is 3,000. Of 100,000 an asset may have 7 %: two orders, on whichever venue."""
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 6))),
        HandMade(KRAKEN, events(quotes([500_000] * 6, lots=300_000_000))),
    ]
    limits = {"portfolio": {"cash": 100_000.0}, "risk": {"max_asset_fraction": 0.07}}
    ran = run_all(tapes, [scripted(BUYS)], plain_profile(**limits))
    assert held(ran) == {
        "binance/BTCUSDT": pytest.approx(0.06),
        "kraken/XBTUSD": pytest.approx(0.06),
        "total": pytest.approx(0.12),
    }
    assert (ran.summary.orders, ran.summary.denied) == (2, 2)


def test_what_is_held_on_a_lost_venue_does_not_stop_the_others(
    run_all: RunAll, scripted: Scripted
) -> None:
    """Kraken is lost at 2 s with 0.06 there; Binance trades on, within the limit of both."""
    kraken = events(quotes([500_000] * 3, lots=300_000_000))
    lost = kraken[-1:].copy()
    lost["ts_exch_ns"] = lost["ts_local_ns"] = T0 + 2 * S + 1
    lost["kind"], lost["side"], lost["flags"] = CLEAR, NO_SIDE, F_GAP | F_LAST
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 10))),
        HandMade(KRAKEN, np.concatenate([kraken, lost])),
    ]
    buys = (
        "if n == 1 and name == 1: market.buy(None, 0.06)\n"
        "if n >= 3 and name == 0: market.buy(None, 0.06)"
    )
    limits = {"portfolio": {"cash": 100_000.0}, "risk": {"max_asset_fraction": 0.13}}
    ran = run_all(tapes, [scripted(buys)], plain_profile(**limits))
    assert held(ran)["kraken/XBTUSD"] == pytest.approx(0.06)
    assert held(ran)["binance/BTCUSDT"] == pytest.approx(0.18)
    gate = ran.session.arrays.gate[0]
    assert gate["counts"][DENIALS.index("asset_exposure")] == ran.summary.denied >= 1


def test_a_slow_venue_leaves_the_others_their_order_rate(
    run_all: RunAll, scripted: Scripted
) -> None:
    """Both are asked for an order a second; Kraken allows one in ten seconds, after a first one."""
    trader = scripted("market.buy(None, 0.0001)")
    tapes = [
        HandMade(SPOT, events(quotes([5_000_000] * 8))),
        HandMade(KRAKEN, events(quotes([501_000] * 8, lots=300_000_000))),
    ]
    slow = {"venue_orders_per_s": {"kraken": 0.1}, "venue_order_burst": {"kraken": 1}}
    ran = run_all(tapes, [trader], plain_profile(**RATES, risk=slow))
    binance, kraken = (int(v["position_lots"]) for v in ran.session.arrays.views)
    assert kraken == 10_000  # of 0.00000001: one order
    assert ran.summary.denied == 6
    assert ran.session.arrays.gate[0]["counts"][DENY_RATE] == 6
    assert ran.summary.orders == 8
    assert binance in (60, 70)


def test_an_order_rate_of_an_unknown_venue_is_refused(run_all: RunAll, scripted: Scripted) -> None:
    tapes = [HandMade(SPOT, events(quotes([5_000_000] * 2)))]
    wrong = {"venue_orders_per_s": {"krakn": 0.1}}
    with pytest.raises(ProfileError, match=r"venue_orders_per_s, was 'krakn' \(did you mean"):
        run_all(tapes, [scripted("")], plain_profile(risk=wrong))
