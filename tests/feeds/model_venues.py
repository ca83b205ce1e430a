"""Venues that keep one true book and tell of it in their own frames: the reference of book sync.

A Model moves its book, gives the frames that a venue would send, answers requests, and remembers
what the book was at every number that it ever told. `Line` is a connection that loses, repeats and
reorders frames.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, ClassVar
from zlib import crc32

from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.dialects import dialect_of
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID

EPOCH_MS = 1_700_000_000_000
Levels = dict[tuple[int, int], int]
"""(side, px_ticks) -> qty_lots."""
Changes = list[tuple[int, int, int]]


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Model:
    """One venue with one instrument."""

    venue: ClassVar[str]
    symbol: ClassVar[str] = "BTCUSDT"
    tick: ClassVar[Decimal] = Decimal("0.01")
    lot: ClassVar[Decimal] = Decimal("0.001")

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.seq = rng.randrange(10**8, 10**9)
        self.now = 0
        self.middle = 5_000
        self.levels: Levels = {}
        self.history: dict[int, Levels] = {}
        for _ in range(8):
            self._change()
        self.remember()

    @classmethod
    def instrument(cls) -> Instrument:
        return Instrument(
            venue=cls.venue,
            symbol=cls.symbol,
            kind="spot",
            tick=cls.tick,
            lot=cls.lot,
            base="BTC",
            quote="USDT",
        )

    @classmethod
    def dialect(cls) -> Dialect:
        return dialect_of(cls.venue)

    def key(self, event: Any) -> int:
        """By which number of an event its book is found in the history."""
        return int(event["seq"])

    def number(self) -> int:
        """That number of the book as it is."""
        return self.seq

    def remember(self) -> None:
        self.history[self.number()] = dict(self.levels)

    def _change(self) -> tuple[int, int, int]:
        """Change one level; the book is never crossed."""
        side = self.rng.randrange(2)
        px = self.middle + (1 + self.rng.randrange(4)) * (1 if side == ASK else -1)
        qty = 0 if self.rng.random() < 0.3 else self.rng.randrange(1, 900)
        if qty:
            self.levels[side, px] = qty
        else:
            self.levels.pop((side, px), None)
        return side, px, qty

    def changes(self) -> Changes:
        """Move the book: now and then all of it to another price."""
        found = []
        if self.rng.random() < 0.1:
            self.middle += self.rng.choice((-3, 3))
            found = [(*place, 0) for place in self.levels]
            self.levels.clear()
        found += [self._change() for _ in range(self.rng.randrange(1, 4))]
        return list({(side, px): (side, px, qty) for side, px, qty in found}.values())

    def step(self) -> list[bytes]:
        """Something happens; return the frames that tell of it."""
        self.now += 1
        changes = self.changes()
        frame = self.diff(changes)
        self.remember()
        return [frame]

    def restart(self) -> list[bytes]:
        """The venue loses its book and counts anew, from below."""
        self.now += 1
        self.levels.clear()
        self.seq = self.rng.randrange(1 + self.seq // 2)
        frame = self.begin_anew()
        self.remember()
        return [frame]

    def begin_anew(self) -> bytes:
        return self.diff([self._change()])

    def diff(self, changes: Changes) -> bytes:
        """Number a change and return its frame."""
        raise NotImplementedError

    def subscribed(self) -> list[bytes]:
        """Frames that a subscription begins with."""
        return []

    def answer(self) -> bytes:
        """A whole book as it is, asked for."""
        raise NotImplementedError

    def px(self, ticks: int) -> str:
        return str(ticks * self.tick)

    def qty(self, lots: int) -> str:
        return str(lots * self.lot) if lots else "0"

    def side(self, side: int, changes: Changes | None = None) -> list[list[str]]:
        """Levels as most venues write them."""
        if changes is None:
            changes = [(s, px, qty) for (s, px), qty in self.levels.items()]
        return [[self.px(px), self.qty(qty)] for s, px, qty in changes if s == side]


class Binance(Model):
    venue = "binance"

    def diff(self, changes: Changes) -> bytes:
        first = self.seq + 1
        self.seq += self.rng.randrange(1, 4)
        data = {"e": "depthUpdate", "E": EPOCH_MS + self.now, "s": self.symbol, "U": first}
        data |= {"u": self.seq, "b": self.side(BID, changes), "a": self.side(ASK, changes)}
        return compact({"stream": "btcusdt@depth@100ms", "data": data})

    def answer(self) -> bytes:
        return compact(
            {"lastUpdateId": self.seq, "bids": self.side(BID), "asks": self.side(ASK)},
        )


class BinanceUsdm(Binance):
    venue = "binanceusdm"

    def diff(self, changes: Changes) -> bytes:
        before = self.seq
        self.seq += self.rng.randrange(2, 9)
        stamp = EPOCH_MS + self.now
        data = {"e": "depthUpdate", "E": stamp, "T": stamp, "s": self.symbol}
        data |= {"U": before + 2, "u": self.seq, "pu": before}
        data |= {"b": self.side(BID, changes), "a": self.side(ASK, changes)}
        return compact({"stream": "btcusdt@depth@100ms", "data": data})


class Bybit(Model):
    venue = "bybit"

    def diff(self, changes: Changes) -> bytes:
        self.seq += 1
        return self._frame("delta", changes)

    def restart(self) -> list[bytes]:
        """Once: two books that both begin at 1 cannot be told apart by numbers."""
        return super().restart() if self.seq > 10**7 else self.step()

    def begin_anew(self) -> bytes:
        self.seq = 1
        self._change()
        return self._frame("snapshot", None)

    def subscribed(self) -> list[bytes]:
        return [compact({"success": True, "op": "subscribe"}), self._frame("snapshot", None)]

    def _frame(self, kind: str, changes: Changes | None) -> bytes:
        stamp = EPOCH_MS + self.now
        data = {"s": self.symbol, "b": self.side(BID, changes), "a": self.side(ASK, changes)}
        data |= {"u": self.seq, "seq": 7}
        head = {"topic": f"orderbook.50.{self.symbol}", "ts": stamp, "type": kind}
        return compact(head | {"data": data, "cts": stamp})


class Okx(Model):
    venue = "okx"
    symbol = "BTC-USDT"

    def diff(self, changes: Changes) -> bytes:
        before = getattr(self, "told", self.seq)
        self.seq += self.rng.randrange(1, 5)
        self.told = self.seq
        return self._frame("update", changes, before)

    def restart(self) -> list[bytes]:
        """Numbers begin anew, from below; that change still names the one before it."""
        self.told, self.seq = self.seq, self.rng.randrange(1 + self.seq // 2)
        return self.step()

    def subscribed(self) -> list[bytes]:
        self.told = self.seq
        return [self._frame("snapshot", None, -1)]

    def _frame(self, action: str, changes: Changes | None, before: int) -> bytes:
        levels = [[[*level, "0", "1"] for level in self.side(s, changes)] for s in (ASK, BID)]
        data = {"asks": levels[0], "bids": levels[1], "ts": str(EPOCH_MS + self.now)}
        data |= {"checksum": 0, "seqId": self.seq, "prevSeqId": before}
        arg = {"channel": "books", "instId": self.symbol}
        return compact({"arg": arg, "action": action, "data": [data]})


class Kraken(Model):
    venue = "kraken"
    symbol = "BTCUSDT"

    def key(self, event: Any) -> int:
        return int(event["ts_exch_ns"]) // 1_000_000 - EPOCH_MS

    def number(self) -> int:
        return self.now

    def begin_anew(self) -> bytes:
        return self._frame("snapshot", None)

    def subscribed(self) -> list[bytes]:
        return [compact({"method": "subscribe", "success": True}), self._frame("snapshot", None)]

    def diff(self, changes: Changes) -> bytes:
        return self._frame("update", changes)

    def _frame(self, kind: str, changes: Changes | None) -> bytes:
        sides = [
            "[" + ",".join(f'{{"price":{px},"qty":{qty}}}' for px, qty in self.side(s, changes))
            for s in (BID, ASK)
        ]
        seconds, ms = divmod(EPOCH_MS + self.now, 1000)
        stamp = f"2023-11-14T22:{13 + (20 + seconds - 1_700_000_000) // 60:02d}:"
        stamp += f"{(20 + seconds - 1_700_000_000) % 60:02d}.{ms:03d}000Z"
        book = f'"bids":{sides[0]}],"asks":{sides[1]}],"checksum":{self.checksum()}'
        body = f'{{"symbol":"BTC/USDT",{book},"timestamp":"{stamp}"}}'
        return f'{{"channel":"book","type":"{kind}","data":[{body}]}}'.encode()

    def checksum(self) -> int:
        """As the venue's guide has it, from text."""
        text = ""
        for side, sign in ((ASK, 1), (BID, -1)):
            prices = sorted(sign * px for s, px in self.levels if s == side)[:10]
            for px in (sign * each for each in prices):
                for number, digits in ((px * self.tick, 2), (self.levels[side, px] * self.lot, 3)):
                    text += f"{number:.{digits}f}".replace(".", "").lstrip("0")
        return crc32(text.encode())


class Coinbase(Model):
    venue = "coinbase"
    symbol = "BTC-USDT"

    def __init__(self, rng: Random) -> None:
        super().__init__(rng)
        self.seq = -1

    def step(self) -> list[bytes]:
        if self.rng.random() < 0.3:
            self.now += 1
            return [self._numbered("heartbeats", [{"heartbeat_counter": "1"}])]
        return super().step()

    def restart(self) -> list[bytes]:
        return self.subscribed()

    def subscribed(self) -> list[bytes]:
        ack = self._numbered("subscriptions", [{"subscriptions": {}}])
        return [ack, self._book("snapshot", None)]

    def diff(self, changes: Changes) -> bytes:
        return self._book("update", changes)

    def _stamp(self) -> str:
        seconds, ms = divmod(self.now, 1000)
        return f"2024-02-01T10:{seconds // 60:02d}:{seconds % 60:02d}.{ms:03d}000Z"

    def _book(self, kind: str, changes: Changes | None) -> bytes:
        updates = [
            {"side": name, "event_time": self._stamp(), "price_level": px, "new_quantity": qty}
            for side, name in ((BID, "bid"), (ASK, "offer"))
            for px, qty in self.side(side, changes)
        ]
        event = {"type": kind, "product_id": self.symbol, "updates": updates}
        return self._numbered("l2_data", [event])

    def _numbered(self, channel: str, events: Any) -> bytes:
        self.seq += 1
        self.remember()
        head = {"channel": channel, "client_id": "", "timestamp": self._stamp()}
        return compact(head | {"sequence_num": self.seq, "events": events})


class Htx(Model):
    venue = "htx"

    def diff(self, changes: Changes) -> bytes:
        before, self.seq = self.seq, self.seq + self.rng.randrange(1, 5)
        tick = f'"seqNum":{self.seq},"prevSeqNum":{before},{self._levels(changes)}'
        return self._frame("ch", f'"tick":{{{tick}}}')

    def answer(self) -> bytes:
        data = f'"seqNum":{self.seq},{self._levels(None)}'
        return self._frame("rep", f'"status":"ok","data":{{{data}}}')

    def _levels(self, changes: Changes | None) -> str:
        sides = [
            "[" + ",".join(f"[{px},{qty}]" for px, qty in self.side(side, changes)) + "]"
            for side in (BID, ASK)
        ]
        return f'"bids":{sides[0]},"asks":{sides[1]}'

    def _frame(self, verb: str, rest: str) -> bytes:
        head = f'"{verb}":"market.btcusdt.mbp.150","ts":{EPOCH_MS + self.now}'
        return gzip.compress(f"{{{head},{rest}}}".encode(), 1)


MODELS: tuple[type[Model], ...] = (Binance, BinanceUsdm, Bybit, Coinbase, Htx, Kraken, Okx)


@dataclass
class Line:
    """Frames on their way; each rate is a probability per frame."""

    rng: Random
    loss: float = 0.0
    repeat: float = 0.0
    delay: float = 0.0
    late: list[tuple[int, bytes]] = field(default_factory=list)
    """(frames to wait, frame)."""

    def send(self, frames: list[bytes]) -> Iterator[bytes]:
        """Yield what arrives, in the order in which it does."""
        for frame in frames:
            if self.rng.random() < self.loss:
                continue
            if self.rng.random() < self.delay:
                self.late.append((self.rng.randrange(1, 4), frame))
                continue
            if self.rng.random() < self.repeat:
                self.late.append((self.rng.randrange(0, 6), frame))
            yield frame
            yield from self._late()

    def _late(self) -> Iterator[bytes]:
        waiting = [(wait - 1, frame) for wait, frame in self.late]
        self.late = [each for each in waiting if each[0] > 0]
        yield from (frame for wait, frame in waiting if wait <= 0)
