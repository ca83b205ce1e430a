"""Orders of one account over REST: one request, one outcome, of exactly three kinds.

Accepted: the venue named the order. Rejected: it was not executed, for certain. Unknown: all else;
an acknowledgement without an id, an empty or cut body, a page of HTML, no answer at all. Nothing
here is sent twice.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.layouts import ASK, BID, FOK, GTC, IOC, LIMIT, MARKET, POST_ONLY
from kimera_cli.venues.clients.api import Answer, Listing, VenueApi
from kimera_cli.venues.clients.budget import Kind
from kimera_cli.venues.clients.limits import pause_s
from kimera_cli.venues.clients.rest import UNREADABLE, Query
from kimera_cli.venues.clients.session import NO_SHAPE, Make, RefusedError, Session, shown
from kimera_cli.venues.clients.transport import NoAnswerError, NotSentError
from kimera_cli.venues.orders.lookup import expiry_ns
from kimera_cli.venues.orders.outcome import (
    Absent,
    Accepted,
    AmendIntent,
    CancelIntent,
    Found,
    Handling,
    Intent,
    Lookup,
    NoAnswer,
    Outcome,
    Reason,
    Rejected,
    Unknown,
    VenueOrder,
)
from kimera_cli.venues.orders.reasons import refusal
from kimera_cli.venues.wire.order_wire import OrderWire

TIF = {"gtc": GTC, "ioc": IOC, "fok": FOK, "post_only": POST_ONLY}
_NS = 1_000_000_000


class Signed(NamedTuple):
    """What is told at the last moment before bytes are written."""

    ts_ns: int
    """Time of the request, by the venue's clock."""
    expires_ns: int
    """From then on the venue will not execute it."""


Release = Callable[[Signed], None]
"""Called behind budget and signature, before the first byte: what it writes is there first."""


class OrderEntry:
    """Places, cancels, amends and finds orders of one account."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._wires: dict[str, OrderWire] = {}

    async def place(self, intent: Intent, release: Release | None = None) -> Outcome:
        """Send a new order. VenueError `venue.order_*` when the venue has no such order; then
        nothing was sent and `release` not called.
        """
        listing = self.session.listing(intent.symbol)
        make = self.request(intent, listing)
        self.session.ages.placed(intent.client_id)
        outcome = await self._change(
            "place", make, release, lambda answer: self._api.read_place(answer, listing)
        )
        return self._named(intent, outcome)

    async def cancel(self, intent: CancelIntent, release: Release | None = None) -> Outcome:
        """Cancel an order, by the venue's id where it is known."""
        listing = self.session.listing(intent.symbol)
        make = self.cancel_request(intent, listing)
        name = intent.venue_order_id or intent.client_id
        return await self._change(
            "cancel",
            make,
            release,
            lambda answer: (self._api.read_cancel(answer) or name, None),
            units=self.session.ages.of_cancel(name),
        )

    async def amend(
        self, intent: AmendIntent, order: VenueOrder, release: Release | None = None
    ) -> Outcome:
        """Change an order in place. UsageError `usage.amend` when the venue cannot."""
        query = self.amendment(intent, order)
        name = order.venue_order_id
        return await self._change(
            "place",
            lambda ts_ns: self.session.signed(query, ts_ns),
            release,
            lambda answer: (self._api.read_amend(answer) or name, None),
            weight=query.weight,
            units=self.session.ages.of_amend(name),
        )

    async def cancel_all(
        self, symbol: str | None, release: Release | None = None
    ) -> Outcome | None:
        """Cancel all orders of the account at once, foreign ones too; None: no such request."""
        listing = self.session.listing(symbol) if symbol else None
        query = self._api.cancel_all(listing)
        if query is None:
            return None
        return await self._change(
            "cancel",
            lambda ts_ns: self.session.signed(query, ts_ns),
            release,
            lambda answer: ("all", None),
            weight=query.weight,
            units=self.session.ages.of_cancel_all(),
        )

    async def find(self, client_id: str, symbol: str, since_ns: int) -> Lookup:
        """Search for an order by our id; Absent only when everything was searched."""
        session = self.session
        listing = session.listing(symbol)
        asked_ns = session.clock.now_ns()
        try:
            for query in self._api.find(client_id, listing, since_ns):
                for order in await self._orders(query):
                    if order.client_id == client_id:
                        return Found(order=order)
        except VenueError as error:
            return NoAnswer(why=f"{error.code}: {error.message}")
        return Absent(asked_ns=asked_ns)

    async def order(self, venue_order_id: str, symbol: str) -> VenueOrder | None:
        """Return an order by the venue's id; None when the venue knows none."""
        listing = self.session.listing(symbol)
        found = await self._orders(self._api.order(venue_order_id, listing))
        return next((o for o in found if o.venue_order_id == venue_order_id), None)

    def warm(self, draft: Intent) -> None:
        """Build a request that is not sent: the first order shall not wait for its wire."""
        self.request(draft, self.session.listing(draft.symbol))(self.session.clock.now_ns())

    def request(self, intent: Intent, listing: Listing) -> Make:
        """Return what builds and signs a new order at a venue's time."""
        if intent.cost is not None:
            query = self._by_cost(intent, listing)
            return lambda ts_ns: self.session.signed(query, ts_ns)
        wire, terms = self._wire(listing), terms_of(intent, listing)

        def make(ts_ns: int) -> memoryview:
            self.session.authorize("/api/v3/brokerage/orders", ts_ns)
            return wire.place(*terms, ts_ns)

        return make

    def cancel_request(self, intent: CancelIntent, listing: Listing) -> Make:
        """Return what builds and signs a cancel at a venue's time."""
        wire = self._wire(listing)
        by_venue = intent.venue_order_id.encode()
        by_client = b"" if by_venue else intent.client_id.encode()

        def make(ts_ns: int) -> memoryview:
            self.session.authorize("/api/v3/brokerage/orders/batch_cancel", ts_ns)
            return wire.cancel(ts_ns, client_id=by_client, venue_id=by_venue)

        return make

    def amendment(self, intent: AmendIntent, order: VenueOrder) -> Query:
        """Return what amends an order; UsageError `usage.amend` when the venue cannot."""
        query = self._api.amend(intent, self.session.listing(intent.symbol), order)
        if query is None:
            terms = (("price", intent.price), ("quantity", intent.quantity))
            was = " and ".join(f"another {name}" for name, value in terms if value is not None)
            raise UsageError(
                "usage.amend",
                f"expected an amendment that {self._api.venue} can make, was {was}",
                "cancel the order and place another",
            )
        return query

    @property
    def _api(self) -> VenueApi:
        return self.session.api

    def _by_cost(self, intent: Intent, listing: Listing) -> Query:
        venue = self._api.venue
        if intent.side == "sell" and venue in ("coinbase", "htx"):
            raise UsageError(
                "usage.order",
                f"expected a quantity to sell at {venue}, was a cost",
                "give --quantity",
            )
        return self._api.by_cost(intent, listing)

    def _wire(self, listing: Listing) -> OrderWire:
        symbol, wire = listing.instrument.symbol, self._wires.get(listing.instrument.symbol)
        if wire is None or wire.instrument != listing.instrument:
            signer = self.session.signer
            assert signer is not None, "orders need credentials"
            wire = self._wires[symbol] = OrderWire(
                self._api.wire,
                listing.instrument,
                signer.account,
                symbol=listing.name,
                options=self._api.wire_options(listing),
            )
        return wire

    async def _orders(self, query: Query) -> list[VenueOrder]:
        """Return orders of a question; none when the venue says that it has no such order."""
        try:
            found = await self.session.ask_all(query, self._api.read_orders)
        except RefusedError as error:
            if error.verdict.reason is Reason.NOT_FOUND:
                return []
            raise
        self.session.ages.listed(found, self.session.clock.now_ns())
        return found

    def _named(self, intent: Intent, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Accepted):
            self.session.ages.placed(intent.client_id, outcome.venue_order_id)
        return outcome

    async def _change(
        self,
        kind: Kind,
        make: Make,
        release: Release | None,
        read: Read,
        weight: int = 1,
        units: int = 1,
    ) -> Outcome:
        def released(ts_ns: int) -> bytes:
            request = bytes(make(ts_ns))
            if release is not None:
                release(Signed(ts_ns, expiry_ns(self._api.venue, ts_ns)))
            return request

        try:
            response = await self.session.send(kind, weight, released, units)
        except NotSentError as error:
            return Rejected(
                reason=Reason.NO_ANSWER,
                raw=f"not sent: {error.message}",
                handling=Handling.RETRY_LATER,
                ts_ns=self.session.clock.now_ns(),
            )
        except NoAnswerError as error:
            return Unknown(
                why=Reason.NO_ANSWER, detail=error.message, ts_ns=self.session.clock.now_ns()
            )
        answer = self.session.read(response)
        return outcome_of(self.session, answer, lambda: shown(response), read)


Read = Callable[[Answer], tuple[str, VenueOrder | None]]
"""Returns the order's name, empty when the answer has none, and what it says of the order."""


def outcome_of(session: Session, answer: Answer, seen: Callable[[], str], read: Read) -> Outcome:
    """Return what an answer to a change means; `seen()` is what is kept of one that is unclear."""
    ts_ns = session.clock.now_ns()
    if (no := session.refused(answer)) is not None:
        retry_s = pause_s(answer.headers, ban=no.verdict.reason is Reason.BANNED)
        return refusal(
            session.api.venue,
            no.raw_code,
            no.raw_text,
            answer.status,
            ts_ns=ts_ns,
            retry_after_ns=int(retry_s * _NS) if _asks_for_time(no) else 0,
        )
    if answer.json is UNREADABLE or answer.status >= 400:
        return Unknown(why=Reason.UNREADABLE, detail=seen(), ts_ns=ts_ns)
    try:
        name, order = read(answer)
    except NO_SHAPE as error:
        detail = f"{type(error).__name__}: {error}; {seen()}"
        return Unknown(why=Reason.UNREADABLE, detail=detail, ts_ns=ts_ns)
    if not name:
        return Unknown(why=Reason.UNREADABLE, detail=f"no order id; {seen()}", ts_ns=ts_ns)
    return Accepted(venue_order_id=name, ts_ns=ts_ns, order=order)


def terms_of(intent: Intent, listing: Listing) -> tuple[int, int, int, int, int, bytes]:
    """Return side, type, time in force, ticks, lots and client id, as wires take them."""
    instrument = listing.instrument
    return (
        BID if intent.side == "buy" else ASK,
        LIMIT if intent.kind == "limit" else MARKET,
        TIF[intent.tif],
        _steps(intent.price or Decimal(0), instrument.tick, "price"),
        _steps(intent.quantity or Decimal(0), instrument.lot, "quantity"),
        intent.client_id.encode(),
    )


def _asks_for_time(no: RefusedError) -> bool:
    return no.verdict.handling is Handling.RETRY_LATER


def _steps(value: Decimal, step: Decimal, what: str) -> int:
    """Return a value in steps; UsageError `usage.order` when it lies between two."""
    steps, rest = divmod(value, step)
    if rest:
        raise UsageError(
            "usage.order",
            f"expected a {what} that is a multiple of {step}, was {value}",
            "kimera trade fees VENUE SYMBOL shows the steps",
        )
    return int(steps)
