"""`kimera trade` beside something that is wrong: a busy account, a market gone, a full disk."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving import VENUES, Serving

from kimera_cli.files import write_error
from kimera_cli.journal.intents import account_folder
from kimera_cli.journal.owner import Owner
from kimera_cli.risk import latch

if TYPE_CHECKING:
    from conftest import Said

LOW = "45000"
BINANCE = ("--venue", "binance")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"))
    yield serving
    serving.stop()


@pytest.fixture
def trade(program: Any, server: Serving) -> Iterator[Any]:
    def run(*args: object, stdin: str = "", **options: Any) -> Said:
        more = {"stdin": io.StringIO(stdin)} if stdin else {}
        said: Said = program("trade", *args, "--server", server.file, **more, **options)
        return said

    yield run
    server.control("/faults", method="DELETE")
    program("trade", "arm")
    run("cancel-all", *BINANCE, "--foreign")


def buy(*more: object) -> tuple[object, ...]:
    return ("order", "BTCUSDT", "buy", "0.01", "--price", LOW, *BINANCE, *more)


def test_positions_beside_a_process_that_owns_the_account(trade: Any, tmp_path: Path) -> None:
    assert trade("order", "BTCUSDT", "buy", "--cost", "100", *BINANCE).code == 0
    owner = Owner.take(account_folder(tmp_path / "home", "binance", "main"))
    try:
        said = trade("positions", *BINANCE)
    finally:
        owner.release()
    position, total = said.records("trade_position")
    assert (said.code, position["asset"], total["asset"]) == (0, "BTC", "BTC")


def test_a_position_in_a_market_that_is_not_listed_any_more(trade: Any, server: Serving) -> None:
    assert trade("order", "ETHUSDT", "buy", "--cost", "100", *BINANCE).code == 0
    server.control("/binance/market", {"symbol": "ETH/USDT", "status": "delisted"})
    said = trade("positions", "--value", *BINANCE)
    (position,) = said.records("trade_position")
    assert (position["symbol"], position["asset"], position["value"]) == ("ETHUSDT", "", "")
    assert Decimal(position["qty"]) > 0
    assert said.code == 6
    assert "expected binance to list ETHUSDT" in said.err


@pytest.mark.parametrize("venue", ["binance", "bybit", "kraken"])
def test_a_fill_of_ours_names_its_order_where_the_venue_does_not(trade: Any, venue: str) -> None:
    said = trade("order", VENUES[venue], "buy", "--cost", "100", "--venue", venue)
    (order,) = said.records("trade_order")
    fills = trade("fills", VENUES[venue], "--venue", venue).records("trade_fill")
    ids = {each["client_id"] for each in fills if each["ours"]}
    assert ids == {order["client_id"]}


def test_a_venue_that_answers_the_second_line_takes_it(trade: Any, server: Serving) -> None:
    html = {"hook": "request.before", "action": "reply", "status": 503, "body": "<html></html>"}
    server.control("/faults", html | {"match": "/api/v3/time", "venue": "binance", "count": 4})
    line = json.dumps({"symbol": "BTCUSDT", "side": "buy", "qty": "0.01", "px": LOW}) + "\n"
    said = trade("order", "-", *BINANCE, stdin=line * 2)
    first, second = said.records("trade_order")
    assert (first["phase"], first["reason"].partition(".")[0]) == ("withheld", "venue")
    assert (second["phase"], said.code) == ("open", 6)


def test_each_line_of_a_dry_run_has_its_result(trade: Any) -> None:
    lines = [
        {"symbol": "BTCUSDT", "side": "buy", "qty": "0.01", "px": LOW},
        {"symbol": "BTCUSDT", "side": "buy", "qty": "0.01", "px": "45000.001"},
        {"symbol": "BTCUSDT", "side": "sell", "qty": "0.01", "px": "55000"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    said = trade("order", "-", "--dry-run", *BINANCE, stdin=text)
    assert [r["line"] for r in said.records("trade_request")] == [1, 3]
    (refused,) = said.records("trade_order")
    assert (refused["line"], refused["reason"], said.code) == (2, "usage.tick", 6)
    assert trade("open", *BINANCE).records("trade_order") == []


def test_a_cap_holds_at_a_venue_server_too(trade: Any) -> None:
    said = trade(*buy("--yes-live", "449.99"))
    assert (said.code, said.error["code"]) == (5, "risk.live_cap")
    assert trade(*buy("--yes-live", "450")).code == 0


def test_an_amendment_is_held_against_the_cap_by_what_the_order_is_to_be(trade: Any) -> None:
    (order,) = trade("order", "BTC-USDT", "buy", "0.01", "--price", LOW, "--venue", "okx").records(
        "trade_order"
    )
    words = ("amend", "BTC-USDT", order["client_id"], "--price", "46000", "--venue", "okx")
    said = trade(*words, "--yes-live", "459")
    assert (said.code, said.error["code"]) == (5, "risk.live_cap")
    assert "460" in said.error["message"]
    said = trade(*words, "--yes-live", "461")
    assert (said.code, said.records("trade_order")[0]["px"]) == (0, "46000")
    assert trade("cancel-all", "--venue", "okx").code == 0


def test_kill_cancels_although_its_file_cannot_be_filled(
    trade: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, which has room for a name only."""

    def full(path: Path, data: bytes) -> None:
        raise write_error(path, OSError(errno.ENOSPC, "No space left on device"))

    assert trade(*buy()).code == 0
    monkeypatch.setattr(latch, "write_atomic", full)
    said = trade("kill", "--why", "no room", *BINANCE)
    assert (said.code, said.error["code"]) == (1, "run.disk_full")
    assert [r["phase"] for r in said.records("trade_order")] == ["canceled"]
    assert said.records("kill_switch")[0]["killed"]
    assert (tmp_path / "home" / latch.FILE).exists()
    assert trade(*buy()).error["code"] == "risk.kill_switch"


def test_kill_is_set_whatever_else_was_typed(trade: Any, tmp_path: Path) -> None:
    said = trade("kill", "--account", "a/b", *BINANCE)
    assert (said.code, said.error["code"]) == (2, "usage.account")
    assert said.records("kill_switch")[0]["killed"]
    assert (tmp_path / "home" / latch.FILE).exists()


def test_a_doubt_says_how_long_it_must_be_asked_for(trade: Any, server: Serving) -> None:
    rule = {"hook": "request.before", "action": "reply", "status": 503, "body": "<html>down</html>"}
    server.control("/faults", rule | {"match": "order", "venue": "htx", "count": None})
    words = ("order", "BTCUSDT", "buy", "0.01", "--price", LOW, "--venue", "htx", "--wait", 0)
    assert trade(*words).records("trade_order")[0]["phase"] == "unknown"
    wait = "kimera trade reconcile --adopt --wait 310"
    assert trade(*words).error["hint"].startswith(wait)
    server.control("/faults", method="DELETE")
    said = trade("reconcile", "--venue", "htx")
    assert said.error["hint"].startswith(wait)
    assert "was 1 difference" in said.error["message"]
    assert not said.error["message"].endswith("differences")
