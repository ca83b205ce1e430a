"""What accounts hold, as records: the questions of `kimera trade`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kimera_cli.errors import RunError, VenueError
from kimera_cli.records import Record
from kimera_cli.venues import show
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.holdings import positions
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.outcome import Found, VenueOrder
from kimera_cli.venues.trading import Trading

Emit = Callable[[Record], None]


async def tell_status(trading: Trading, symbol: str, names: Iterable[str], emit: Emit) -> None:
    """Tell orders as their venue has them, by our ids or the venue's."""
    venue = trading.venue()
    client = await trading.client(venue)
    journal = trading.orders(venue)
    for name in names:
        order = await _order(client, journal, symbol, name)
        emit(show.venue_order(order, client.account, ours=_is_ours(journal, order)))


async def tell_open(trading: Trading, symbols: Sequence[str], emit: Emit) -> None:
    """Tell open orders, foreign ones too."""
    for venue in trading.venues():
        client = await trading.client(venue)
        journal = trading.orders(venue)
        for order in await client.queries.open_orders(symbols):
            emit(show.venue_order(order, client.account, ours=_is_ours(journal, order)))


async def tell_fills(trading: Trading, symbols: Sequence[str], ago_ns: int, emit: Emit) -> None:
    """Tell executions of the last time, oldest first, foreign ones too."""
    for venue in trading.venues():
        client = await trading.client(venue)
        journal = trading.orders(venue)
        since_ns = client.session.clock.now_ns() - ago_ns
        for fill in await client.queries.fills(since_ns, symbols):
            state = journal.find(fill.symbol, fill.venue_order_id) if journal else None
            emit(show.fill(fill, client.account, ours=state is not None))


async def tell_balances(trading: Trading, emit: Emit) -> None:
    """Tell what the accounts have."""
    for venue in trading.venues():
        client = await trading.client(venue)
        for balance in await client.queries.balances():
            emit(show.balance(balance, venue, client.account))


async def tell_fees(trading: Trading, symbols: Sequence[str], emit: Emit) -> None:
    """Tell fees and steps of markets."""
    for venue in trading.venues():
        client = await trading.client(venue)
        for symbol in symbols:
            listing = client.session.listing(symbol)
            emit(show.fees(await client.queries.fees(symbol), listing, client.account))


async def tell_positions(trading: Trading, emit: Emit) -> None:
    """Tell what the fills of our orders came to, after asking what became of open ones.

    Where another process owns an account, its journal is taken as it stands.
    """
    fills, instruments = [], {}
    for venue in trading.venues():
        client, journal = await _up_to_date(trading, venue)
        fills += list(journal.fills) if journal is not None else []
        for symbol, listing in client.session.api.listings.items():
            instruments[venue, symbol] = listing.instrument
    for record in positions(fills, instruments, trading.choices.account):
        emit(record)


async def _up_to_date(trading: Trading, venue: str) -> tuple[VenueClient, AccountOrders | None]:
    try:
        desk = await trading.desk(venue)
    except RunError as error:
        if error.code != "run.account_busy":
            raise
        return await trading.client(venue), trading.orders(venue)
    await desk.sync()
    return desk.client, desk.journal.orders


async def _order(
    client: VenueClient, journal: AccountOrders | None, symbol: str, name: str
) -> VenueOrder:
    state = journal.states.get(name) if journal is not None else None
    if state is not None and state.venue_order_id:
        name = state.venue_order_id
    elif state is not None:
        found = await client.entry.find(name, state.intent.symbol, state.intent.created_ns)
        if isinstance(found, Found):
            return found.order
    order = await client.entry.order(name, symbol)
    if order is None:
        raise VenueError(
            "venue.order",
            f"expected an order of {client.venue} {symbol}, was {name}",
            "kimera trade open lists the open ones",
            venue=client.venue,
        )
    return order


def _is_ours(journal: AccountOrders | None, order: VenueOrder) -> bool:
    return journal is not None and journal.is_ours(order)
