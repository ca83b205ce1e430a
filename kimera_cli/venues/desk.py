"""Orders of one account, each step in the journal before it is on the wire.

An order goes: kill switch, clock, market and filters, journal, wire, answer, and then what the
venue says of it. An answer that leaves a doubt is followed by questions until the doubt is gone or
patience ends; while one order is in doubt no other is sent. Cancels pass all that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.errors import KimeraError, RiskError, RunError, VenueError
from kimera_cli.journal.intents import IntentJournal
from kimera_cli.risk.latch import Latch
from kimera_cli.venues.baseline import take_baseline
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.order_entry import Signed
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.doubts import (
    asks_until_known,
    clear_doubt,
    clear_doubts,
    refresh,
    told_order,
)
from kimera_cli.venues.orders import filters
from kimera_cli.venues.orders.entry import Answered, ChangeAnswered, ChangeAsked, Entry, Withheld
from kimera_cli.venues.orders.lookup import Resend, resend_of
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import (
    CancelIntent,
    FillUpdate,
    Handling,
    Intent,
    OrderKind,
    OrderUpdate,
    Outcome,
    Reason,
    Rejected,
    Side,
    TimeInForce,
    Unknown,
    VenueOrder,
)

CHANGED = frozenset(
    {
        Reason.HALTED,
        Reason.CANCEL_ONLY,
        Reason.BAD_SYMBOL,
        Reason.PRICE_STEP,
        Reason.QUANTITY_STEP,
        Reason.MIN_QUANTITY,
        Reason.MIN_NOTIONAL,
    }
)
"""Refusals of an order that fitted its market: the market has changed."""
PATIENCE_S = 45.0
"""How long an order in doubt is asked for: longer than a lost request lives, but at HTX."""


class Wish(NamedTuple):
    """An order as a person or a program wants it."""

    symbol: str
    side: Side
    kind: OrderKind = "limit"
    tif: TimeInForce = "gtc"
    price: Decimal | None = None
    quantity: Decimal | None = None
    cost: Decimal | None = None
    strategy: str = ""
    """Of a run; empty for an order by hand."""


@dataclass
class Desk:
    """One account at one venue, with its journal."""

    client: VenueClient
    journal: IntentJournal
    latch: Latch
    world: World
    patience_s: float = PATIENCE_S

    @property
    def now_ns(self) -> int:
        """The venue's time."""
        return self.client.session.clock.now_ns()

    async def start(self) -> None:
        """Learn clock and markets, and end the doubts that an earlier process left."""
        await self.client.session.start()
        await self.settle()

    async def settle(self) -> None:
        """End the doubts that an earlier process left.

        A journal's first start takes down what the account has: from there on fills explain it.
        """
        await self.recover()
        if self.journal.orders.baseline is None and not self.journal.orders.states:
            await take_baseline(self)

    async def recover(self) -> None:
        """Conclude what an earlier process left open, and ask for what is in doubt."""
        self.conclude()
        await clear_doubts(self)
        self.journal.flush()

    def conclude(self) -> None:
        """Conclude what an earlier process left open: never sent, or to be asked for."""
        for state in list(self.journal.orders.states.values()):
            if state.phase is Phase.NEW:
                self.note(_withheld(state, self.now_ns, "never sent"))
            elif state.phase is Phase.SENT:
                why = Unknown(why=Reason.NO_ANSWER, detail="the process ended before an answer")
                self.note(Answered(client_id=state.client_id, outcome=why))

    async def sync(self) -> None:
        """Ask what became of every order that was open when it was last heard of."""
        for state in list(self.journal.orders.live()):
            await refresh(self, state.client_id)
        self.journal.flush()

    def note(self, entry: Entry) -> None:
        """Put what happened into the journal."""
        self.journal.record(entry, self.now_ns)

    def state(self, client_id: str) -> OrderState:
        """Return an order of ours."""
        return self.journal.orders.states[client_id]

    def draft(self, wish: Wish, resends: str = "") -> tuple[Intent, Listing]:
        """Return an order that fits its market, not yet in the journal; UsageError when not."""
        listing = self._trading(wish.symbol)
        intent = self.journal.draft(
            self.world.now_ns(),
            symbol=listing.instrument.symbol,
            side=wish.side,
            kind=wish.kind,
            tif=wish.tif,
            price=wish.price,
            quantity=wish.quantity,
            cost=wish.cost,
            strategy=wish.strategy,
            resends=resends,
        )
        filters.check(listing.instrument, intent)
        return intent, listing

    def _trading(self, symbol: str) -> Listing:
        listing = self.client.session.listing(symbol)
        if not listing.trading:
            raise VenueError(
                "venue.halted",
                f"expected {listing.instrument.name} to be trading, was {listing.raw_status}",
                "orders can be canceled meanwhile",
                venue=self.client.venue,
            )
        return listing

    async def order(self, wish: Wish, *, resend: bool = False) -> OrderState:
        """Send an order and return what became of it.

        `resend`: an order that is proved never to have arrived is sent once more; the state is then
        that of the second sending. RiskError `risk.kill_switch` and `risk.order_in_doubt`,
        VenueError `venue.clock`: nothing was sent. What the venue refuses is in the state.
        """
        self.latch.refuse()
        if self.client.session.clock.due:
            await self.client.session.probe_clock()
        self.client.check_clock()
        self.check_doubts()
        if not self.client.session.listing(wish.symbol).trading:
            await self.client.session.learn_markets()  # it may be trading again
        intent, _ = self.draft(wish)
        self.journal.plan([intent])
        state = await self._settled(intent)
        if resend and resend_of(state) is not Resend.NO:
            return await self._once_more(wish, state)
        return state

    async def _once_more(self, wish: Wish, absent: OrderState) -> OrderState:
        """Send an order again that never arrived and cannot arrive any more.

        Under the same id where the venue refuses a second use of it, else under a new one that is
        linked to the first. What speaks against it is reported, and the order is left as it is.
        """
        intent = absent.intent
        try:
            self.latch.refuse()
            self.client.check_clock()
            self._trading(wish.symbol)
            if resend_of(absent) is Resend.NEW_ID:
                intent, _ = self.draft(wish, resends=absent.client_id)
                self.journal.plan([intent])
            return await self._settled(intent)
        except KimeraError as error:
            self.world.report(error)
            return self.state(intent.client_id)

    async def _settled(self, intent: Intent) -> OrderState:
        """Send an order and return what became of it, as far as that can be found out."""
        try:
            outcome = await self._send(intent)
        finally:
            self.journal.flush()
        if isinstance(outcome, Unknown):
            await clear_doubt(self, intent.client_id)
            if self.state(intent.client_id).phase is Phase.ABSENT:
                await self.learn_markets()
        elif isinstance(outcome, Rejected):
            if outcome.reason in CHANGED:
                await self.learn_markets()
            if self.state(intent.client_id).phase is Phase.NEW:
                self.note(_withheld(self.state(intent.client_id), self.now_ns, outcome.raw))
        else:
            await refresh(self, intent.client_id)
        self.journal.flush()
        return self.state(intent.client_id)

    async def learn_markets(self) -> None:
        """Ask for the markets anew: a refusal says that they are not what was known."""
        try:
            await self.client.session.learn_markets()
        except VenueError as error:
            self.world.report(error)

    async def cancel(self, symbol: str, name: str) -> tuple[OrderState | VenueOrder, Outcome]:
        """Cancel an order by our id or the venue's, and return what became of it."""
        listing = self.client.session.listing(symbol)
        state = self.named(listing.instrument.symbol, name)
        intent = self._cancel_intent(listing.instrument.symbol, name, state)
        outcome = await self._take_back(intent)
        if state is not None:
            await refresh(self, state.client_id)
            self.journal.flush()
            return self.state(state.client_id), outcome
        return await told_order(self, listing.instrument.symbol, name, outcome), outcome

    async def _take_back(self, intent: CancelIntent) -> Outcome:
        """Ask for a cancel; once more when its answer was lost, or our clock refused.

        It can only cancel once.
        """
        self.note(ChangeAsked(intent=intent))
        outcome = await self.client.entry.cancel(intent)
        refused = isinstance(outcome, Rejected) and outcome.handling is Handling.CLOCK
        if refused:
            await self._set_clock()
        if refused or isinstance(outcome, Unknown):
            outcome = await self.client.entry.cancel(intent)
        self.note(ChangeAnswered(intent=intent, outcome=outcome))
        return outcome

    async def _set_clock(self) -> None:
        """Ask for the venue's time anew; without an answer, what was known of it stays."""
        try:
            await self.client.session.reset_clock()
        except VenueError as error:
            self.world.report(error)

    async def open_orders(
        self, symbols: Iterable[str] = (), *, foreign: bool = False
    ) -> list[VenueOrder]:
        """Return open orders, as the journal now knows them: ours, or all of the account."""
        orders = await self.client.queries.open_orders(symbols)
        for order in orders:
            self.note(OrderUpdate(order=order))
        mine = self.journal.orders.is_ours
        return [o for o in orders if foreign or mine(o)]

    async def cancel_all(
        self, symbols: Iterable[str] = (), *, foreign: bool = False
    ) -> list[tuple[OrderState | VenueOrder, Outcome]]:
        """Cancel open orders one by one: ours, or all that the account has."""
        wanted = await self.open_orders(symbols, foreign=foreign)
        done = [await self.cancel(o.symbol, o.venue_order_id) for o in wanted]
        self.journal.flush()
        return done

    async def _send(self, intent: Intent) -> Outcome:
        """Send an order; once more when the venue refused our clock, which is then set right."""
        outcome = await self._attempt(intent)
        if isinstance(outcome, Rejected) and outcome.handling is Handling.CLOCK:
            await self._set_clock()
            try:
                self.client.check_clock()
            except VenueError as error:
                state = self.state(intent.client_id)
                self.note(_withheld(state, self.now_ns, error.message))
                raise
            outcome = await self._attempt(intent)
        return outcome

    async def _attempt(self, intent: Intent) -> Outcome:
        name = intent.client_id
        try:
            outcome = await self.client.entry.place(intent, lambda s: self._release(name, s))
        except asyncio.CancelledError:
            if self.state(name).phase is Phase.SENT:
                lost = Unknown(why=Reason.NO_ANSWER, detail="interrupted before an answer")
                self.note(Answered(client_id=name, outcome=lost))
            raise
        except KimeraError as error:
            self.note(_withheld(self.state(name), self.now_ns, error.message))
            raise
        self.note(Answered(client_id=name, outcome=outcome))
        return outcome

    def _release(self, client_id: str, signed: Signed) -> None:
        """Last look at the kill switch, then the journal: behind it, bytes are written."""
        self.latch.refuse()
        commit = self.journal.release([client_id], signed.ts_ns, signed.expires_ns)
        if not commit.ok:
            raise RunError(
                "run.journal_slow",
                f"expected the journal to commit in time, was {commit.latency_ns / 1e6:.0f} ms",
                "the order was not sent; look at the disk",
            )

    def check_doubts(self) -> None:
        """RiskError `risk.order_in_doubt` while an order of the account is in doubt."""
        if (error := self.doubt()) is not None:
            raise error

    def doubt(self) -> RiskError | None:
        """Return which orders of the account are in doubt; None when none is."""
        unknown = [s for s in self.journal.orders.live() if s.phase is Phase.UNKNOWN]
        if not unknown:
            return None
        return RiskError(
            "risk.order_in_doubt",
            f"expected no order in doubt at {self.client.venue}, was "
            f"{', '.join(s.client_id for s in unknown)}",
            asks_until_known([self.client.venue], PATIENCE_S),
            venue=self.client.venue,
        )

    def named(self, symbol: str, name: str) -> OrderState | None:
        """Return an order of ours by our id or the venue's; None when it is none."""
        orders = self.journal.orders
        return orders.states.get(name) or orders.find(symbol, name)

    def _cancel_intent(self, symbol: str, name: str, state: OrderState | None) -> CancelIntent:
        known = state.venue_order_id if state is not None else name
        return CancelIntent(
            number=state.intent.number if state is not None else 0,
            venue=self.client.venue,
            account=self.client.account,
            symbol=symbol,
            created_ns=self.world.now_ns(),
            client_id=state.client_id if state is not None else "",
            venue_order_id=known,
        )

    def fills(self, fills: Iterable[FillUpdate]) -> None:
        """Put fills into the journal; it keeps each once."""
        for fill in fills:
            self.note(fill)


def _withheld(state: OrderState, now_ns: int, why: str) -> Withheld:
    return Withheld(client_id=state.client_id, ts_ns=now_ns, why=why)
