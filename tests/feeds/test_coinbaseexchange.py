"""Coinbase Exchange: recorded frames in their own format, and what is not market data."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from agreement import NOW, Pair, rows
from venue_frames import imported, recorded

from kimera_cli.errors import VenueError
from kimera_cli.feeds.coinbaseexchange import COINBASE_EXCHANGE
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ASK,
    BID,
    CLEAR,
    DEPTH,
    F_LAST,
    F_NO_EXCH_TIME,
    F_SNAPSHOT,
    NO_SIDE,
    QUOTE,
    TRADE,
)

BTC = Instrument(
    venue="coinbaseexchange",
    symbol="BTC-USD",
    kind="spot",
    tick=Decimal("0.01"),
    lot=Decimal("0.00000001"),
    base="BTC",
    quote="USD",
)
NS = 1_618_677_817_075_687_000
TIME = "2021-04-17T16:43:37.075687Z"
UPDATE = (
    '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","101.5","0.5"],'
    f'["sell","102.00","0"]],"time":"{TIME}"}}'
)


@pytest.fixture
def pair() -> Pair:
    return Pair(COINBASE_EXCHANGE, [BTC])


def test_an_update_is_read_fast(pair: Pair) -> None:
    assert rows(pair.both(UPDATE.encode())) == [
        (DEPTH, BID, 10150, 50_000_000, 0, 0, NS, 0),
        (DEPTH, ASK, 10200, 0, 0, 0, NS, F_LAST),
    ]
    assert pair.reader.counts["fast"] == 1


@pytest.mark.parametrize("timed", [False, True])
def test_a_snapshot_clears_first(pair: Pair, timed: bool) -> None:
    sides = '"asks":[["102.00","2"]],"bids":[["101.5","0.5"]]'
    end = f',"time":"{TIME}"' if timed else ""
    frame = f'{{"type":"snapshot","product_id":"BTC-USD",{sides}{end}}}'.encode()
    stamp, extra = (NS, 0) if timed else (NOW, F_NO_EXCH_TIME)
    flags = F_SNAPSHOT | extra
    assert rows(pair.both(frame)) == [
        (CLEAR, NO_SIDE, 0, 0, 0, 0, stamp, flags),
        (DEPTH, ASK, 10200, 200_000_000, 0, 0, stamp, flags),
        (DEPTH, BID, 10150, 50_000_000, 0, 0, stamp, flags | F_LAST),
    ]
    assert pair.reader.counts["fast"] == 1


def test_a_rest_book(pair: Pair) -> None:
    body = (
        b'{"bids":[["101.5","0.5",3]],"asks":[["102.00","2",1]],"sequence":7,'
        b'"auction_mode":false,"auction":null,"time":"2021-04-17T16:43:37.075687Z"}'
    )
    found = rows(pair.slow.snapshot(body, BTC, NOW))
    assert [row[:4] for row in found] == [
        (CLEAR, NO_SIDE, 0, 0),
        (DEPTH, ASK, 10200, 200_000_000),
        (DEPTH, BID, 10150, 50_000_000),
    ]
    with pytest.raises(VenueError, match="a book"):
        pair.slow.snapshot(body[:-7], BTC, NOW)


def test_the_taker_is_on_the_other_side_of_a_match(pair: Pair) -> None:
    match = (
        '{"type":"%s","trade_id":881613,"maker_order_id":"a","taker_order_id":"b","side":"sell",'
        f'"size":"0.04","price":"14.77","product_id":"BTC-USD","sequence":9,"time":"{TIME}"}}'
    )
    expected = (TRADE, BID, 1477, 4_000_000, 881613, 0, NS)
    (found,) = rows(pair.both((match % "match").encode()))
    assert found == (*expected, F_LAST)
    (found,) = rows(pair.both((match % "last_match").encode()))
    assert found == (*expected, F_LAST | F_SNAPSHOT)


TICKER = (
    '{"type":"ticker","sequence":9,"product_id":"BTC-USD","price":"1","open_24h":"1",'
    '"volume_24h":"1","low_24h":"1","high_24h":"1","volume_30d":"1","best_bid":"%s",'
    '"best_bid_size":"0.5","best_ask":"102.00","best_ask_size":"2","side":"buy",'
    f'"time":"{TIME}","trade_id":1,"last_size":"0.04"}}'
)


def test_the_best_prices(pair: Pair) -> None:
    quotes = [
        (QUOTE, BID, 10150, 50_000_000, 9, 0, NS, 0),
        (QUOTE, ASK, 10200, 200_000_000, 9, 0, NS, F_LAST),
    ]
    assert rows(pair.both((TICKER % "101.5").encode())) == quotes
    assert pair.reader.counts["fast"] == 1
    (ask,) = rows(pair.both((TICKER % "0.00").encode()))
    assert ask == quotes[1], "an empty side has no price"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"type":"subscriptions","channels":[]}', "ack"),
        ('{"type":"heartbeat","sequence":1,"product_id":"BTC-USD"}', "heartbeat"),
        ('{"type":"error","message":"Failed to subscribe","reason":"no"}', "refused"),
        ('{"type":"status"}', "status"),
    ],
)
def test_what_is_no_market_data(pair: Pair, text: str, kind: str) -> None:
    found = pair.slowly(text.encode())
    assert isinstance(found, Control)
    assert found.kind == kind


@pytest.mark.parametrize(
    "text",
    [
        UPDATE.replace("buy", "bay"),
        UPDATE.replace("BTC-USD", "ETH-USD"),
        UPDATE.replace("101.5", "101.555"),
        UPDATE[:-5],
        '{"product_id":"BTC-USD"}',
    ],
)
def test_nonsense_is_told(pair: Pair, text: str) -> None:
    assert isinstance(pair.both(text.encode()), VenueError)


def test_recorded_messages_are_what_the_importer_makes_of_them(shared_data: Path) -> None:
    path = shared_data / "l2_raw" / "cryptofeed" / "COINBASE.ws.28.0.gz"
    expected = imported(path)
    instruments = [instrument for instrument, _ in expected.values()]
    pair, messages = Pair(COINBASE_EXCHANGE, instruments), 0
    for frame in recorded(path):
        found = pair.both(frame.body)
        assert not isinstance(found, VenueError), frame
        if isinstance(found, Control):
            continue
        symbol = instruments[int(found[0]["instrument"])].symbol
        wanted = rows(expected[symbol][1][frame.line])
        assert [row[:6] for row in rows(found)] == [row[:6] for row in wanted]
        messages += 1
    assert messages == 9719 + 107 + 97 + 10 + 10
    counts = pair.reader.counts
    assert counts["fast"] >= 9719 + 10
    assert counts["bad"] == 0
