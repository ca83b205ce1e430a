"""The order rates that venues have of their own in the gate.

A venue that counts cancels by the order's age counts all that goes there: a new order takes one
unit of its rate, a cancel what venues/orders/rules.py says, an amendment both, because it goes as a
cancel and a new order. What only reduces and what cancels is counted and never stopped, so that it
is the next new risk that waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kimera_cli.errors import ProfileError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import VENUES
from kimera_cli.names import did_you_mean
from kimera_cli.settings import Risk
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.orders.rules import RULES, ByAge

if TYPE_CHECKING:  # the order process reads this file, too, and has no loop
    from kimera_cli.engine.arrays import LoopArrays

LATE_S = 1.0
"""An order that could not be sent for so long after the gate is not sent. So it is at the venue at
most that much younger than the loop knows it.
"""


def set_paces(arrays: LoopArrays, risk: Risk, instruments: Sequence[Instrument]) -> None:
    """Give venues the order rates of their own; ProfileError `profile.venue`: there is no such."""
    wanted = [*risk.venue_orders_per_s, *risk.venue_order_burst]
    for name in wanted:
        if name not in VENUES:
            raise ProfileError(
                "profile.venue",
                f"expected a venue in risk.venue_orders_per_s, was '{name}'",
                did_you_mean(name, VENUES),
            )
    paced = [v for v in dict.fromkeys(each.venue for each in instruments) if v in wanted]
    for k, instrument in enumerate(instruments):
        if instrument.venue in paced:
            arrays.streams[k]["pace"] = 1 + paced.index(instrument.venue)
    for pace, venue in zip(arrays.gate[0]["paces"], paced, strict=False):
        pace["tokens"] = risk.venue_order_burst.get(venue, risk.order_burst)
        pace["token_burst"] = pace["tokens"]
        pace["token_rate"] = risk.venue_orders_per_s.get(venue, risk.max_orders_per_s)
        if venue in RULES:
            count_cancels(pace, RULES[venue].cancel_by_age)


def count_cancels(pace: Any, by_age: ByAge) -> None:
    """Let a row of dtype PACE count cancels as the venue does; an empty table: not at all."""
    pace["n_ages"] = len(by_age)
    for i, (below_s, units) in enumerate(by_age):
        pace["ages_ns"][i] = int((below_s + LATE_S) * NS_PER_S)
        pace["age_units"][i] = units
