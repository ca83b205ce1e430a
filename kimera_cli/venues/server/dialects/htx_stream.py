"""HTX's public websockets: /ws for market data, /feed for the numbered books; frames are gzipped.

https://www.htx.com/en-us/opend/newApiPages/. The venue pings every five seconds and closes after
two pings without an answer. Whole books (`depth.stepN`) come every second, `mbp.refresh.N`, `bbo`
and `detail` at most every 100 ms, trades at the end of the request that made them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.dialect import Conversation, Request, Socket
from kimera_cli.venues.server.dialects import htx_market as market_data
from kimera_cli.venues.server.dialects.htx_books import AT_ONCE, LOOKS, Told, packed
from kimera_cli.venues.server.dialects.htx_errors import HtxError
from kimera_cli.venues.server.dialects.htx_market import PERIODS, STEPS
from kimera_cli.venues.server.dialects.htx_states import SECOND_NS, TENTH_NS, Topic, state_text
from kimera_cli.venues.server.dialects.htx_text import ms, name_of, names
from kimera_cli.venues.server.frames import Frame, json_bytes
from kimera_cli.venues.server.model import BookChanged, Event, RequestDone, Trade, Traded

if TYPE_CHECKING:
    from kimera_cli.venues.server.dialects.htx import Dialect

PING_NS = 5 * NS_PER_S
UNANSWERED = 2
REFRESHES = (5, 10, 20)


class Stream(Conversation):
    """One connection to /ws or /feed."""

    dialect: Dialect

    def __init__(self, dialect: Dialect, socket: Socket, request: Request) -> None:
        super().__init__(dialect, socket, request)
        self.feed = request.path.rstrip("/").endswith("/feed")
        self.topics: dict[str, Topic] = {}
        self._next_ping_ns = dialect.clock.now_ns() + PING_NS
        self._unanswered = 0
        self._due: dict[str, int] = {}
        self._states: list[Topic] = []
        self._stale: set[str] = set()
        self._trades: dict[str, list[Trade]] = {}

    # what the client says

    def receive(self, message: str | bytes) -> None:
        """Subscribe, unsubscribe, ask, or answer a ping."""
        try:
            wanted = msgspec.json.decode(message, type=dict[str, Any])
        except msgspec.DecodeError:
            self._error("", "not json string")
            return
        if "pong" in wanted or "ping" in wanted:
            self._unanswered = 0
            if "ping" in wanted:
                self._send({"pong": wanted["ping"]})
            return
        request_id = wanted.get("id", "")
        try:
            self._act(wanted, request_id)
        except HtxError as error:
            self._error(request_id, error.message)

    def _act(self, wanted: dict[str, Any], request_id: object) -> None:
        for verb in ("sub", "unsub", "req"):
            asked = wanted.get(verb)
            if asked is None:
                continue
            for name in asked if isinstance(asked, list) else [asked]:
                topic = self._topic(str(name), verb)
                if verb == "req":
                    self._answer(topic, wanted, request_id)
                else:
                    self._subscribe(topic, verb, request_id)
            return
        raise HtxError("bad-request", "request is not valid")

    def _topic(self, name: str, verb: str) -> Topic:
        """Return a channel; HtxError when there is none of that name here."""
        prefix, _, rest = name.partition(".")
        symbol, _, kind = rest.partition(".")
        market = names(self.exchange.markets).get(symbol)
        if prefix != "market" or not kind:
            raise HtxError("bad-request", f"invalid topic {name}")
        if market is None:
            raise HtxError("bad-request", f"invalid symbol {symbol}")
        if not self._has(kind):
            raise HtxError("bad-request", f"invalid topic {name}")
        if verb == "unsub" and name not in self.topics:
            raise HtxError("bad-request", f"unsub with not subbed topic {name}")
        return Topic(name, market.symbol, kind)

    def _has(self, kind: str) -> bool:
        head, _, tail = kind.partition(".")
        if head == "mbp":
            if tail.startswith("refresh."):
                return tail in {f"refresh.{n}" for n in REFRESHES}
            return self.feed and tail in {str(n) for n in (*AT_ONCE, *LOOKS)}
        if self.feed:
            return False
        if head == "depth":
            return tail in STEPS
        if head == "kline":
            return tail in PERIODS
        return kind in ("bbo", "detail", "ticker", "trade.detail")

    def _subscribe(self, topic: Topic, verb: str, request_id: object) -> None:
        if verb == "sub":
            self.topics[topic.name] = topic
            if topic.kind.startswith("mbp."):
                self.dialect.book(topic.symbol)
        else:
            self.topics.pop(topic.name, None)
        self._states = [t for t in self.topics.values() if t.interval_ns]
        now = self.dialect.clock.now_ms()
        said = {"id": request_id, "status": "ok", f"{verb}bed": topic.name, "ts": now}
        self._send(said)
        if verb == "sub" and topic.interval_ns:
            self._show(topic, self.dialect.clock.now_ns())

    def _answer(self, topic: Topic, wanted: dict[str, Any], request_id: object) -> None:
        """Answer a request for data."""
        head, _, tail = topic.kind.partition(".")
        now_ns = self.dialect.clock.now_ns()
        if head == "mbp" and tail.isdecimal():
            seq, sides = self.dialect.book(topic.symbol).whole(int(tail))
            data = f'{{"seqNum":{seq},{sides}}}'
        elif head in ("kline", "trade"):
            query = {"symbol": name_of(self.exchange.market(topic.symbol)), "period": tail}
            query |= {n: str(wanted[n]) for n in ("from", "to", "size") if n in wanted}
            ask = market_data.bars if head == "kline" else market_data.trades
            data = bytes(ask(self.exchange, query, now_ns)["data"]).decode()
        else:
            raise HtxError("bad-request", f"invalid topic {topic.name}")
        ident = json_bytes(request_id).decode()
        self.socket.send(
            packed(
                f'{{"id":{ident},"rep":"{topic.name}","status":"ok","ts":{ms(now_ns)},'
                f'"data":{data}}}'
            )
        )

    def _error(self, request_id: object, why: str) -> None:
        now = self.dialect.clock.now_ms()
        said = {"status": "error", "ts": now, "id": request_id, "err-code": "bad-request"}
        self._send(said | {"err-msg": why})

    # what happens

    def push(self, event: Event) -> None:
        """Tell the numbered books and the trades."""
        self.looked(self.dialect.told)
        if isinstance(event, BookChanged):
            self._changed(event.market.symbol)
        elif isinstance(event, Traded):
            if self._topic_of(event.market.symbol, "trade.detail"):
                self._trades.setdefault(event.market.symbol, []).append(event.trade)
            self._changed(event.market.symbol)
        elif isinstance(event, RequestDone):
            self._flush_trades()
            if not self.dialect.options.cadence_ns(TENTH_NS):
                self._flush_states(event.ts_ns)

    def looked(self, told: list[Told]) -> None:
        """Tell messages of the numbered books."""
        for each in told:
            if each.topic in self.topics:
                self.socket.send(each.frame)

    def _changed(self, symbol: str) -> None:
        self._stale.update(t.name for t in self.topics.values() if t.symbol == symbol)

    def _name(self, symbol: str) -> str:
        return name_of(self.exchange.market(symbol))

    def _topic_of(self, symbol: str, kind: str) -> bool:
        return f"market.{self._name(symbol)}.{kind}" in self.topics

    def _flush_trades(self) -> None:
        for symbol, trades in self._trades.items():
            self.socket.send(self.dialect.once(("trades", symbol), partial(_trades_frame, trades)))
        self._trades.clear()

    def tick(self, now_ns: int) -> None:
        """Ping, and send what is due."""
        if now_ns >= self._next_ping_ns:
            if self._unanswered >= UNANSWERED:
                self.socket.close(1003, "no pong")
                self._unanswered = 0
                return
            self._next_ping_ns = now_ns + PING_NS
            self._unanswered += 1
            self._send({"ping": ms(now_ns)})
        self._flush_states(now_ns)

    def _flush_states(self, now_ns: int) -> None:
        """Send the channels that show a state, each when its interval is over."""
        for topic in self._states:
            if now_ns < self._due.get(topic.name, 0):
                continue
            if topic.name not in self._stale and not topic.kind.startswith("depth."):
                continue
            self._due[topic.name] = now_ns + self._interval_ns(topic)
            self._stale.discard(topic.name)
            self._show(topic, now_ns)

    def _interval_ns(self, topic: Topic) -> int:
        every = topic.interval_ns or 0
        return every if every == SECOND_NS else self.dialect.options.cadence_ns(every)

    def _show(self, topic: Topic, now_ns: int) -> None:
        """Send a channel's state; a book with one side has no best bid and offer."""
        dialect = self.dialect
        if topic.kind == "bbo" and not all(self.exchange.book(topic.symbol, 1)):
            return
        text = partial(state_text, self.exchange, dialect.book, topic, now_ns)
        self.socket.send(dialect.once(("state", topic.name, now_ns), lambda: packed(text())))

    def _send(self, said: dict[str, Any]) -> None:
        self.socket.send(packed(json_bytes(said).decode()))


def _trades_frame(trades: list[Trade]) -> Frame:
    """Return the trades of one request, newest first."""
    newest = trades[-1]
    name, ts = name_of(newest.market), ms(newest.ts_ns)
    listed = ",".join(market_data.trade_text(trade, "tradeId") for trade in trades[::-1])
    return packed(
        f'{{"ch":"market.{name}.trade.detail","ts":{ts},"tick":{{'
        f'"id":{market_data.batch_id(newest)},"ts":{ts},"data":[{listed}]}}}}'
    )
