"""Money of one instrument: from ticks and lots to settlement currency to the portfolio's currency.

A holding of signed size Q gains Q (phi(p') - phi(p)) in the settlement currency when the price goes
from p to p': phi(p) = p for spot and linear (Q in base units), phi(p) = -1 / p for inverse (Q in
quote units).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.layouts import F64


@dataclass(frozen=True)
class Leg:
    """One instrument of a run with what turns its counts into money."""

    name: str
    symbol: str
    kind: str
    tick: float
    lot: float
    contract_size: float
    base: str
    quote: str
    settle: str
    rate: float
    """Portfolio currency per unit of the settlement currency; of the quote currency for inverse."""

    @classmethod
    def from_manifest(
        cls, stated: Mapping[str, Any], rates: Mapping[str, float], currency: str
    ) -> Leg:
        """Build from a manifest's instrument; DataError when its currency has no rate."""
        inverse = stated["kind"] == "inverse"
        settle = stated.get("settle") or stated["base" if inverse else "quote"]
        priced = stated["quote"] if inverse else settle
        rate = 1.0 if priced == currency else rates.get(priced)
        if rate is None:
            raise DataError(
                "data.rate",
                f"expected a rate of {priced} in {currency} for {stated['symbol']}, was none",
                f"add {priced} to portfolio.rates of the profile and run again",
            )
        return cls(
            name=f"{stated['venue']}/{stated['symbol']}",
            symbol=stated["symbol"],
            kind=stated["kind"],
            tick=float(stated["tick"]),
            lot=float(stated["lot"]),
            contract_size=float(stated.get("contract_size", 1)),
            base=stated.get("base", ""),
            quote=stated.get("quote", ""),
            settle=settle,
            rate=float(rate),
        )

    @property
    def inverse(self) -> bool:
        """Whether PnL comes out in the base currency."""
        return self.kind == "inverse"

    @property
    def size_unit(self) -> str:
        """Unit in which a person counts positions: the base currency, or contracts."""
        return "contracts" if self.inverse else self.base or "units"

    def price(self, px_ticks: F64 | float) -> F64:
        """Return prices in quote currency."""
        return np.asarray(px_ticks, dtype=np.float64) * self.tick

    def phi(self, px_ticks: F64 | float) -> F64:
        """Return the value of one unit of size at a price (settlement currency)."""
        price = self.price(px_ticks)
        return -1.0 / price if self.inverse else price

    def size(self, lots: F64 | float) -> F64:
        """Return sizes: base units (spot, linear) or quote units (inverse)."""
        return np.asarray(lots, dtype=np.float64) * (self.lot * self.contract_size)

    def shown_size(self, lots: F64 | float) -> F64:
        """Return sizes in `size_unit`."""
        scale = self.lot if self.inverse else self.lot * self.contract_size
        return np.asarray(lots, dtype=np.float64) * scale

    def notional(self, px_ticks: F64 | float, lots: F64 | float) -> F64:
        """Return the value of sizes at prices, portfolio currency; signed as the lots are."""
        size = self.size(lots)
        return (size if self.inverse else size * self.price(px_ticks)) * self.rate

    def to_portfolio(self, mid_ticks: F64 | float) -> F64:
        """Return portfolio currency per unit of settlement currency at a mid.

        Coin-settled money is valued at the instrument's own price, so it moves with the mid.
        """
        mid = self.price(mid_ticks)
        return mid * self.rate if self.inverse else np.full_like(mid, self.rate)
