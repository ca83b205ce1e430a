"""`kimera fetch ohlcv` and its sisters from the outside, against `kimera venue serve`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving import Serving

from kimera_cli.data.catalog import Catalog

if TYPE_CHECKING:
    from tests.conftest import Kimera

HOUR_NS = 3_600_000_000_000
NAME = "okx/BTC-USDT/ohlcv-1m"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"))
    yield serving
    serving.stop()


@pytest.fixture(autouse=True)
def no_faults(server: Serving) -> Iterator[None]:
    yield
    server.control("/faults", method="DELETE")


def minutes(kimera: Kimera, server: Serving, *more: str) -> Any:
    """Fetch 23 hours of bars of a minute: five pages of an OKX."""
    now = time.time_ns() // HOUR_NS * HOUR_NS
    since = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime((now - 24 * HOUR_NS) // 10**9))
    until = time.strftime("%Y-%m-%dT%H:%MZ", time.gmtime((now - HOUR_NS) // 10**9))
    return ("fetch", "ohlcv", "okx", "BTC-USDT", "--since", since, "--until", until,
            "--timeframe", "1m", "--server", server.file, *more)  # fmt: skip


def test_a_killed_fetch_goes_on_where_it_was(kimera: Kimera, server: Serving) -> None:
    """SIGKILL while the third page is under way: what two brought is whole, and stays."""
    fault = {"hook": "request.before", "action": "delay", "match": "candles", "skip": 2,
             "seconds": 60.0, "count": None}  # fmt: skip
    server.control("/faults", fault)
    process = kimera.start(*minutes(kimera, server), "--format", "jsonl")
    while _rows(kimera) < 600:  # a page is in the catalog a moment after its file is there
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    server.control("/faults", method="DELETE")
    held = kimera("fetch", "export", NAME).records("bar")
    assert len(held) == 600
    told = kimera(*minutes(kimera, server), "--format", "jsonl")
    assert told.code == 0, told.err
    (done,) = told.records("fetched")
    assert (done["rows"], done["added"], done["gaps"]) == (23 * 60, 23 * 60 - 600, 0)
    assert done["pages"] == 3
    other = kimera(
        *minutes(kimera, server),
        "--format",
        "jsonl",
        env={"KIMERA_HOME": str(kimera.folder / "other")},
    )
    assert told.records("candle") == other.records("candle")
    assert _sorted_parts(kimera.home) == _sorted_parts(kimera.folder / "other")
    checks = kimera("fetch", "check", NAME).records("check")
    assert [each["check"] for each in checks if not each["ok"]] == []


def _sorted_parts(home: Path) -> list[tuple[str, bytes]]:
    return sorted((path.name, path.read_bytes()) for path in home.rglob("*.parquet"))


@pytest.mark.parametrize("after", [1, 3])
def test_a_kill_between_pages_leaves_whole_pages(
    kimera: Kimera, server: Serving, after: int
) -> None:
    """At whatever moment: the catalog reads, and a fetch makes it the same as without a kill."""
    process = kimera.start(*minutes(kimera, server), "--format", "jsonl")
    while _files_begun(kimera) < after and process.poll() is None:
        pass
    process.kill()
    process.communicate()
    rows = len(kimera("fetch", "export", NAME).records("bar")) if _has(kimera) else 0
    assert rows % 300 == 0 or rows == 23 * 60
    assert kimera(*minutes(kimera, server)).code == 0
    assert len(kimera("fetch", "export", NAME).records("bar")) == 23 * 60
    assert not list((kimera.home / "data" / ".staging").glob("*/*.parquet"))


def _rows(kimera: Kimera) -> int:
    return sum(each.rows for each in Catalog(kimera.home / "data").datasets())


def _files_begun(kimera: Kimera) -> int:
    """Count Parquet files, unfinished ones too; folders may vanish meanwhile."""
    names = (name for _, _, files in os.walk(kimera.home / "data") for name in files)
    return sum(".parquet" in name for name in names)


def _has(kimera: Kimera) -> bool:
    return bool(kimera("fetch", "list").records("dataset"))


def test_a_person_sees_what_came_of_it_and_a_program_every_row(
    kimera: Kimera, server: Serving
) -> None:
    table = kimera(*minutes(kimera, server, "--format", "table"))
    assert table.code == 0
    assert "candle" not in table.out
    assert len(table.out.splitlines()) < 12
    rows = kimera(*minutes(kimera, server, "--format", "csv")).out.splitlines()
    assert sum(line.startswith("candle,") for line in rows) == 23 * 60


def test_now(kimera: Kimera, server: Serving) -> None:
    """Markets, tickers and books; by the former names as well."""
    (market,) = kimera("fetch", "markets", "huobi", "btcusdt", "--server", server.file).records(
        "venue_market"
    )
    assert (market["venue"], market["symbol"], market["tick"]) == ("htx", "BTC/USDT", "0.01")
    tickers = kimera("fetch", "ticker", "binance", "BTC/USDT", "ETHUSDT", "--server", server.file)
    assert [each["symbol"] for each in tickers.records("ticker")] == ["BTC/USDT", "ETH/USDT"]
    (book,) = kimera("fetch", "book", "coinbasepro", "BTC-USD", "--server", server.file).records(
        "book_snapshot"
    )
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert all(len(level) == 2 for level in (*book["bids"], *book["asks"]))
    listed = kimera("fetch", "markets", "kraken", "--server", server.file).records("venue_market")
    assert {each["symbol"] for each in listed} >= {"BTC/USD", "ETH/USD"}


@pytest.mark.parametrize(
    ("args", "code", "word"),
    [
        (("ohlcv", "binanse", "BTC/USDT", "--since", "1d"), "usage.venue", "binance"),
        (("ohlcv", "okx", "BTC-USDX", "--since", "1d"), "usage.symbol", "BTC-USDT"),
        (("ohlcv", "okx", "BTC-USDT", "--since", "1d", "-t", "7m"), "usage.timeframe", "5m"),
        (("ohlcv", "okx", "BTC-USDT", "--since", "1d", "--until", "2d"), "usage.time", "before"),
        (("ohlcv", "okx", "BTC-USDT", "--since", "soon"), "usage.time", "--since"),
        (("trades", "okx", "BTC-USDT", "--since", "1d", "--tick", "0"), "usage.step", "--tick"),
        (("funding", "kraken", "BTC/USD", "--since", "1d"), "usage.not_offered", "swap"),
        (("ticker", "kraken", "BTC/UDS"), "usage.symbol", "BTC/USD"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_would_be_right(
    kimera: Kimera, server: Serving, args: tuple[str, ...], code: str, word: str
) -> None:
    done = kimera("fetch", *args, "--server", server.file, "--format", "jsonl")
    assert done.code == 2, done.err
    (error,) = done.err_json
    assert error["code"] == code
    assert word in error["message"] + error["hint"]
    assert "Traceback" not in done.err
    assert not (kimera.home / "data").exists() or not list(
        (kimera.home / "data").rglob("*.parquet")
    )


def test_a_plain_address_is_refused(kimera: Kimera, server: Serving) -> None:
    url = f"http://127.0.0.1:{server.record['port']}"
    done = kimera("fetch", "ticker", "okx", "BTC-USDT", "--server", url, "--format", "jsonl")
    assert done.code == 2
    assert done.err_json[0]["code"] == "usage.server"


def test_some_of_the_markets_is_exit_code_6(kimera: Kimera, server: Serving) -> None:
    refusal = {"hook": "request.before", "action": "reply", "match": "klines.*ETHUSDT",
               "status": 400, "body": '{"code":-1100,"msg":"Illegal"}', "count": None}  # fmt: skip
    server.control("/faults", refusal)
    done = kimera(
        *("fetch", "ohlcv", "binance", "BTC/USDT", "ETH/USDT", "--since", "5h", "--server"),
        *(server.file, "--format", "jsonl"),
    )
    assert done.code == 6, done.err
    assert done.end["status"] == "partial"
    assert [each["code"] for each in done.err_json] == ["venue.refused"]
    assert [each["symbol"] for each in done.records("fetched")] == ["BTC/USDT"]


def test_a_refusal_is_exit_code_4_and_writes_nothing(kimera: Kimera, server: Serving) -> None:
    body = '{"code":"51000","msg":"Parameter bar error","data":[]}'
    refusal = {"hook": "request.before", "action": "reply", "match": "candles", "status": 400}
    refusal |= {"body": body, "count": None}
    server.control("/faults", refusal)
    done = kimera(*minutes(kimera, server), "--format", "jsonl")
    assert done.code == 4
    assert done.end == {"type": "end", "status": "error", "rows": 0, "code": 4}
    assert done.err_json[-1]["code"] == "venue.refused"
    assert "51000" in done.err_json[-1]["message"]
    assert not list((kimera.home / "data").rglob("*.parquet"))


def test_a_data_folder_that_cannot_be_is_told(kimera: Kimera, server: Serving) -> None:
    (kimera.folder / "file").write_text("in the way")
    done = kimera(*minutes(kimera, server), env={"KIMERA_HOME": str(kimera.folder / "file")})
    assert done.code == 3, done.err
    assert [each["code"] for each in done.err_json] == ["data.write"]
