"""A recorded book as background: the venue's book is the recording's, whatever clients do."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from market_world import START_NS

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.importing import import_all
from kimera_cli.data.source import EventSource
from kimera_cli.layouts import BID, CLEAR, DEPTH, F_LAST, NO_SIDE
from kimera_cli.venues.server import tape as tape_module
from kimera_cli.venues.server.build import Setup, build_host
from kimera_cli.venues.server.host import Venue
from kimera_cli.venues.server.model import OrderRequest
from kimera_cli.venues.server.tape import Tape, rows_of

PAIR = "BTC/USDT"
S = 10**9


@pytest.fixture(scope="module")
def source(shared_data: Path, tmp_path_factory: Any) -> EventSource:
    path = shared_data / "hftbacktest" / "spot_btcusdt_20240808.gz"
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    catalog = Catalog(tmp_path_factory.mktemp("catalog"))
    list(import_all([path], catalog, ImportOptions(), None, lambda: START_NS, lambda: 0))
    return catalog.open("binance/BTCUSDT/l2")


def venue(source: EventSource) -> Venue:
    setup = Setup(venues=["binance"], tapes={PAIR: source}, rate=0, cadence_ns=0)
    return build_host(setup, None, bug, start_ns=START_NS).venues["binance"]


def bug(name: str, where: str, error: Exception) -> None:
    raise error


def recorded_book(source: EventSource, until_ns: int) -> dict[tuple[str, int], int]:
    """The recording's book after the messages that began by a time, the plain way."""
    book: dict[tuple[str, int], int] = {}
    started = False
    for kind, side, px, lots, flags, ts in rows_of(source):
        if not started and ts > until_ns:
            break
        started = not flags & F_LAST
        if kind == CLEAR:
            book = {
                k: v
                for k, v in book.items()
                if not (side == NO_SIDE or (k[0] == "buy") == (side == BID))
            }
        elif kind == DEPTH:
            book["buy" if side == BID else "sell", px] = lots
    return {level: lots for level, lots in book.items() if lots}


def shown(at: Venue) -> dict[tuple[str, int], int]:
    bids, asks = at.exchange.book(PAIR)
    return {("buy", px): n for px, n in bids} | {("sell", px): n for px, n in asks}


@pytest.mark.parametrize("seconds", [1, 20])
def test_the_book_is_the_recorded_one(source: EventSource, seconds: int) -> None:
    at = venue(source)
    tape = next(part for part in at.background if isinstance(part, Tape))
    for _ in range(seconds):
        at.exchange.clock.step(S)
        at.tick()
    at.exchange.check_conservation()
    wanted = recorded_book(source, source.start_ns + seconds * S)
    low, high = at.exchange.desk(PAIR).band
    inside = {level: lots for level, lots in wanted.items() if low <= level[1] <= high}
    assert shown(at) == inside
    assert tape.refused >= len(wanted) - len(inside)
    assert len(at.exchange.trades(PAIR)) > seconds


def test_a_client_s_order_stands_in_the_recorded_book_and_is_crossed(source: EventSource) -> None:
    at = venue(source)
    at.exchange.clock.step(S)
    at.tick()
    client = next(a.id for a in at.exchange.ledger.accounts.values() if a.name == "client")
    bid, _ = at.exchange.book(PAIR, 1)[0][0]
    market = at.exchange.market(PAIR)
    request = OrderRequest(PAIR, "buy", qty="0.001", price=market.price(bid), post_only=True)
    order = at.exchange.place(client, request)
    for _ in range(200):
        at.exchange.clock.step(S // 5)
        at.tick()
        at.exchange.check_conservation()
        if not order.is_open:
            break
    assert order.status == "filled"
    assert all(fill.maker for fill in order.fills)


def test_after_the_last_event_the_book_stands_still(source: EventSource, monkeypatch: Any) -> None:
    monkeypatch.setattr(tape_module, "rows_of", lambda source: islice(rows_of(source), 4000))
    at = venue(source)
    at.exchange.clock.step(10**6 * S)
    at.tick()
    book, seq = shown(at), at.exchange.market(PAIR).seq
    assert len(book) > 100
    at.exchange.clock.step(S)
    at.tick()
    assert (shown(at), at.exchange.market(PAIR).seq) == (book, seq)


def test_the_command_takes_a_dataset(kimera: Any, shared_data: Path) -> None:
    recording = shared_data / "hftbacktest" / "spot_btcusdt_20240808.gz"
    if not recording.is_file():
        pytest.skip(f"no recording {recording}")
    assert kimera("fetch", "import", recording).code == 0
    serve = ("venue", "serve", "--venues", "binance", "--for", "500ms", "--tape")
    done = kimera(*serve, "BTC/USDT=binance/BTCUSDT/l2")
    assert done.code == 0
    assert done.records("venue_ended")[0]["trades"] > 0
    wrong = kimera(*serve, "BTC/USDT")
    assert (wrong.code, wrong.err_json[0]["code"]) == (2, "usage.tape")
    absent = kimera(*serve, "BTC/USDT=binance/BTCUSD/l2")
    assert absent.err_json[0]["code"].startswith("data.")
