"""The websocket client of one connection: connects, subscribes, watches, and comes back when lost.

client = FeedClient(pump, link_for(BINANCE, instruments, ("depth", "trade")), Surroundings(...))
serve(client.run)                     # on uvloop where there is one; until client.stop()

Whenever a connection is lost, all its books are marked (CLEAR with F_GAP): nothing is shown as good
that may be old. Waits before a new attempt double, with jitter, and begin anew once a connection
has lasted. A connection that brings no message of the venue for `silence_s` is ended: one that only
answers pings is dead, too. One without books may have nothing to tell, so there the venue's own
pings and pongs are messages, and it is asked before the time is over.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Protocol

from picows import WSCloseCode, WSError, WSMsgType, WSTransport, ws_connect

from kimera_cli.errors import RunError, UsageError, VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.feeds.dialect import Dialect, Kind
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.listener import LARGEST, Counts, Listener
from kimera_cli.feeds.network import Addresses, Direct, dialled
from kimera_cli.feeds.pump import Pump
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.instrument import Instrument

__all__ = ["TICK_S", "FeedClient", "Link", "Surroundings", "link_for", "serve"]

TICK_S = 0.25
"""How often silence, pings and the ring's heartbeat are looked after."""
DRAIN_S = 0.001
"""How soon waiting events are tried again."""
_NS = 1_000_000_000
_LOGGER = logging.getLogger("kimera.feeds")
_LOGGER.addHandler(logging.NullHandler())  # what picows says there is reported as KimeraErrors
_LOGGER.propagate = False


@dataclass(frozen=True)
class Link:
    """Where to connect, what to say there, and when to give a connection up. Times in s."""

    url: str
    subscriptions: Sequence[bytes] = ()
    ping: bytes = b""
    ping_every_s: float = 0.0
    silence_s: float = 10.0
    booked: bool = True
    """Whether there are books, which the venue is asked for when they are silent. Else its own
    pings and pongs say that nothing is missing: trades that stand still are nobody's fault."""
    quiet_s: float = 2.0
    """Without any frame for so long, the venue is pinged."""
    pong_s: float = 3.0
    """Without any frame for so long after that, the connection is half open and given up; but only
    one that has answered such a ping before."""
    handshake_s: float = 5.0
    lasting_s: float = 60.0
    """A connection that lasted so long was good: the next wait is the shortest again."""
    patience_s: float = 1.0
    """How long a stopping client waits for the consumer to take what still waits."""
    backoff: Backoff = field(default_factory=Backoff)
    addresses: Addresses = field(default_factory=Direct)


class Attending(Protocol):
    """Who sees to a connection's books; all calls come in the loop's thread."""

    @property
    def proofs(self) -> int:
        """How often the venue has said by another way that its silence is right."""

    def connected(self, send: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """A connection came about and its streams were asked for.

        `send` writes a message, `drop` gives the connection up so that a new one is made.
        """

    def lost(self) -> None:
        """The connection is gone."""

    def check(self) -> None:
        """Called every TICK_S, connected or not."""


class Nobody:
    """Attends to nothing."""

    proofs = 0

    def connected(self, send: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """Nothing to do."""

    def lost(self) -> None:
        """Nothing to do."""

    def check(self) -> None:
        """Nothing to do."""


def link_for(
    dialect: Dialect,
    instruments: Sequence[Instrument],
    kinds: Sequence[Kind],
    url: str = "",
    addresses: Addresses | None = None,
) -> Link:
    """Return how to reach a venue's streams of these instruments; `url`: elsewhere than usual."""
    wire = dialect.wire
    if wire is None:
        raise UsageError("usage.feed", f"expected a venue with a websocket, was {dialect.venue}")
    urls = sorted({wire.url(each, kind) for each in instruments for kind in kinds})
    if len(urls) != 1:
        raise UsageError(
            "usage.feed",
            f"expected streams of one address of {dialect.venue}, was {', '.join(urls)}",
            "one connection for each address",
        )
    return Link(
        url or urls[0],
        wire.subscribe(instruments, kinds),
        wire.ping,
        wire.ping_every_s,
        booked="depth" in kinds,
        addresses=addresses or Direct(),
    )


class FeedClient:
    """One connection to one venue. To be used inside of one event loop, but for `serve`."""

    def __init__(
        self,
        pump: Pump | Intake,
        link: Link,
        around: Surroundings,
        attending: Attending | None = None,
    ) -> None:
        self.pump, self.link, self.around = pump, link, around
        self.attending = attending or Nobody()
        pump.lagging, pump.full = self._lagging, self._full
        self.counts = Counts()
        self.connections = 0
        """Connections that came about."""
        self.attempts = 0
        """Attempts in a row that brought no lasting connection."""
        self._transport: WSTransport | None = None
        self._draining: asyncio.TimerHandle | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._stop = asyncio.Event()
        self._heard = self._heard_ns = self._pinged_ns = 0
        self._frames = self._frames_ns = self._asked_ns = self._overdue = 0
        self._pongs = 0

    async def run(self) -> None:
        """Stay connected until `stop`. RunError `run.feed_undelivered`: the consumer left events.

        DataError `data.block_broken`: the ring is damaged. What the venue or the network does is
        reported and mended.
        """
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        try:
            while not self._stop.is_set():
                began = self.around.monotonic_ns()
                await self.session()
                lasted = self.around.monotonic_ns() - began
                self.attempts = 0 if lasted >= self.link.lasting_s * _NS else self.attempts + 1
                await self._back_off()
            await self._settle()
        finally:
            self._end_timers()

    async def session(self) -> None:
        """Connect once, and stay until the connection is lost or `stop`."""
        listener = Listener(
            self.pump, self.counts, self.around.now_ns, self.around.report, self._connected
        )
        before = self.counts.messages
        reason = await self._connection(listener)
        self._transport = None
        self.attending.lost()
        if self.counts.messages > before:
            self.pump.gap(self.around.now_ns())
        if listener.failure is not None and not isinstance(listener.failure, VenueError):
            raise listener.failure
        if not self._stop.is_set() and listener.failure is None:
            self.around.report(self._lost(reason))

    def stop(self) -> None:
        """End the connection and `run`; to be called in the loop's thread."""
        self._stop.set()
        if self._transport is not None:
            self._transport.send_close(WSCloseCode.OK)
            self._transport.disconnect()

    def check(self) -> None:
        """Look whether the venue is silent, or wants a ping; `run` does so every TICK_S."""
        self.pump.beat()
        self.attending.check()
        transport, now = self._transport, self.around.monotonic_ns()
        if transport is None:
            return
        heard = self._signs()
        if heard != self._heard:
            self._heard, self._heard_ns = heard, now
        elif now - self._heard_ns >= self.link.silence_s * _NS and not self.pump.blocked:
            self.around.report(self._silent(now))
            self._transport = None
            transport.disconnect(graceful=False)
            return
        if self._half_open(now, transport):
            self.around.report(self._unanswered(now))
            self._transport = None
            transport.disconnect(graceful=False)
            return
        if self.link.ping and self._is_ping_due(now):
            self._pinged_ns = now
            transport.send(WSMsgType.TEXT, self.link.ping)

    def _is_ping_due(self, now: int) -> bool:
        """Tell whether to send the venue's own ping."""
        link = self.link
        if link.ping_every_s and now - self._pinged_ns >= link.ping_every_s * _NS:
            return True
        since_ns = max(self._heard_ns, self._pinged_ns)
        return not link.booked and now - since_ns >= link.silence_s * _NS / 2

    def _half_open(self, now: int, transport: WSTransport) -> bool:
        """Ping a quiet connection; return whether it does not answer any more.

        Any frame is an answer. A deadline is passed when two looks in a row say so: after a stall
        of this process, what has come meanwhile is read between them. Where the consumer holds up
        reading, nothing can be heard.
        """
        counts = self.counts
        frames = counts.messages + counts.fragments + counts.pings + counts.pongs
        if frames != self._frames or self.pump.blocked:
            self._frames, self._frames_ns, self._asked_ns, self._overdue = frames, now, 0, 0
        elif not self._asked_ns:
            if now - self._frames_ns >= self.link.quiet_s * _NS:
                self._asked_ns = now
                transport.send_ping()
        elif now - self._asked_ns >= self.link.pong_s * _NS and counts.pongs > self._pongs:
            self._overdue += 1
        return self._overdue > 1

    def _signs(self) -> int:
        """Return a number that changes with each sign that nothing of the market is missing."""
        echoes = self.counts.echoes if self.link.booked else 0
        return self.counts.messages - echoes + self.attending.proofs

    async def _connection(self, listener: Listener) -> str:
        """Return how the connection ended, or why there was none."""
        try:
            where = dialled(self.link.url, self.link.addresses)
            transport, _ = await ws_connect(
                lambda: listener,
                where.url,
                ssl_context=where.tls,
                socket_factory=where.socket_factory,
                enable_auto_pong=False,
                max_frame_size=LARGEST,
                websocket_handshake_timeout=self.link.handshake_s,
                logger_name=_LOGGER,
            )
        except (OSError, WSError, TimeoutError, VenueError) as error:
            return f"no connection: {error or type(error).__name__}"
        try:
            await transport.wait_disconnected()
        except WSError as error:
            return str(error)
        handshake = transport.close_handshake
        if handshake is None or handshake.recv is None:
            return "closed without a word"
        return f"closed: {handshake.recv.code!s} {handshake.recv.reason}".rstrip()

    def _connected(self, transport: WSTransport) -> None:
        self.connections += 1
        self._transport = transport
        self._heard = self._signs()
        self._heard_ns = self._pinged_ns = self._frames_ns = self.around.monotonic_ns()
        self._asked_ns = self._overdue = 0
        self._pongs = self.counts.pongs
        transport.send_ping()  # whoever answers this one is held to it
        for each in self.link.subscriptions:
            transport.send(WSMsgType.TEXT, each)
        self.attending.connected(
            lambda text: transport.send(WSMsgType.TEXT, text),
            lambda: transport.disconnect(graceful=False),
        )
        if self.pump.blocked:
            transport.underlying_transport.pause_reading()
        if self._stop.is_set():
            transport.disconnect()

    async def _back_off(self) -> None:
        """Wait before the next attempt, but not when the client is to stop."""
        if self._stop.is_set():
            return
        wait_s = self.link.backoff.wait_s(max(0, self.attempts - 1), self.around.random)
        waits = (
            asyncio.ensure_future(self.around.sleep(wait_s)),
            asyncio.ensure_future(self._stop.wait()),
        )
        _, others = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for each in others:
            each.cancel()

    async def _settle(self) -> None:
        """Hand on what still waits, as long as the consumer takes any of it."""
        end = self.around.monotonic_ns() + int(self.link.patience_s * _NS)
        while (waiting := self.pump.drain()) and self.around.monotonic_ns() < end:
            await self.around.sleep(DRAIN_S)
        if waiting:
            raise RunError(
                "run.feed_undelivered",
                f"expected the consumer to take all events, was {waiting} left",
                "end the consumer after its feeds, or give it more time",
                events=waiting,
            )

    def _tick(self) -> None:
        self._ticking = asyncio.get_running_loop().call_later(TICK_S, self._tick)
        self.check()

    def _lagging(self) -> None:
        """Try soon again to hand on what waits."""
        if self._draining is None:
            self._draining = asyncio.get_running_loop().call_later(DRAIN_S, self._drain)

    def _drain(self) -> None:
        self._draining = None
        waiting = self.pump.drain()
        if self._transport is not None and not self.pump.blocked:
            self._transport.underlying_transport.resume_reading()
        if waiting:
            self._lagging()

    def _full(self) -> None:
        """Read no more: the venue's data wait in the sockets until the consumer goes on."""
        if self._transport is not None:
            self._transport.underlying_transport.pause_reading()

    def _end_timers(self) -> None:
        for timer in (self._ticking, self._draining):
            if timer is not None:
                timer.cancel()

    def _lost(self, reason: str) -> VenueError:
        venue = self.pump.reader.dialect.venue
        return VenueError(
            "venue.disconnected",
            f"expected to stay connected to {self.link.url}, was {reason}",
            "it is tried again by itself; the books are marked until then",
            venue=venue,
            attempt=self.attempts + 1,
        )

    def _unanswered(self, now: int) -> VenueError:
        quiet_s = (now - self._frames_ns) / _NS
        return VenueError(
            "venue.silent",
            f"expected {self.link.url} to answer a ping within {self.link.pong_s:g} s, "
            f"was no frame for {quiet_s:.1f} s",
            "the connection is half open; it is made anew",
            venue=self.pump.reader.dialect.venue,
        )

    def _silent(self, now: int) -> VenueError:
        quiet_s = (now - self._heard_ns) / _NS
        return VenueError(
            "venue.silent",
            f"expected a message of {self.link.url} within {self.link.silence_s:g} s, "
            f"was silence for {quiet_s:.1f} s",
            "it is connected anew; a quiet market wants a longer limit",
            venue=self.pump.reader.dialect.venue,
        )


def serve(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a client's coroutine to its end, on uvloop where the platform has it."""
    factory = None if sys.platform == "win32" else import_module("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work())
