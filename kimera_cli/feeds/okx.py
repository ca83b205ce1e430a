"""OKX v5 public channels: books with seqId chain and checksum, trades, best bid and ask.

https://www.okx.com/docs-v5/en/#order-book-trading-market-data: a book starts with
`action: snapshot` (`prevSeqId` -1); `books5` and `bbo-tbt` send whole states without an action.
`checksum` is a signed 32-bit number, 0 where the venue does not compute it any more. A level is
price, size, a field without use, number of orders. Recordings of 2022 have no seqId yet.

A book in which nothing happens is told again after a minute, empty and with its old number; until
then the whole book over REST tells whether ours is still the venue's.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from kimera_cli.feeds.dialect import PROOF_LEVELS, BookRule, Dialect, Kind, Message, Wire
from kimera_cli.feeds.subscribe import message
from kimera_cli.instrument import Instrument

_CHAINED = ("books", "books-l2-tbt", "books50-l2-tbt")
_LEVELS = '"asks":<asks:4>,"bids":<bids:4>,'
_BEST_LEVEL = '[["<px>","<qty>","<int>","<int>"]]'


def _push(channel: str, data: str, action: str = "") -> str:
    """Return a message of a channel; `data` is the rest of the list of its entries."""
    action = f',"action":"{action}"' if action else ""
    arg = '{"arg":{"channel":"' + channel + '","instId":"<symbol>"}'
    return arg + action + ',"data":[' + data + "}"


def _books(channel: str) -> tuple[Message, ...]:
    """Return snapshot and update of a channel, in the key orders that the venue has used."""
    found = []
    for action, ref in (("snapshot", "-1"), ("update", "<ref>")):
        chain = (f',"seqId":<seq>,"prevSeqId":{ref}', f',"prevSeqId":{ref},"seqId":<seq>')
        tails = [f'"ts":"<ms>","checksum":<checksum>{each}' for each in ("", *chain)]
        tails += [f'"ts":"<ms>"{each}' for each in chain]
        for tail in tails:
            text = _push(channel, "{" + _LEVELS + tail + "}]", action)
            found.append(Message("depth", text, snapshot=action == "snapshot"))
    return tuple(found)


_BOOKS5 = "{" + _LEVELS + '"instId":"<symbol>","ts":"<ms>","seqId":<seq>}]'
_BEST = f'{{"asks":{_BEST_LEVEL}<ask>,"bids":{_BEST_LEVEL}<bid>,"ts":"<ms>","seqId":<seq>}}]'
_TRADE = (
    '{"instId":"<symbol>","tradeId":"<seq>","px":"<px>","sz":"<qty>","side":"<side:buy|sell>",'
    '"ts":"<ms>"'
)
_TRADE_TAILS = (
    "",
    ',"count":"<int>"',
    ',"count":"<int>","seqId":<int>',
    ',"count":"<int>","source":"<int>"',
    ',"count":"<int>","source":"<int>","seqId":<int>',
)
_TICKER = (
    '{"instType":"<text>","instId":"<symbol>","last":"<text>","lastSz":"<text>","askPx":"<px>",'
    '"askSz":"<qty>"<ask>,"bidPx":"<px>","bidSz":"<qty>"<bid>,"open24h":"<text>",'
    '"high24h":"<text>","low24h":"<text>",'
)
_STARTS_OF_DAY = '"sodUtc0":"<text>","sodUtc8":"<text>",'
_VOLUMES = '"volCcy24h":"<text>","vol24h":"<text>",'

_CHANNELS: dict[Kind, str] = {"depth": "books", "trade": "trades", "quote": "bbo-tbt"}


def _ask(op: str, instruments: Sequence[Instrument], kinds: Sequence[Kind]) -> list[bytes]:
    args = [{"channel": _CHANNELS[k], "instId": i.symbol} for i in instruments for k in kinds]
    return [message(op=op, args=args)]


_WIRE = Wire(
    url=lambda *_: "wss://ws.okx.com:8443/ws/v5/public",
    subscribe=partial(_ask, "subscribe"),
    unsubscribe=partial(_ask, "unsubscribe"),
    ping=b"ping",
    ping_every_s=20.0,
)


def _proof(instrument: Instrument) -> str:
    base = "https://www.okx.com/api/v5/market/books"
    return f"{base}?instId={instrument.symbol}&sz={PROOF_LEVELS['okx']}"


OKX = Dialect(
    venue="okx",
    slow="kimera_cli.feeds.slow_okx:OkxSlow",
    wire=_WIRE,
    books=BookRule("kimera_cli.feeds.sync_chain:ChainSync", proof=_proof, gap_s=0.1),
    messages=(
        *(message for channel in _CHAINED for message in _books(channel)),
        Message("depth", _push("books5", _BOOKS5), snapshot=True),
        Message("quote", _push("bbo-tbt", _BEST)),
        *(
            Message("trade", _push("trades", f"<each>{_TRADE}{tail}}}<trade><next>"))
            for tail in _TRADE_TAILS
        ),
        Message("quote", _push("tickers", _TICKER + _STARTS_OF_DAY + _VOLUMES + '"ts":"<ms>"}]')),
        Message("quote", _push("tickers", _TICKER + _VOLUMES + _STARTS_OF_DAY + '"ts":"<ms>"}]')),
    ),
)
