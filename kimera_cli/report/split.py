"""Where PnL comes from: an exact split of each fill's result, in the settlement currency.

For a fill of signed size Q at price p, with the venue's mid m at the fill, m_h a horizon later and
M at the end of the run:

    spread capture     Q (phi(m)   - phi(p))     what the fill was better than the mid
    adverse selection  Q (phi(m_h) - phi(m))     what the mid did right after
    inventory          Q (phi(M)   - phi(m_h))   what holding on brought
    fees               -fee

They add up to Q (phi(M) - phi(p)) - fee, the whole result of the fill (realised spread
decomposition of Huang & Stoll 1996 with the inventory term made explicit). A fill whose horizon
lies beyond the end of the run takes M for m_h; one without a mid (an empty side) puts everything
into inventory. Both are counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kimera_cli.layouts import F64, I64, R_FUNDING
from kimera_cli.report.markout import mids_after, sum_error
from kimera_cli.report.sleeve import Sleeve
from kimera_cli.risk.metrics import CURRENCY, OWN, Estimate, estimate, metric, missing
from kimera_cli.units import NS_PER_S

_GROUP = "PnL split"
_SOURCE = "Huang & Stoll 1996 (realised spread decomposition)"


@dataclass(frozen=True)
class Split:
    """Parts per fill, each of shape (n_fills,), in the portfolio's currency; funding is one sum."""

    capture: F64
    adverse: F64
    inventory: F64
    fees: F64
    funding: float
    fundings: int
    """Funding payments."""
    truncated: int
    """Fills whose horizon lies beyond the end of the run."""
    without_mid: int

    @property
    def total(self) -> float:
        """PnL of the sleeve: the sum of all parts."""
        parts = (self.capture, self.adverse, self.inventory, self.fees)
        return float(sum(part.sum() for part in parts)) + self.funding


def split(sleeve: Sleeve, horizon_s: int) -> Split:
    """Split the result of every fill of a sleeve at a markout horizon."""
    fills, leg, final = sleeve.fills, sleeve.leg, sleeve.final_mid_ticks
    after = mids_after(sleeve, horizon_s * NS_PER_S)
    mid = fills["mid_ticks"]
    blind, early = ~np.isfinite(mid), ~np.isfinite(after)
    m = np.where(blind, fills["px_ticks"], mid)
    m_h = np.where(blind, m, np.where(early, final, after))
    paid = sleeve.orders["fee"][sleeve.orders["kind"] == R_FUNDING]
    to_money = sleeve.sizes * sleeve.rate
    return Split(
        capture=to_money * (leg.phi(m) - leg.phi(fills["px_ticks"])),
        adverse=to_money * (leg.phi(m_h) - leg.phi(m)),
        inventory=to_money * (leg.phi(final) - leg.phi(m_h)),
        fees=-fills["fee"] * sleeve.rate,
        funding=-float(paid.sum()) * sleeve.rate if paid.size else 0.0,
        fundings=paid.size,
        truncated=int((early & ~blind).sum()),
        without_mid=int(blind.sum()),
    )


def add(parts: list[Split]) -> Split:
    """Return the split of several sleeves as one; parts keep the order of the sleeves."""
    joined = {
        name: np.concatenate([getattr(p, name) for p in parts]) if parts else np.empty(0)
        for name in ("capture", "adverse", "inventory", "fees")
    }
    return Split(
        **joined,
        funding=sum(p.funding for p in parts),
        fundings=sum(p.fundings for p in parts),
        truncated=sum(p.truncated for p in parts),
        without_mid=sum(p.without_mid for p in parts),
    )


@metric(
    "spread_capture",
    label="Spread capture",
    unit=CURRENCY,
    definition="What fills were better (or worse) than the mid at the moment of the fill.",
    source=_SOURCE,
    group=_GROUP,
    better="higher",
)
def spread_capture(s: Split, ts_ns: I64) -> Estimate:
    """Return the sum of capture; fills at one time count as one for the error."""
    return _sum(s.capture, ts_ns, 1)


@metric(
    "adverse_selection",
    label="Adverse selection",
    unit=CURRENCY,
    definition="What the mid did from the fill to the markout horizon; negative went against us.",
    source=_SOURCE,
    group=_GROUP,
    better="higher",
)
def adverse_selection(s: Split, ts_ns: I64, horizon_s: int) -> Estimate:
    """Return the sum of adverse; its error knows that windows of fills overlap."""
    return _sum(s.adverse, ts_ns, 2 * horizon_s * NS_PER_S)


@metric(
    "inventory_pnl",
    label="Inventory",
    unit=CURRENCY,
    definition="What holding positions beyond the markout horizon brought, up to the last mid.",
    source=_SOURCE,
    group=_GROUP,
    better="higher",
)
def inventory_pnl(s: Split) -> Estimate:
    """Return the sum of inventory. One price path bears all of it, so no error is stated."""
    return _sum(s.inventory, None, 0)


@metric(
    "fees",
    label="Fees",
    unit=CURRENCY,
    definition="Fees of all fills as they act on PnL: negative is paid, positive is a rebate.",
    source=OWN,
    group=_GROUP,
    better="higher",
)
def fees(s: Split) -> Estimate:
    """Return the sum of fees, known without error."""
    return _sum(s.fees, None, 0)


@metric(
    "funding",
    label="Funding",
    unit=CURRENCY,
    definition="Funding of perpetual positions: negative is paid, positive is received.",
    source=OWN,
    group=_GROUP,
    better="higher",
)
def funding(s: Split) -> Estimate:
    """Return the sum of funding, known without error."""
    if s.fundings == 0:
        return missing("no funding was due")
    return estimate(s.funding, n=s.fundings)


@metric(
    "pnl_per_turnover",
    label="PnL per traded value",
    unit="bps",
    definition="PnL divided by the traded value: what a unit of trading earned after all costs.",
    source=OWN,
    group=_GROUP,
    better="higher",
)
def pnl_per_turnover(pnl: Estimate, turnover: float) -> Estimate:
    """Return PnL / turnover in basis points, with the error of PnL scaled alike."""
    if pnl.value is None or turnover <= 0.0:
        return missing("no fills")
    scale = 10_000.0 / turnover
    return estimate(pnl.value * scale, None if pnl.se is None else pnl.se * scale, pnl.n)


def _sum(values: F64, ts_ns: I64 | None, reach_ns: int) -> Estimate:
    if values.size == 0:
        return missing("no fills")
    error = None if ts_ns is None else sum_error(*_by_time(values, ts_ns), reach_ns)
    return estimate(float(values.sum()), error, values.size)


def _by_time(values: F64, ts_ns: I64) -> tuple[F64, I64]:
    order = np.argsort(ts_ns, kind="stable")
    return values[order], ts_ns[order]
