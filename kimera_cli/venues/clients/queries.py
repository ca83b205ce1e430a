"""Questions about one account: open orders, fills, balances, fees; answered whole, or an error."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from kimera_cli.venues.clients.api import Fees, Listing
from kimera_cli.venues.clients.session import Session
from kimera_cli.venues.orders.outcome import Balance, VenueFill, VenueOrder

OVERLAP_NS = 60_000_000_000
"""How much earlier than asked fills are looked for: the venue's clock is not ours, and fills are
known by their ids, so that more of them do no harm.
"""


class Queries:
    """What one account holds."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def open_orders(self, symbols: Iterable[str] = ()) -> list[VenueOrder]:
        """Return all open orders, or those of some markets."""
        api, session = self.session.api, self.session
        listings: list[Listing | None] = [session.listing(s) for s in symbols] or [None]
        lists = [await session.ask_all(api.open_orders(one), api.read_orders) for one in listings]
        wanted = {one.instrument.symbol for one in listings if one is not None}
        for orders in lists:
            session.ages.listed(orders, session.clock.now_ns())
        found = {order.venue_order_id: order for orders in lists for order in orders}
        return [o for o in found.values() if not wanted or o.symbol in wanted]

    async def fills(self, since_ns: int, symbols: Iterable[str] = ()) -> list[VenueFill]:
        """Return executions since a time, oldest first, each once.

        Some venues can only be asked per market: without symbols, all listed ones are meant.
        """
        api, session = self.session.api, self.session
        wanted = [session.listing(s) for s in symbols]
        asked: list[Listing | None] = list(wanted)
        if not asked:
            asked = list(api.listings.values()) if api.symbol_needed else [None]
        start = max(0, since_ns - OVERLAP_NS)
        found: dict[tuple[str, str], VenueFill] = {}
        for listing in asked:
            fills = await session.ask_all(api.fills(listing, start), api.read_fills)
            found |= {(fill.symbol, fill.trade_id): fill for fill in fills}
        names = {one.instrument.symbol for one in wanted}
        told = [f for f in found.values() if not names or f.symbol in names]
        return sorted(told, key=lambda f: (f.ts_ns, f.symbol, f.trade_id))

    async def balances(self) -> list[Balance]:
        """Return what the account has of each asset that it has any of."""
        api = self.session.api
        found = await self.session.ask(api.balances(), api.read_balances)
        return sorted((b for b in found if b.total), key=lambda b: b.asset)

    async def fees(self, symbol: str) -> Fees:
        """Return what the account pays in a market."""
        api, listing = self.session.api, self.session.listing(symbol)
        return await self.session.ask(api.fees(listing), lambda a: api.read_fees(a, listing))

    async def dead_man(self, seconds: int) -> bool:
        """Arm or refresh the venue's own switch (0: disarm); False when it has none."""
        query = self.session.api.dead_man(seconds)
        if query is None:
            return False
        await self.session.answer(query)
        return True

    async def snapshot(
        self, since_ns: int, symbols: Iterable[str] = ()
    ) -> tuple[list[VenueOrder], list[VenueFill], list[Balance]]:
        """Return open orders, fills and balances, asked at once."""
        wanted = tuple(symbols)
        return await asyncio.gather(
            self.open_orders(wanted), self.fills(since_ns, wanted), self.balances()
        )
