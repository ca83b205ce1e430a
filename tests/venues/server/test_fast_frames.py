"""Kimera's own parsers read the server's public frames: all by the kernel, and both alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from direct_venue import START_NS, Direct

from kimera_cli.feeds.bybit import BYBIT
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.feeds.kraken import KRAKEN
from kimera_cli.feeds.okx import OKX
from kimera_cli.feeds.reader import FrameReader, slow_parser
from kimera_cli.feeds.slow import Control
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import CHECKSUM, DEPTH, QUOTE, TRADE
from kimera_cli.venues.server.model import Market

FEEDS: dict[str, tuple[Dialect, str, str]] = {
    "kraken": (KRAKEN, "/v2", "XBTUSD"),
    "okx": (OKX, "/ws/v5/public", "BTC-USDT"),
    "bybit": (BYBIT, "/v5/public/spot", "BTCUSDT"),
}
"""Parser, path, and the symbol as the importer's catalog has it."""


def instrument(venue: str, symbol: str, market: Market) -> Instrument:
    base, quote = ("XBT", market.quote) if venue == "kraken" else (market.base, market.quote)
    return Instrument(
        venue=venue, symbol=symbol, kind="spot", tick=market.tick, lot=market.lot, base=base,
        quote=quote,
    )  # fmt: skip


def frames(direct: Direct, dialect: Dialect, path: str, of: Instrument) -> Iterator[bytes]:
    """What a client of the feed is sent, from its own subscriptions on."""
    line = direct.line(path)
    assert dialect.wire is not None
    for request in dialect.wire.subscribe([of], ("depth", "trade", "quote")):
        line.conversation.receive(request.decode())
    yield from line.raw()
    for _ in direct.flow(400):
        yield from line.raw()


@pytest.mark.parametrize("name", FEEDS)
@pytest.mark.parametrize("cadence_ns", [0, None])
def test_the_kernel_reads_every_frame_as_the_slow_parser_does(
    name: str, cadence_ns: int | None
) -> None:
    dialect, path, symbol = FEEDS[name]
    direct = Direct(name, cadence_ns=cadence_ns)
    of = instrument(name, symbol, direct.market)
    reader, slow = FrameReader(dialect, [of]), slow_parser(dialect, [of])
    seen: dict[int, int] = {}
    for payload in frames(direct, dialect, path, of):
        said = slow.read(payload, START_NS)
        before = reader.counts["fast"]
        n = reader.take(payload, START_NS)
        if isinstance(said, Control):
            assert n == 0
            continue
        assert reader.counts["fast"] == before + 1, payload[:300]
        np.testing.assert_array_equal(reader.events[:n], said, err_msg=repr(payload[:300]))
        for kind in set(said["kind"].tolist()):
            seen[kind] = seen.get(kind, 0) + 1
    expected = {DEPTH, TRADE, QUOTE} | ({CHECKSUM} if name != "bybit" else set())
    assert expected <= set(seen)
    assert min(seen[kind] for kind in expected) > 20, seen


@pytest.mark.parametrize("name", FEEDS)
def test_the_events_make_the_exchange_s_book(name: str) -> None:
    dialect, path, symbol = FEEDS[name]
    direct = Direct(name)
    of = instrument(name, symbol, direct.market)
    reader = FrameReader(dialect, [of])
    levels: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for payload in frames(direct, dialect, path, of):
        for event in reader.events[: reader.take(payload, START_NS)]:
            apply(levels, event)
    bids, asks = direct.exchange.book(direct.market.symbol, 20)
    assert sorted(levels[0].items(), reverse=True)[:20] == bids
    assert sorted(levels[1].items())[:20] == asks


def apply(levels: tuple[dict[int, int], dict[int, int]], event: Any) -> None:
    """Set or delete one level."""
    if event["kind"] != DEPTH:
        return
    side = levels[int(event["side"])]
    side[int(event["px_ticks"])] = int(event["qty_lots"])
    if not event["qty_lots"]:
        del side[int(event["px_ticks"])]
