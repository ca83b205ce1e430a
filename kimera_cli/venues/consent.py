"""Leave to send orders to a real venue: a profile that allows it, and a word for this time.

At a venue server on this machine no leave is needed. Cancels never need one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from kimera_cli.errors import RiskError, UsageError
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.desk import Wish

Ask = Callable[[str], str]


@dataclass
class Consent:
    """Leave for the orders of one invocation, in the quote currencies' own units.

    A cap that was typed holds at a venue server as well: what is tried there is what happens.
    """

    live: bool
    allowed: bool = False
    cap: Decimal | None = None
    """Most that all orders together may be worth (`--yes-live`)."""
    ask: Ask | None = None
    """Asks the person at the terminal; None: there is none."""
    spent: Decimal = Decimal(0)
    _said: set[str] = field(default_factory=set)
    """Venues of which the word was typed: leave for one is none for another."""

    def check_leave(self, venue: str) -> None:
        """RiskError `risk.live_off`, UsageError `usage.live`: nothing may be sent to a venue."""
        if not self.live:
            return
        if not self.allowed:
            raise RiskError(
                "risk.live_off",
                f"expected a profile that allows orders at {venue}, was [live] allow = false",
                "set it in a profile of yours; kimera venue serve is for trying things out",
            )
        if self.cap is None and venue not in self._said:
            self._typed(venue)

    def check(self, venue: str, wish: Wish) -> None:
        """Check the leave for one more order; also RiskError `risk.live_cap`."""
        self.check_leave(venue)
        worth = worth_of(wish)
        if self.cap is not None:
            self._within(worth)
        self.spent += worth or 0

    def _within(self, worth: Decimal | None) -> None:
        assert self.cap is not None
        if worth is None:
            raise RiskError(
                "risk.live_cap",
                "expected an order whose worth is known, was a market order by quantity",
                "give a price (ioc), or --cost",
            )
        if self.spent + worth > self.cap:
            raise RiskError(
                "risk.live_cap",
                f"expected orders worth {plain(self.cap)} together at most, "
                f"was {plain(self.spent + worth)}",
                "raise --yes-live if that is meant",
            )

    def _typed(self, venue: str) -> None:
        if self.ask is None:
            raise UsageError(
                "usage.live",
                f"expected leave to trade at {venue}, was none",
                "--yes-live CAP says how much all orders may be worth together",
            )
        words = f"live {venue}"
        if self.ask(f"This sends orders to {venue}. Type '{words}' to go on: ").strip() != words:
            raise UsageError(
                "usage.live", f"expected '{words}', was something else", "nothing was sent"
            )
        self._said.add(venue)


def worth_of(wish: Wish) -> Decimal | None:
    """Return what an order may cost; None where that is not known before."""
    if wish.cost is not None:
        return wish.cost
    if wish.price is not None and wish.quantity is not None:
        return wish.price * wish.quantity
    return None
