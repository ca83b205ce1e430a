"""`kimera trade reconcile`: asks venues what accounts hold, and compares it with the journals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.instrument import common_name
from kimera_cli.records import Difference
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.desk import Desk
from kimera_cli.venues.doubts import asks_until_known, refresh
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.balances import new_baseline
from kimera_cli.venues.orders.fills import Assets
from kimera_cli.venues.orders.finding import AccountReport
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Found, VenueOrder
from kimera_cli.venues.orders.reconcile import Reconciliation, lasting, reconcile, to_ask
from kimera_cli.venues.trading import Trading

Emit = Callable[[Difference], None]
NOBODY = -1
"""Session of an account that never traded from here: nothing at the venue is ours."""
PAUSE_S = 0.5
"""Between the two comparisons that a difference has to outlast: balances lag behind fills."""


async def tell_differences(
    trading: Trading, emit: Emit, note: Callable[[str], None], *, adopt: bool
) -> None:
    """Tell where journals and venues disagree; with `adopt`, take the venues' word.

    Venues are compared side by side, and one that does not answer holds up no other. VenueError
    `venue.differences` when some are left.
    """

    async def at(venue: str) -> list[Difference]:
        found = await (_adopted(trading, venue) if adopt else _found(trading, venue))
        for difference in found:
            emit(difference)
        left = [d for d in found if not d.adopted and d.kind != "order_foreign"]
        if not left:
            note(f"{venue}: journal and venue agree{_but(trading.orders(venue))}")
        return left

    done = await asyncio.gather(*map(at, trading.venues()), return_exceptions=True)
    failed = [each for each in done if isinstance(each, BaseException)]
    for error in failed[1:]:
        if isinstance(error, KimeraError):
            trading.world.report(error)
    if failed:
        raise failed[0]
    _refuse_left(trading, [d for each in done if isinstance(each, list) for d in each], adopt)


async def _found(trading: Trading, venue: str) -> list[Difference]:
    """Compare without touching the journal, which another process may own."""
    client = await trading.client(venue)

    async def compare() -> Reconciliation:
        orders = trading.orders(venue) or AccountOrders(NOBODY)
        return reconcile(orders, await ask(client, orders), assets_of(client))

    first = await compare()
    if not first.differences:
        return []
    await trading.world.sleep(PAUSE_S)
    return list(lasting(first.differences, (await compare()).differences))


async def _adopted(trading: Trading, venue: str) -> list[Difference]:
    """Compare, take the venue's word into the journal, and tell what that left."""
    before = await _found(trading, venue)
    desk = await trading.desk(venue)  # which looks up what is in doubt
    if before:
        await _take(desk, before)
    report, result = await compare_at(desk)
    left = {_key(d): d for d in lasting(before, result.differences)}
    if not left and _is_at_rest(report):
        # From here on fill by fill; what came before need not be asked for again.
        desk.note(new_baseline(report.balances or (), report.asked_ns, "reconciled"))
    desk.journal.flush()
    return [replace(d, adopted=_key(d) not in left) for d in before]


async def _take(desk: Desk, differences: list[Difference]) -> None:
    _, result = await compare_at(desk)
    for entry in result.repairs:
        desk.note(entry)
    for difference in differences:
        if difference.repair == "lookup" and difference.client_id in desk.journal.orders.states:
            await refresh(desk, difference.client_id)
    desk.journal.flush()


async def compare_at(desk: Desk) -> tuple[AccountReport, Reconciliation]:
    """Ask the venue and compare it with the journal of a desk, which stays as it is."""
    orders = desk.journal.orders
    report = await ask(desk.client, orders)
    return report, reconcile(orders, report, assets_of(desk.client))


async def ask(client: VenueClient, orders: AccountOrders) -> AccountReport:
    """Return what the venue says of everything that the journal has to be compared with."""
    asked_ns = client.session.clock.now_ns()
    since_ns = _since(orders, asked_ns)
    listed = await client.queries.open_orders()
    symbols = _symbols(orders, listed) if client.session.api.symbol_needed else []
    nothing = client.session.api.symbol_needed and not symbols
    fills = [] if nothing else await client.queries.fills(since_ns, symbols)
    balances = await client.queries.balances()
    looked = [await _look(client, state) for state in to_ask(orders, listed)]
    return AccountReport(
        venue=client.venue,
        account=client.account,
        asked_ns=asked_ns,
        orders=(*listed, *(order for order in looked if order is not None)),
        fills=tuple(fills),
        fills_since_ns=since_ns,
        balances=tuple(balances),
    )


def _but(orders: AccountOrders | None) -> str:
    if orders is None:
        return ": kimera has sent no order there"
    if orders.baseline is None:
        return "; balances are not compared before --adopt takes them as they are"
    return ""


def assets_of(client: VenueClient) -> dict[str, Assets]:
    """Return what each market of a venue trades, by the names that its balances have."""
    instruments = (listing.instrument for listing in client.session.api.listings.values())
    return {
        each.symbol: Assets(common_name(each.base), common_name(each.quote)) for each in instruments
    }


def _since(orders: AccountOrders, now_ns: int) -> int:
    """Return from when on fills count: all that the baseline does not contain."""
    open_since = [s.intent.created_ns for s in orders.states.values() if s.is_live or s.owed]
    if orders.baseline is not None:
        return min([orders.baseline.ts_ns, *open_since])
    return min((s.intent.created_ns for s in orders.states.values()), default=now_ns)


def _symbols(orders: AccountOrders, listed: Iterable[VenueOrder]) -> list[str]:
    known = {state.intent.symbol for state in orders.states.values()}
    return sorted(known | {f.symbol for f in orders.fills} | {o.symbol for o in listed})


async def _look(client: VenueClient, state: OrderState) -> VenueOrder | None:
    symbol = state.intent.symbol
    if state.venue_order_id:
        return await client.entry.order(state.venue_order_id, symbol)
    found = await client.entry.find(state.client_id, symbol, state.intent.created_ns)
    return found.order if isinstance(found, Found) else None


def _is_at_rest(report: AccountReport) -> bool:
    """Whether no fill came while balances were asked for: else they might hold it or not."""
    return all(fill.ts_ns < report.asked_ns for fill in report.fills)


def _key(difference: Difference) -> tuple[str, ...]:
    d = difference
    return (d.kind, d.symbol, d.client_id, d.venue_order_id, d.trade_id, d.asset)


def _refuse_left(trading: Trading, left: list[Difference], adopt: bool) -> None:
    if not left:
        return
    doubts = [d.venue for d in left if d.kind == "order_in_doubt"]
    if doubts and (adopt or len(doubts) == len(left)):
        hint = asks_until_known(doubts, trading.choices.wait_s)
    elif adopt:
        hint = "look at what is told above; kimera trade reconcile asks again"
    else:
        hint = "--adopt takes the venue's word into the journal"
    count = "1 difference" if len(left) == 1 else f"{len(left)} differences"
    was = f"expected journal and venue to agree, was {count}"
    raise VenueError("venue.differences", was, hint)
