"""Orders of one invocation: one result per order, whatever happens to the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from kimera_cli.errors import KimeraError, UsageError, VenueError
from kimera_cli.records import TradeOrder, TradeRequest
from kimera_cli.venues import show
from kimera_cli.venues.clients.redaction import shown_request
from kimera_cli.venues.consent import Consent
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders import filters
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.outcome import Intent
from kimera_cli.venues.orders.rules import canonical
from kimera_cli.venues.trading import Trading
from kimera_cli.venues.wishes import Numbered

FAILED = frozenset({"rejected", "withheld", "unknown", "absent"})
"""Phases of orders that the venue does not have, as far as is known."""


@dataclass
class Tally:
    """How many orders went well, and why the first that did not has failed."""

    good: int = 0
    bad: int = 0
    error: KimeraError | None = None

    def count(self, record: TradeOrder, error: KimeraError | None = None) -> None:
        """Count one result."""
        if record.phase not in FAILED:
            self.good += 1
            return
        self.bad += 1
        self.error = self.error or error or order_error(record)


KEYS = "check key, secret, passphrase and permissions in the keys file"
MENDS = {
    "funds": "kimera trade balance tells what is free",
    "key": KEYS,
    "signature": KEYS,
    "passphrase": KEYS,
    "permission": KEYS,
    "address": "allow this host's address at the venue, for this key",
    "post_only": "a price further from the market, or another --tif",
    "clock": "set this host's clock (chronyc makestep, timedatectl)",
    "maintenance": "see the venue's status page; try again later",
}
IN_DOUBT = "do not send it again: kimera trade reconcile finds out what became of it"


def order_error(record: TradeOrder) -> VenueError:
    """Return the error of an order that did not go well."""
    said = f" ({record.reason}): {record.raw}" if record.raw else f": {record.reason}"
    return VenueError(
        f"venue.order_{record.phase}",
        f"expected {record.venue} to take {record.client_id}, was {record.phase}{said}",
        IN_DOUBT if record.phase == "unknown" else MENDS.get(record.reason, ""),
        venue=record.venue,
    )


@dataclass
class Batch:
    """Sends orders one by one, in the order in which they come."""

    trading: Trading
    consent: Consent
    emit: Callable[[TradeOrder], None]
    default_venue: str = ""
    resend: bool = False
    """Send an order once more that is proved never to have arrived."""
    tally: Tally = field(default_factory=Tally)

    async def one(self, wishes: AsyncIterator[Numbered]) -> None:
        """Send one order that was typed; what keeps it from being sent is raised."""
        async for numbered in wishes:
            venue, wish = self.trading.venue(), wish_in(numbered)
            self.consent.check(venue, wish)
            self._tell(await self._sent(venue, wish, numbered.line))

    async def many(self, wishes: AsyncIterator[Numbered]) -> None:
        """Send orders; what keeps one from being sent is its result."""
        async for numbered in wishes:
            venue = numbered.venue or self.default_venue
            try:
                wish = wish_in(numbered)
                venue = canonical(venue) if venue else _no_venue(numbered.line)
                self.consent.check(venue, wish)
                self._tell(await self._sent(venue, wish, numbered.line))
            except KimeraError as error:
                account = self.trading.choices.account
                record = show.refused_wish(venue, account, numbered.wish, error, numbered.line)
                self._tell(record, error)

    async def _sent(self, venue: str, wish: Wish, line: int) -> TradeOrder:
        desk = await self.trading.desk(venue)
        return show.own_order(await desk.order(wish, resend=self.resend), line)

    def _tell(self, record: TradeOrder, error: KimeraError | None = None) -> None:
        self.tally.count(record, error)
        self.emit(record)


async def exact_request(trading: Trading, venue: str, wish: Wish, line: int = 0) -> TradeRequest:
    """Return the request that an order would be; public questions are asked, nothing is sent.

    The client id is that of the account's next order, if no other comes before.
    """
    client = await trading.client(venue)
    listing = client.session.listing(wish.symbol)
    intent = _example(trading, venue, listing.instrument.symbol, wish)
    filters.check(listing.instrument, intent)
    make = client.entry.request(intent, listing)
    request = shown_request(make(client.session.clock.now_ns()), trading.redactor)
    return TradeRequest(
        venue=venue,
        host=client.session.host,
        request=request,
        client_id=intent.client_id,
        symbol=intent.symbol,
        line=line,
    )


async def exact_requests(
    trading: Trading,
    wishes: AsyncIterator[Numbered],
    emit: Callable[[TradeRequest | TradeOrder], None],
    tally: Tally,
) -> None:
    """Tell the request of each line; of one that cannot be an order, why, as when it is sent."""
    account, named = trading.choices.account, trading.choices.venues
    async for numbered in wishes:
        venue = numbered.venue or (named[0] if named else "")
        try:
            wish = wish_in(numbered)
            venue = canonical(venue) if venue else _no_venue(numbered.line)
            emit(await exact_request(trading, venue, wish, numbered.line))
            tally.good += 1
        except KimeraError as error:
            record = show.refused_wish(venue, account, numbered.wish, error, numbered.line)
            tally.count(record, error)
            emit(record)


def wish_in(numbered: Numbered) -> Wish:
    """Return an order that was read; raises why there is none."""
    if numbered.wish is None:
        raise numbered.error or UsageError("usage.order_line", "expected an order")
    return numbered.wish


def _example(trading: Trading, venue: str, symbol: str, wish: Wish) -> Intent:
    orders = trading.orders(venue)
    numbers = [s.intent.number for s in orders.states.values()] if orders else []
    number = max(numbers, default=0) + 1
    session = orders.session if orders else 0
    return Intent(
        number=number,
        client_id=client_id(venue, IntentKey(session, number)),
        venue=venue,
        account=trading.choices.account,
        symbol=symbol,
        side=wish.side,
        kind=wish.kind,
        tif=wish.tif,
        created_ns=trading.world.now_ns(),
        price=wish.price,
        quantity=wish.quantity,
        cost=wish.cost,
    )


def _no_venue(line: int) -> str:
    raise UsageError(
        "usage.venue",
        f"line {line}: expected a venue, was none",
        '--venue VENUE, or "venue" in each line',
    )
