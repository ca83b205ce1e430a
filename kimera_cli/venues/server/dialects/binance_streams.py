"""Binance's public streams: what is subscribed, what is sent, each message encoded once.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import msgspec

from kimera_cli.venues.server.dialect import Conversation
from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.dialects.binance_market import INTERVALS
from kimera_cli.venues.server.frames import OP_PING, Frame, json_bytes, json_frame, text_frame
from kimera_cli.venues.server.limits import SlidingWindow
from kimera_cli.venues.server.model import BookChanged, Market, Side

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.binance import Dialect

S = 1_000_000_000
FAST = 100_000_000
TICKER_NS = S
NAME = re.compile(r"(?P<symbol>[a-z0-9]+|!)@?(?P<channel>[A-Za-z]+)(?P<rest>.*)")
SPEEDS = {"": S, "@100ms": FAST, "@1000ms": S}
MAX_STREAMS = 1024
MESSAGES_PER_S = 5
PING_NS = 20 * S
Send = Callable[[str, Any], None]


class Stream(NamedTuple):
    """One stream, taken apart; `every_ns` 0: with each event."""

    name: str
    market: Market | None
    channel: str
    every_ns: int
    depth: int = 0
    interval: str = ""


class Streams:
    """All streams that somebody listens to, and who."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.listeners: dict[str, list[StreamConversation]] = {}
        self._by_event: dict[tuple[str, str], list[Stream]] = {}
        self._timed: dict[str, _Timed] = {}

    def parse(self, name: str) -> Stream | None:
        """Return a stream by its name, None when there is no such stream."""
        if name == "!ticker@arr" or name == "!miniTicker@arr":
            return Stream(name, None, name[1:-4] + "s", TICKER_NS)
        found = NAME.fullmatch(name)
        market = found and self.dialect.actions.names.get(found["symbol"].upper())
        if not found or not market:
            return None
        return _stream(name, market, found["channel"], found["rest"], self.dialect)

    def add(self, name: str, conversation: StreamConversation) -> bool:
        """Subscribe; False when there is no such stream."""
        stream = self.parse(name)
        if stream is None:
            return False
        if name not in self.listeners:
            self._open(stream)
        if conversation not in self.listeners[name]:
            self.listeners[name].append(conversation)
        return True

    def remove(self, name: str, conversation: StreamConversation) -> None:
        """End a subscription."""
        there = self.listeners.get(name, [])
        if conversation in there:
            there.remove(conversation)
        if not there and name in self.listeners:
            del self.listeners[name]
            self._timed.pop(name, None)
            for streams in self._by_event.values():
                streams[:] = [s for s in streams if s.name != name]

    def _open(self, stream: Stream) -> None:
        self.listeners[stream.name] = []
        if stream.every_ns:
            self._timed[stream.name] = _Timed(stream, self.dialect.clock.now_ns())
        symbol = stream.market.symbol if stream.market else ""
        self._by_event.setdefault((stream.channel, symbol), []).append(stream)

    def live(self, channel: str, symbol: str) -> list[Stream]:
        """Return the streams of a channel that somebody listens to."""
        return self._by_event.get((channel, symbol), [])

    def send(self, name: str, value: Any) -> None:
        """Send one message to all who listen, encoded once per way of delivery."""
        plain: Frame | None = None
        combined: Frame | None = None
        for conversation in self.listeners[name]:
            if conversation.combined:
                if combined is None:
                    combined = json_frame({"stream": name, "data": value})
                conversation.socket.send(combined)
            else:
                if plain is None:
                    plain = json_frame(value)
                conversation.socket.send(plain)

    # events

    def book(self, event: BookChanged) -> None:
        """Levels changed."""
        market = event.market
        for stream in self.live("depth", market.symbol):
            timed = self._timed.get(stream.name)
            if timed is not None:
                timed.collect(event)
            else:
                self.send(stream.name, _diff(market, event.first_seq, event.last_seq,
                                             event.changes, event.ts_ns))  # fmt: skip
        for stream in self.live("bookTicker", market.symbol):
            self._best(stream, market)

    def _best(self, stream: Stream, market: Market) -> None:
        bids, asks = self.dialect.exchange.book(market.symbol, 1)
        now = (bids, asks)
        if not bids or not asks or self.dialect.best_told.get(market.symbol) == now:
            return
        self.dialect.best_told[market.symbol] = now
        (bid, bid_lots), (ask, ask_lots) = bids[0], asks[0]
        self.send(
            stream.name,
            {
                "u": market.seq,
                "s": shapes.name_of(market),
                "b": shapes.price(market, bid),
                "B": shapes.size(market, bid_lots),
                "a": shapes.price(market, ask),
                "A": shapes.size(market, ask_lots),
            },
        )

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        for timed in list(self._timed.values()):
            if now_ns >= timed.due_ns:
                timed.due_ns = now_ns - now_ns % timed.stream.every_ns + timed.stream.every_ns
                self._send_timed(timed, now_ns)

    def _send_timed(self, timed: _Timed, now_ns: int) -> None:
        stream, market = timed.stream, timed.stream.market
        if stream.channel == "depth" and market is not None:
            if timed.changes:
                first, last = timed.first_seq, timed.last_seq
                changes = tuple((side, px, n) for (side, px), n in timed.changes.items())
                self.send(stream.name, _diff(market, first, last, changes, now_ns))
                timed.changes.clear()
            return
        for value in self.dialect.timed_values(stream, now_ns):
            self.send(stream.name, value)


class _Timed:
    """A stream that is sent at intervals, and what it has collected since."""

    def __init__(self, stream: Stream, now_ns: int) -> None:
        self.stream = stream
        self.due_ns = now_ns - now_ns % stream.every_ns + stream.every_ns
        self.changes: dict[tuple[Side, int], int] = {}
        self.first_seq = self.last_seq = 0

    def collect(self, event: BookChanged) -> None:
        """Add changes to the batch."""
        if not self.changes:
            self.first_seq = event.first_seq
        self.last_seq = event.last_seq
        for side, px, lots in event.changes:
            self.changes[side, px] = lots


def _stream(name: str, market: Market, channel: str, rest: str, dialect: Dialect) -> Stream | None:
    if channel in ("trade", "aggTrade", "bookTicker") and not rest:
        return Stream(name, market, channel, 0)
    if channel in ("ticker", "miniTicker", "avgPrice") and not rest:
        return Stream(name, market, channel, TICKER_NS)
    if channel == "kline" and rest[:1] == "_" and rest[1:] in INTERVALS:
        return Stream(name, market, channel, 2 * S, interval=rest[1:])
    levels, _, speed = rest.partition("@")
    speed = f"@{speed}" if speed else ""
    if channel != "depth" or speed not in SPEEDS or levels not in ("", "5", "10", "20"):
        return None
    every = dialect.options.cadence_ns(SPEEDS[speed])
    if not levels:
        return Stream(name, market, "depth", every)
    return Stream(name, market, "partial", every or FAST, int(levels))


def _diff(
    market: Market, first: int, last: int, changes: tuple[tuple[Side, int, int], ...], ts_ns: int
) -> Any:
    bids: list[str] = []
    asks: list[str] = []
    for side, px, lots in changes:
        level = f'["{market.px_text(px, 8)}","{market.qty_text(lots, 8)}"]'
        (bids if side == "buy" else asks).append(level)
    return msgspec.Raw(
        f'{{"e":"depthUpdate","E":{ts_ns // shapes.MS},"s":"{shapes.name_of(market)}",'
        f'"U":{first},"u":{last},"b":[{",".join(bids)}],"a":[{",".join(asks)}]}}'.encode()
    )


class StreamConversation(Conversation):
    """A socket at stream.binance.com: `/ws/<stream>...` or `/stream?streams=...`."""

    dialect: Dialect

    def opened(self) -> None:
        """Subscribe to what the path names."""
        path, query = self.request.path, unquote(self.request.raw_query)
        self.combined = path.rstrip("/") == "/stream"
        self.names: list[str] = []
        self._messages = SlidingWindow(MESSAGES_PER_S, S)
        self._ping_ns = self.dialect.clock.now_ns() + PING_NS
        named = query.removeprefix("streams=") if self.combined else path.removeprefix("/ws/")
        for name in filter(None, named.split("/")):
            self._add(name)

    def _add(self, name: str) -> bool:
        if len(self.names) >= MAX_STREAMS or not self.dialect.streams.add(name, self):
            return False
        if name not in self.names:
            self.names.append(name)
        return True

    def receive(self, message: str | bytes) -> None:
        """SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS; at most five messages a second."""
        if self.dialect.limits is not None and not self._messages.take(self.dialect.clock.now_ns()):
            self.socket.close(1008, "Too many requests")
            return
        try:
            call = msgspec.json.decode(message, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self._error(2, f"Invalid JSON: {error}", None)
            return
        method, names = call.get("method"), call.get("params") or []
        if not isinstance(names, list):
            self._error(2, "Invalid request: params must be an array", call.get("id"))
        elif method == "LIST_SUBSCRIPTIONS":
            self._answer(self.names, call.get("id"))
        elif method == "SUBSCRIBE":
            for name in names:
                self._add(str(name))  # the venue acknowledges what does not exist as well
            self._answer(None, call.get("id"))
        elif method == "UNSUBSCRIBE":
            for name in names:
                self._remove(str(name))
            self._answer(None, call.get("id"))
        else:
            self._error(2, f"Invalid request: unknown method {method!r}", call.get("id"))

    def _remove(self, name: str) -> None:
        self.dialect.streams.remove(name, self)
        if name in self.names:
            self.names.remove(name)

    def _answer(self, result: Any, call_id: Any) -> None:
        self.socket.send(json_frame({"result": result, "id": call_id}))

    def _error(self, code: int, msg: str, call_id: Any) -> None:
        body = {"error": {"code": code, "msg": msg}, "id": call_id}
        self.socket.send(text_frame(json_bytes(body)))

    def tick(self, now_ns: int) -> None:
        """Ping every 20 seconds; who does not answer is not cut off here."""
        if now_ns >= self._ping_ns:
            self._ping_ns = now_ns + PING_NS
            self.socket.send(Frame(str(now_ns // shapes.MS).encode(), OP_PING))

    def closed(self) -> None:
        """Forget the subscriptions."""
        for name in list(self.names):
            self._remove(name)
