"""How a venue's messages read: templates of their exact text, one file per venue.

A template is the text of a message with placeholders in angle brackets:

    {"e":"depthUpdate","E":<ms>,"s":"<symbol>","U":<ref-1>,"u":<seq>,"b":<bids>,"a":<asks>}

Everything outside of placeholders must stand in the frame byte for byte; a frame that differs from
all templates of its venue goes to the slow parser. So a template is also the statement of what the
fast parser may be trusted with. docs/reference/feeds.md lists the placeholders.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kimera_cli.instrument import Instrument

Kind = Literal["depth", "trade", "quote"]
KINDS: tuple[Kind, ...] = ("depth", "trade", "quote")


@dataclass(frozen=True)
class Message:
    """One message of a venue, as its text reads.

    `snapshot`: the levels are a whole book (a CLEAR event goes before them). `follows`: the venue
    numbers book messages one by one, so that a message follows seq - 1. `restart`: seq 1 says that
    the venue began anew, which the slow parser takes as a snapshot.
    """

    kind: Kind
    text: str
    snapshot: bool = False
    follows: bool = False
    restart: bool = False


def _as_is(instrument: Instrument) -> str:
    return instrument.symbol


@dataclass(frozen=True)
class Wire:
    """How a venue's public websocket is asked for its streams.

    `url` tells the address of a channel for a kind of instrument; `subscribe` gives the messages to
    send once connected, `unsubscribe` those that take it back. `ping` is what the venue answers in
    its own words whatever the market does, to be sent every `ping_every_s` seconds; 0: it wants
    none beside the protocol's, and is only asked so when a connection without books is silent.
    """

    url: Callable[[Instrument, Kind], str]
    subscribe: Callable[[Sequence[Instrument], Sequence[Kind]], list[bytes]]
    unsubscribe: Callable[[Sequence[Instrument], Sequence[Kind]], list[bytes]]
    ping: bytes = b""
    ping_every_s: float = 0.0


EVERY = 1 << 20
PROOF_LEVELS = {"bybit": 50, "okx": 400, "coinbase": EVERY, "coinbaseexchange": EVERY}
"""Levels of a side that these venues' proofs must have: all that their book channels tell."""


@dataclass(frozen=True)
class BookRule:
    """How a venue's books are kept in step (feeds/sync.py).

    `sync` is the state machine as `module:class`. `snapshot` is the REST address of a whole book,
    `request` the message that asks for one on the socket; a venue has one of them where books do
    not begin by themselves. `proof` is the REST address of a book which tells whether anything has
    happened since the last change: by its number, or, where its numbers are not those of the
    stream, by being ours (`PROOF_LEVELS` of a side). Without it `request` asks for the proof; or,
    where `again` is set, the channel subscribed anew is it. `audit` is the REST address of a book
    that the own one is compared with. `gap_s` lies between two questions for proof or audit over
    REST, of all connections: a half of the venue's budget at most. `numbered`: all messages of a
    connection have one sequence.
    """

    sync: str
    snapshot: Callable[[Instrument], str] | None = None
    request: Callable[[Instrument], bytes] | None = None
    proof: Callable[[Instrument], str] | None = None
    again: bool = False
    audit: Callable[[Instrument], str] | None = None
    gap_s: float = 0.2
    numbered: bool = False


@dataclass(frozen=True)
class Dialect:
    """A venue's messages, how it spells instruments in them, and where its slow parser is.

    `symbol` and `topic` are the spellings for `<symbol>` and `<topic>`. `slow` is `module:class`.
    `unpack`: each frame comes compressed so, and is read unpacked. `wire`: where the messages come
    from and how they are asked for. `books`: how its books are kept in step.
    """

    venue: str
    messages: tuple[Message, ...]
    slow: str
    symbol: Callable[[Instrument], str] = _as_is
    topic: Callable[[Instrument], str] = _as_is
    unpack: Literal["", "gzip"] = ""
    wire: Wire | None = None
    books: BookRule | None = None
