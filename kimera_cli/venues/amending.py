"""An order of ours is changed in place, where its venue can."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from kimera_cli.errors import VenueError
from kimera_cli.venues.desk import Desk, Wish
from kimera_cli.venues.doubts import refresh
from kimera_cli.venues.orders import filters
from kimera_cli.venues.orders.entry import ChangeAnswered, ChangeAsked
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import AmendIntent, Intent, Outcome


async def amend(
    desk: Desk,
    symbol: str,
    name: str,
    price: Decimal | None,
    quantity: Decimal | None,
    allow: Callable[[Wish], None] = lambda order: None,
) -> tuple[OrderState, Outcome]:
    """Change price or quantity of an open order; return what became of it.

    `allow` sees the order as it is to be, and raises where there is no leave for that.
    RiskError `risk.kill_switch`, VenueError `venue.clock`, UsageError `usage.amend`: nothing sent.
    """
    desk.latch.refuse()
    desk.client.check_clock()
    listing = desk.client.session.listing(symbol)
    state = desk.named(listing.instrument.symbol, name)
    if state is None or not state.venue_order_id:
        raise _not_ours(name)
    order = await desk.client.entry.order(state.venue_order_id, state.intent.symbol)
    if order is None or order.is_terminal:
        raise _not_ours(name)
    intent = AmendIntent(
        number=state.intent.number,
        venue=desk.client.venue,
        account=desk.client.account,
        symbol=state.intent.symbol,
        created_ns=desk.world.now_ns(),
        client_id=state.client_id,
        venue_order_id=state.venue_order_id,
        price=price,
        quantity=quantity,
    )
    amended = _amended(state, intent)
    filters.check(listing.instrument, amended)
    allow(Wish(symbol, amended.side, price=amended.price, quantity=amended.quantity))
    desk.client.entry.amendment(intent, order)
    desk.note(ChangeAsked(intent=intent))
    desk.journal.flush()
    outcome = await desk.client.entry.amend(intent, order, lambda _: desk.latch.refuse())
    desk.note(ChangeAnswered(intent=intent, outcome=outcome))
    await refresh(desk, state.client_id)
    desk.journal.flush()
    return desk.state(state.client_id), outcome


def _amended(state: OrderState, wish: AmendIntent) -> Intent:
    """Return the order as it is to be."""
    return Intent(
        number=state.intent.number,
        client_id=state.client_id,
        venue=state.intent.venue,
        account=state.intent.account,
        symbol=state.intent.symbol,
        side=state.intent.side,
        kind="limit",
        tif=state.intent.tif,
        created_ns=wish.created_ns,
        price=wish.price or state.price,
        quantity=wish.quantity or state.quantity,
    )


def _not_ours(name: str) -> VenueError:
    return VenueError(
        "venue.order",
        f"expected an open order of ours to amend, was {name}",
        "kimera trade open lists them",
    )
