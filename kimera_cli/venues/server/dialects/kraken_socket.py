"""One websocket v2 connection at Kraken: subscriptions, what they push, and requests.

https://docs.kraken.com/exchange/guides/websockets/introduction. Every request gets an answer with
`method`, `success` and its own `req_id`; a subscription of several symbols one answer per symbol.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects.kraken_auth import KrakenError, bad
from kimera_cli.venues.server.dialects.kraken_books import DEPTHS
from kimera_cli.venues.server.dialects.kraken_feed import SNAPSHOT_TRADES, Best
from kimera_cli.venues.server.dialects.kraken_private_feed import PrivateFeed
from kimera_cli.venues.server.dialects.kraken_public import INTERVALS
from kimera_cli.venues.server.dialects.kraken_requests import Requests
from kimera_cli.venues.server.dialects.kraken_text import NS, moment
from kimera_cli.venues.server.frames import Frame, json_frame
from kimera_cli.venues.server.model import (
    BookChanged,
    Event,
    Market,
    Reject,
    Traded,
)

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.kraken import Dialect

Message = dict[str, Any]
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_HEARTBEAT = json_frame({"channel": "heartbeat"})
CHANNELS = ("book", "trade", "ticker", "ohlc")
TRIGGERS = ("trades", "bbo")


class KrakenConversation(Conversation):
    """A client's connection: public channels, private ones and orders alike."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self._books: dict[str, int] = {}
        self._trades: set[str] = set()
        self._tickers: dict[str, str] = {}
        self._best: dict[str, Best | None] = {}
        self._bars: dict[str, set[int]] = {}
        self._spoken_ns = dialect.clock.now_ns()
        self.private = PrivateFeed(dialect, self.say)
        self._requests = Requests(dialect, self.private)

    def opened(self) -> None:
        """Tell the venue's status."""
        system = {"version": "2.0.10", "system": "online", "api_version": "v2"}
        data = [{**system, "connection_id": id(self) & ((1 << 53) - 1)}]
        self.say(json_frame({"channel": "status", "type": "update", "data": data}))

    def say(self, frame: Frame) -> None:
        """Send a frame."""
        self._spoken_ns = self.dialect.clock.now_ns()
        self.socket.send(frame)

    def receive(self, message: str | bytes) -> None:
        """Answer one request."""
        arrived = self.dialect.clock.now_ns()
        try:
            request = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._answer({"method": ""}, arrived, error="Malformed request")
            return
        method, parameters = request.get("method"), request.get("params") or {}
        if not isinstance(parameters, dict) or not isinstance(method, str):
            self._answer(request, arrived, error="Malformed request")
        elif method == "ping":
            self._answer(request, arrived, pong=True)
        elif method in ("subscribe", "unsubscribe"):
            self._subscribe(request, parameters, arrived, method == "subscribe")
        else:
            for part in self._requests.carry_out(method, parameters):
                self._answer(request, arrived, **part)

    def _answer(
        self,
        request: Message,
        arrived: int,
        *,
        result: Any = None,
        error: str = "",
        symbol: str = "",
        pong: bool = False,
    ) -> None:
        found: Message = {"method": "pong" if pong else request.get("method")}
        if result is not None:
            found["result"] = result
        if error:
            found["error"] = error
        if not pong:
            found["success"] = not error
        if symbol:
            found["symbol"] = symbol
        found["time_in"] = moment(arrived)
        found["time_out"] = moment(self.dialect.clock.now_ns())
        if "req_id" in request:
            found["req_id"] = request["req_id"]
        self.say(json_frame(found))

    # subscriptions

    def _subscribe(self, request: Message, parameters: Message, arrived: int, begin: bool) -> None:
        channel = parameters.get("channel")
        if channel in ("executions", "balances"):
            self._subscribe_private(request, parameters, arrived, begin)
            return
        symbols = parameters.get("symbol")
        if channel not in CHANNELS or not isinstance(symbols, list) or not symbols:
            error = "Subscription name invalid" if channel not in CHANNELS else "Malformed request"
            self._answer(request, arrived, error=error)
            return
        for symbol in symbols:
            try:
                market = self.dialect.pairs.find_v2(str(symbol))
                turn = partial(self._begin if begin else self._end, channel, market, parameters)
                result, follow = turn()
            except Reject:
                text = f"Currency pair not supported {symbol}"
                self._answer(request, arrived, error=text, symbol=str(symbol))
            except KrakenError as refusal:
                self._answer(request, arrived, error=refusal.text, symbol=str(symbol))
            else:
                self._answer(request, arrived, result=result)
                if follow is not None and (frame := follow()) is not None:
                    self.say(frame)

    def _subscribe_private(
        self, request: Message, parameters: Message, arrived: int, begin: bool
    ) -> None:
        try:
            result, snapshot = self.private.subscribe(parameters, begin)
        except KrakenError as refusal:
            self._answer(request, arrived, error=refusal.text)
            return
        self._answer(request, arrived, result=result)
        if snapshot is not None:
            self.say(snapshot)

    def _begin(
        self, channel: str, market: Market, parameters: Message
    ) -> tuple[Message, Callable[[], Frame | None] | None]:
        """Subscribe; return the answer's result and what makes the snapshot."""
        symbol, feed = market.symbol, self.dialect.feed
        snapshot = parameters.get("snapshot", channel != "trade") is not False
        result: Message = {"channel": channel, "symbol": symbol, "snapshot": snapshot}
        follow: Callable[[], Frame | None]
        if channel == "book":
            depth = parameters.get("depth", 10)
            if depth not in DEPTHS:
                raise KrakenError("Subscription depth not supported")
            self._forget_book(market)
            self._books[symbol] = depth
            frame = self.dialect.books.watch(market, depth)
            result, follow = {"channel": channel, "depth": depth, **result}, lambda: frame
        elif channel == "trade":
            self._trades.add(symbol)
            tape = self.exchange.trades(symbol, SNAPSHOT_TRADES)
            follow = partial(feed.trades, tape, "snapshot") if tape else lambda: None
        elif channel == "ticker":
            trigger = parameters.get("event_trigger", "trades")
            if trigger not in TRIGGERS:
                raise bad("event_trigger")
            self._tickers[symbol] = trigger
            result["event_trigger"] = trigger
            best = self._best[symbol] = feed.best(market)
            follow = partial(feed.ticker, market, "snapshot", best) if best else lambda: None
        else:
            minutes = parameters.get("interval", 1)
            if minutes not in INTERVALS:
                raise KrakenError("Subscription ohlc interval not supported")
            self._bars.setdefault(symbol, set()).add(minutes)
            result["interval"] = minutes
            follow = partial(feed.bars, market, minutes, "snapshot")
        return result, follow if snapshot else None

    def _end(self, channel: str, market: Market, parameters: Message) -> tuple[Message, None]:
        symbol = market.symbol
        if channel == "book":
            self._forget_book(market)
        elif channel == "trade":
            self._trades.discard(symbol)
        elif channel == "ticker":
            self._tickers.pop(symbol, None)
        else:
            self._bars[symbol] = {
                each for each in self._bars.get(symbol, ()) if each != parameters.get("interval", 1)
            }
        return {"channel": channel, "symbol": symbol}, None

    def _forget_book(self, market: Market) -> None:
        depth = self._books.pop(market.symbol, None)
        if depth is not None:
            self.dialect.books.unwatch(market, depth)

    # pushes

    def push(self, event: Event) -> None:
        """Send what the subscriptions see of an event."""
        if isinstance(event, BookChanged):
            self._book_changed(event.market)
        elif isinstance(event, Traded):
            self._traded(event)
        else:
            self.private.push(event)

    def _book_changed(self, market: Market) -> None:
        depth = self._books.get(market.symbol)
        frame = self.dialect.books.frame(market, depth) if depth else None
        if frame is not None:
            self.say(frame)
        if self._tickers.get(market.symbol) == "bbo":
            best = self.dialect.feed.best(market)
            if best != self._best[market.symbol]:
                self._best[market.symbol] = best
                self._tell_ticker(market, best)

    def _traded(self, event: Traded) -> None:
        market, once, feed = event.market, self.dialect.once, self.dialect.feed
        symbol = market.symbol
        if symbol in self._trades:
            self.say(once(("trade", symbol), lambda: feed.trades((event.trade,), "update")))
        if self._tickers.get(symbol) == "trades":
            self._tell_ticker(market, feed.best(market))
        for minutes in self._bars.get(symbol, ()):
            make = partial(feed.bars, market, minutes, "update")
            self.say(once(("ohlc", symbol, minutes), make))

    def _tell_ticker(self, market: Market, best: Best | None) -> None:
        """Send the ticker; the venue has none while a side of the book is empty."""
        if best is not None:
            make = partial(self.dialect.feed.ticker, market, "update", best)
            self.say(self.dialect.once(("ticker", market.symbol), make))

    def tick(self, now_ns: int) -> None:
        """Send a heartbeat after a second of silence, once something is subscribed."""
        watched = self._books or self._trades or self._tickers or self._bars or self.private.active
        if watched and now_ns - self._spoken_ns >= NS:
            self.say(_HEARTBEAT)

    def closed(self) -> None:
        """Forget the books of this connection."""
        for symbol in list(self._books):
            self._forget_book(self.exchange.market(symbol))
