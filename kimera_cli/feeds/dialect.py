"""How a venue's messages read: templates of their exact text, one file per venue.

A template is the text of a message with placeholders in angle brackets:

    {"e":"depthUpdate","E":<ms>,"s":"<symbol>","U":<ref-1>,"u":<seq>,"b":<bids>,"a":<asks>}

Everything outside of placeholders must stand in the frame byte for byte; a frame that differs from
all templates of its venue goes to the slow parser. So a template is also the statement of what the
fast parser may be trusted with. docs/reference/feeds.md lists the placeholders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kimera_cli.instrument import Instrument

Kind = Literal["depth", "trade", "quote"]


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
class Dialect:
    """A venue's messages, how it spells instruments in them, and where its slow parser is.

    `symbol` and `topic` are the spellings for `<symbol>` and `<topic>`. `slow` is `module:class`.
    `unpack`: each frame comes compressed so, and is read unpacked.
    """

    venue: str
    messages: tuple[Message, ...]
    slow: str
    symbol: Callable[[Instrument], str] = _as_is
    topic: Callable[[Instrument], str] = _as_is
    unpack: Literal["", "gzip"] = ""
