"""Execution quality: ratios and times of the orders of a run.

Ratios are missing without orders (or fills), never 0.
"""

from __future__ import annotations

import math

import numpy as np

from kimera_cli.layouts import F64
from kimera_cli.report.flow import Flow
from kimera_cli.risk.metrics import CURRENCY, OWN, Estimate, estimate, metric, missing, proportion

_GROUP = "Execution"
_NO_ORDERS = "no order was sent"
_NO_FILLS = "no fills"


@metric(
    "orders_sent",
    label="Orders sent",
    unit="count",
    definition="Orders that passed the gate and went to the venue.",
    source=OWN,
    group=_GROUP,
)
def orders_sent(f: Flow) -> Estimate:
    """Return the number of orders sent."""
    return Estimate(float(f.sent), n=f.sent)


@metric(
    "fill_ratio",
    label="Fill ratio (orders)",
    unit="fraction",
    definition="Share of sent orders that were filled at least in part.",
    source="RTS 27 (likelihood of execution)",
    group=_GROUP,
    better="higher",
)
def fill_ratio(f: Flow) -> Estimate:
    """Return filled / sent orders with the binomial error."""
    return proportion(f.filled, f.sent, _NO_ORDERS)


@metric(
    "fill_ratio_value",
    label="Fill ratio (value)",
    unit="fraction",
    definition="Traded value as a share of the value of all sent orders.",
    source="RTS 27 (likelihood of execution)",
    group=_GROUP,
    better="higher",
)
def fill_ratio_value(f: Flow) -> Estimate:
    """Return turnover / value sent."""
    if f.sent_value <= 0.0:
        return missing(_NO_ORDERS)
    return estimate(f.turnover / f.sent_value, n=f.sent)


@metric(
    "cancel_ratio",
    label="Cancel ratio",
    unit="fraction",
    definition="Share of sent orders that ended in a cancellation (also after a partial fill).",
    source="Hasbrouck & Saar 2013",
    group=_GROUP,
)
def cancel_ratio(f: Flow) -> Estimate:
    """Return cancelled / sent orders with the binomial error."""
    return proportion(min(f.cancelled, f.sent), f.sent, _NO_ORDERS)


@metric(
    "order_to_trade",
    label="Order-to-trade ratio",
    unit="ratio",
    definition="Messages to the venue (new, amend, cancel) per fill, less one.",
    source="RTS 9 (Delegated Regulation 2017/566), Art. 3",
    group=_GROUP,
    better="lower",
)
def order_to_trade(f: Flow) -> Estimate:
    """Return messages / fills - 1."""
    if f.fills == 0:
        return missing(_NO_FILLS)
    return estimate(f.messages / f.fills - 1.0, n=f.fills)


@metric(
    "maker_share",
    label="Maker share",
    unit="fraction",
    definition="Share of fills in which our order rested in the book.",
    source=OWN,
    group=_GROUP,
)
def maker_share(f: Flow) -> Estimate:
    """Return maker fills / fills with the binomial error."""
    return proportion(f.maker_fills, f.fills, _NO_FILLS)


@metric(
    "time_to_fill",
    label="Time to fill (median)",
    unit="s",
    definition="Median venue time from acceptance to first fill, of resting orders that filled.",
    source="Lo, MacKinlay & Zhang 2002",
    group=_GROUP,
    better="lower",
)
def time_to_fill(f: Flow) -> Estimate:
    """Return the median wait with the error of its order statistics."""
    return median(f.waits_s, "no resting order was filled")


@metric(
    "queue_ahead",
    label="Queue ahead (median)",
    unit="x own size",
    definition="Median quantity that stood ahead of a resting order when it joined the queue.",
    source="Moallemi & Yuan 2016",
    group=_GROUP,
    better="lower",
)
def queue_ahead(f: Flow) -> Estimate:
    """Return the median of quantity ahead over own quantity."""
    return median(f.queue_ratio, "no order rested in a book")


@metric(
    "hit_rate",
    label="Hit rate",
    unit="fraction",
    definition=(
        "Share of fills that reduced a position and did so with a gain over its average price."
    ),
    source="Bacon 2008, ch. 4",
    group=_GROUP,
    better="higher",
)
def hit_rate(f: Flow) -> Estimate:
    """Return winning / closing fills with the binomial error; fees are not counted."""
    return proportion(f.winning, f.closing, "no fill reduced a position")


@metric(
    "turnover",
    label="Turnover",
    unit=CURRENCY,
    definition="Traded value of all fills, each side counted.",
    source=OWN,
    group=_GROUP,
)
def turnover(f: Flow) -> Estimate:
    """Return the traded value."""
    return estimate(f.turnover, n=f.fills)


def median(values: F64, why: str) -> Estimate:
    """Return the median; its error is half the gap between the ranks one sigma to each side."""
    n = values.size
    if n == 0:
        return missing(why)
    if n < 10:
        return estimate(float(np.median(values)), None, n)
    ordered, half = np.sort(values), 0.5 * math.sqrt(n)
    low, high = int(n / 2 - half), min(n - 1, math.ceil(n / 2 + half))
    return estimate(float(np.median(values)), 0.5 * float(ordered[high] - ordered[low]), n)
