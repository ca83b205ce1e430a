"""Frames of a raw Binance recording: one line to one typed message.

A line is `<local ns> <combined-stream JSON>`, or `<local ns> <REST depth snapshot>`. The stream
name says which of a few message types follows; each has its own decoder, which reads decimals
straight to float64 (`Messages` puts them back on the exact grid). msgspec ignores what is not
declared here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

import msgspec

from kimera_cli.data.importers.messages import Level
from kimera_cli.units import NS_PER_MS

Id = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
Ms = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) // NS_PER_MS - 1)]


class Depth(msgspec.Struct, gc=False):
    """depthUpdate: levels that changed in updates U..u, following update pu (futures)."""

    s: str
    E: Ms
    U: Id
    u: Id
    b: list[Level]
    a: list[Level]
    T: Ms = 0
    pu: int = -1


class Ticker(msgspec.Struct, gc=False):
    """bookTicker: best bid and ask after update u. Spot tells no time."""

    s: str
    u: Id
    b: float
    B: float
    a: float
    A: float
    T: Ms = 0


class Trade(msgspec.Struct, gc=False):
    """One trade; m: the buyer was resting. Only spot has M."""

    s: str
    T: Ms
    p: float
    q: float
    m: bool
    t: Id
    M: bool | None = None


class AggTrade(msgspec.Struct, gc=False):
    """Trades of one taker order at one price; a is the aggregate's own id."""

    s: str
    T: Ms
    p: float
    q: float
    m: bool
    a: Id
    M: bool | None = None


class Other(msgspec.Struct):
    """A frame of another stream; `symbol` is what its name begins with."""

    symbol: str


class Snapshot(msgspec.Struct):
    """REST depth: the book after lastUpdateId. Only COIN-M names its symbol; spot has no time."""

    lastUpdateId: Id  # noqa: N815
    bids: list[Level]
    asks: list[Level]
    T: Ms = 0
    symbol: str = ""


class Acknowledgement(msgspec.Struct):
    """Answer to a subscription: no market data."""

    id: Any


Frame = Depth | Ticker | Trade | AggTrade | Other | Snapshot | Acknowledgement


def _stream_decoder(message: Any) -> msgspec.json.Decoder[Any]:
    envelope = msgspec.defstruct("Envelope", [("data", message)], gc=False)
    return msgspec.json.Decoder(envelope, strict=False)


_DECODERS = {
    b"depth": _stream_decoder(Depth),
    b"bookTicker": _stream_decoder(Ticker),
    b"trade": _stream_decoder(Trade),
    b"aggTrade": _stream_decoder(AggTrade),
}
_NEVER_NS = 1 << 63
_OTHER = _stream_decoder(msgspec.Raw)
_SNAPSHOT = msgspec.json.Decoder(Snapshot, strict=False)
_ACKNOWLEDGEMENT = msgspec.json.Decoder(Acknowledgement)


def parse(line: bytes) -> tuple[int, Frame]:
    """Return (local ns, frame); ValueError or MsgspecError when the line is no such thing."""
    stamp, _, text = line.partition(b" ")
    ts_local_ns = int(stamp)
    if ts_local_ns >= _NEVER_NS:
        raise ValueError(stamp)
    if text.startswith(b'{"stream"'):
        stream = text[11 : text.index(b'"', 12)]
        decoder = _decoder_of(stream)
        if decoder is not None:
            return ts_local_ns, decoder.decode(text).data
        _OTHER.decode(text)  # refuses what is no JSON
        return ts_local_ns, Other(stream.partition(b"@")[0].decode().upper())
    if b'"lastUpdateId"' in text[:200]:
        return ts_local_ns, _SNAPSHOT.decode(text)
    return ts_local_ns, _ACKNOWLEDGEMENT.decode(text)


@lru_cache(maxsize=4_096)
def _decoder_of(stream: bytes) -> msgspec.json.Decoder[Any] | None:
    channel = stream.partition(b"@")[2].partition(b"@")[0].partition(b"_")[0]
    return _DECODERS.get(channel)
