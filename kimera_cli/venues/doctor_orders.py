"""The smallest order that shows whether a venue takes orders of this key.

Binance, Kraken and Coinbase check an order without taking it. At the others one of the least size
rests far below the market, post-only, and is canceled; it goes through the account's journal like
any other.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_UP, Decimal
from typing import Any

from kimera_cli.errors import VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.rest import Query, change, change_json
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.desk import Desk, Wish
from kimera_cli.venues.orders.filters import round_price
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import Intent

FAR = Decimal("0.9")
"""The order's price, as a part of the best bid: far away, and within venues' price bands."""
MORE = Decimal("1.02")
"""How much more than the least value is bought: rounding must not fall below it."""


def far_wish(instrument: Instrument, bid: Decimal) -> Wish:
    """Return the smallest order that rests far below the market."""
    price = round_price(bid * FAR, "buy", instrument.tick)
    worth = instrument.min_notional * MORE / price
    least = max(instrument.min_qty, instrument.lot, worth)
    lots = (least / instrument.lot).to_integral_value(ROUND_UP)
    quantity = lots * instrument.lot
    return Wish(instrument.symbol, "buy", tif="post_only", price=price, quantity=quantity)


def _binance(intent: Intent, listing: Listing) -> Query:
    return change(
        "POST",
        "/api/v3/order/test",
        "place",
        symbol=listing.name,
        side=intent.side.upper(),
        type="LIMIT_MAKER",
        quantity=_text(intent.quantity),
        price=_text(intent.price),
        newClientOrderId=intent.client_id,
    )


def _kraken(intent: Intent, listing: Listing) -> Query:
    return change(
        "POST",
        "/0/private/AddOrder",
        "place",
        pair=listing.name,
        type=intent.side,
        ordertype="limit",
        oflags="post",
        volume=_text(intent.quantity),
        price=_text(intent.price),
        cl_ord_id=intent.client_id,
        validate="true",
    )


def _coinbase(intent: Intent, listing: Listing) -> Query:
    terms = {
        "base_size": _text(intent.quantity),
        "limit_price": _text(intent.price),
        "post_only": True,
    }
    body = {
        "product_id": listing.name,
        "side": intent.side.upper(),
        "order_configuration": {"limit_limit_gtc": terms},
    }
    return change_json("/api/v3/brokerage/orders/preview", "place", body)


VALIDATED: dict[str, Callable[[Intent, Listing], Query]] = {
    "binance": _binance,
    "kraken": _kraken,
    "coinbase": _coinbase,
}
"""The request that is checked and never carried out, where the venue has one."""


def check_preview(venue: str, told: Any) -> None:
    """VenueError `venue.refused`: it would not be taken; Coinbase says so in the body."""
    errors = told.get("errs") if isinstance(told, dict) else None
    if errors:
        raise VenueError(
            "venue.refused",
            f"expected {venue} to take such an order, was refused: {', '.join(map(str, errors))}",
            "look at the balance and at what the key may do",
        )


async def rest_and_cancel(desk: Desk, wish: Wish) -> str:
    """Send an order, cancel it, and return what was seen; VenueError when either did not work."""
    state = await desk.order(wish)
    name = state.intent.client_id
    if state.phase not in (Phase.OPEN, Phase.PARTIAL):
        said = " ".join(str(part) for part in (state.reason or "", state.raw) if part)
        doubt = state.phase is Phase.UNKNOWN
        raise VenueError(
            f"venue.order_{state.phase}",
            f"expected the order {name} to rest, was {state.phase}: {said or 'no reason given'}",
            "kimera trade reconcile finds out" if doubt else "look at the balance and the key",
        )
    await desk.cancel(wish.symbol, name)
    state = desk.state(name)
    if state.phase is not Phase.CANCELED:
        raise VenueError(
            "venue.order",
            f"expected the order {name} canceled, was {state.phase}",
            f"kimera trade cancel {wish.symbol} {name} --venue {desk.client.venue}",
        )
    return f"{_text(wish.quantity)} at {_text(wish.price)} rested as {name}, and was canceled"


def _text(value: Decimal | None) -> str:
    return "" if value is None else plain(value)
