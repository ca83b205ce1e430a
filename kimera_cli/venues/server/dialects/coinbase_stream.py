"""Coinbase Advanced Trade's websocket: one address for public channels and for `user`.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels. Every
message of a connection has the next `sequence_num`, whatever its channel. A client that does not
subscribe within five seconds is disconnected. `market_trades` comes in batches of 250 ms,
`ticker_batch` every 5 s, `candles` and `heartbeats` every second, the rest at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import coinbase_pushes as pushes
from kimera_cli.venues.server.dialects.coinbase_auth import check_token
from kimera_cli.venues.server.dialects.coinbase_text import iso, product_id, symbol_of
from kimera_cli.venues.server.frames import json_bytes, text_frame
from kimera_cli.venues.server.model import BookChanged, Event, OrderChanged, Trade, Traded

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.coinbase import Dialect

SILENT_NS = 5 * NS_PER_S
TRADES_NS = 250 * NS_PER_MS
TICKER_BATCH_NS = 5 * NS_PER_S
PUBLIC = ("level2", "market_trades", "ticker", "ticker_batch", "candles", "heartbeats")
SNAPSHOT_TRADES = 100
USER_BATCH = 50
"""Open orders in one event of a user's snapshot."""


class Stream(Conversation):
    """One connection."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self.subscribed: dict[str, list[str]] = {}
        """Products (canonical symbols) by channel."""
        self.account = 0
        self._sent = 0
        self._opened_ns = dialect.clock.now_ns()
        self._beats = 0
        self._due: dict[str, int] = {}
        self._trades: dict[str, list[Trade]] = {}
        self._moved: set[str] = set()
        self._traded: set[str] = set()

    # what the client says

    def receive(self, message: str | bytes) -> None:
        """Subscribe or unsubscribe."""
        try:
            wanted = msgspec.json.decode(message)
        except msgspec.DecodeError:
            wanted = None
        kind = wanted.get("type") if isinstance(wanted, dict) else None
        if kind not in ("subscribe", "unsubscribe"):
            self._error("invalid message")
            return
        channel, products = str(wanted.get("channel", "")), wanted.get("product_ids") or []
        if not isinstance(products, list):
            self._error("invalid message")
            return
        symbols = [symbol_of(product) for product in products]
        unknown = [s for s in symbols if s not in self.exchange.desks]
        if channel not in (*PUBLIC, "user") or unknown:
            what = unknown[0].replace("/", "-") if unknown else channel
            self._error(f"failed to {kind}: unknown channel or product {what}")
        elif channel == "user" and not self._log_in(wanted.get("jwt")):
            self._error("authentication failure")
        elif kind == "subscribe":
            self._subscribe(channel, symbols)
        else:
            self._unsubscribe(channel, symbols)

    def _log_in(self, token: object) -> bool:
        key = check_token(self.dialect.keys, token, self.dialect.clock.now_ns(), None)
        if key is None or not key.may("read"):
            return False
        self.account = key.account
        return True

    def _subscribe(self, channel: str, symbols: list[str]) -> None:
        have = self.subscribed.setdefault(channel, [])
        fresh = [s for s in symbols if s not in have]
        have += fresh
        self._snapshot(channel, fresh)
        self._acknowledge()

    def _unsubscribe(self, channel: str, symbols: list[str]) -> None:
        have = self.subscribed.get(channel, [])
        left = [s for s in have if symbols and s not in symbols]
        if left:
            self.subscribed[channel] = left
        else:
            self.subscribed.pop(channel, None)
        self._acknowledge()

    def _acknowledge(self) -> None:
        named = {
            channel: [product_id(self.exchange.market(s)) for s in symbols] or [channel]
            for channel, symbols in self.subscribed.items()
        }
        self._send("subscriptions", json_bytes({"subscriptions": named}))

    def _error(self, why: str) -> None:
        self.socket.send(json_bytes({"type": "error", "message": why}).decode())

    # snapshots

    def _snapshot(self, channel: str, symbols: list[str]) -> None:
        exchange, now = self.exchange, self.dialect.clock.now_ns()
        if channel == "user":
            self._user_snapshot(symbols)
        for symbol in symbols:
            market = exchange.market(symbol)
            if channel == "level2":
                self._send("l2_data", pushes.book_snapshot(market, exchange.book(symbol), now))
            elif channel == "market_trades":
                newest = exchange.trades(symbol, SNAPSHOT_TRADES)[::-1]
                if newest:
                    self._send(channel, pushes.trades("snapshot", newest))
            elif channel in ("ticker", "ticker_batch"):
                self._send(channel, pushes.ticker("snapshot", exchange.ticker(symbol)))
            elif channel == "candles":
                self._send(channel, pushes.candles("snapshot", exchange, symbol, pushes.BARS))

    def _user_snapshot(self, symbols: list[str]) -> None:
        found = [
            o
            for o in self.exchange.open_orders(self.account)
            if not symbols or o.market.symbol in symbols
        ]
        for at in range(0, max(1, len(found)), USER_BATCH):
            self._send("user", pushes.orders("snapshot", found[at : at + USER_BATCH]))

    # what happens

    def push(self, event: Event) -> None:
        """Tell what happened to those who asked for it."""
        if isinstance(event, BookChanged):
            self._book(event)
        elif isinstance(event, Traded):
            self._trade(event.trade)
        elif isinstance(event, OrderChanged) and event.order.account == self.account:
            symbols = self.subscribed.get("user")
            if symbols is not None and (not symbols or event.order.market.symbol in symbols):
                self._send("user", pushes.orders("update", [event.order]))

    def _book(self, event: BookChanged) -> None:
        symbol = event.market.symbol
        if symbol in self.subscribed.get("level2", ()):
            body = self._shared("l2", symbol, lambda: pushes.book_update(event))
            self._send("l2_data", body, event.ts_ns)
        if symbol in self._moved:
            self._moved.discard(symbol)
            body = self._shared(
                "ticker", symbol, lambda: pushes.ticker("update", self.exchange.ticker(symbol))
            )
            self._send("ticker", body, event.ts_ns)
        if not self.dialect.options.cadence_ns(TRADES_NS):
            self._flush_trades()

    def _trade(self, trade: Trade) -> None:
        symbol = trade.market.symbol
        if symbol in self.subscribed.get("market_trades", ()):
            self._trades.setdefault(symbol, []).append(trade)
        if symbol in self.subscribed.get("ticker", ()):
            self._moved.add(symbol)
        self._traded.add(symbol)

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        if not self.subscribed and not self._sent and now_ns - self._opened_ns >= SILENT_NS:
            self._opened_ns = now_ns
            self.socket.close(1008, "no subscription")
            return
        if self._is_due("market_trades", TRADES_NS, now_ns):
            self._flush_trades()
        if self._is_due("ticker_batch", TICKER_BATCH_NS, now_ns):
            self._flush_tickers()
        if self._is_due("candles", NS_PER_S, now_ns):
            self._flush_candles()
        if "heartbeats" in self.subscribed and self._is_due("heartbeats", NS_PER_S, now_ns):
            self._send("heartbeats", pushes.heartbeat(now_ns, self._beats))
            self._beats += 1

    def _is_due(self, channel: str, default_ns: int, now_ns: int) -> bool:
        """Return True when the channel's interval has passed, and begin the next."""
        every = default_ns
        if channel == "market_trades":
            every = self.dialect.options.cadence_ns(default_ns)
        if channel not in self.subscribed or now_ns < self._due.get(channel, 0):
            return False
        self._due[channel] = now_ns + every
        return True

    def _flush_trades(self) -> None:
        for symbol, found in self._trades.items():
            key = found[0].id, found[-1].id
            body = self._shared("trades", (symbol, key), lambda f=found: pushes.trades("update", f))
            self._send("market_trades", body)
        self._trades.clear()

    def _flush_tickers(self) -> None:
        for symbol in self.subscribed["ticker_batch"]:
            if symbol in self._traded:
                self._send("ticker_batch", pushes.ticker("update", self.exchange.ticker(symbol)))
        self._traded.clear()

    def _flush_candles(self) -> None:
        for symbol in self.subscribed["candles"]:
            self._send("candles", pushes.candles("update", self.exchange, symbol, 1))

    # sending

    def _shared(self, kind: str, key: Any, encode: Any) -> bytes:
        """Return the event's body, encoded by the first connection that asks."""
        return self.dialect.once((kind, key), lambda: text_frame(encode())).payload

    def _send(self, channel: str, body: bytes, ts_ns: int | None = None) -> None:
        """Send a message of one event with the connection's next number."""
        when = iso(self.dialect.clock.now_ns() if ts_ns is None else ts_ns)
        head = f'{{"channel":"{channel}","client_id":"","timestamp":"{when}","sequence_num":'
        self.socket.send(text_frame(b'%s%d,"events":[%s]}' % (head.encode(), self._sent, body)))
        self._sent += 1
