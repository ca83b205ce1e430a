"""The kill command: new risk stops at once, then whatever rests at the venues is canceled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.records import TradeOrder
from kimera_cli.venues import show
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.orders.outcome import CancelIntent, VenueOrder
from kimera_cli.venues.trading import Trading

ROUNDS = 3
"""How often is looked whether anything still rests."""
SETTLE_S = 0.2


async def cancel_everything(
    trading: Trading, emit: Callable[[TradeOrder], None], *, ours_only: bool = False
) -> list[KimeraError]:
    """Cancel all orders at all venues, each told when it is gone; return what kept orders there.

    No journal is needed, so it works beside a process that owns the account: the venue tells that
    process what happened to its orders. One venue's outage does not hold up the others.
    """
    venues = trading.venues()
    done = await asyncio.gather(
        *(cancel_at(trading, venue, emit, ours_only) for venue in venues), return_exceptions=True
    )
    failed: list[KimeraError] = []
    for each in done:
        if isinstance(each, KimeraError):
            failed.append(each)
        elif isinstance(each, BaseException):
            raise each
    return failed


async def cancel_at(
    trading: Trading, venue: str, emit: Callable[[TradeOrder], None], ours_only: bool
) -> None:
    """Cancel at one venue; VenueError `venue.orders_stay` when some cannot be brought down."""
    client = await trading.client(venue)
    journal = trading.orders(venue)

    def is_ours(order: VenueOrder) -> bool:
        return journal is not None and journal.is_ours(order)

    async def resting() -> dict[str, VenueOrder]:
        orders = await client.queries.open_orders()
        return {o.venue_order_id: o for o in orders if not ours_only or is_ours(o)}

    before = left = await resting()
    if before and not ours_only:
        await client.entry.cancel_all(None)
        left = await resting()
    for _ in range(ROUNDS):
        if not left:
            break
        for order in left.values():
            await client.entry.cancel(_cancel_of(client, order))
        await trading.world.sleep(SETTLE_S)
        left = await resting()
    for name, order in before.items():
        if name not in left:
            emit(await _ended(client, order, is_ours(order)))
    if left:
        raise VenueError(
            "venue.orders_stay",
            f"expected no order at {venue}, was {', '.join(left)}",
            "look at the venue's own pages; the kill switch stays set",
            venue=venue,
        )


async def _ended(client: VenueClient, order: VenueOrder, ours: bool) -> TradeOrder:
    """Return what became of an order: it may have been filled meanwhile."""
    now = await client.entry.order(order.venue_order_id, order.symbol)
    return show.venue_order(now or replace(order, status="canceled"), client.account, ours=ours)


def _cancel_of(client: VenueClient, order: VenueOrder) -> CancelIntent:
    return CancelIntent(
        number=0,
        venue=client.venue,
        account=client.account,
        symbol=order.symbol,
        created_ns=client.session.world.now_ns(),
        venue_order_id=order.venue_order_id,
    )
