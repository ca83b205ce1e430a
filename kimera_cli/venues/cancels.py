"""Cancels and amendments of one invocation, each told with what became of the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import partial

from kimera_cli.errors import VenueError
from kimera_cli.records import TradeOrder
from kimera_cli.venues import show
from kimera_cli.venues.amending import amend
from kimera_cli.venues.consent import Consent
from kimera_cli.venues.each import one_by_one
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Accepted, Outcome, Rejected, Unknown, VenueOrder
from kimera_cli.venues.trading import Trading

Emit = Callable[[TradeOrder], None]


async def cancel_each(trading: Trading, symbol: str, names: Iterable[str], emit: Emit) -> bool:
    """Cancel orders by their ids; return whether none rests any more, each having been there.

    VenueError `venue.order_stays` for one that still rests.
    """
    desk = await trading.desk(trading.venue())

    async def cancel(name: str) -> TradeOrder:
        return _told(emit, desk.client.account, *await desk.cancel(symbol, name))

    return await one_by_one(trading, names, cancel, lambda _: None)


async def cancel_open(trading: Trading, symbols: Iterable[str], foreign: bool, emit: Emit) -> bool:
    """Cancel what is open of ours, with `foreign` of everybody; as `cancel_each`."""
    desk = await trading.desk(trading.venue())
    orders = {o.venue_order_id: o for o in await desk.open_orders(symbols, foreign=foreign)}

    async def cancel(name: str) -> TradeOrder:
        done = await desk.cancel(orders[name].symbol, name)
        return _told(emit, desk.client.account, *done)

    return await one_by_one(trading, orders, cancel, lambda _: None)


async def amend_one(
    trading: Trading,
    consent: Consent,
    symbol: str,
    name: str,
    price: Decimal | None,
    quantity: Decimal | None,
    emit: Emit,
) -> None:
    """Amend an order of ours; VenueError `venue.amend` when the venue would not."""
    venue = trading.venue()
    consent.check_leave(venue)
    desk = await trading.desk(venue)
    allow = partial(consent.check, venue)
    state, outcome = await amend(desk, symbol, name, price, quantity, allow)
    emit(show.own_order(state))
    if not isinstance(outcome, Accepted):
        raise VenueError(
            "venue.amend",
            f"expected {venue} to amend {name}, was {said(outcome)}",
            "kimera trade status tells the order as it is",
            venue=venue,
        )


def said(outcome: Outcome) -> str:
    """Return an outcome in words."""
    match outcome:
        case Accepted():
            return "accepted"
        case Rejected(reason=reason, raw=raw):
            return f"refused ({reason}): {raw}"
        case Unknown(why=why, detail=detail):
            return f"no clear answer ({why}): {detail}"


def _told(emit: Emit, account: str, now: OrderState | VenueOrder, outcome: Outcome) -> TradeOrder:
    """Tell an order after its cancel; VenueError `venue.order_stays` when it rests nevertheless."""
    if isinstance(now, OrderState):
        record, rests, name = show.own_order(now), now.is_live, now.client_id
    else:
        record = show.venue_order(now, account, ours=False)
        rests, name = not now.is_terminal, now.venue_order_id
    emit(record)
    if rests:
        raise VenueError(
            "venue.order_stays",
            f"expected {name} to be canceled, was {said(outcome)}",
            "try again; kimera trade kill stops new risk meanwhile",
        )
    return record
