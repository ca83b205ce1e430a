"""What accounts hold, as records: the questions of `kimera trade`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kimera_cli.errors import RunError, VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.records import Record
from kimera_cli.venues import show
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.doubts import named_order, no_order
from kimera_cli.venues.each import Emit, Records, at_venues, one_by_one
from kimera_cli.venues.holdings import positions
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Found, VenueFill, VenueOrder
from kimera_cli.venues.trading import Trading


async def tell_status(trading: Trading, symbol: str, names: Iterable[str], emit: Emit) -> bool:
    """Tell orders as their venue has them, by our ids or the venue's; whether all were found."""
    venue = trading.venue()
    client = await trading.client(venue)
    journal = trading.orders(venue)

    async def status(name: str) -> Record:
        state = journal.states.get(name) if journal is not None else None
        order = await _order(client, state, symbol, name)
        if order is not None:
            return show.venue_order(order, client.account, ours=_is_ours(journal, order))
        if state is not None:  # never at the venue, or forgotten there
            return show.own_order(state)
        raise no_order(client, symbol, name)

    return await one_by_one(trading, names, status, emit)


async def tell_open(trading: Trading, symbols: Sequence[str], emit: Emit) -> bool:
    """Tell open orders, foreign ones too; whether all venues told theirs."""

    async def at(venue: str) -> Records:
        client = await trading.client(venue)
        journal = trading.orders(venue)
        orders = await client.queries.open_orders(symbols)
        return [show.venue_order(o, client.account, ours=_is_ours(journal, o)) for o in orders]

    return await at_venues(trading, at, emit)


async def tell_fills(trading: Trading, symbols: Sequence[str], ago_ns: int, emit: Emit) -> bool:
    """Tell executions of the last time, oldest first, foreign ones too; whether all venues did."""

    async def at(venue: str) -> Records:
        client = await trading.client(venue)
        journal = trading.orders(venue)
        since_ns = client.session.clock.now_ns() - ago_ns
        found = []
        for fill in await client.queries.fills(since_ns, symbols):
            if fill.ts_ns < since_ns:
                continue
            state = journal.find(fill.symbol, fill.venue_order_id) if journal else None
            name = state.client_id if state is not None else fill.client_id
            found.append(show.fill(fill, client.account, name, ours=state is not None))
        return found

    return await at_venues(trading, at, emit)


async def tell_balances(trading: Trading, emit: Emit) -> bool:
    """Tell what the accounts have; whether all venues told."""

    async def at(venue: str) -> Records:
        client = await trading.client(venue)
        return [show.balance(b, venue, client.account) for b in await client.queries.balances()]

    return await at_venues(trading, at, emit)


async def tell_fees(trading: Trading, symbols: Sequence[str], emit: Emit) -> bool:
    """Tell fees and steps of markets; whether all venues told."""

    async def at(venue: str) -> Records:
        client = await trading.client(venue)
        listings = [client.session.listing(symbol) for symbol in symbols]
        return [
            show.fees(await client.queries.fees(each.instrument.symbol), each, client.account)
            for each in listings
        ]

    return await at_venues(trading, at, emit)


async def tell_positions(trading: Trading, emit: Emit) -> bool:
    """Tell what the fills of our orders came to, after asking what became of open ones.

    Where another process owns an account, its journal is taken as it stands. A venue that does not
    answer is left out, also of the totals; then False is returned.
    """
    fills: list[VenueFill] = []
    instruments: dict[tuple[str, str], Instrument] = {}

    async def at(venue: str) -> Records:
        client, journal = await _up_to_date(trading, venue)
        fills.extend(journal.fills if journal is not None else ())
        for symbol, listing in client.session.api.listings.items():
            instruments[venue, symbol] = listing.instrument
        return []

    whole = await at_venues(trading, at, emit)
    for market in sorted({(fill.venue, fill.symbol) for fill in fills} - instruments.keys()):
        trading.world.report(_not_listed(*market))
        whole = False
    for record in positions(fills, instruments, trading.choices.account):
        emit(record)
    return whole


async def _up_to_date(trading: Trading, venue: str) -> tuple[VenueClient, AccountOrders | None]:
    try:
        desk = await trading.desk(venue)
    except RunError as error:
        if error.code != "run.account_busy":
            raise
        return await trading.client(venue), trading.orders(venue)
    await desk.sync()
    return desk.client, desk.journal.orders


def _not_listed(venue: str, symbol: str) -> VenueError:
    return VenueError(
        "venue.market",
        f"expected {venue} to list {symbol}, of which there are fills, was not listed",
        "what it trades is not known: its position is in no total and has no value",
        venue=venue,
    )


async def _order(
    client: VenueClient, state: OrderState | None, symbol: str, name: str
) -> VenueOrder | None:
    if state is not None and state.venue_order_id:
        name = state.venue_order_id
    elif state is not None:
        found = await client.entry.find(name, state.intent.symbol, state.intent.created_ns)
        return found.order if isinstance(found, Found) else None
    return await named_order(client, symbol, name)


def _is_ours(journal: AccountOrders | None, order: VenueOrder) -> bool:
    return journal is not None and journal.is_ours(order)
