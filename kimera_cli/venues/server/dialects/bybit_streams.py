"""One public websocket of Bybit: books, trades, tickers, bars.

https://bybit-exchange.github.io/docs/v5/ws/connect. Spot takes at most ten topics in one request.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects.bybit_books import DEPTHS
from kimera_cli.venues.server.dialects.bybit_public import INTERVALS
from kimera_cli.venues.server.dialects.bybit_text import NS_PER_MS
from kimera_cli.venues.server.frames import Frame, json_frame
from kimera_cli.venues.server.model import Event, Market, Traded

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.bybit import Dialect

AT_ONCE = 10
TICKER_NS = 50 * NS_PER_MS
Message = dict[str, Any]
decode = msgspec.json.Decoder(dict[str, Any]).decode


class PublicConversation(Conversation):
    """A client's connection to the public spot stream."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self._id = f"{id(self) & 0xFFFF_FFFF:08x}"
        self._books: dict[str, Market] = {}
        self._trades: set[str] = set()
        self._tickers: dict[str, int] = {}
        self._bars: set[tuple[str, str]] = set()

    def say(self, frame: Frame) -> None:
        """Send a frame."""
        self.socket.send(frame)

    def receive(self, message: str | bytes) -> None:
        """Answer one request."""
        try:
            request = decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._answer({}, False, "error:request is not JSON")
            return
        op, topics = request.get("op"), request.get("args")
        if op == "ping":
            self._answer(request, True, "pong")
        elif op not in ("subscribe", "unsubscribe"):
            self._answer(request, False, f"error:unknown op:{op}")
        elif not isinstance(topics, list) or not 0 < len(topics) <= AT_ONCE:
            self._answer(request, False, f"error:args size must be 1 to {AT_ONCE}")
        else:
            self._subscribe(request, [str(topic) for topic in topics], op == "subscribe")

    def _answer(self, request: Message, success: bool, text: str) -> None:
        found = {
            "success": success,
            "ret_msg": text,
            "conn_id": self._id,
            "req_id": str(request.get("req_id", "")),
            "op": str(request.get("op", "")),
        }
        self.say(json_frame(found))

    def _subscribe(self, request: Message, topics: list[str], begin: bool) -> None:
        parsed = [self._parse(topic) for topic in topics]
        for topic, found in zip(topics, parsed, strict=True):
            if found is None:
                self._answer(request, False, f"error:handler not found,topic:{topic}")
                return
        self._answer(request, True, "subscribe" if begin else "")
        for found in parsed:
            if found is not None:
                self._turn(*found, begin)

    def _parse(self, topic: str) -> tuple[str, str, Market] | None:
        """Return channel, its parameter and the market of a topic, None when there is none."""
        channel, _, rest = topic.partition(".")
        parameter, _, name = rest.rpartition(".")
        market = self.dialect.names.get(name)
        known = {
            "orderbook": parameter.isdecimal() and int(parameter) in DEPTHS,
            "kline": parameter in INTERVALS,
            "publicTrade": not parameter,
            "tickers": not parameter,
        }
        return (channel, parameter, market) if market and known.get(channel) else None

    def _turn(self, channel: str, parameter: str, market: Market, begin: bool) -> None:
        symbol = market.symbol
        if channel == "orderbook":
            self._turn_book(int(parameter), market, begin)
        elif channel == "publicTrade":
            self._trades = self._trades | {symbol} if begin else self._trades - {symbol}
        elif channel == "tickers":
            self._tickers.pop(symbol, None)
            if begin:
                self._tickers[symbol] = self.dialect.clock.now_ns()
                self.say(self.dialect.stream.ticker(market))
        else:
            self._bars.discard((symbol, parameter))
            if begin:
                self._bars.add((symbol, parameter))
                self.say(self.dialect.stream.bar(market, parameter))

    def _turn_book(self, depth: int, market: Market, begin: bool) -> None:
        books, name = self.dialect.books, f"orderbook.{depth}"
        topic = f"{name}.{market.symbol}"
        books.unwatch(self, market, name)
        self._books.pop(topic, None)
        if begin:
            every_ns = self.dialect.options.cadence_ns(DEPTHS[depth])
            self._books[topic] = market
            channel = books.watch(self, market, name, depth, every_ns)
            self.say(self.dialect.writer.snapshot(channel))

    def push(self, event: Event) -> None:
        """Send what the subscriptions see of a trade; books come from their channels."""
        if not isinstance(event, Traded):
            return
        market, once, stream = event.market, self.dialect.once, self.dialect.stream
        if market.symbol in self._trades:
            make = partial(stream.trade, event.trade)
            self.say(once(("trade", market.symbol), make))
        for symbol, interval in self._bars:
            if symbol == market.symbol:
                make = partial(stream.bar, market, interval)
                self.say(once(("kline", symbol, interval), make))

    def tick(self, now_ns: int) -> None:
        """Send the tickers that are due."""
        every_ns = self.dialect.options.cadence_ns(TICKER_NS)
        for symbol, told in self._tickers.items():
            if now_ns - told >= every_ns and self.dialect.touched.get(symbol, 0) > told:
                self._tickers[symbol] = now_ns
                make = partial(self.dialect.stream.ticker, self.exchange.market(symbol))
                self.say(self.dialect.once(("tickers", symbol), make))

    def closed(self) -> None:
        """Forget the books of this connection."""
        for topic, market in self._books.items():
            self.dialect.books.unwatch(self, market, topic.rpartition(".")[0])
