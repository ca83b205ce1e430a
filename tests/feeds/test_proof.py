"""A silent channel and the venue's book over REST: ours level by level, or it proves nothing."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import pytest
from model_venues import EPOCH_MS, Bybit, Coinbase, Model, Okx, compact
from test_audit import Exchange
from test_live import Shown

from kimera_cli.errors import VenueError
from kimera_cli.feeds.dialect import PROOF_LEVELS
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.layouts import ASK, BID

Sides = dict[int, list[list[str]]]


class Desk:
    """A connection whose book is in step, and nothing happens."""

    def __init__(self, kind: type[Model]) -> None:
        self.model, self.shown = kind(Random(3)), Shown()
        stamps = count(EPOCH_MS * 1_000_000)
        numbered = [(0, kind.instrument())]
        output = FunctionOutput(self.shown.take)
        self.intake = intake_of(kind.dialect(), numbered, ("depth",), output)
        self.intake.connected()
        places = [
            (side, 5_000 + sign * k) for side, sign in ((BID, -1), (ASK, 1)) for k in (1, 2, 5)
        ]
        self.model.levels = {place: 100 + k for k, place in enumerate(places)}
        for frame in self.model.subscribed():
            self.intake.take(frame, next(stamps))
        self.book = self.intake.books[0]
        assert self.book.good

    def sides(self) -> Sides:
        """Return the venue's levels as it writes them, best first."""
        most = PROOF_LEVELS[self.model.venue]
        told = {side: self.model.side(side) for side in (BID, ASK)}
        for side, sign in ((BID, -1), (ASK, 1)):
            told[side].sort(key=lambda level, sign=sign: sign * float(level[0]))  # type: ignore[misc]
        return {side: levels[:most] for side, levels in told.items()}

    def proves(self, sides: Sides) -> bool:
        """Return whether an answer with these levels is a proof."""
        before = self.book.counts.proved
        self.intake.prove(0, self.answer(sides), EPOCH_MS * 1_000_000)
        return self.book.counts.proved == before + 1

    def answer(self, sides: Sides) -> bytes:
        """Return it as the venue does; its numbers are those of another channel."""
        bids, asks, ts = sides[BID], sides[ASK], EPOCH_MS
        if self.model.venue == "coinbase":
            told = {"product_id": self.model.symbol, "bids": _named(bids), "asks": _named(asks)}
            return compact({"pricebook": told | {"time": "2024-02-01T10:00:00Z"}, "last": "50"})
        if self.model.venue == "coinbaseexchange":
            told = {"bids": _counted(bids), "asks": _counted(asks), "sequence": 5}
            return compact(told | {"auction_mode": False, "time": "2024-02-01T10:00:00Z"})
        if self.model.venue == "okx":
            entry = {"asks": _wide(asks), "bids": _wide(bids), "ts": str(ts), "seqId": 5}
            return compact({"code": "0", "msg": "", "data": [entry]})
        result: dict[str, Any] = {"s": self.model.symbol, "b": bids, "a": asks, "ts": ts, "u": 5}
        return compact({"retCode": 0, "retMsg": "OK", "result": result | {"seq": 6, "cts": ts}})


def _named(levels: list[list[str]]) -> list[dict[str, str]]:
    return [dict(zip(("price", "size"), level, strict=True)) for level in levels]


def _counted(levels: list[list[str]]) -> list[list[Any]]:
    return [[*level, 1] for level in levels]


def _wide(levels: list[list[str]]) -> list[list[str]]:
    return [[*level[:2], "0", "1"] for level in levels]


@pytest.fixture(params=[Bybit, Okx, Coinbase, Exchange], ids=lambda kind: kind.venue)
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(request.param)


def test_the_same_book_is_a_proof_whatever_its_number(desk: Desk) -> None:
    assert desk.proves(desk.sides())
    assert desk.proves(desk.sides())


@pytest.mark.parametrize("side", [BID, ASK])
def test_a_size_a_price_a_level_more_or_less_is_none(desk: Desk, side: int) -> None:
    """What makes the difference may be on its way, so the book is not given up for it either."""
    for place in (0, -1):
        other = desk.sides()
        other[side][place][1] = "1" + other[side][place][1]
        assert not desk.proves(other)
        less = desk.sides()
        del less[side][place]
        assert not desk.proves(less)
    assert not desk.proves({**desk.sides(), side: []})
    assert desk.book.good


def test_a_level_behind_the_others_is_compared_as_well(desk: Desk) -> None:
    """Of all that the channel tells, and the venue's answer has."""
    other = desk.sides()
    for side, px in ((BID, "1.00"), (ASK, "99.00")):
        assert not desk.proves({**other, side: [*other[side], [px, "0.001"]]})
    assert desk.book.doubted
    assert desk.proves(other)
    assert not desk.book.doubted


def test_a_book_that_is_not_good_is_not_proved(desk: Desk) -> None:
    desk.intake.silence(0, EPOCH_MS * 1_000_000)
    assert not desk.book.good
    assert not desk.proves(desk.sides())


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"code":"50011","msg":"Too Many Requests","data":[]}',
        b'{"retCode":10006,"retMsg":"Too many visits!","result":{}}',
        b'{"code":"0","msg":"","data":[]}',
        b'{"error":"NOT_FOUND","message":"ProductID is invalid"}',
        b'{"pricebook":{"product_id":"NO-BODY","bids":[],"asks":[],"time":""}}',
        b'{"pricebook":{"product_id":"BTC-USDT","bids":[{"price":"x","size":"1"}],"asks":[]}}',
        b'{"bids":[["1","1"]],"asks":[],"sequence":5}',
        b'{"retCode":0,"retMsg":"OK","result":{"s":"NOBODY","b":[],"a":[],"ts":1,"u":1}}',
    ],
)
def test_what_is_no_book_is_an_error_and_no_proof(desk: Desk, payload: bytes) -> None:
    with pytest.raises(VenueError, match="expected"):
        desk.intake.prove(0, payload, EPOCH_MS * 1_000_000)
    assert desk.book.counts.proved == 0
