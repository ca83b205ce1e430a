"""Funding rates: unmodified ccxt against a small double of Binance's futures host.

The venue server has spot only. The double answers three endpoints in the form of the venue's public
documentation, so what is proven is ccxt's path and kimera's own part, not the venue.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from kimera_cli.data.catalog import Catalog
from kimera_cli.errors import UsageError, VenueError
from kimera_cli.progress import SILENT
from kimera_cli.records import Fetched, FundingRate, Gap
from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.funding import FundingFetch
from kimera_cli.venues.history.job import Job, Wanted
from kimera_cli.venues.history.session import Place, fetch
from kimera_cli.venues.history.span import Span
from kimera_cli.venues.server.ca import make_authority

HOUR_MS = 3_600_000
FIRST_MS = 1_704_067_200_000
MARKET = {
    "symbol": "BTCUSDT", "pair": "BTCUSDT", "contractType": "PERPETUAL", "status": "TRADING",
    "deliveryDate": 4133404800000, "onboardDate": 1569398400000, "baseAsset": "BTC",
    "quoteAsset": "USDT", "marginAsset": "USDT", "pricePrecision": 2, "quantityPrecision": 3,
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "556.80", "maxPrice": "4529764",
         "tickSize": "0.10"},
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
    "orderTypes": ["LIMIT", "MARKET"], "timeInForce": ["GTC"],
}  # fmt: skip


class Double:
    """Rates every 8 hours from 2024 on; `lost` are left out."""

    def __init__(self) -> None:
        self.rates = {
            FIRST_MS + at * 8 * HOUR_MS + at % 3: f"{at % 7 - 3}.{at:04}e-4" for at in range(250)
        }
        self.lost: set[int] = set()
        self.asked = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/fapi/v1/exchangeInfo", self.info)
        app.router.add_get("/fapi/v1/time", self.time)
        app.router.add_get("/fapi/v1/fundingRate", self.funding)
        return app

    async def info(self, _: web.Request) -> web.Response:
        return web.json_response({"timezone": "UTC", "rateLimits": [], "symbols": [MARKET]})

    async def time(self, _: web.Request) -> web.Response:
        return web.json_response({"serverTime": time.time_ns() // NS_PER_MS})

    async def funding(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.query["symbol"] == "BTCUSDT"
        start, limit = int(request.query["startTime"]), int(request.query["limit"])
        found = [ts for ts in sorted(self.rates) if ts >= start and ts not in self.lost][:limit]
        rows = [
            {"symbol": "BTCUSDT", "fundingTime": ts, "fundingRate": decimal(self.rates[ts]),
             "markPrice": "42000.1"}
            for ts in found
        ]  # fmt: skip
        return web.json_response(rows)


def decimal(text: str) -> str:
    from decimal import Decimal

    return f"{Decimal(text):f}"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[tuple[Double, Path]]:
    """A TLS server of that host in a thread, and the file that `--server` takes."""
    made = Double()
    now = dt.datetime.fromtimestamp(time.time(), dt.UTC)
    authority = make_authority(tmp_path, ["fapi.binance.com"], now)
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(made.app())
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.server_context())
    loop.run_until_complete(site.start())
    port = runner.addresses[0][1]
    file = tmp_path / "server.jsonl"
    record = {"type": "venue_listening", "tls_port": port, "ca": str(authority.root)}
    file.write_text(json.dumps(record))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield made, file
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(runner.cleanup())
    loop.close()


Fetch = Callable[..., list[Any]]


@pytest.fixture
def funding(double: tuple[Double, Path], tmp_path: Path) -> Fetch:
    """funding(venue, symbol, first hour, last hour): the records of a fetch."""

    async def work(job: Job) -> Any:
        return await FundingFetch(job).run()

    async def no_sleep(_: float) -> None:
        return None

    def run(symbol: str, first: int, last: int, venue: str = "binanceusdm") -> list[Any]:
        told: list[Any] = []
        clocks = time.time_ns, time.perf_counter_ns
        world = World(*clocks, secrets.token_bytes, told.append, no_sleep)
        start, end = ((FIRST_MS + hour * HOUR_MS) * NS_PER_MS for hour in (first, last))
        wanted = Wanted(Span(start, end), told.append, SILENT, world, tmp_path / "data")
        fetch(Place(venue, [symbol], str(double[1]), swaps=True), wanted, work, told.append)
        return told

    return run


def test_rates_are_the_venues_and_written_once(
    funding: Fetch, double: tuple[Double, Path], tmp_path: Path
) -> None:
    """More than a page; decimals as text; the interval is in the name of the dataset."""
    told = funding("BTC/USDT:USDT", 0, 8 * 250)
    rates = [each for each in told if isinstance(each, FundingRate)]
    assert [each.ts_ns // NS_PER_MS for each in rates] == sorted(double[0].rates)
    assert [each.rate for each in rates[:4]] == [
        "-0.0003",
        "-0.00020001",
        "-0.00010002",
        "0.00000003",
    ]
    done = told[-1]
    assert isinstance(done, Fetched)
    assert (done.dataset, done.rows, done.added, done.gaps) == (
        *("binanceusdm/BTCUSDT_PERP/funding-8h", 250, 250, 0),
    )
    again = funding("BTC/USDT:USDT", 0, 8 * 250)
    assert (again[-1].rows, again[-1].added) == (250, 0)
    assert [each for each in again if isinstance(each, FundingRate)] == rates
    stored = Catalog(tmp_path / "data").open(done.dataset).read()
    assert [repr(rate) for rate in stored["open"].tolist()][:2] == ["-0.0003", "-0.00020001"]


def test_a_missing_rate_is_a_gap_until_the_venue_has_it(
    funding: Fetch, double: tuple[Double, Path]
) -> None:
    at = sorted(double[0].rates)
    double[0].lost = {at[5], at[6]}
    (gap,) = [each for each in funding("BTCUSDT", 0, 200) if isinstance(each, Gap)]
    assert gap.bars == 2
    assert abs(gap.start_ns // NS_PER_MS - at[5]) < 10
    double[0].lost = set()
    done = funding("BTCUSDT", 0, 200)
    assert done[-1].added == 2
    assert not [each for each in done if isinstance(each, Gap)]


def test_no_rate_at_all_is_an_error(funding: Fetch) -> None:
    with pytest.raises(VenueError) as caught:
        funding("BTCUSDT", 8 * 260, 8 * 270)
    assert caught.value.code == "venue.no_data"


def test_a_host_that_nobody_serves_is_told(funding: Fetch) -> None:
    """Not the double's, so the certificate is not for it; nothing leaves the machine."""
    with pytest.raises((VenueError, UsageError)) as caught:
        funding("BTC/USD:BTC", 0, 8, venue="krakenfutures")
    assert caught.value.code in ("venue.tls", "usage.not_offered")
