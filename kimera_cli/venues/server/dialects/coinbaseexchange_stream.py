"""Coinbase Exchange's websocket: one address, several channels in one message.

https://docs.cdp.coinbase.com/exchange/websocket-feed. `level2` has no numbers and needs a signature
(as `full`, `user` and `balance` do); `level2_batch` needs none and comes every 50 ms. A client that
does not subscribe within five seconds is disconnected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import coinbaseexchange_pushes as pushes
from kimera_cli.venues.server.dialects.coinbase_text import product_id, symbol_of
from kimera_cli.venues.server.dialects.coinbaseexchange_auth import Refusal, subscriber
from kimera_cli.venues.server.dialects.coinbaseexchange_feed import Message, private
from kimera_cli.venues.server.frames import json_frame
from kimera_cli.venues.server.model import (
    BalanceChanged,
    BookChanged,
    Event,
    MarketChanged,
    RequestDone,
    Side,
)

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.coinbaseexchange import Dialect

SILENT_NS = 5 * NS_PER_S
BATCH_NS = 50 * NS_PER_MS
TICKER_BATCH_NS = 5 * NS_PER_S
SIGNED = frozenset(("level2", "full", "user", "balance"))
ALIASES = {"level2_50": "level2_batch", "ticker_1000": "ticker_batch"}
CHANNELS = SIGNED | {"level2_batch", "matches", "ticker", "ticker_batch", "heartbeat", "status"}
ANY_PRODUCT = frozenset(("status", "balance"))


class Refused(Exception):  # noqa: N818 - a venue's answer
    """A subscription is not accepted: `reason` of the error message."""


def _list(wanted: dict[str, Any], name: str) -> list[Any]:
    """Return a list of a request, empty when it is not there; Refused when it is none."""
    found = wanted.get(name) or []
    if not isinstance(found, list):
        raise Refused(f"{name} is not a list")
    return found


class Stream(Conversation):
    """One connection."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self.subscribed: dict[str, dict[str, None]] = {}
        """Symbols by channel, in order."""
        self.account = 0
        self._opened_ns = dialect.clock.now_ns()
        self._due: dict[str, int] = {}
        self._changed: dict[str, dict[tuple[Side, int], int]] = {}
        self._matched: dict[str, Message] = {}
        self._batched: set[str] = set()

    # what the client says

    def receive(self, message: str | bytes) -> None:
        """Subscribe or unsubscribe."""
        try:
            wanted = msgspec.json.decode(message, type=dict[str, Any])
        except msgspec.DecodeError:
            self._error("Malformed JSON", "")
            return
        kind = wanted.get("type")
        if kind not in ("subscribe", "unsubscribe"):
            self._error("Failed to subscribe", f"{kind} is not a valid type")
            return
        try:
            key = subscriber(self.dialect.keys, wanted, self.dialect.clock.now_ns())
            if key is not None:
                self.account = key.account
            channels = self._channels(wanted)
        except Refusal as refusal:
            reason = msgspec.json.encode({"message": refusal.message}).decode()
            self._error("Authentication Failed", reason)
            return
        except Refused as refused:
            self._error(f"Failed to {kind}", str(refused))
            return
        if kind == "subscribe":
            self._subscribe(channels)
        else:
            self._unsubscribe(channels)

    def _channels(self, wanted: dict[str, Any]) -> list[tuple[str, list[str]]]:
        """Return (channel, symbols) of a request; Refused names what is wrong."""
        products = _list(wanted, "product_ids")
        found = []
        for each in _list(wanted, "channels"):
            named = each if isinstance(each, dict) else {"name": each}
            name = ALIASES.get(str(named.get("name")), str(named.get("name")))
            if name not in CHANNELS:
                raise Refused(f"{name} is not a valid channel")
            if name in SIGNED and not self.account:
                raise Refused(f"{name} channel requires authentication")
            chosen = [symbol_of(p) for p in [*products, *_list(named, "product_ids")]]
            for symbol in chosen:
                if symbol not in self.exchange.desks:
                    raise Refused(f"{symbol.replace('/', '-')} is not a valid product")
            found.append((name, [] if name in ANY_PRODUCT else chosen))
        if not found:
            raise Refused("No channels provided")
        return found

    def _subscribe(self, channels: list[tuple[str, list[str]]]) -> None:
        fresh: list[tuple[str, str]] = []
        for name, symbols in channels:
            have = self.subscribed.setdefault(name, {})
            fresh += [(name, s) for s in symbols if s not in have]
            have.update(dict.fromkeys(symbols))
        self._acknowledge()
        for name, symbol in fresh:
            self._begin(name, symbol)
        if any(name == "status" for name, _ in channels):
            self.socket.send(pushes.status(self.exchange))

    def _unsubscribe(self, channels: list[tuple[str, list[str]]]) -> None:
        for name, symbols in channels:
            have = self.subscribed.get(name, {})
            for symbol in symbols or list(have):
                have.pop(symbol, None)
            if not have:
                self.subscribed.pop(name, None)
        self._acknowledge()

    def _acknowledge(self) -> None:
        listed = [
            {"name": name, "product_ids": [product_id(self.exchange.market(s)) for s in symbols]}
            for name, symbols in self.subscribed.items()
        ]
        self.socket.send(json_frame({"type": "subscriptions", "channels": listed}))

    def _error(self, message: str, reason: str) -> None:
        self.socket.send(json_frame({"type": "error", "message": message, "reason": reason}))

    def _begin(self, name: str, symbol: str) -> None:
        """Send what a channel begins with."""
        exchange, feed = self.exchange, self.dialect.feed
        if name in ("level2", "level2_batch"):
            self.socket.send(pushes.snapshot(exchange.market(symbol), exchange.book(symbol)))
        elif name in ("ticker", "ticker_batch", "matches"):
            last = exchange.trades(symbol, 1)
            if not last:
                return
            if name == "matches":
                self.socket.send(pushes.last_match(last[-1], feed.sequence(symbol)))
            else:
                day = exchange.ticker(symbol)
                self.socket.send(pushes.ticker(day, last[-1], feed.sequence(symbol)))

    # what happens

    def push(self, event: Event) -> None:
        """Tell what happened to those who asked for it."""
        for message in self.dialect.messages:
            self._message(message)
        if isinstance(event, BookChanged):
            self._book(event)
        elif isinstance(event, RequestDone) and self._matched:
            self._tickers()
        elif isinstance(event, BalanceChanged) and event.account == self.account:
            if "balance" in self.subscribed:
                self.socket.send(pushes.balance(event))
        elif isinstance(event, MarketChanged) and "status" in self.subscribed:
            self.socket.send(self._once("status", "", lambda: pushes.status(self.exchange)))

    def _message(self, message: Message) -> None:
        symbol, subscribed = message.symbol, self.subscribed
        mine = self.account and message.concerns(self.account)
        if symbol in subscribed.get("full", ()) or (mine and symbol in subscribed.get("user", ())):
            number = message.body["sequence"]
            if mine:
                body = private(message, self.account, self.exchange)
                self.socket.send(json_frame(body))
            else:
                self.socket.send(self._once("full", number, lambda: json_frame(message.body)))
        if message.kind == "match":
            if symbol in subscribed.get("matches", ()):
                key = message.body["trade_id"]
                self.socket.send(self._once("match", key, lambda: json_frame(message.body)))
            if symbol in subscribed.get("ticker", ()):
                self._matched[symbol] = message
            self._batched.add(symbol)

    def _tickers(self) -> None:
        for symbol, message in self._matched.items():
            frame = self._once("ticker", symbol, lambda m=message: self._ticker(m))
            self.socket.send(frame)
        self._matched.clear()

    def _ticker(self, message: Message) -> Any:
        trade = self.exchange.trades(message.symbol, 1)[-1]
        day = self.exchange.ticker(message.symbol)
        return pushes.ticker(day, trade, message.body["sequence"])

    def _book(self, event: BookChanged) -> None:
        symbol = event.market.symbol
        if symbol in self.subscribed.get("level2", ()):
            self.socket.send(self._once("l2", symbol, lambda: pushes.update(event)))
        if symbol in self.subscribed.get("level2_batch", ()):
            changed = self._changed.setdefault(symbol, {})
            changed.update({(side, px): lots for side, px, lots in event.changes})
            if not self.dialect.options.cadence_ns(BATCH_NS):
                self._flush_books(event.ts_ns)

    def tick(self, now_ns: int) -> None:
        """Send what is due."""
        if not self.subscribed and now_ns - self._opened_ns >= SILENT_NS:
            self._opened_ns = now_ns
            self.socket.close(1008, "no subscription")
            return
        batch_ns = self.dialect.options.cadence_ns(BATCH_NS)
        if self._changed and self._is_due("level2_batch", batch_ns, now_ns):
            self._flush_books(now_ns)
        if self._is_due("ticker_batch", TICKER_BATCH_NS, now_ns):
            self._flush_tickers()
        if self._is_due("heartbeat", NS_PER_S, now_ns):
            self._heartbeats(now_ns)

    def _is_due(self, channel: str, every_ns: int, now_ns: int) -> bool:
        """Return True when a channel's interval has passed, and begin the next."""
        if channel not in self.subscribed or now_ns < self._due.get(channel, 0):
            return False
        self._due[channel] = now_ns + every_ns
        return True

    def _flush_books(self, now_ns: int) -> None:
        for symbol, changed in self._changed.items():
            changes = tuple((side, px, lots) for (side, px), lots in changed.items())
            market = self.exchange.market(symbol)
            self.socket.send(pushes.update(BookChanged(market, 0, 0, changes, now_ns)))
        self._changed.clear()

    def _flush_tickers(self) -> None:
        for symbol in self.subscribed["ticker_batch"]:
            if symbol in self._batched:
                trade = self.exchange.trades(symbol, 1)[-1]
                day, number = self.exchange.ticker(symbol), self.dialect.feed.sequence(symbol)
                self.socket.send(pushes.ticker(day, trade, number))
        self._batched.clear()

    def _heartbeats(self, now_ns: int) -> None:
        for symbol in self.subscribed["heartbeat"]:
            last = self.exchange.trades(symbol, 1)
            number = self.dialect.feed.sequence(symbol)
            last_id = last[-1].id if last else 0
            market = self.exchange.market(symbol)
            self.socket.send(pushes.heartbeat(market, number, last_id, now_ns))

    def _once(self, kind: str, key: Any, encode: Any) -> Any:
        return self.dialect.once((kind, key), encode)
