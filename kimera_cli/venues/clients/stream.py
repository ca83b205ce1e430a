"""A venue's private stream without gaps: orders, fills and balances, also across lost connections.

Each connection goes the same way: log in and subscribe; hold back what comes; ask by REST for open
orders, for orders that were open and are not listed any more, for fills since the last known one
and for balances; tell these, then what was held back, then everything as it comes. So an event may
come twice and is never missing; whoever receives them knows fills by their id (orders/fills.py).

A stream that says nothing may be broken without a sign, so every `audit_s` the same questions are
asked again: a fill that only the questions knew, and that is older than `late_s`, ends the
connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kimera_cli.errors import VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.plain_text import excerpt
from kimera_cli.venues.clients.catch_up import CatchUp, Interest
from kimera_cli.venues.clients.session import NO_SHAPE, Session
from kimera_cli.venues.clients.stream_dialect import StreamDialect, Told
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.websocket import Socket, connected
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.outcome import PrivateEvent, StreamDown, StreamUp

TICK_S = 0.25
HOPELESS = frozenset({"venue.auth", "venue.credentials"})
"""Errors that no new connection mends."""
_NS = 1_000_000_000
Make = Callable[[Session, str, Sequence[str]], StreamDialect]


@dataclass(frozen=True)
class Patience:
    """How long the stream waits for what. Seconds."""

    answers_s: float = 5.0
    """For the login, and for all subscriptions."""
    silence_s: float = 30.0
    """For a frame of any kind."""
    audit_s: float = 30.0
    late_s: float = 5.0
    lasting_s: float = 60.0
    """A connection that lasted so long was good: the next wait is the shortest again."""
    backoff: Backoff = field(default_factory=Backoff)


class PrivateStream:
    """The private stream of one account, kept up until `stop`."""

    def __init__(
        self,
        client: VenueClient,
        make: Make,
        interest: Interest,
        world: World,
        patience: Patience | None = None,
    ) -> None:
        self.client, self.interest, self.world = client, interest, world
        self.patience = patience or Patience()
        self.catch_up = CatchUp(client, interest)
        self.connections = self.attempts = self.unreadable = 0
        self.up = asyncio.Event()
        """Set while the stream is there and caught up."""
        self.protected_s = 0.0
        """After so long a silence of ours the venue cancels our orders; 0: it does not."""
        self._make = make
        self._stop = asyncio.Event()
        self._socket: Socket | None = None
        self._dialect: StreamDialect | None = None
        self._redactor = client.session.redactor
        """Takes out of messages what the venue says back of what proves who asks."""
        self._begin()

    def _begin(self) -> None:
        """Forget what belongs to one connection."""
        self._held: list[PrivateEvent] | None = []
        self._acked = 0
        self._subscribed = False
        self._refusal: VenueError | None = None
        self._logged_in, self._all_acked = asyncio.Event(), asyncio.Event()
        self._wants_fills = asyncio.Event()

    async def run(self) -> None:
        """Keep the stream up. VenueError `venue.auth` when the venue refuses who asks."""
        while not self._stop.is_set():
            began = self.world.monotonic_ns()
            why = await self._attempt()
            if self._stop.is_set():
                return
            lasted = self.world.monotonic_ns() - began
            self.attempts = 0 if lasted > self.patience.lasting_s * _NS else self.attempts + 1
            self.world.report(self._lost(why))
            wait_s = self.patience.backoff.wait_s(max(0, self.attempts - 1), self.world.random)
            await self._nap(wait_s)

    def protect(self, seconds: float) -> None:
        """Tie the venue's dead-man switch to this stream, now and anew at each connection (0: untie
        it): it fires when the venue hears nothing for so long.
        """
        self.protected_s = seconds
        if self.up.is_set():
            self._tie(seconds > 0)

    def _tie(self, on: bool) -> None:
        dialect, socket = self._dialect, self._socket
        if dialect is not None and socket is not None and (message := dialect.protect(on)):
            socket.send(message)

    def stop(self) -> None:
        """End the connection and `run`."""
        self._stop.set()
        if self._socket is not None:
            self._socket.close("not wanted any more")

    async def _attempt(self) -> str:
        """Make one connection and stay as long as it lasts; return why it ended."""
        self._begin()
        try:
            return await self._connection()
        except VenueError as error:
            if error.code in HOPELESS:
                raise
            return error.message
        finally:
            if self._subscribed:
                self._tell_down()
            self.up.clear()

    async def _connection(self) -> str:
        session = self.client.session
        dialect = self._dialect = self._make(session, self.client.account, self.interest.symbols)
        await dialect.prepare()
        self._redactor = session.redactor.also(dialect.token)
        addresses = session.transport.addresses
        socket = self._socket = await connected(addresses, dialect.url, self._message)
        self.connections += 1
        work = asyncio.ensure_future(self._work(dialect, socket))
        try:
            await asyncio.wait((work, socket.ended), return_when=asyncio.FIRST_COMPLETED)
            if self._refusal is not None:
                raise self._refusal
            if work.done():
                work.result()
            return socket.ended.result() if socket.ended.done() else "ended here"
        finally:
            work.cancel()
            socket.close("left")

    async def _work(self, dialect: StreamDialect, socket: Socket) -> None:
        """Log in, subscribe, catch up, then watch until the connection ends."""
        clock = self.client.session.clock
        if messages := dialect.login(clock.now_ns()):
            for message in messages:
                socket.send(message)
            await self._within(self._logged_in, "an answer to the login")
        for message in dialect.subscribe(clock.now_ns()):
            socket.send(message)
        await self._within(self._all_acked, f"{dialect.subscriptions} confirmed subscriptions")
        self._subscribed = True
        self.interest.on_event(StreamUp(**self._who(), ts_ns=clock.now_ns()))
        await self.catch_up.everything()
        held, self._held = self._held or [], None
        for event in held:
            self.catch_up.tell(event)
        if self.protected_s:
            self._tie(True)
        self.up.set()
        await self._watch(dialect, socket)

    async def _watch(self, dialect: StreamDialect, socket: Socket) -> None:
        now = self.world.monotonic_ns
        heard, heard_ns, pinged_ns, asked_ns = socket.heard, now(), now(), now()
        patience = self.patience
        while not socket.ended.done():
            await self._nap(TICK_S)
            if socket.heard != heard:
                heard, heard_ns = socket.heard, now()
            elif now() - heard_ns > patience.silence_s * _NS:
                socket.close(f"silence for {patience.silence_s:g} s")
                return
            every_s = min(dialect.ping_every_s, self.protected_s / 3 or dialect.ping_every_s)
            if now() - pinged_ns > every_s * _NS:
                pinged_ns = now()
                self._ping(dialect, socket)
            if self._wants_fills.is_set():
                self._wants_fills.clear()
                await self.catch_up.fills()
            if now() - asked_ns > patience.audit_s * _NS:
                asked_ns = now()
                await self._audit(socket)

    async def _audit(self, socket: Socket) -> None:
        """End the connection when the venue knows fills that the stream did not tell in time."""
        news = await self.catch_up.everything()
        limit_ns = self.client.session.clock.now_ns() - int(self.patience.late_s * _NS)
        missed = [fill for fill in news if fill.ts_ns < limit_ns]
        if missed:
            socket.close(f"{len(missed)} fills that the stream had not told")

    def _ping(self, dialect: StreamDialect, socket: Socket) -> None:
        if socket.ended.done():
            return
        if text := dialect.ping(self.client.session.clock.now_ns()):
            socket.send(text)
        else:
            socket.ping()

    def _message(self, message: bytes) -> None:
        """Take in one message; one that cannot be read ends the connection."""
        dialect, socket = self._dialect, self._socket
        assert dialect is not None
        message = self._redactor.data(message)
        try:
            told = dialect.read(message)
        except NO_SHAPE as error:
            self.unreadable += 1
            self._close(f"an unreadable message ({type(error).__name__}): {excerpt(message)}")
            return
        if told.reply and socket is not None:
            socket.send(told.reply)
        self._take(told, dialect)

    def _take(self, told: Told, dialect: StreamDialect) -> None:
        if told.lost:
            if told.refused:
                self._refusal = _refused(dialect, told.lost)
            self._close(told.lost)
            return
        if told.logged_in:
            self._logged_in.set()
        self._acked += told.acked
        if self._acked >= dialect.subscriptions:
            self._all_acked.set()
        if told.unprotected:
            self.world.report(_unprotected(dialect, told.unprotected))
        if told.ask_fills:
            self._wants_fills.set()
        for event in told.events:
            if self._held is None:
                self.catch_up.tell(event)
            else:
                self._held.append(event)

    def _close(self, why: str) -> None:
        if self._socket is not None:
            self._socket.close(why)

    def _tell_down(self) -> None:
        ended = self._socket.ended if self._socket is not None else None
        why = ended.result() if ended is not None and ended.done() else "lost"
        now_ns = self.client.session.clock.now_ns()
        self.interest.on_event(StreamDown(**self._who(), ts_ns=now_ns, why=why))

    def _who(self) -> dict[str, str]:
        return {"venue": self.client.venue, "account": self.client.account}

    async def _within(self, event: asyncio.Event, what: str) -> None:
        """Wait for a confirmation; VenueError `venue.unconfirmed` when it does not come."""
        if not await self._nap(self.patience.answers_s, event):
            raise VenueError(
                "venue.unconfirmed",
                f"expected {what} of {self.client.venue} within {self.patience.answers_s:g} s, "
                "was nothing",
                "it is connected anew",
                venue=self.client.venue,
            )

    async def _nap(self, seconds: float, event: asyncio.Event | None = None) -> bool:
        """Wait, but not longer than until an event (or `stop`); return whether that came."""
        waited = event or self._stop
        waits = (
            asyncio.ensure_future(self.world.sleep(seconds)),
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
            f"expected to stay on the private stream of {self.client.venue}, was {why}",
            "it is connected anew by itself; what it missed is asked for",
            venue=self.client.venue,
            attempt=self.attempts,
        )


def _unprotected(dialect: StreamDialect, said: str) -> VenueError:
    return VenueError(
        "venue.no_dead_man",
        f"expected {dialect.api.venue} to cancel orders when the stream falls silent, was {said}",
        "its account manager switches that on; kimera trade guard watches from another process",
        venue=dialect.api.venue,
    )


def _refused(dialect: StreamDialect, said: str) -> VenueError:
    return VenueError(
        "venue.auth",
        f"expected {dialect.api.venue} to accept the account's login, was refused: {said}",
        "check key, secret, passphrase and permissions in the keys file",
        venue=dialect.api.venue,
    )
