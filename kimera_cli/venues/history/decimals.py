"""Numbers of a venue: text that stays exact, and rows that keep it where a double can."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

from kimera_cli.errors import VenueError
from kimera_cli.instrument import Instrument, Kind


def text_of(value: Any) -> str | None:
    """Return a decimal without exponent and trailing zeros; None for None, NaN and the like."""
    number = decimal_of(value)
    if number is None:
        return None
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def decimal_of(value: Any) -> Decimal | None:
    """Return a number that the venue wrote; None where it wrote none.

    A double is read as its shortest text: what a row of bars kept.
    """
    if value is None or value == "":
        return None
    try:
        number = Decimal(repr(value) if isinstance(value, float) else str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def exact(number: Decimal) -> bool:
    """Tell whether a double keeps a decimal: its shortest text is the same number."""
    return Decimal(repr(float(number))) == number


def price_of(value: Any, what: str) -> Decimal:
    """Return a price above zero; VenueError `venue.answer` when it is none."""
    number = decimal_of(value)
    if number is None or number <= 0:
        raise VenueError("venue.answer", f"expected {what} above zero, was {value!r}")
    return number


def as_double(number: Decimal | None) -> float:
    """Return the nearest double; NaN for None."""
    return math.nan if number is None else float(number)


def step_value(value: Any, *, places: bool) -> Decimal | None:
    """Return a tick or lot of ccxt's precision; `places`: it is told as a number of digits."""
    number = decimal_of(value)
    if number is None:
        return None
    number = Decimal(1).scaleb(-int(number)) if places else number
    return number if number > 0 else None


def instrument_of(venue: str, symbol: str, market: Any, *, places: bool) -> Instrument:
    """Return a market of ccxt as an instrument; steps that it does not tell are 1e-8."""
    precision = market.get("precision") or {}
    least = Decimal("1e-8")
    kind: Kind = "inverse" if market.get("inverse") else "spot"
    kind = "linear" if market.get("linear") else kind
    return Instrument(
        venue=venue,
        symbol=symbol,
        kind=kind,
        tick=step_value(precision.get("price"), places=places) or least,
        lot=step_value(precision.get("amount"), places=places) or least,
        base=market.get("base") or "",
        quote=market.get("quote") or "",
        settle=market.get("settle") or "",
        contract_size=decimal_of(market.get("contractSize")) or Decimal(1),
        maker_fee=float(market.get("maker") or 0),
        taker_fee=float(market.get("taker") or 0),
    )
