"""Return ratios with standard errors: Sharpe, Sortino, information ratio, Omega.

All take simple returns per period, shape (n,), and state results *per period* unless `per_year` is
given. Standard errors come from the influence function psi of each ratio: se = sqrt(V / n), where V
is the variance of psi (independent returns) or its long-run variance (`lags` > 0, Newey & West
1987), which is what Lo 2002 asks for when returns are autocorrelated.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.layouts import F64
from kimera_cli.risk.metrics import Estimate, estimate, metric, missing

MIN_RETURNS = 20
"""Fewer returns give no ratio: its standard error would be larger than anything it could say."""
_GROUP = "Risk-adjusted return"


def newey_west_lags(n: int) -> int:
    """Return the usual number of lags, floor(4 (n / 100)^(2/9)) (Newey & West 1994)."""
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0)) if n else 0


def long_run_variance(values: F64, lags: int) -> float:
    """Return the Bartlett-weighted long-run variance (Newey & West 1987); lags 0: the variance."""
    x = values - float(values.mean())
    n = x.size
    total = float(x @ x) / n
    for lag in range(1, min(lags, n - 1) + 1):
        total += 2.0 * (1.0 - lag / (lags + 1.0)) * float(x[lag:] @ x[:-lag]) / n
    return total


def moments(returns: F64) -> tuple[float, float]:
    """Return skewness g3 and kurtosis g4 (not excess), population moments; NaN if constant."""
    x = returns - returns.mean()
    variance = float(np.mean(x**2))
    if variance == 0.0:
        return math.nan, math.nan
    return float(np.mean(x**3) / variance**1.5), float(np.mean(x**4) / variance**2)


@metric(
    "sharpe",
    label="Sharpe ratio (per period)",
    unit="ratio",
    definition=(
        "Mean return per period divided by its standard deviation, not annualised; the standard "
        "error allows for skew, fat tails and autocorrelation."
    ),
    source="Sharpe 1994; Mertens 2002; Lo 2002",
    group=_GROUP,
    better="higher",
)
def sharpe(returns: F64, risk_free: float = 0.0, lags: int | None = None) -> Estimate:
    """Return mean / sd (n - 1 in the sd) of returns above `risk_free` per period.

    `lags`: None takes `newey_west_lags(n)`, 0 gives the independent, non-normal error of Mertens
    2002.
    """
    if (refusal := _refusal(returns)) is not None:
        return refusal
    x = returns - risk_free
    ratio = float(x.mean()) / float(x.std(ddof=1))
    z = (x - x.mean()) / x.std()
    influence = z - 0.5 * ratio * (z**2 - 1.0)
    return estimate(ratio, _influence_error(influence, lags), x.size)


@metric(
    "sharpe_annual",
    label="Sharpe ratio (annual)",
    unit="ratio",
    definition=(
        "Sharpe ratio per year, its scaling corrected for autocorrelation; the square-root rule "
        "alone would be wrong for autocorrelated returns."
    ),
    source="Lo 2002, eq. 20",
    group=_GROUP,
    better="higher",
)
def sharpe_annual(returns: F64, per_year: float, lags: int | None = None) -> Estimate:
    """Return eta(per_year) * SR; eta takes the autocorrelations up to `lags`, Bartlett-weighted.

    With lags 0 it is the square-root rule. The standard error is scaled by the same eta.
    """
    base = sharpe(returns, lags=lags)
    if base.value is None:
        return base
    lags = newey_west_lags(returns.size) if lags is None else lags
    inflation = long_run_variance(returns, lags) / long_run_variance(returns, 0)
    eta = math.sqrt(per_year / inflation) if inflation > 0.0 else math.nan
    return estimate(
        eta * base.value, None if base.se is None else eta * base.se, base.n, "no variance is left"
    )


def lo_eta(autocorrelation: F64, q: int) -> float:
    """Return Lo's factor eta(q) = q / sqrt(q + 2 sum_{k=1}^{q-1} (q - k) rho_k) (Lo 2002, eq. 20).

    `autocorrelation` holds rho_1 .. rho_{q-1}; values beyond its end count as 0.
    """
    k = np.arange(1, min(q - 1, autocorrelation.size) + 1)
    return q / math.sqrt(q + 2.0 * float((q - k) @ autocorrelation[: k.size]))


@metric(
    "sortino",
    label="Sortino ratio (per period)",
    unit="ratio",
    definition=(
        "Mean return per period above the target (0) divided by the root mean square of the "
        "shortfalls below it."
    ),
    source="Sortino & van der Meer 1991",
    group=_GROUP,
    better="higher",
)
def sortino(returns: F64, target: float = 0.0, lags: int | None = None) -> Estimate:
    """Return mean(x) / sqrt(mean(min(x, 0)^2)) with x = returns - target."""
    if (refusal := _refusal(returns)) is not None:
        return refusal
    x = returns - target
    short = np.minimum(x, 0.0) ** 2
    downside = float(short.mean())
    if downside == 0.0:
        return missing("no return was below the target", x.size)
    ratio = float(x.mean()) / math.sqrt(downside)
    influence = (x - x.mean()) / math.sqrt(downside) - 0.5 * ratio * (short / downside - 1.0)
    return estimate(ratio, _influence_error(influence, lags), x.size)


@metric(
    "information_ratio",
    label="Information ratio (per period)",
    unit="ratio",
    definition=(
        "Mean difference to the other run's return per period divided by the standard deviation of "
        "that difference."
    ),
    source="Grinold & Kahn 1999",
    group=_GROUP,
    better="higher",
)
def information_ratio(returns: F64, benchmark: F64, lags: int | None = None) -> Estimate:
    """Return mean(active) / sd(active) with active = returns - benchmark, both shape (n,)."""
    return sharpe(returns - benchmark, lags=lags)


@metric(
    "omega",
    label="Omega ratio",
    unit="ratio",
    definition=(
        "Sum of all gains above the threshold (0) divided by the sum of all losses below it."
    ),
    source="Keating & Shadwick 2002",
    group=_GROUP,
    better="higher",
)
def omega(returns: F64, threshold: float = 0.0, lags: int | None = None) -> Estimate:
    """Return mean(max(x, 0)) / mean(max(-x, 0)) with x = returns - threshold."""
    if (refusal := _refusal(returns)) is not None:
        return refusal
    gains = np.maximum(returns - threshold, 0.0)
    losses = np.maximum(threshold - returns, 0.0)
    mean_loss = float(losses.mean())
    if mean_loss == 0.0:
        return missing("no return was below the threshold", returns.size)
    ratio = float(gains.mean()) / mean_loss
    influence = ((gains - gains.mean()) - ratio * (losses - mean_loss)) / mean_loss
    return estimate(ratio, _influence_error(influence, lags), returns.size)


@metric(
    "volatility",
    label="Volatility (annual)",
    unit="fraction",
    definition=(
        "Standard deviation of portfolio returns times the square root of the periods in a year."
    ),
    source="Bacon 2008, ch. 4",
    group=_GROUP,
    better="lower",
)
def volatility(returns: F64, per_year: float) -> Estimate:
    """Return sd(returns) * sqrt(per_year), with the error sd * sqrt((g4 - 1) / (4 n))."""
    if (refusal := _refusal(returns)) is not None:
        return refusal
    sd = float(returns.std(ddof=1)) * math.sqrt(per_year)
    _, g4 = moments(returns)
    return estimate(sd, sd * math.sqrt((g4 - 1.0) / (4.0 * returns.size)), returns.size)


def _refusal(returns: F64) -> Estimate | None:
    if returns.size < MIN_RETURNS:
        return missing(
            f"needs {MIN_RETURNS} returns, the run has {returns.size}", int(returns.size)
        )
    if float(np.ptp(returns)) == 0.0:
        return missing("equity did not move", int(returns.size))
    return None


def _influence_error(influence: F64, lags: int | None) -> float:
    n = influence.size
    variance = long_run_variance(influence, newey_west_lags(n) if lags is None else lags)
    return math.sqrt(max(variance, 0.0) / (n - 1.0))
