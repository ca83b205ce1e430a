"""Orders over a websocket where the venue takes them so, by REST whenever the socket is not there.

The outcomes are those of REST: a request that was written and not answered, because of a timeout or
a lost connection, is Unknown and is never sent again, by either way. Market orders by cost and
amendments always go by REST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count

from kimera_cli.errors import VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.plain_text import excerpt
from kimera_cli.venues.clients.api import Answer, Listing
from kimera_cli.venues.clients.budget import Kind
from kimera_cli.venues.clients.order_entry import (
    OrderEntry,
    Release,
    Signed,
    outcome_of,
    terms_of,
)
from kimera_cli.venues.clients.rest import parsed
from kimera_cli.venues.clients.session import NO_SHAPE, Session
from kimera_cli.venues.clients.socket_talk import TALKS, Heard, Talk
from kimera_cli.venues.clients.waiting import Waiting
from kimera_cli.venues.clients.websocket import Socket, connected
from kimera_cli.venues.orders.lookup import expiry_ns
from kimera_cli.venues.orders.outcome import CancelIntent, Intent, Outcome, Reason, Unknown
from kimera_cli.venues.wire.order_wire import OrderWire

ANSWER_S = 5.0
LOGIN_S = 5.0
PING_S = 4.0
"""Pings are this often, where the venue does not want them more often."""
SILENCE_S = 10.0
"""A connection that brings nothing for so long, not even an answer to a ping, is half open."""
TICK_S = 0.25
_NS = 1_000_000_000
MakeNumbered = Callable[[int, int], bytes | memoryview]
"""Builds a request at a venue's time, with a number."""


def has_socket(venue: str) -> bool:
    """Whether a venue takes orders over a websocket."""
    return venue in TALKS


class SocketEntry(OrderEntry):
    """Orders of one account over a websocket; `run` keeps it up."""

    def __init__(self, session: Session, answer_s: float = ANSWER_S) -> None:
        super().__init__(session)
        self.answer_s, self.silence_s = answer_s, SILENCE_S
        self.up = asyncio.Event()
        """Set while orders go over the websocket."""
        self.connections = 0
        self.spoken = 0
        """Requests that went over the websocket."""
        self._talk: Talk = TALKS[session.api.venue](session)
        self._socket: Socket | None = None
        self._redactor = session.redactor
        """Takes out of messages what the venue says back of what proves who asks."""
        self._spoken_wires: dict[str, OrderWire] = {}
        self._numbers = count(1)
        self._waiting: Waiting[Heard] = Waiting()
        self._logged_in = asyncio.Event()
        self._refused = ""
        self._stop = asyncio.Event()
        self._backoff = Backoff()

    async def run(self) -> None:
        """Keep the connection up. VenueError `venue.auth` when the venue refuses who talks."""
        attempt = 0
        while not self._stop.is_set():
            began = self.session.world.monotonic_ns()
            try:
                why = await self._connection()
            except VenueError as error:
                if error.code in ("venue.auth", "venue.credentials"):
                    raise
                why = error.message
            finally:
                self._lose()
            if self._stop.is_set():
                return
            lasted = self.session.world.monotonic_ns() - began
            attempt = 0 if lasted > 60 * _NS else attempt + 1
            self.session.world.report(self._lost(why))
            await self._nap(self._backoff.wait_s(max(0, attempt - 1), self.session.world.random))

    def warm(self, draft: Intent) -> None:
        """Build requests that are not sent, for both ways."""
        super().warm(draft)
        listing = self.session.listing(draft.symbol)
        if self._is_up and self._talk.can(listing):
            self._spoken_wire(listing).place(*terms_of(draft, listing), self.session.clock.now_ns())

    def stop(self) -> None:
        """End the connection and `run`; what waits for an answer becomes Unknown."""
        self._stop.set()
        if self._socket is not None:
            self._socket.close("not wanted any more")

    async def place(self, intent: Intent, release: Release | None = None) -> Outcome:
        """Send a new order, over the websocket when it is up."""
        listing = self.session.listing(intent.symbol)
        if intent.cost is not None or not self._is_up or not self._talk.can(listing):
            return await super().place(intent, release)
        wire, terms = self._spoken_wire(listing), terms_of(intent, listing)

        def make(ts_ns: int, number: int) -> memoryview:
            return wire.place(*terms, ts_ns, number)

        self.session.ages.placed(intent.client_id)
        said = await self._say("place", make, release, "")
        return await super().place(intent, release) if said is None else self._named(intent, said)

    async def cancel(self, intent: CancelIntent, release: Release | None = None) -> Outcome:
        """Cancel an order, over the websocket when it is up."""
        listing = self.session.listing(intent.symbol)
        if not self._is_up or not self._talk.can(listing):
            return await super().cancel(intent, release)
        wire, by_venue = self._spoken_wire(listing), intent.venue_order_id.encode()
        by_client = b"" if by_venue else intent.client_id.encode()

        def make(ts_ns: int, number: int) -> memoryview:
            return wire.cancel(ts_ns, client_id=by_client, venue_id=by_venue, request_id=number)

        name = intent.venue_order_id or intent.client_id
        said = await self._say("cancel", make, release, name, self.session.ages.of_cancel(name))
        return await super().cancel(intent, release) if said is None else said

    @property
    def _is_up(self) -> bool:
        return self.up.is_set() and self._socket is not None and self._socket.is_open

    async def _say(
        self,
        kind: Kind,
        make: MakeNumbered,
        release: Release | None,
        name: str,
        units: int = 1,
    ) -> Outcome | None:
        """Write one request and wait for its answer; None: nothing was written."""
        session, number = self.session, next(self._numbers)
        if not session.budget.takes(kind, 1, units):
            await session.budget.take(kind, 1, units)
        socket = self._socket
        if socket is None or not self._is_up:
            return None
        ts_ns = session.clock.now_ns()
        request = make(ts_ns, number)
        if release is not None:
            release(Signed(ts_ns, expiry_ns(session.api.venue, ts_ns)))
        answer = self._waiting.ask(number, self.answer_s)
        try:
            socket.send(request)
            self.spoken += 1
            heard = await answer
        except VenueError as error:
            return Unknown(why=Reason.NO_ANSWER, detail=str(error), ts_ns=session.clock.now_ns())
        finally:
            self._waiting.drop(number)
        return outcome_of(
            session,
            heard.answer,
            lambda: _shown(heard.answer),
            lambda _: (heard.name or name, None),
        )

    async def _connection(self) -> str:
        """Connect, log in, and stay until the connection ends; return why it did."""
        session = self.session
        self._talk = TALKS[session.api.venue](session)
        self._logged_in, self._refused = asyncio.Event(), ""
        await self._prepare()
        socket = self._socket = await connected(
            session.transport.addresses, self._talk.url, self._hear
        )
        self.connections += 1
        try:
            await self._log_in(socket)
            self.up.set()
            await self._keep(socket)
            return socket.ended.result()
        finally:
            socket.close("left")

    async def _prepare(self) -> None:
        await self._talk.prepare()
        self._redactor = self.session.redactor.also(self._talk.token)

    async def _log_in(self, socket: Socket) -> None:
        messages = self._talk.login(self.session.clock.now_ns())
        for message in messages:
            socket.send(message)
        if messages and not await self._nap(LOGIN_S, self._logged_in):
            raise VenueError(
                "venue.unconfirmed",
                f"expected an answer of {self.session.api.venue} to the login, was nothing",
                "it is connected anew; orders go by REST meanwhile",
            )
        if self._refused:
            raise VenueError(
                "venue.auth",
                f"expected {self.session.api.venue} to accept the account's login, "
                f"was refused: {self._refused}",
                "check key, secret, passphrase and permissions in the keys file",
            )

    async def _keep(self, socket: Socket) -> None:
        """Ping, listen for silence, and renew what expires, until the connection ends."""
        now = self.session.world.monotonic_ns
        heard, heard_ns, pinged_ns, renewed_ns = socket.heard, now(), now(), now()
        while not socket.ended.done():
            await self._nap(TICK_S)
            if socket.heard != heard:
                heard, heard_ns = socket.heard, now()
            elif now() - heard_ns > self.silence_s * _NS:
                socket.close(f"silence for {self.silence_s:g} s")
                return
            if now() - pinged_ns > min(self._talk.ping_every_s, PING_S) * _NS:
                pinged_ns = now()
                self._ping(socket)
            if self._talk.token_s and now() - renewed_ns > self._talk.token_s * _NS:
                renewed_ns = now()
                await self._prepare()

    def _ping(self, socket: Socket) -> None:
        if socket.ended.done():
            return
        if text := self._talk.ping():
            socket.send(text)
        else:
            socket.ping()

    def _hear(self, message: bytes) -> None:
        """Take in one message; one that cannot be read ends the connection."""
        if message == b"pong":
            return
        try:
            heard = self._talk.hear(parsed(self._redactor.data(message)))
        except NO_SHAPE as error:
            if self._socket is not None:
                self._socket.close(f"an unreadable message ({type(error).__name__})")
            return
        if heard.refused and self.up.is_set() and self._socket is not None:
            self._socket.close(f"refused: {heard.refused}")  # a login that ended is made anew
            return
        if heard.refused:
            self._refused = heard.refused
        if heard.refused or heard.logged_in:
            self._logged_in.set()
        self._waiting.answer(heard.number, heard)

    def _lose(self) -> None:
        """Nothing that was asked over a connection is answered once it is gone."""
        self.up.clear()
        self._waiting.fail("the connection ended before an answer")

    def _spoken_wire(self, listing: Listing) -> OrderWire:
        symbol = listing.instrument.symbol
        wire = self._spoken_wires.get(symbol)
        if wire is None or wire.instrument != listing.instrument:
            signer = self.session.signer
            assert signer is not None, "orders need credentials"
            wire = self._spoken_wires[symbol] = OrderWire(
                self._talk.dialect,
                listing.instrument,
                signer.account,
                symbol=self._spoken_name(listing),
                options=self._talk.options(listing),
            )
        return wire

    def _spoken_name(self, listing: Listing) -> str:
        """Kraken's websocket has names of its own for pairs."""
        common = [name for name in listing.other_names if "/" in name]
        return common[-1] if common else listing.name

    async def _nap(self, seconds: float, event: asyncio.Event | None = None) -> bool:
        waited = event or self._stop
        waits = (
            asyncio.ensure_future(self.session.world.sleep(seconds)),
            asyncio.ensure_future(waited.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        return waited.is_set()

    def _lost(self, why: str) -> VenueError:
        return VenueError(
            "venue.disconnected",
            f"expected to keep the order socket of {self.session.api.venue}, was {why}",
            "it is connected anew by itself; orders go by REST meanwhile",
            venue=self.session.api.venue,
        )


def _shown(answer: Answer) -> str:
    return excerpt(str(answer.json))
