"""How much a Sharpe ratio proves: closed-form standard error, PSR, DSR, minimum track record.

All Sharpe ratios here are per period (not annualised) and `n` counts periods; g3 is skewness and g4
kurtosis (3 for a normal distribution).
"""

from __future__ import annotations

import math
from statistics import NormalDist

from kimera_cli.risk.metrics import Estimate, estimate, metric, missing

EULER_GAMMA = 0.5772156649015329
CONFIDENCE = 0.95
_NORMAL = NormalDist()
_GROUP = "Significance"


def sharpe_error_iid(ratio: float, n: int) -> float:
    """Return sqrt((1 + SR^2 / 2) / n): independent normal returns (Lo 2002, eq. 9)."""
    return math.sqrt((1.0 + 0.5 * ratio**2) / n)


def sharpe_error(ratio: float, n: int, g3: float, g4: float) -> float:
    """Return sqrt((1 - g3 SR + (g4 - 1) / 4 SR^2) / (n - 1)) (Mertens 2002); NaN if n < 2."""
    if n < 2:
        return math.nan
    return math.sqrt(_spread(ratio, g3, g4) / (n - 1.0))


@metric(
    "psr",
    label="Probabilistic Sharpe ratio",
    unit="fraction",
    definition=(
        "Probability that the true Sharpe ratio is above 0, given length, skew and tails of the "
        "returns; 0.95 and more is convincing."
    ),
    source="Bailey & López de Prado 2012, eq. 11",
    group=_GROUP,
    better="higher",
)
def psr(ratio: float, n: int, g3: float, g4: float, benchmark: float = 0.0) -> Estimate:
    """Return Phi((SR - SR*) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR^2))."""
    if n < 2:
        return missing("needs 2 returns", n)
    return estimate(_NORMAL.cdf((ratio - benchmark) / sharpe_error(ratio, n, g3, g4)), n=n)


def expected_max_sharpe(variance: float, trials: float) -> float:
    """Return SR0, the best of `trials` Sharpe ratios without skill of the given variance.

    Bailey & López de Prado 2014, eq. 1. One trial has nothing to deflate: 0.
    """
    if trials <= 1:
        return 0.0
    first = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    second = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(variance) * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)


@metric(
    "dsr",
    label="Deflated Sharpe ratio",
    unit="fraction",
    definition=(
        "Probability that the true Sharpe ratio beats what the best of all compared runs would "
        "show by luck alone."
    ),
    source="Bailey & López de Prado 2014, eq. 2",
    group=_GROUP,
    better="higher",
)
def dsr(ratio: float, n: int, g3: float, g4: float, variance: float, trials: float) -> Estimate:
    """Return PSR against `expected_max_sharpe(variance, trials)`."""
    return psr(ratio, n, g3, g4, expected_max_sharpe(variance, trials))


@metric(
    "min_track_record",
    label="Minimum track record",
    unit="s",
    definition=(
        "Length of run that this Sharpe ratio would need to be above 0 with 95 % confidence."
    ),
    source="Bailey & López de Prado 2012, eq. 13",
    group=_GROUP,
    better="lower",
)
def min_track_record(
    ratio: float,
    g3: float,
    g4: float,
    period_s: float = 1.0,
    benchmark: float = 0.0,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Return (1 + (1 - g3 SR + (g4 - 1) / 4 SR^2) (z / (SR - SR*))^2) * period_s seconds."""
    if ratio <= benchmark:
        return missing("the Sharpe ratio is not above 0")
    z = _NORMAL.inv_cdf(confidence)
    return estimate(
        period_s * (1.0 + _spread(ratio, g3, g4) * (z / (ratio - benchmark)) ** 2),
        why="undefined for these moments",
    )


def _spread(ratio: float, g3: float, g4: float) -> float:
    return 1.0 - g3 * ratio + 0.25 * (g4 - 1.0) * ratio**2
