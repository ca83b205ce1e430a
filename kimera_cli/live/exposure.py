"""What a live run has at stake at one venue, and with the others against its owner's cap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from kimera_cli.errors import RiskError
from kimera_cli.instrument import common_name
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import VenueFill

ZERO = Decimal(0)


@dataclass
class Exposure:
    """Positions of the run, from its fills; `cap` None: no limit (in the portfolio's currency)."""

    cap: Decimal | None
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """By symbol: portfolio currency per unit of its quote currency; 1 for what is not in it."""
    elsewhere: Callable[[], Decimal] = lambda: ZERO
    """What the run has at stake at its other venues: the cap is for all of them together."""
    held: dict[str, Decimal] = field(default_factory=dict)
    """By symbol, in the base currency; what the account held before does not count."""
    prices: dict[str, Decimal] = field(default_factory=dict)
    """Of the last fill."""

    def filled(self, fill: VenueFill, base: str) -> None:
        """Count one execution; a fee in the base asset is not held any more."""
        size = fill.quantity if fill.side == "buy" else -fill.quantity
        size -= fill.fee if common_name(fill.fee_asset) == common_name(base) else ZERO
        self.held[fill.symbol] = self.held.get(fill.symbol, ZERO) + size
        self.prices[fill.symbol] = fill.price

    def check(self, wish: Wish, live: Iterable[OrderState]) -> None:
        """RiskError `risk.live_cap` when one more order would be worth more than the cap.

        A market order is worth its size at the last fill's price; before any, its worth is not
        known, and with a cap it is refused.
        """
        if self.cap is None:
            return
        price = wish.price or self.prices.get(wish.symbol)
        if price is None and wish.cost is None:
            raise _over(self.cap, "a market order before any fill")
        own = (wish.cost or (wish.quantity or ZERO) * (price or ZERO)) * self._rate(wish.symbol)
        if (worth := own + self.worth(live) + self.elsewhere()) > self.cap:
            raise _over(self.cap, format(worth, "f"))

    def worth(self, live: Iterable[OrderState]) -> Decimal:
        """Return what positions and these open orders are worth."""
        held = (abs(q) * self.prices[s] * self._rate(s) for s, q in self.held.items())
        resting = (
            ((s.quantity or ZERO) * (s.price or ZERO) - s.cost) * self._rate(s.intent.symbol)
            for s in live
        )
        return sum(held, ZERO) + sum(resting, ZERO)

    def _rate(self, symbol: str) -> Decimal:
        return self.rates.get(symbol, Decimal(1))


def _over(cap: Decimal, was: str) -> RiskError:
    return RiskError(
        "risk.live_cap",
        f"expected open orders and positions worth {cap} together at most, was {was}",
        "raise --yes-live if that is meant",
    )
