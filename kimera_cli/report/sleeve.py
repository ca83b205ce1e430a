"""One sleeve: one strategy in one instrument, its rows and the price that ends the valuation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import BID, F64
from kimera_cli.report.money import Leg
from kimera_cli.report.run import Rows, Run


@dataclass(frozen=True)
class Sleeve:
    """Rows of one (strategy, instrument); `final_mid_ticks` is NaN when no price was ever seen."""

    strategy: str
    leg: Leg
    fills: Rows
    samples: Rows
    markouts: Rows
    orders: Rows
    final_mid_ticks: float

    @property
    def signs(self) -> F64:
        """+1 for buys, -1 for sells, shape (n_fills,)."""
        return np.where(self.fills["side"] == BID, 1.0, -1.0)

    @property
    def sizes(self) -> F64:
        """Signed fill sizes in the leg's unit of size, shape (n_fills,)."""
        return np.asarray(self.signs * self.leg.size(self.fills["qty_lots"]), dtype=np.float64)

    @property
    def rate(self) -> float:
        """Portfolio currency per settlement unit at the end of the run."""
        return float(self.leg.to_portfolio(self.final_mid_ticks))


def sleeves(run: Run) -> list[Sleeve]:
    """Return a sleeve for each pair that has any row, by strategy, then instrument."""
    found = []
    for s in range(len(run.strategies)):
        for i in range(len(run.legs)):
            sleeve = sleeve_of(run, s, i)
            if any(map(len, (sleeve.fills, sleeve.samples, sleeve.orders))):
                found.append(sleeve)
    return found


def sleeve_of(run: Run, s: int, i: int) -> Sleeve:
    """Return the sleeve of strategy s in instrument i; it may be without rows."""
    strategy, leg = run.strategies[s], run.legs[i]
    fills, samples, markouts, orders = (
        rows[(rows["strategy"] == s) & (rows["instrument"] == i)]
        for rows in (run.fills, run.samples, run.markouts, run.orders)
    )
    return Sleeve(strategy, leg, fills, samples, markouts, orders, _final_mid(samples, fills))


def _final_mid(samples: Rows, fills: Rows) -> float:
    """Return the newest known mid of samples and fills, else the last fill's price, else NaN."""
    times = np.concatenate((samples["ts_ns"], fills["ts_ns"]))
    mids = np.concatenate((samples["mid_ticks"], fills["mid_ticks"]))
    known = np.flatnonzero(np.isfinite(mids))
    if not known.size:
        return float(fills["px_ticks"][-1]) if len(fills) else float("nan")
    latest = times[known].max()
    return float(mids[known][times[known] == latest][0])
