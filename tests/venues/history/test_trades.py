"""Trades of every dialect against what the server's exchange traded."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kimera_cli.data.checks import run as checks
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.records import Fetched, Gap, PublicTrade, Record
from kimera_cli.units import NS_PER_MS, NS_PER_S
from kimera_cli.venues.history.job import Job
from kimera_cli.venues.history.trades import TradeFetch

if TYPE_CHECKING:
    from conftest import Fetching

Run = Callable[..., Any]
S = NS_PER_S
MARKETS = {
    "binance": "BTC/USDT",
    "bybit": "BTC/USDT",
    "coinbase": "BTC/USD",
    "coinbaseexchange": "BTC/USD",
    "htx": "BTC/USDT",
    "kraken": "BTC/USD",
    "okx": "BTC/USDT",
}


async def trades(job: Job) -> Record:
    return await TradeFetch(job).run()


def act(fetch: Fetching, venue: str, count: int, *, at_once: bool = False) -> None:
    """Let the background of the venue's first market trade `count` times now.

    `at_once`: in about one instant of the venue's clock, however long it takes here.
    """
    background = fetch.server.venue(venue).background[0]
    exchange = fetch.server.exchange(venue)
    desk, clock = exchange.desk(MARKETS[venue]), exchange.clock
    aim, began = len(desk.trades) + count, clock.now_ns()
    while len(desk.trades) < aim:
        if at_once:
            clock.set(began)
        background.act()  # type: ignore[attr-defined]
    if at_once:
        clock.set(time.time_ns())


def truth(fetch: Fetching, venue: str) -> list[tuple[int, str, str, str]]:
    """Return (ms, taker's side, price, quantity) of all trades of the venue's first market.

    Binance's are aggregated: what one order took at one price is one trade.
    """
    desk = fetch.server.exchange(venue).desk(MARKETS[venue])
    market = desk.market
    found: list[list[Any]] = []
    for trade in desk.trades:
        who = (trade.ts_ns // NS_PER_MS, trade.side, trade.px_ticks, trade.taker_id)
        if venue == "binance" and found and found[-1][0] == who:
            found[-1][1] += trade.qty_lots
        else:
            found.append([who, trade.qty_lots])

    def text(number: Decimal) -> str:
        return f"{number.normalize():f}"

    return [
        (ms, side, text(market.price(px)), text(market.qty(lots)))
        for (ms, side, px, _), lots in found
    ]


def shown(told: Any) -> list[tuple[int, str, str, str]]:
    return [(t.ts_ns // NS_PER_MS, t.side, t.px, t.qty) for t in told.of(PublicTrade)]


@pytest.mark.parametrize("at", MARKETS)
def test_trades_are_the_venues_to_the_last_digit_and_each_once(fetching: Run, at: str) -> None:
    """Fetched twice, with more trades in between."""

    async def scenario(fetch: Fetching) -> None:
        start = time.time_ns() - 60 * S
        act(fetch, at, 30)
        first = await fetch(at, [MARKETS[at]], (start, time.time_ns() + S), trades)
        assert shown(first) == truth(fetch, at)
        act(fetch, at, 20)
        again = await fetch(at, [MARKETS[at]], (start, time.time_ns() + S), trades)
        assert shown(again) == truth(fetch, at)
        (done,) = again.of(Fetched)
        assert (done.rows, done.added) == (len(truth(fetch, at)), done.rows - len(shown(first)))
        source = fetch.catalog.open(done.dataset)
        assert source.read()["seq"].tolist() == [t.id for t in again.of(PublicTrade)]
        assert source.rows == done.rows

    fetching(scenario, at)


@pytest.mark.parametrize("at", ["binance", "kraken"])
def test_pages_follow_each_other_without_a_hole(fetching: Run, at: str) -> None:
    """More trades than a page holds, and many of one instant."""

    async def scenario(fetch: Fetching) -> None:
        start = time.time_ns() - 60 * S
        act(fetch, at, 2_300, at_once=at != "binance")
        told = await fetch(at, [MARKETS[at]], (start, time.time_ns() + S), trades)
        (done,) = told.of(Fetched)
        every = truth(fetch, at)
        if at == "binance":  # asked by the millisecond: no instant is more than a page
            assert shown(told) == every
            assert told.of(Gap) == []
        else:  # asked by the second: what does not fit on a page is missing, and told
            assert set(shown(told)) < set(every)
            assert told.of(Gap)
        assert done.rows == len(shown(told))

    fetching(scenario, at)


def test_what_a_venue_has_not_any_more_is_a_gap(fetching: Run) -> None:
    async def scenario(fetch: Fetching) -> None:
        start = time.time_ns() - 3600 * S
        act(fetch, "okx", 5)
        told = await fetch("okx", ["BTC/USDT"], (start, time.time_ns() + S), trades)
        (gap,) = told.of(Gap)
        assert (gap.start_ns, gap.end_ns) == (start, told.of(PublicTrade)[0].ts_ns)
        assert gap.bars is None

    fetching(scenario, "okx")


def test_a_quiet_time_of_a_venue_that_was_asked_about_it_is_no_gap(fetching: Run) -> None:
    async def scenario(fetch: Fetching) -> None:
        start = time.time_ns() - 5 * 3600 * S
        told = await fetch("binance", ["BTC/USDT"], (start, time.time_ns()), trades)
        (done,) = told.of(Fetched)
        assert (done.rows, done.gaps, done.pages) == (0, 0, 5 + 1)

    fetching(scenario, "binance")


def test_a_dataset_of_trades_is_checked(fetching: Run) -> None:
    async def scenario(fetch: Fetching) -> None:
        act(fetch, "kraken", 30)
        start = time.time_ns() - 60 * S
        await fetch("kraken", ["XBTUSD"], (start, time.time_ns() + S), trades)
        name = "kraken/XBTUSD/trades"
        found = {
            each.check: each
            for each in checks(name, fetch.catalog, ImportOptions(), now_ns=time.time_ns() + S)
        }
        assert all(each.ok for each in found.values()), found
        assert found["prices"].total == len(truth(fetch, "kraken"))

    fetching(scenario, "kraken")
