"""`kimera trade` from the outside, against `kimera venue serve` in another process."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving import VENUES, Serving

if TYPE_CHECKING:
    from conftest import Program, Said

LOW, HIGH = "45000", "55000"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"))
    yield serving
    serving.stop()


class Trade:
    """Runs `kimera trade` against the server."""

    def __init__(self, program: Program, server: Serving) -> None:
        self.program, self.server = program, server

    def __call__(self, *args: object, stdin: str = "", **options: Any) -> Said:
        more = {"stdin": io.StringIO(stdin)} if stdin else {}
        return self.program("trade", *args, "--server", self.server.file, **more, **options)

    def order(self, venue: str, *args: object, **options: Any) -> Any:
        said = self("order", VENUES[venue], *args, "--venue", venue, **options)
        (record,) = said.records("trade_order")
        return record


@pytest.fixture
def trade(program: Any, server: Serving) -> Iterator[Trade]:
    yield Trade(program, server)
    server.control("/faults", method="DELETE")


@pytest.mark.parametrize("venue", VENUES)
def test_a_day_at_every_venue(trade: Trade, venue: str) -> None:
    resting = trade.order(venue, "buy", "0.01", "--price", LOW)
    assert (resting["phase"], resting["px"], resting["qty"]) == ("open", LOW, "0.01")
    taken = trade.order(venue, "buy", "0.02", "--price", HIGH, "--tif", "ioc")
    assert (taken["phase"], taken["filled"]) == ("filled", "0.02")
    assert Decimal(taken["average"]) < Decimal(HIGH)
    at = ("--venue", venue)
    (listed,) = trade("open", *at).records("trade_order")
    assert (listed["venue_order_id"], listed["ours"]) == (resting["venue_order_id"], True)
    (status,) = trade("status", VENUES[venue], resting["client_id"], *at).records("trade_order")
    assert status["phase"] == "open"
    fills = trade("fills", VENUES[venue], *at).records("trade_fill")
    mine = [f for f in fills if f["venue_order_id"] == taken["venue_order_id"]]
    assert sum(Decimal(f["qty"]) for f in mine) == Decimal("0.02")
    assert all(f["ours"] for f in mine)
    latest = trade("fills", VENUES[venue], *at, "--since", "1ms").records("trade_fill")
    assert not [f for f in latest if f["venue_order_id"] == taken["venue_order_id"]]
    position, total = trade("positions", "--value", *at).records("trade_position")
    assert total["value"] == position["value"]
    assert Decimal(position["qty"]) * 1_000 < Decimal(position["value"])
    fees = Decimal(position["fees"].get("BTC", "0"))
    assert Decimal(position["qty"]) == Decimal("0.02") - fees
    assert (total["venue"], total["asset"], total["qty"]) == ("total", "BTC", position["qty"])
    (rates,) = trade("fees", VENUES[venue], *at).records("trade_fees")
    assert Decimal(rates["taker"]) > 0
    held = {b["asset"]: b for b in trade("balance", *at).records("trade_balance")}
    quote = "USDT" if "USDT" in held and venue in ("binance", "bybit", "htx", "okx") else "USD"
    assert Decimal(held[quote]["held"]) >= Decimal(LOW) * Decimal("0.01")
    canceled = trade("cancel", VENUES[venue], resting["client_id"], *at)
    (record,) = canceled.records("trade_order")
    assert (canceled.code, record["phase"]) == (0, "canceled")
    assert trade("open", *at).records("trade_order") == []


def test_a_dry_run_shows_the_exact_request_and_sends_nothing(trade: Trade) -> None:
    said = trade(
        "order", "BTCUSDT", "buy", "0.01", "--price", LOW, "--venue", "binance", "--dry-run"
    )
    (record,) = said.records("trade_request")
    assert record["request"].startswith("POST /api/v3/order HTTP/1.1\nHost: api.binance.com\n")
    for text in ("quantity=0.01&price=45000", f"newClientOrderId={record['client_id']}"):
        assert text in record["request"]
    assert "signature=[redacted]" in record["request"]
    assert "X-MBX-APIKEY: [redacted]" in record["request"]
    assert trade("open", "--venue", "binance").records("trade_order") == []


def test_lines_give_one_result_each_and_part_of_them_is_code_6(trade: Trade) -> None:
    lines = [
        {"symbol": "BTCUSDT", "side": "buy", "qty": 0.01, "px": "45000"},
        {"symbol": "BTCUSDT", "side": "buy", "qty": "0.01", "px": "45000.001"},
        {"symbol": "BTCUSDT", "side": "buy", "qty": "5000", "px": "45000"},
        {"symbol": "BTCUSDT", "side": "hold", "qty": "1"},
        {"symbol": "BTCUSDT", "side": "buy", "qty": 1, "px": 45000, "colour": "red"},
        {"symbol": "NOSUCH", "side": "buy", "qty": "1", "px": "1"},
        {"type": "end", "status": "ok", "rows": 1, "code": 0},
        {"symbol": "BTC/USDT", "side": "buy", "cost": "100"},
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines) + "\nno json\n"
    said = trade("order", "-", "--venue", "binance", stdin=text)
    found = {r["line"]: (r["phase"], r["reason"]) for r in said.records("trade_order")}
    assert found == {
        1: ("open", ""),
        2: ("withheld", "usage.tick"),
        3: ("rejected", "funds"),
        4: ("withheld", "usage.order_line"),
        5: ("withheld", "usage.order_line"),
        6: ("withheld", "usage.symbol"),
        8: ("filled", ""),
        10: ("withheld", "usage.order_line"),
    }
    assert said.code == 6
    assert said.json[-1]["status"] == "partial"
    assert trade("cancel-all", "--venue", "binance").code == 0


def test_records_can_be_sent_again_as_they_are(trade: Trade) -> None:
    first = trade.order("okx", "sell", "0.01", "--price", "60000", "--tif", "post_only")
    trade("cancel-all", "--venue", "okx")
    said = trade("order", "-", stdin=json.dumps(first) + "\n")
    (again,) = said.records("trade_order")
    assert said.code == 0
    assert (again["px"], again["tif"], again["phase"]) == ("60000", "post_only", "open")
    assert again["client_id"] != first["client_id"]
    trade("cancel-all", "--venue", "okx")


REFUSED = {
    "lot": (["buy", "0.0000001", "--price", LOW], 2, "usage.min_quantity"),
    "tick": (["buy", "0.01", "--price", "45000.0001"], 2, "usage.tick"),
    "notional": (["buy", "0.00001", "--price", "100"], 2, "usage.min_notional"),
    "side": (["hold", "0.01", "--price", LOW], 2, "usage.order"),
    "number": (["buy", "0.01", "--price", "cheap"], 2, "usage.amount"),
    "nothing": (["buy"], 2, "usage.order"),
    "cost": (["buy", "0.01", "--cost", "5"], 2, "usage.order"),
    "tif": (["buy", "0.01", "--price", LOW, "--tif", "gtd"], 2, "usage.order"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_an_order_is_refused_before_anything_is_sent(
    trade: Trade, name: str
) -> None:
    args, code, error = REFUSED[name]
    said = trade("order", "BTCUSDT", *args, "--venue", "binance")
    assert (said.code, said.error["code"]) == (code, error)
    assert said.error["hint"] or name in ("side", "number", "nothing", "cost", "tif")


def test_unknown_venues_and_symbols_get_the_nearest_name(trade: Trade) -> None:
    said = trade("order", "BTCUSDT", "buy", "1", "--venue", "binanse")
    assert (said.code, said.error["hint"]) == (2, "did you mean 'binance'?")
    said = trade("order", "BTCUSDD", "buy", "1", "--venue", "binance")
    assert (said.code, said.error["hint"]) == (2, "did you mean 'BTCUSDT'?")


def test_no_funds_is_the_venues_refusal(trade: Trade) -> None:
    said = trade("order", "BTCUSDT", "buy", "800", "--price", LOW, "--venue", "binance")
    (record,) = said.records("trade_order")
    assert (record["phase"], record["reason"], said.code) == ("rejected", "funds", 4)


@pytest.mark.parametrize("action", ["empty", "truncate", "drop"])
def test_a_lost_answer_is_looked_up_and_told(trade: Trade, server: Serving, action: str) -> None:
    rule = {
        "hook": "request.after",
        "action": action,
        "match": "^POST /api/v3/order",
        "venue": "binance",
    }
    server.control("/faults", rule)
    record = trade.order("binance", "buy", "0.01", "--price", LOW)
    assert record["phase"] == "open"
    assert record["venue_order_id"]
    assert len(trade("open", "--venue", "binance").records("trade_order")) == 1
    trade("cancel-all", "--venue", "binance")


def test_an_order_that_stays_unknown_is_told_and_stops_the_next(
    trade: Trade, server: Serving
) -> None:
    rule = {"hook": "request.before", "action": "reply", "status": 503, "body": "<html>down</html>"}
    rule |= {"match": "order", "venue": "coinbase", "count": None}
    server.control("/faults", rule)
    said = trade(
        "order", "BTC-USD", "buy", "0.01", "--price", LOW, "--venue", "coinbase", "--wait", 0
    )
    (record,) = said.records("trade_order")
    assert (record["phase"], said.code) == ("unknown", 4)
    said = trade(
        "order", "BTC-USD", "buy", "0.01", "--price", LOW, "--venue", "coinbase", "--wait", 0
    )
    assert (said.code, said.error["code"]) == (5, "risk.order_in_doubt")
    assert record["client_id"] in said.error["message"]


def test_the_kill_switch_stops_orders_and_cancels_all(trade: Trade) -> None:
    trade.order("kraken", "buy", "0.01", "--price", LOW)
    trade.order("htx", "buy", "0.01", "--price", LOW)
    at = ("--venue", "kraken", "--venue", "htx")
    said = trade("kill", "--why", "a drill", *at)
    assert said.code == 0
    (switch,) = said.records("kill_switch")
    assert (switch["killed"], switch["why"]) == (True, "a drill")
    gone = {(r["venue"], r["phase"]) for r in said.records("trade_order")}
    assert gone == {("kraken", "canceled"), ("htx", "canceled")}
    refused = trade("order", "XBTUSD", "buy", "0.01", "--price", LOW, "--venue", "kraken")
    assert (refused.code, refused.error["code"]) == (5, "risk.kill_switch")
    assert "a drill" in refused.error["message"]
    assert trade("open", *at).records("trade_order") == []
    (armed,) = trade.program("trade", "arm").records("kill_switch")
    assert armed["killed"] is False
    trade.order("kraken", "buy", "0.01", "--price", LOW)
    assert trade("cancel-all", "--venue", "kraken").code == 0


def test_real_venues_need_leave(program: Any, tmp_path: Path, server: Serving) -> None:
    keys = ("--keys", server.record["keys"])
    order = (
        "trade",
        "order",
        "BTCUSDT",
        "buy",
        "0.01",
        "--price",
        LOW,
        "--venue",
        "binance",
        *keys,
    )
    said = program(*order)
    assert (said.code, said.error["code"]) == (5, "risk.live_off")
    (tmp_path / "live.toml").write_text("[live]\nallow = true\n")
    profile = ("--profile", tmp_path / "live.toml")
    said = program(*order, *profile)
    assert (said.code, said.error["code"]) == (2, "usage.live")
    said = program(*order, *profile, "--yes-live", "449.99")
    assert (said.code, said.error["code"]) == (5, "risk.live_cap")
    said = program(*order[:4], "1", "--venue", "binance", *keys, *profile, "--yes-live", "100")
    assert (said.code, said.error["code"]) == (5, "risk.live_cap")


def test_keys_that_others_can_read_and_addresses_that_are_none(
    program: Any, tmp_path: Path, server: Serving
) -> None:
    open_keys = tmp_path / "keys.toml"
    open_keys.write_text(Path(server.record["keys"]).read_text())
    open_keys.chmod(0o644)
    said = program("trade", "balance", "--venue", "binance", "--keys", open_keys)
    assert (said.code, said.error["code"]) == (2, "usage.keys_mode")
    said = program("trade", "balance", "--venue", "binance", "--server", "https://api.binance.com")
    assert (said.code, said.error["code"]) == (2, "usage.server")
    gone = ("--server", "http://127.0.0.1:1", "--keys", server.record["keys"])
    said = program("trade", "balance", "--venue", "binance", *gone)
    assert (said.code, said.error["code"]) == (4, "venue.unreachable")


def test_no_output_record_journal_or_crash_shows_a_secret(
    trade: Trade, server: Serving, tmp_path: Path
) -> None:
    """Everything that was said and written, with every venue, with --debug, good and bad."""
    said = []
    for venue, symbol in VENUES.items():
        at = ("--venue", venue, "--debug", "-vv")
        said.append(trade("order", symbol, "buy", "0.01", "--price", LOW, "--dry-run", *at))
        said.append(trade("order", symbol, "buy", "0.01", "--price", LOW, *at))
        said.append(trade("order", symbol, "buy", "9999", "--price", LOW, *at))
        rule = {"hook": "request.after", "action": "truncate", "match": "", "venue": venue}
        server.control("/faults", {**rule, "count": 6})
        said.append(trade("balance", *at))
        said.append(trade("balance", *at))
        said.append(trade("cancel-all", *at))
    texts = [text for one in said for text in (one.out, one.err)]
    texts += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    assert sum(len(text) for text in texts) > 20_000
    for venue, table in server.keys.items():
        for name, secret in table.items():
            pieces = [line for line in secret.splitlines() if len(line) > 10 and "---" not in line]
            for piece in pieces:
                assert not any(piece in text for text in texts), f"{venue}.{name} is shown"


def test_an_owned_account_is_told_and_kill_works_beside_its_owner(
    trade: Trade, program: Any, tmp_path: Path
) -> None:
    from kimera_cli.journal.owner import Owner

    trade.order("bybit", "buy", "0.01", "--price", LOW)
    owner = Owner.take(tmp_path / "home" / "orders" / "bybit-main")
    try:
        said = trade("order", "BTCUSDT", "buy", "0.01", "--price", LOW, "--venue", "bybit")
        assert (said.code, said.error["code"]) == (1, "run.account_busy")
        assert len(trade("open", "--venue", "bybit").records("trade_order")) == 1
        killed = trade("kill", "--venue", "bybit")
        assert killed.code == 0
        assert trade("open", "--venue", "bybit").records("trade_order") == []
    finally:
        owner.release()
    program("trade", "arm")


@pytest.mark.parametrize("venue", ["binance", "htx", "kraken"])
def test_an_id_that_is_none_keeps_no_other_from_its_answer(trade: Trade, venue: str) -> None:
    symbol, at = VENUES[venue], ("--venue", venue)
    resting = trade.order(venue, "buy", "0.01", "--price", LOW)
    names = ("nosuch", resting["client_id"])
    for command, phase in (("status", "open"), ("cancel", "canceled")):
        said = trade(command, symbol, *names, *at)
        (record,) = said.records("trade_order")
        assert (said.code, record["phase"], record["client_id"]) == (6, phase, names[1])
        assert "nosuch" in said.err
        alone = trade(command, symbol, "nosuch", *at)
        assert (alone.code, alone.error["code"]) == (4, "venue.order")


def test_an_order_that_the_venue_refused_has_a_status(trade: Trade) -> None:
    said = trade("order", "BTCUSDT", "buy", "900", "--price", LOW, "--venue", "binance")
    (refused,) = said.records("trade_order")
    said = trade("status", "BTCUSDT", refused["client_id"], "--venue", "binance")
    (record,) = said.records("trade_order")
    assert (said.code, record["phase"], record["reason"]) == (0, "rejected", "funds")


def test_a_venue_that_is_down_keeps_no_other_from_its_answer(trade: Trade, server: Serving) -> None:
    """Part of the answer, code 6; and a total is not told without saying that it is not whole."""
    trade.order("kraken", "buy", "0.01", "--price", HIGH)
    server.control("/okx/maintenance", {"on": True})
    both = ("--venue", "okx", "--venue", "kraken")
    try:
        for command in (("balance",), ("open",), ("positions",), ("fees", "BTC/USD")):
            said = trade(*command, *both)
            assert said.code == 6, (command, said.err)
            assert "okx" in said.err
            found = [r for r in said.json if r["type"].startswith("trade_")]
            assert {r["venue"] for r in found} <= {"kraken", "total"}
            assert found or command == ("open",)
        assert trade("balance", "--venue", "okx").code == 4
    finally:
        server.control("/okx/maintenance", {"on": False})


def test_a_lost_order_is_sent_once_more_when_that_is_asked(trade: Trade, server: Serving) -> None:
    """Some seconds of real time: the proof of absence outlasts the request's life."""
    rule = {"hook": "request.before", "action": "drop", "match": "^POST /api/v3/order"}
    server.control("/faults", rule | {"venue": "binance"})
    record = trade.order("binance", "buy", "0.01", "--price", LOW, "--resend")
    assert record["phase"] == "open"
    first = trade("status", "BTCUSDT", record["resends"], "--venue", "binance")
    assert first.records("trade_order")[0]["phase"] == "absent"
    trade("cancel-all", "--venue", "binance")
