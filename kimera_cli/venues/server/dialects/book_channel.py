"""Book channels that are told in intervals: changes are gathered, and told once to all watchers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from kimera_cli.venues.server.dialects.depth_window import Delta, DepthWindow
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame
from kimera_cli.venues.server.model import BookChanged, Market, Side


class Watcher(Protocol):
    """Who gets a channel's frames."""

    def say(self, frame: Frame) -> None:
        """Send a frame."""


class BookChannel:
    """One depth of one market; `seq` is the market's when the channel last spoke."""

    def __init__(
        self, exchange: Exchange, market: Market, name: str, depth: int, every_ns: int
    ) -> None:
        self.market = market
        self.name = name
        self.depth = depth
        self.every_ns = every_ns
        self.window = DepthWindow(*exchange.book(market.symbol))
        self.seq = market.seq
        self.before = market.seq
        """What seq was before the channel last spoke."""
        self.ts_ns = exchange.clock.now_ns()
        """When the newest change was that the channel has told."""
        self.count = 0
        """Messages that the channel has told its watchers."""
        self.told_ns = self.ts_ns
        self.watchers: list[Watcher] = []
        self._pending: dict[tuple[Side, int], int] = {}
        self._next = (self.seq, self.ts_ns)

    def see(self, event: BookChanged) -> None:
        """Take the changes of an event."""
        for side, px, lots in event.changes:
            self._pending[side, px] = lots
        self._next = event.last_seq, event.ts_ns

    def is_due(self, now_ns: int) -> bool:
        """Whether there is something to tell, and time to."""
        return bool(self._pending) and now_ns - self.told_ns >= self.every_ns

    def delta(self, now_ns: int) -> Delta:
        """Return what the watchers see of all changes since the last time.

        Numbers move on only when there is something to see.
        """
        changes = [(side, px, lots) for (side, px), lots in self._pending.items()]
        self._pending.clear()
        (delta,) = self.window.apply(changes, (self.depth,))
        if delta:
            self.before = self.seq
            self.seq, self.ts_ns = self._next
            self.count += 1
            self.told_ns = now_ns
        return delta

    def tell(self, frame: Frame) -> None:
        """Send a frame to all watchers."""
        for watcher in self.watchers:
            watcher.say(frame)


Encode = Callable[[BookChannel, Delta], Frame]


class BookChannels:
    """The book channels of a venue that somebody watches; `encode` writes what they tell."""

    def __init__(self, exchange: Exchange, encode: Encode) -> None:
        self._exchange = exchange
        self._encode = encode
        self._channels: dict[tuple[str, str], BookChannel] = {}
        self._by_market: dict[str, list[BookChannel]] = {}

    def watch(
        self, watcher: Watcher, market: Market, name: str, depth: int, every_ns: int
    ) -> BookChannel:
        """Add a watcher to the channel `name` of a market, and return it."""
        channel = self._channels.get((market.symbol, name))
        if channel is None:
            channel = BookChannel(self._exchange, market, name, depth, every_ns)
            self._channels[market.symbol, name] = channel
            self._by_market.setdefault(market.symbol, []).append(channel)
        if watcher not in channel.watchers:
            channel.watchers.append(watcher)
        return channel

    def unwatch(self, watcher: Watcher, market: Market, name: str) -> None:
        """Take a watcher off; a channel that nobody watches is forgotten."""
        channel = self._channels.get((market.symbol, name))
        if channel is None or watcher not in channel.watchers:
            return
        channel.watchers.remove(watcher)
        if not channel.watchers:
            del self._channels[market.symbol, name]
            self._by_market[market.symbol].remove(channel)

    def see(self, event: BookChanged) -> None:
        """Take an event; channels without an interval tell it at once."""
        for channel in self._by_market.get(event.market.symbol, ()):
            channel.see(event)
            if not channel.every_ns:
                self._tell(channel, event.ts_ns)

    def tick(self, now_ns: int) -> None:
        """Tell what is due."""
        for channel in self._channels.values():
            if channel.is_due(now_ns):
                self._tell(channel, now_ns)

    def idle(self, now_ns: int, silence_ns: int) -> list[BookChannel]:
        """Return the channels that have told nothing for so long."""
        return [c for c in self._channels.values() if now_ns - c.told_ns >= silence_ns]

    def all(self) -> list[BookChannel]:
        """Return the channels that somebody watches."""
        return list(self._channels.values())

    def _tell(self, channel: BookChannel, now_ns: int) -> None:
        delta = channel.delta(now_ns)
        if delta:
            channel.tell(self._encode(channel, delta))
