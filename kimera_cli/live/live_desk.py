"""The desk of a run: many orders at once, told to the loop as they are journalled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from kimera_cli.venues.clients.order_entry import Signed
from kimera_cli.venues.desk import CHANGED, Desk
from kimera_cli.venues.doubts import clear_doubt, refresh
from kimera_cli.venues.orders.account_orders import OrderChange
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.entry import Entry, Withheld
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import Intent, Rejected, Unknown

STREAM_S = 1.0
"""How long the stream may take to tell what became of a cancel, before the venue is asked."""


@dataclass
class LiveDesk(Desk):
    """A desk whose changes are told to the loop as they are journalled."""

    on_change: Callable[[OrderChange], None] = lambda change: None
    on_bytes: Callable[[str], None] = lambda client_id: None
    """Told when the first byte of an order is about to be written; what it raises withholds it."""
    on_refusal: Callable[[], None] = lambda: None
    """Told when the venue refused what fits its market, as far as that is known."""
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, entry: Entry) -> None:
        """Put what happened into the journal, and tell what it changed."""
        for change in self.journal.record(entry, self.now_ns):
            self.on_change(change)
        self._news.set()

    async def send(self, intent: Intent) -> None:
        """Send a new order and settle what became of it, as far as the answer says."""
        self.journal.plan([intent])
        try:
            outcome = await self._send(intent)
        except asyncio.CancelledError:
            self.withhold(intent.client_id, "it waited too long, or the run ended")
            raise
        if isinstance(outcome, Unknown):
            await clear_doubt(self, intent.client_id)
        changed = isinstance(outcome, Rejected) and outcome.reason in CHANGED
        if changed or self.state(intent.client_id).phase is Phase.ABSENT:
            self.on_refusal()
        # Refused for now: the strategy decides whether to ask again.
        self.withhold(intent.client_id, outcome.raw if isinstance(outcome, Rejected) else "")

    def withhold(self, name: str, why: str) -> None:
        """Close an order of which nothing has left."""
        if self.state(name).phase is Phase.NEW:
            self.note(Withheld(client_id=name, ts_ns=self.now_ns, why=why))

    async def withdraw(self, client_id: str) -> None:
        """Cancel an order of ours; the stream says what became of it, else the venue is asked."""
        state = self.state(client_id)
        intent = self._cancel_intent(state.intent.symbol, client_id, state)
        await self._take_back(intent)
        if not await self._settles(client_id):
            await refresh(self, client_id)
        self.journal.flush()

    async def _settles(self, client_id: str) -> bool:
        """Return whether an order comes to its end, all fills told, within STREAM_S."""
        try:
            async with asyncio.timeout(STREAM_S):
                while not self.state(client_id).is_settled:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _release(self, client_id: str, signed: Signed) -> None:
        self.on_bytes(client_id)
        super()._release(client_id, signed)

    async def warm(self, symbols: list[str]) -> None:
        """Connect, and build a request that is not sent: the first order shall not wait."""
        session = self.client.session
        await session.transport.warm(session.host)
        name = client_id(self.client.venue, IntentKey(self.journal.header.session, 1))
        for symbol in symbols:
            listing = session.listing(symbol)
            draft = Intent(
                number=1,
                client_id=name,
                venue=self.client.venue,
                account=self.client.account,
                symbol=symbol,
                side="buy",
                kind="limit",
                tif="gtc",
                created_ns=1,
                price=listing.instrument.tick,
                quantity=listing.instrument.lot,
            )
            self.client.entry.warm(draft)
