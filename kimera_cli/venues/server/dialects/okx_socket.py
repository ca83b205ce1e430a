"""One websocket connection at OKX: public, private or business.

https://www.okx.com/docs-v5/en/#overview-websocket: requests have an `op`; a login comes before
private channels and orders. A connection on which nothing is said for 30 s, by either side,
is closed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import okx_shapes as shapes
from kimera_cli.venues.server.dialects.okx_auth import check_expiry, check_permission
from kimera_cli.venues.server.dialects.okx_books import CHANNELS as BOOKS
from kimera_cli.venues.server.dialects.okx_own import CHANNELS as PRIVATE
from kimera_cli.venues.server.dialects.okx_own import OwnFeed
from kimera_cli.venues.server.dialects.okx_public import BARS, MINUTE_NS
from kimera_cli.venues.server.dialects.okx_text import OkxError, micros
from kimera_cli.venues.server.dialects.okx_trade import MOST_BATCH
from kimera_cli.venues.server.frames import Frame, json_frame, text_frame
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import (
    Event,
    Market,
    MarketChanged,
    Traded,
)

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.okx import Dialect

Argument = dict[str, Any]
NS = 1_000_000_000
SILENCE_NS = 30 * NS
TICKER_NS = NS // 10
ACTIONS = {
    "order": "order", "batch-orders": "order", "amend-order": "amend-order",
    "batch-amend-orders": "amend-order", "cancel-order": "cancel-order",
    "batch-cancel-orders": "cancel-order",
}  # fmt: skip
_decode = msgspec.json.Decoder(dict[str, Any]).decode
LOG_IN = OkxError("60011", "Please log in")


class OkxConversation(Conversation):
    """A client's connection; `access` is what its path gives: public, private or business."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request, access: str) -> None:
        super().__init__(dialect, socket, request)
        self._access = access
        self._id = f"{id(self) & 0xFFFF_FFFF:08x}"
        self._key: Key | None = None
        self._alive_ns = dialect.clock.now_ns()
        self._books: dict[tuple[str, str], Market] = {}
        self._trades: set[str] = set()
        self._tickers: dict[str, int] = {}
        self._bars: dict[tuple[str, str], Argument] = {}
        self._instruments: Argument | None = None
        """The subscription of instruments, whose changes are told."""
        self._own = OwnFeed(dialect, self.say)

    def say(self, frame: Frame) -> None:
        """Send a frame."""
        self._alive_ns = self.dialect.clock.now_ns()
        self.socket.send(frame)

    def receive(self, message: str | bytes) -> None:
        """Answer one request."""
        self._alive_ns = self.dialect.clock.now_ns()
        if message in ("ping", b"ping"):
            self.say(text_frame("pong"))
            return
        try:
            request = _decode(message)
            arguments = request.get("args")
            if not isinstance(arguments, list) or not all(isinstance(a, dict) for a in arguments):
                raise OkxError("60012", f"Illegal request: {_text(message)}")
            self._request(request, arguments)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._refuse(OkxError("60012", f"Illegal request: {_text(message)}"))
        except OkxError as error:
            self._refuse(error)

    def _request(self, request: Argument, arguments: list[Argument]) -> None:
        op = str(request.get("op"))
        if op == "login":
            self._key = self.dialect.gate.login(arguments[0] if arguments else {})
            self._own.account = self._key.account
            self._event({"event": "login", "msg": "", "code": "0"})
        elif op in ("subscribe", "unsubscribe"):
            for argument in arguments:
                self._subscribe(argument, op == "subscribe")
        elif op in ACTIONS:
            self.say(json_frame(self._trade(request, op, arguments)))
        else:
            raise OkxError("60012", f"Illegal request: {_text(msgspec.json.encode(request))}")

    def _event(self, fields: dict[str, Any]) -> None:
        self.say(json_frame({**fields, "connId": self._id}))

    def _refuse(self, error: OkxError) -> None:
        self._event({"event": "error", "msg": error.refusal.text, "code": error.refusal.code})

    # orders

    def _trade(self, request: Argument, op: str, arguments: list[Argument]) -> dict[str, Any]:
        arrived = self.dialect.clock.now_ns()
        code, text, entries = "0", "", []
        try:
            if self._key is None:
                raise LOG_IN
            check_permission(self._key, "trade")
            if not 0 < len(arguments) <= (MOST_BATCH if op.startswith("batch") else 1):
                raise OkxError("60013", "Invalid args")
            check_expiry(request.get("expTime"), arrived)
            entries = self.dialect.desk.run(self._key, ACTIONS[op], list(arguments))
            failed = sum(entry["sCode"] != "0" for entry in entries)
            code = "0" if not failed else "1" if failed == len(entries) else "2"
        except OkxError as error:
            code, text = error.refusal
        return {
            "id": request.get("id", ""),
            "op": op,
            "code": code,
            "msg": text,
            "data": entries,
            "inTime": micros(arrived),
            "outTime": micros(self.dialect.clock.now_ns()),
        }

    # subscriptions

    def _subscribe(self, argument: Argument, begin: bool) -> None:
        channel = str(argument.get("channel"))
        if channel in PRIVATE:
            self._subscribe_private(channel, argument, begin)
            return
        if channel == "instruments" and self._access == "public":
            self._subscribe_instruments(argument, begin)
            return
        market = self._market(channel, argument)
        symbol = market.symbol
        answer = {"event": "subscribe" if begin else "unsubscribe", "arg": argument}
        if channel in BOOKS:
            self._subscribe_book(channel, market, begin, answer)
            return
        self._event(answer)
        if channel in ("trades", "trades-all"):
            self._trades = self._trades | {symbol} if begin else self._trades - {symbol}
        elif channel == "tickers":
            self._tickers.pop(symbol, None)
            if begin:
                self._tickers[symbol] = self.dialect.clock.now_ns()
                self.say(self.dialect.ticker(market))
        else:
            self._bars.pop((symbol, channel), None)
            if begin:
                self._bars[symbol, channel] = argument
                self.say(self._bar(market, argument))

    def _subscribe_instruments(self, argument: Argument, begin: bool) -> None:
        markets = [] if argument.get("instType") != "SPOT" else self.exchange.markets
        self._event({"event": "subscribe" if begin else "unsubscribe", "arg": argument})
        self._instruments = argument if begin else None
        if begin and markets:
            self.say(self._instruments_of(argument, markets))

    def _instruments_of(self, argument: Argument, markets: list[Market]) -> Frame:
        code = self.dialect.names.code
        data = [shapes.instrument(m, code(m)) for m in markets]
        return json_frame({"arg": argument, "data": data})

    def _market(self, channel: str, argument: Argument) -> Market:
        """Return the market of a channel that this path has."""
        bars = channel.startswith("candle") and channel.removeprefix("candle") in BARS
        business = bars or channel == "trades-all"
        known = business or channel in BOOKS or channel in ("trades", "tickers")
        if known and business == (self._access == "business"):
            try:
                return self.dialect.names.find(argument.get("instId"))
            except OkxError:
                pass
        named = ",".join(f"{name}:{value}" for name, value in argument.items())
        raise OkxError(
            "60018",
            f"Wrong URL or {named} doesn't exist. Please use the correct URL, channel and "
            f"parameters referring to API document.",
        )

    def _subscribe_book(
        self, name: str, market: Market, begin: bool, answer: dict[str, Any]
    ) -> None:
        books = self.dialect.books
        books.unwatch(self, market, name)
        self._books.pop((market.symbol, name), None)
        self._event(answer)
        if begin:
            depth, every_ns = BOOKS[name]
            self._books[market.symbol, name] = market
            every_ns = self.dialect.options.cadence_ns(every_ns)
            channel = books.watch(self, market, name, depth, every_ns)
            self.say(self.dialect.writer.snapshot(channel))

    def _subscribe_private(self, channel: str, argument: Argument, begin: bool) -> None:
        if self._key is None:
            raise LOG_IN
        check_permission(self._key, "read")
        self._event({"event": "subscribe" if begin else "unsubscribe", "arg": argument})
        self._own.turn(channel, argument, begin)

    # pushes

    def push(self, event: Event) -> None:
        """Send what the subscriptions see of an event; books come from their channels."""
        if isinstance(event, Traded):
            self._traded(event)
        elif isinstance(event, MarketChanged):
            if self._instruments is not None and self._instruments.get("instType") == "SPOT":
                self.say(self._instruments_of(self._instruments, [event.market]))
        else:
            self._own.push(event)

    def _traded(self, event: Traded) -> None:
        market, once = event.market, self.dialect.once
        if market.symbol in self._trades:
            channel = "trades-all" if self._access == "business" else "trades"
            make = partial(self.dialect.trade, channel, event.trade)
            self.say(once((channel, market.symbol), make))
        for (symbol, name), argument in self._bars.items():
            if symbol == market.symbol:
                make = partial(self._bar, market, argument)
                self.say(once((name, symbol), make))

    def _bar(self, market: Market, argument: Argument) -> Frame:
        width = BARS[str(argument["channel"]).removeprefix("candle")] * MINUTE_NS
        bar = self.exchange.candles(market.symbol, width, limit=1)[0]
        closed = bar.open_ns + width <= self.dialect.clock.now_ns()
        return json_frame({"arg": argument, "data": [shapes.bar(market, bar, closed)]})

    def tick(self, now_ns: int) -> None:
        """Send tickers that are due, balances that moved; close what is silent for too long."""
        self._own.tick()
        for symbol, told in self._tickers.items():
            if now_ns - told >= self.dialect.options.cadence_ns(TICKER_NS):
                market = self.exchange.market(symbol)
                if self.dialect.moved(market, told):
                    self._tickers[symbol] = now_ns
                    make = partial(self.dialect.ticker, market)
                    self.say(self.dialect.once(("tickers", symbol), make))
        if now_ns - self._alive_ns >= SILENCE_NS:
            self.socket.close(4004, "no data received in 30s")

    def closed(self) -> None:
        """Forget the books of this connection."""
        for (_, name), market in self._books.items():
            self.dialect.books.unwatch(self, market, name)


def _text(message: str | bytes) -> str:
    return message if isinstance(message, str) else message.decode("utf-8", "replace")
