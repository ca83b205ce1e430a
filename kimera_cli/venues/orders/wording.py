"""Orders in a few words, for differences, errors and logs."""

from __future__ import annotations

from decimal import Decimal

from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import VenueFill, VenueOrder


def plain(value: Decimal | None) -> str:
    """Return a decimal without exponent and trailing zeros; `-` for None."""
    if value is None:
        return "-"
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def state_words(state: OrderState) -> str:
    """Return an order as the journal has it: `order km... (buy 2 BTCUSDT at 100, open)`."""
    intent = state.intent
    size = plain(state.quantity) if state.quantity is not None else f"for {plain(intent.cost)} of"
    price = "market" if intent.kind == "market" else plain(state.price)
    filled = f", {plain(state.done)} filled" if state.done else ""
    return (
        f"order {state.client_id} ({intent.side} {size} {intent.symbol} at {price}, "
        f"{state.phase}{filled})"
    )


def order_words(order: VenueOrder) -> str:
    """Return an order as the venue tells it: `canceled, 1 filled`."""
    parts = [str(order.status)]
    if order.filled:
        parts.append(f"{plain(order.filled)} filled")
    if order.reason is not None:
        parts.append(str(order.reason).replace("_", " "))
    return ", ".join(parts)


def fill_words(fill: VenueFill) -> str:
    """Return a fill as `buy 2 at 100`."""
    return f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)}"
