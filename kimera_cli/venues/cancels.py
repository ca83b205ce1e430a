"""Cancels and amendments of one invocation, each told with what became of the order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from kimera_cli.errors import VenueError
from kimera_cli.records import TradeOrder
from kimera_cli.venues import show
from kimera_cli.venues.amending import amend
from kimera_cli.venues.consent import Consent
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Accepted, Outcome, Rejected, Unknown, VenueOrder
from kimera_cli.venues.trading import Trading

Emit = Callable[[TradeOrder], None]


async def cancel_each(trading: Trading, symbol: str, names: Iterable[str], emit: Emit) -> None:
    """Cancel orders by their ids; VenueError `venue.order_stays` names those that still rest."""
    desk = await trading.desk(trading.venue())
    done = [await desk.cancel(symbol, name) for name in names]
    _tell(done, desk.client.account, emit)


async def cancel_open(trading: Trading, symbols: Iterable[str], foreign: bool, emit: Emit) -> None:
    """Cancel what is open of ours, with `foreign` of everybody."""
    desk = await trading.desk(trading.venue())
    _tell(await desk.cancel_all(symbols, foreign=foreign), desk.client.account, emit)


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
    consent.check(venue, Wish(symbol, "buy", price=price, quantity=quantity))
    desk = await trading.desk(venue)
    state, outcome = await amend(desk, symbol, name, price, quantity)
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


def _tell(done: list[tuple[OrderState | VenueOrder, Outcome]], account: str, emit: Emit) -> None:
    stays = []
    for now, outcome in done:
        if isinstance(now, OrderState):
            emit(show.own_order(now))
            rests, name = now.is_live, now.client_id
        else:
            emit(show.venue_order(now, account, ours=False))
            rests, name = not now.is_terminal, now.venue_order_id
        if rests:
            stays.append(f"{name}: {said(outcome)}")
    if stays:
        raise VenueError(
            "venue.order_stays",
            f"expected the orders to be canceled, was {'; '.join(stays)}",
            "try again; kimera trade kill stops new risk meanwhile",
        )
