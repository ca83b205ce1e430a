"""Bars of every dialect against what the server's exchange has; what goes wrong on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from kimera_cli.errors import DataError, UsageError, VenueError
from kimera_cli.progress import Progress
from kimera_cli.records import Candle, Fetched, Gap
from kimera_cli.units import NS_PER_S

if TYPE_CHECKING:
    from conftest import Fetching

MINUTE = 60 * NS_PER_S
HOUR = 60 * MINUTE
Run = Callable[..., Any]

MARKETS = {
    "binance": ("BTC/USDT", "BTCUSDT"),
    "bybit": ("BTC/USDT", "BTCUSDT"),
    "coinbase": ("BTC/USD", "BTC-USD"),
    "coinbaseexchange": ("BTC/USD", "BTC-USD"),
    "htx": ("BTC/USDT", "BTCUSDT"),
    "kraken": ("BTC/USD", "XBTUSD"),
    "okx": ("BTC/USDT", "BTC-USDT"),
}


def now() -> int:
    return time.time_ns() // MINUTE * MINUTE


def truth(fetch: Fetching, venue: str, symbol: str, width: int, start: int, end: int) -> list[Any]:
    """Return (ts, open, high, low, close, volume) of the exchange itself, decimals as text."""
    desk = fetch.server.exchange(venue).desk(symbol)
    market = desk.market

    def text(number: Decimal) -> str:
        return f"{number.normalize():f}"

    return [
        (
            bar.open_ns,
            *(
                text(market.price(px))
                for px in (bar.open_px, bar.high_px, bar.low_px, bar.close_px)
            ),
            text(market.qty(bar.lots)),
        )
        for bar in desk.candles.bars(width, start, end)
    ]


def shown(told: Any) -> list[Any]:
    rows = told.of(Candle)
    return [(c.ts_ns, c.open, c.high, c.low, c.close, c.volume) for c in rows]


@pytest.mark.parametrize("at", MARKETS)
def test_bars_are_the_venues_to_the_last_digit_and_fetched_once(fetching: Run, at: str) -> None:
    """More than a page at most venues; the same rows from the catalog, without a question."""
    symbol, name = MARKETS[at]
    end = now() - 5 * MINUTE
    start = end - 700 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        first = await fetch(at, [symbol], (start, end))
        again = await fetch(at, [name], (start, end))
        assert shown(first) == truth(fetch, at, symbol, MINUTE, start, end)
        assert again.of(Candle) == first.of(Candle)
        (one,), (two,) = first.of(Fetched), again.of(Fetched)
        assert one.dataset == two.dataset == f"{at}/{name}/ohlcv-1m"
        assert (one.rows, one.added, one.gaps, one.inexact) == (700, 700, 0, 0)
        assert (two.rows, two.added, two.gaps, two.pages) == (700, 0, 0, 0)
        stored = fetch.catalog.open(one.dataset).read()
        assert stored["ts_ns"].tolist() == [bar[0] for bar in shown(first)]
        assert [f"{Decimal(repr(px)).normalize():f}" for px in stored["close"].tolist()] == [
            bar[4] for bar in shown(first)
        ]

    fetching(scenario, at)


def test_only_what_is_missing_is_asked_for(fetching: Run) -> None:
    """Ahead, behind and between: each bar once, in order, whatever was there."""
    end = now() - 5 * MINUTE
    start = end - 300 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        for low, high in ((100, 120), (200, 210), (250, 300)):
            await fetch("okx", ["BTC/USDT"], (start + low * MINUTE, start + high * MINUTE))
        told = await fetch("okx", ["BTC/USDT"], (start, end))
        assert shown(told) == truth(fetch, "okx", "BTC/USDT", MINUTE, start, end)
        (done,) = told.of(Fetched)
        assert (done.rows, done.added, done.gaps) == (300, 220, 0)

    fetching(scenario, "okx")


def test_progress_counts_what_is_missing_of_all_markets(fetching: Run) -> None:
    """So that the time that is left is told rightly, also when some is held already."""
    end = now() - 5 * MINUTE

    class Counter(Progress):
        total = done = 0

        def expect(self, total: int) -> None:
            self.total = total

        def advance(self, n: int = 1) -> None:
            self.done += n

    async def scenario(fetch: Fetching) -> None:
        await fetch("okx", ["BTC/USDT"], (end - 400 * MINUTE, end - 300 * MINUTE))
        counter = Counter()
        span = (end - 700 * MINUTE, end)
        await fetch("okx", ["BTC/USDT", "ETH/USDT"], span, progress=counter)
        assert counter.total == 700 + 600
        assert counter.done >= 700 + 600  # a page may reach over what is held
        assert counter.done <= 700 + 600 + 100

    fetching(scenario, "okx")


def test_several_markets_at_once(fetching: Run) -> None:
    end = now()
    start = end - 30 * HOUR

    async def scenario(fetch: Fetching) -> None:
        told = await fetch(
            "binance", ["BTC/USDT", "ETHUSDT", "ETH/BTC"], (start, end), timeframe="1h"
        )
        for symbol, name in (
            ("BTC/USDT", "BTCUSDT"),
            ("ETH/USDT", "ETHUSDT"),
            ("ETH/BTC", "ETHBTC"),
        ):
            mine = [each for each in told.of(Candle) if each.dataset == f"binance/{name}/ohlcv-1h"]
            every = truth(fetch, "binance", symbol, HOUR, start, end)
            expected = [bar for bar in every if bar[0] + HOUR <= end]
            told_rows = [(c.ts_ns, c.open, c.high, c.low, c.close, c.volume) for c in mine]
            assert told_rows == expected
            assert len(mine) >= 29

    fetching(scenario, "binance")


def test_one_wrong_market_does_not_keep_the_others_out(fetching: Run) -> None:
    """Here: its dataset is an import's."""
    end = now() - MINUTE

    async def scenario(fetch: Fetching) -> None:
        fetch.server.rule(
            hook="request.before", action="reply", match="klines.*ETHUSDT", status=400, count=None,
            body='{"code":-1100,"msg":"Illegal characters found"}',
        )  # fmt: skip
        told = await fetch("binance", ["BTC/USDT", "ETH/USDT"], (end - 5 * MINUTE, end))
        assert [error.code for error in told.failed] == ["venue.refused"]
        assert [each.symbol for each in told.of(Fetched)] == ["BTC/USDT"]

    fetching(scenario, "binance")


def test_a_gap_is_told_and_filled_by_the_next_fetch(fetching: Run) -> None:
    """The venue leaves five bars out of a page, and has them later."""
    end = now() - 5 * MINUTE
    start = end - 60 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        lost = [start + at * MINUTE for at in (10, 11, 12, 30, 59)]
        stamps = "|".join(str(ts // 1_000_000) for ts in lost)
        fetch.server.rule(
            hook="request.after", action="replace", match="klines", count=None,
            pattern=rf",?\[({stamps}),[^\]]*\]", body="",
        )  # fmt: skip
        told = await fetch("binance", ["BTC/USDT"], (start, end))
        name = "binance/BTCUSDT/ohlcv-1m"
        assert told.of(Gap) == [
            Gap(dataset=name, start_ns=lost[0], end_ns=lost[2] + MINUTE, bars=3),
            Gap(dataset=name, start_ns=lost[3], end_ns=lost[3] + MINUTE, bars=1),
            Gap(dataset=name, start_ns=lost[4], end_ns=lost[4] + MINUTE, bars=1),
        ]
        assert told.of(Fetched)[0].rows == 55
        fetch.server.host.faults.clear()
        again = await fetch("binance", ["BTC/USDT"], (start, end))
        assert (again.of(Fetched)[0].added, again.of(Gap)) == (5, [])
        assert shown(again) == truth(fetch, "binance", "BTC/USDT", MINUTE, start, end)

    fetching(scenario, "binance")


def test_history_that_a_venue_has_not_any_more_is_a_gap(fetching: Run) -> None:
    """Kraken gives the last 720 bars, whatever is asked for."""
    end = now()
    start = end - 1000 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        told = await fetch("kraken", ["XBTUSD"], (start, end))
        (gap,), (done,) = told.of(Gap), told.of(Fetched)
        assert gap.start_ns == start
        assert gap.bars + done.rows == 1000
        assert 700 <= done.rows <= 720
        assert done.pages == 1

    fetching(scenario, "kraken")


def test_no_bar_at_all_is_an_error(fetching: Run) -> None:
    end = now() - 5000 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        with pytest.raises(VenueError) as caught:
            await fetch("kraken", ["XBTUSD"], (end - 10 * MINUTE, end))
        assert caught.value.code == "venue.no_data"
        assert fetch.catalog.datasets() == []

    fetching(scenario, "kraken")


def test_the_bar_that_is_not_over_is_shown_when_asked_for_and_never_stored(fetching: Run) -> None:
    async def scenario(fetch: Fetching) -> None:
        end = time.time_ns()
        start = end - 10 * HOUR
        plain = await fetch("okx", ["BTC/USDT"], (start, end), timeframe="1h")
        with_open = await fetch("okx", ["BTC/USDT"], (start, end), timeframe="1h", show_open=True)
        assert all(each.complete for each in plain.of(Candle))
        assert all(each.ts_ns + HOUR <= end for each in plain.of(Candle))
        *whole, last = with_open.of(Candle)
        assert whole == plain.of(Candle)
        assert not last.complete
        assert last.ts_ns == end // HOUR * HOUR
        stored = fetch.catalog.open("okx/BTC-USDT/ohlcv-1h").read()["ts_ns"].tolist()
        assert stored == [each.ts_ns for each in whole]

    fetching(scenario, "okx")


FAULTS = {
    "no answer": ({"hook": "request.before", "action": "drop"}, "venue.no_answer"),
    "maintenance": ({"hook": "request.before", "action": "reply", "status": 503, "body": "later"},
                    "venue.answer"),
    "too many": ({"hook": "request.before", "action": "reply", "status": 429, "body": "{}"},
                 "venue.rate_limited"),
    "a page": ({"hook": "request.before", "action": "reply", "status": 200,
                "body": "<html><body>Attention required</body></html>"}, "venue.answer"),
    "nothing": ({"hook": "request.after", "action": "empty"}, "venue.answer"),
    "half of it": ({"hook": "request.after", "action": "truncate", "size": 60}, "venue.answer"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["binance", "bybit", "okx"])
def test_what_goes_wrong_once_is_asked_again_and_for_ever_is_an_error(
    fetching: Run, at: str, fault: str
) -> None:
    rule, code = FAULTS[fault]
    symbol, _ = MARKETS[at]
    match = r"klines|kline|candles"
    sent = 2 if fault == "no answer" else 1  # aiohttp sends a GET again when the connection goes
    end = now() - 2 * MINUTE
    span = (end - 30 * MINUTE, end)

    async def scenario(fetch: Fetching) -> None:
        for_ever = fetch.server.rule(**rule, match=match, count=None)
        with pytest.raises(VenueError) as caught:
            await fetch(at, [symbol], span)
        assert caught.value.code == code
        assert caught.value.details["venue"] == at
        assert for_ever.hits == 5 * sent
        assert fetch.catalog.datasets() == []
        fetch.server.host.faults.clear()
        fetch.server.rule(**rule, match=match, count=2 * sent)
        told = await fetch(at, [symbol], span)
        assert [error.code for error in told.notes] == [code] * 2
        assert told.slept[1] > told.slept[0] * 2 / 3 > 0.3
        assert shown(told) == truth(fetch, at, symbol, MINUTE, *span)

    fetching(scenario, at)


def test_a_pause_is_as_long_as_the_venue_asks_for(fetching: Run) -> None:
    end = now() - 2 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        for asked in ("3", "40"):
            fetch.server.rule(
                hook="request.before", action="reply", status=429, body="{}", match="klines",
                headers={"Retry-After": asked}, count=1,
            )  # fmt: skip
            told = await fetch("binance", ["ETH/USDT"], (end - 30 * MINUTE, end))
            assert told.slept == [pytest.approx(float(asked), abs=1.0)]
            assert told.slept[0] >= float(asked)
            assert told.notes[0].details["again_in_s"] == told.slept[0]
            fetch.catalog.remove("binance/ETHUSDT/ohlcv-1m")
        fetch.server.rule(
            hook="request.before", action="reply", status=418, body="{}", match="klines",
            headers={"Retry-After": "259200"}, count=1,
        )  # fmt: skip
        with pytest.raises(VenueError) as banned:
            await fetch("binance", ["ETH/USDT"], (end - 30 * MINUTE, end))
        assert banned.value.code == "venue.rate_limited"

    fetching(scenario, "binance")


def test_a_bar_that_cannot_be_is_refused(fetching: Run) -> None:
    end = now() - 2 * MINUTE

    async def scenario(fetch: Fetching) -> None:
        fetch.server.rule(
            hook="request.after", action="replace", match="klines", count=None,
            pattern=r'"4[0-9.]+"|"5[0-9.]+"', body='"0"',
        )  # fmt: skip
        with pytest.raises(VenueError, match="above zero"):
            await fetch("binance", ["BTC/USDT"], (end - 5 * MINUTE, end))
        assert fetch.catalog.datasets() == []

    fetching(scenario, "binance")


@pytest.mark.parametrize(
    ("symbol", "timeframe", "code", "word"),
    [
        ("BTC/USDZ", "1m", "usage.symbol", "BTC/USDT"),
        ("btcusd", "1m", "usage.symbol", "BTCUSDT"),
        ("what?", "1m", "usage.symbol", "kimera fetch markets binance"),
        ("BTC/USDT", "7m", "usage.timeframe", "5m, 15m, 30m, 1h"),
        ("BTC/USDT", "1M", "usage.timeframe", "1d"),
    ],
)
def test_what_a_venue_has_not_is_told_with_what_it_has(
    fetching: Run, symbol: str, timeframe: str, code: str, word: str
) -> None:
    async def scenario(fetch: Fetching) -> None:
        with pytest.raises(UsageError) as caught:
            await fetch("binance", [symbol], (now() - HOUR, now()), timeframe=timeframe)
        assert caught.value.code == code
        assert word in caught.value.hint

    fetching(scenario, "binance")


def test_imported_bars_are_left_alone(fetching: Run) -> None:
    async def scenario(fetch: Fetching) -> None:
        import datetime as dt

        from kimera_cli.data.importers.base import ImportOptions
        from kimera_cli.data.ingest import import_file

        times = [dt.datetime(2024, 1, 1, hour, tzinfo=dt.UTC) for hour in range(3)]
        lines = [f"{each:%Y-%m-%dT%H:%MZ},1,2,1,2,3" for each in times]
        table = fetch.folder / "binance-BTCUSDT-1h.csv"
        table.write_text("\n".join(["time,open,high,low,close,volume", *lines]))
        import_file(table, fetch.catalog, ImportOptions(), time.time_ns())
        with pytest.raises(DataError, match="import"):
            await fetch("binance", ["BTC/USDT"], (now() - 9 * HOUR, now()), timeframe="1h")

    fetching(scenario, "binance")
