"""Split a taker order over venues: their own ticks and lots in, their own ticks and lots out.

The work is kernels/route.py; here units become common and every input is checked. A latency premium
(Cartea and others measure it; `latency_premium` is its usual size) can be put on a venue whose
answer takes longer: the expected move of a driftless price while the order is on its way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels.consolidate import MOST
from kimera_cli.kernels.route import MAX_VENUES, MILLION, ROUTE_VENUE, route
from kimera_cli.layouts import ASK, BID, I64
from kimera_cli.market.common_units import common_units

NO_LIMIT = 1 << 62
LARGEST = 1 << 62
"""Sums of price times quantity stay below this, so that they are exact in 64 bits."""


@dataclass(frozen=True)
class Terms:
    """What a venue charges and takes for one instrument."""

    venue: str
    tick: Decimal
    lot: Decimal
    taker_fee_ppm: int
    """Millionths of the traded value; 10 basis points are 1,000; negative is a rebate."""
    min_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)


class Side(NamedTuple):
    """One side of a venue's book that can be traded against, best first."""

    px_ticks: I64
    qty_lots: I64


class Part(NamedTuple):
    """What one venue is sent: an order of `qty` with the limit `px` of its last level."""

    venue: str
    qty: Decimal
    px: Decimal
    notional: Decimal
    fee: Decimal


class Split(NamedTuple):
    """An order's parts; `cost` is what is paid in all (a sell: minus what comes in), fees in it."""

    parts: tuple[Part, ...]
    unfilled: Decimal
    cost: Decimal


class Router:
    """Splits orders over fixed venues; use one per set of venues and call it often."""

    def __init__(self, terms: Sequence[Terms]) -> None:
        _require(0 < len(terms) <= MAX_VENUES, f"1 to {MAX_VENUES} venues", str(len(terms)))
        for t in terms:
            _require(t.tick > 0 and t.lot > 0, f"tick and lot of {t.venue} above zero", str(t))
            fee = t.taker_fee_ppm
            _require(abs(fee) < MILLION, f"a fee of {t.venue} below one million ppm", str(fee))
            _require(min(t.min_qty, t.min_notional) >= 0, "minimums of zero or more", str(t))
        self.terms = tuple(terms)
        units = common_units([(t.tick, t.lot) for t in terms])
        self.px_unit, self.qty_unit, self.px_steps = units.px_unit, units.qty_unit, units.px_steps
        self.rows: Any = np.zeros(len(terms), ROUTE_VENUE).view(np.recarray)
        for row, t, step in zip(self.rows, terms, units.qty_steps, strict=True):
            row.fee_ppm = t.taker_fee_ppm
            row.step = step
            row.min_qty = math.ceil(t.min_qty / self.qty_unit)
            row.min_notional = math.ceil(t.min_notional / (self.px_unit * self.qty_unit))

    def split(
        self,
        side: int,
        qty: Decimal,
        books: Sequence[Side],
        *,
        at_most: Sequence[Decimal | None] | None = None,
        premiums: Sequence[float] | None = None,
    ) -> Split:
        """Return the cheapest split of `qty` over `books`, one side per venue in their order.

        side: BID buys (books are asks), ASK sells. at_most: what may be sent to each venue (its
        balance), None without a limit. premiums: latency premium per venue, in quote currency per
        unit. DataError `data.route` says which input cannot be.
        """
        _require(side in (BID, ASK), "side BID or ASK", str(side))
        _require(len(books) == len(self.terms), f"{len(self.terms)} books", str(len(books)))
        _require(qty > 0, "a quantity above zero", str(qty))
        units = qty / self.qty_unit
        _require(units == int(units), f"a quantity in steps of {self.qty_unit}", str(qty))
        px, lots = self._ladders(side, books)
        _require(
            int(px.max(initial=0)) * int(units) < LARGEST, "an order below 2^62 units", str(qty)
        )
        for v, row in enumerate(self.rows):
            limit = at_most[v] if at_most else None
            row.max_qty = NO_LIMIT if limit is None else max(0, math.floor(limit / self.qty_unit))
            row.premium = self._premium(premiums[v]) if premiums else 0
        left = int(route(self.rows, px, lots, side, int(units)))
        return self._answer(side, left)

    def _ladders(self, side: int, books: Sequence[Side]) -> tuple[I64, I64]:
        """Check the books and return prices and quantities in common units, shape (n, levels)."""
        depth = max(1, *(len(book.px_ticks) for book in books))
        px = np.zeros((len(books), depth), np.int64)
        lots = np.zeros((len(books), depth), np.int64)
        for v, (terms, book) in enumerate(zip(self.terms, books, strict=True)):
            prices, sizes = np.asarray(book.px_ticks, np.int64), np.asarray(book.qty_lots, np.int64)
            name = f"the book of {terms.venue}"
            _require(prices.shape == sizes.shape and prices.ndim == 1, f"{name} in two columns", "")
            steps = np.diff(prices) if side == BID else -np.diff(prices)
            _require(bool((steps > 0).all()), f"{name} best first, each price once", str(prices))
            if len(prices):
                low, high = int(prices.min()), int(max(prices.max(), sizes.max()))
                _require(low > 0 and int(sizes.min()) > 0, f"levels above zero in {name}", "others")
                _require(high < MOST, f"levels below 2^40 in {name}", str(high))
            px[v, : len(prices)] = prices * self.px_steps[v]
            lots[v, : len(sizes)] = sizes * int(self.rows[v].step)
            self.rows[v].levels = len(prices)
        high = int(px.max())
        _require(high < MOST, f"prices below 2^40 times {self.px_unit}", str(high))
        return px, lots

    def _premium(self, quote: float) -> int:
        _require(math.isfinite(quote) and quote >= 0.0, "a premium of zero or more", str(quote))
        return round(quote / float(self.px_unit) * MILLION)

    def _answer(self, side: int, left: int) -> Split:
        sign = 1 if side == BID else -1
        parts, cost = [], Decimal(0)
        for terms, row in zip(self.terms, self.rows, strict=True):
            if row.qty == 0:
                continue
            notional = int(row.notional) * self.px_unit * self.qty_unit
            fee = notional * terms.taker_fee_ppm / MILLION
            qty, px = int(row.qty) * self.qty_unit, int(row.worst) * self.px_unit
            parts.append(Part(terms.venue, qty, px, notional, fee))
            cost += sign * notional + fee
        return Split(tuple(parts), left * self.qty_unit, cost)


def latency_premium(sigma: float, delay_s: float, risk_aversion: float = 1.0) -> float:
    """Return lambda * sigma * sqrt(2 tau / pi): the mean absolute move of the price on the way.

    sigma: volatility in quote currency per square root of second; delay_s: time to the venue.
    """
    return risk_aversion * sigma * math.sqrt(2.0 * delay_s / math.pi)


def _require(holds: bool, expected: str, was: str) -> None:
    if not holds:
        raise DataError("data.route", f"expected {expected}, was {was or 'not so'}")
