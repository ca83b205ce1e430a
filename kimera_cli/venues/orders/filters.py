"""Exact checks of an order against its market, before anything is written or sent.

`fit` rounds what a strategy or a person wants to what the market takes: prices never worse for us
than asked, quantities never more than asked, a post-only price never through the book. `check`
refuses what does not fit, names the limit, and says which value would pass.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from kimera_cli.errors import UsageError
from kimera_cli.instrument import Instrument
from kimera_cli.venues.orders.outcome import Intent, Side
from kimera_cli.venues.orders.rules import rules_of
from kimera_cli.venues.orders.wording import plain


class Touch(NamedTuple):
    """Best prices of the book; None where that side is empty."""

    bid: Decimal | None = None
    ask: Decimal | None = None


NO_BOOK = Touch()


def round_price(price: Decimal, side: Side, tick: Decimal) -> Decimal:
    """Return the tick at or next to `price` that is no worse for us: down to buy, up to sell."""
    steps, rest = divmod(price, tick)
    return (steps + 1 if rest and side == "sell" else steps) * tick


def round_quantity(quantity: Decimal, lot: Decimal) -> Decimal:
    """Return the largest whole number of lots within `quantity`."""
    return quantity // lot * lot


def away_from_the_cross(price: Decimal, side: Side, tick: Decimal, touch: Touch) -> Decimal:
    """Return the price nearest to `price` at which an order of this side rests.

    A post-only order at or through the other side's best price would be refused.
    """
    if side == "buy" and touch.ask is not None:
        return min(price, round_price(touch.ask - tick, side, tick))
    if side == "sell" and touch.bid is not None:
        return max(price, round_price(touch.bid + tick, side, tick))
    return price


class Fitted(NamedTuple):
    """Price and quantity as the market takes them."""

    price: Decimal | None
    quantity: Decimal | None


def fit(
    instrument: Instrument,
    side: Side,
    price: Decimal | None,
    quantity: Decimal | None,
    *,
    post_only: bool = False,
    touch: Touch = NO_BOOK,
) -> Fitted:
    """Return price and quantity rounded to the market's steps; see the module for which way."""
    if price is not None:
        price = round_price(price, side, instrument.tick)
        if post_only:
            price = away_from_the_cross(price, side, instrument.tick, touch)
    if quantity is not None:
        quantity = round_quantity(quantity, instrument.lot)
    return Fitted(price, quantity)


def check(instrument: Instrument, intent: Intent, touch: Touch = NO_BOOK) -> None:
    """Raise UsageError `usage.tick|lot|min_quantity|max_quantity|min_notional|post_only|tif`.

    Of a market order, the notional is checked at the other side's best price, where that is known.
    """
    if intent.tif == "fok" and not rules_of(instrument.venue).fill_or_kill:
        hint = f"{instrument.venue} has no fill or kill; ioc takes what is there at once"
        raise _refused("tif", instrument, "gtc, ioc or post_only", "fok", hint)
    if intent.price is not None:
        _check_price(instrument, intent, intent.price, touch)
    if intent.quantity is not None:
        _check_quantity(instrument, intent.quantity)
    notional = _notional(instrument, intent, touch)
    if notional is not None and notional < instrument.min_notional:
        raise _refused(
            "min_notional",
            instrument,
            f"an order of at least {instrument.min_notional} {instrument.quote}".rstrip(),
            plain(notional),
            _more_quantity(instrument, intent, touch),
        )


def _check_price(instrument: Instrument, intent: Intent, price: Decimal, touch: Touch) -> None:
    tick = instrument.tick
    if price % tick or price <= 0:
        below = round_price(price, "buy", tick)
        near = f"{plain(max(below, tick))} or {plain(below + tick)}"
        raise _refused(
            "tick", instrument, f"a price in steps of {tick}", plain(price), f"try {near}"
        )
    resting = away_from_the_cross(price, intent.side, tick, touch)
    if intent.post_only and resting != price:
        raise _refused(
            "post_only",
            instrument,
            f"a post-only {intent.side} that does not cross the book "
            f"({plain(touch.bid)} / {plain(touch.ask)})",
            plain(price),
            f"try {plain(resting)}",
        )


def _check_quantity(instrument: Instrument, quantity: Decimal) -> None:
    lot, least, most = instrument.lot, max(instrument.min_qty, instrument.lot), instrument.max_qty
    if quantity < least:
        raise _refused(
            "min_quantity",
            instrument,
            f"a quantity of at least {least}",
            plain(quantity),
            f"try {plain(_lots_up(least, lot))}",
        )
    if quantity % lot:
        down = round_quantity(quantity, lot)
        raise _refused(
            "lot",
            instrument,
            f"a quantity in steps of {lot}",
            plain(quantity),
            f"try {plain(down)} or {plain(down + lot)}",
        )
    if most and quantity > most:
        raise _refused(
            "max_quantity",
            instrument,
            f"a quantity of at most {most}",
            plain(quantity),
            "send it in parts",
        )


def _notional(instrument: Instrument, intent: Intent, touch: Touch) -> Decimal | None:
    if intent.cost is not None:
        return intent.cost
    price = _price(intent, touch)
    if price is None or intent.quantity is None:
        return None
    return price * intent.quantity * instrument.contract_size


def _price(intent: Intent, touch: Touch) -> Decimal | None:
    if intent.price is not None:
        return intent.price
    return touch.ask if intent.side == "buy" else touch.bid


def _more_quantity(instrument: Instrument, intent: Intent, touch: Touch) -> str:
    price = _price(intent, touch)
    if intent.cost is not None or price is None:
        return f"try a cost of {plain(instrument.min_notional)}"
    lot, of_one_lot = instrument.lot, price * instrument.contract_size * instrument.lot
    least = _lots_up(instrument.min_notional, of_one_lot) // of_one_lot * lot
    return f"at {plain(price)} try a quantity of {plain(least)}"


def _lots_up(quantity: Decimal, lot: Decimal) -> Decimal:
    return round_price(quantity, "sell", lot)


def _refused(what: str, instrument: Instrument, expected: str, was: str, hint: str) -> UsageError:
    return UsageError(
        f"usage.{what}",
        f"{instrument.name}: expected {expected}, was {was}",
        hint,
        venue=instrument.venue,
        symbol=instrument.symbol,
    )
