"""What became of an order: asked until it is known, or until patience ends."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.session import RefusedError
from kimera_cli.venues.orders.entry import ProvedAbsent
from kimera_cli.venues.orders.lookup import SHORTEST_NS, learn, search_for
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    Found,
    OrderUpdate,
    Outcome,
    Reason,
    VenueOrder,
)
from kimera_cli.venues.orders.rules import rules_of

if TYPE_CHECKING:
    from kimera_cli.venues.clients.venues import VenueClient
    from kimera_cli.venues.desk import Desk

_NS = 1_000_000_000
ANSWERS_S = 10
"""For the answers themselves, slow ones among them."""
LAGS_S = (0.05, 0.1, 0.25, 0.5, 1.0)
"""Pauses before fills that the venue has told as a sum are asked for again."""
FORGETFUL = frozenset({"coinbaseexchange"})
"""Venues that forget an order that ended without a fill."""


def asks_until_known(venues: Iterable[str], wait_s: float) -> str:
    """Return the command that ends doubts at these venues; `wait_s` is what it waits by itself."""
    lasts_s = max(patience_s(venue) for venue in venues)
    wait = f" --wait {lasts_s}" if lasts_s > wait_s else ""
    return f"kimera trade reconcile --adopt{wait} asks until it is known; cancels pass meanwhile"


def patience_s(venue: str) -> int:
    """Return how long a venue must be asked until a "no" is proof, with some time for answers."""
    window_ns = max(rules_of(venue).window.default_ns, SHORTEST_NS)
    return math.ceil(window_ns / _NS) + ANSWERS_S


async def clear_doubts(desk: Desk) -> None:
    """Ask for every order in doubt of the account, and for fills that are owed.

    Doubts are asked about side by side: each may last until its request has expired.
    """
    states = list(desk.journal.orders.in_doubt())
    for state in states:
        if state.phase is not Phase.UNKNOWN:
            await refresh(desk, state.client_id)
    unknown = [state.client_id for state in states if state.phase is Phase.UNKNOWN]
    await asyncio.gather(*(clear_doubt(desk, client_id) for client_id in unknown))


async def clear_doubt(desk: Desk, client_id: str) -> None:
    """Search for an order until it is found or proved absent, or patience ends."""
    state, world = desk.state(client_id), desk.world
    search = search_for(state)
    end_ns = world.monotonic_ns() + int(desk.patience_s * _NS)
    while True:
        answer = await desk.client.entry.find(
            client_id, state.intent.symbol, state.intent.created_ns
        )
        search = learn(search, answer, desk.now_ns)
        if isinstance(answer, Found):
            desk.note(OrderUpdate(order=answer.order))
            await refresh(desk, client_id)
            return
        if search.is_absent:
            desk.note(
                ProvedAbsent(client_id=client_id, ts_ns=desk.now_ns, asked_ns=search.negatives)
            )
            return
        pause_ns = max(0, search.next_ns - desk.now_ns)
        if world.monotonic_ns() + pause_ns > end_ns:
            return
        await world.sleep(pause_ns / _NS)


async def refresh(desk: Desk, client_id: str) -> None:
    """Ask what the venue says of an order of ours and its fills; no answer changes nothing."""
    try:
        await _refresh(desk, client_id)
    except VenueError as error:
        desk.world.report(error)


async def _refresh(desk: Desk, client_id: str) -> None:
    state = desk.state(client_id)
    if not state.venue_order_id:
        return
    order = await desk.client.entry.order(state.venue_order_id, state.intent.symbol)
    if order is not None:
        desk.note(OrderUpdate(order=order))
    await ask_fills(desk, client_id, anyway=order is None)
    if order is None and desk.client.venue in FORGETFUL and not desk.state(client_id).done:
        desk.note(OrderUpdate(order=_forgotten(desk, state)))


async def ask_fills(desk: Desk, client_id: str, *, anyway: bool = False) -> None:
    """Ask for fills while the venue has told a larger sum than it has listed, but not for ever."""
    for lag_s in LAGS_S:
        state = desk.state(client_id)
        if not state.owed and not anyway:
            return
        anyway = False
        fills = await desk.client.queries.fills(state.intent.created_ns, [state.intent.symbol])
        desk.fills(FillUpdate(fill=fill) for fill in fills)
        if not desk.state(client_id).owed:
            return
        await desk.world.sleep(lag_s)


async def told_order(desk: Desk, symbol: str, name: str, outcome: Outcome) -> VenueOrder:
    """Return what the venue says of an order that is not ours, after a cancel.

    VenueError `venue.order` when it knows none, and did not cancel it just now.
    """
    client = desk.client
    found = await named_order(client, symbol, name)
    if found is not None:
        desk.note(OrderUpdate(order=found))
        return found
    if not isinstance(outcome, Accepted):
        raise no_order(client, symbol, name)
    return VenueOrder(venue=client.venue, symbol=symbol, venue_order_id=name, status="canceled")


async def named_order(client: VenueClient, symbol: str, name: str) -> VenueOrder | None:
    """Return an order by a typed id; None also when the venue says that it cannot be one."""
    try:
        return await client.entry.order(name, symbol)
    except RefusedError as error:
        if error.verdict.reason is Reason.BAD_REQUEST:
            return None
        raise


def no_order(client: VenueClient, symbol: str, name: str) -> VenueError:
    """Return the error of an id that names no order."""
    return VenueError(
        "venue.order",
        f"expected an order of {client.venue} {symbol}, was {name}",
        "kimera trade open lists the open ones",
        venue=client.venue,
    )


def _forgotten(desk: Desk, state: OrderState) -> VenueOrder:
    return VenueOrder(
        venue=desk.client.venue,
        symbol=state.intent.symbol,
        venue_order_id=state.venue_order_id,
        status="canceled",
        client_id=state.client_id,
        updated_ns=desk.now_ns,
        raw_status="not found: the venue forgets orders that ended without a fill",
    )
