"""`kimera venue doctor`: every item good at all venues, and each item's failure told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hostile import announced, free_port
from serving import VENUES, Serving

from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.world import World

if TYPE_CHECKING:
    from conftest import Program, Said

ITEMS = [
    "network",
    "clock",
    "markets",
    "book",
    "account",
    "rights of the key",
    "orders and fills",
    "fees",
    "private stream",
]
ORDER = "order test"
CHECKED_ONLY = ("binance", "coinbase", "kraken")
"""Where the venue checks an order without taking it."""
TELL = ("binance", "bybit", "coinbase", "htx", "okx")
"""Where the venue tells what a key may do."""
MARKETS = {
    "binance": "/api/v3/exchangeInfo",
    "bybit": "/v5/market/instruments-info",
    "coinbase": "/api/v3/brokerage/market/products",
    "coinbaseexchange": "/products",
    "htx": "/v1/common/symbols",
    "kraken": "/0/public/AssetPairs",
    "okx": "/api/v5/public/instruments",
}
TICKS = {
    "binance": "tickSize",
    "bybit": "tickSize",
    "coinbase": "price_increment",
    "coinbaseexchange": "quote_increment",
    "htx": "price-precision",
    "kraken": "tick_size",
    "okx": "tickSz",
}
"""A field of a market, by venue."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"), rate="50")
    yield serving
    serving.stop()


class Doctor:
    """Runs `kimera venue doctor` at the server."""

    def __init__(self, program: Program, server: Serving) -> None:
        self.program, self.server = program, server

    def __call__(self, venue: str, *args: object, at: Path | None = None, **world: Any) -> Said:
        where = ("--server", at or self.server.file)
        return self.program("venue", "doctor", venue, *where, "--for", "0.3s", *args, **world)

    def rule(self, **fields: Any) -> None:
        self.server.control("/faults", {"count": None, **fields})


@pytest.fixture
def doctor(program: Any, server: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doctor]:
    def unlimited(venue: str, world: World) -> Budget:
        return Budget(venue, (), world)  # as the server is

    monkeypatch.setattr("kimera_cli.venues.clients.session.budget_for", unlimited)
    yield Doctor(program, server)
    server.control("/faults", method="DELETE")


def items(said: Said) -> dict[str, tuple[str, str, str]]:
    """Return status, what was found and advice by item."""
    return {
        each["item"]: (each["status"], each["found"], each["advice"])
        for each in said.records("venue_check")
    }


@pytest.mark.parametrize("venue", VENUES)
def test_a_venue_that_is_well(doctor: Doctor, venue: str) -> None:
    said = doctor(venue, "--order-test")
    found = items(said)
    assert list(found) == [*ITEMS, ORDER], "and no shape that differs from the server's own"
    assert {status for status, _, _ in found.values()} == {"ok"}, found
    assert said.code == 0
    assert said.json[-1]["status"] == "ok"
    word = "not carried out" if venue in CHECKED_ONLY else "and was canceled"
    assert word in found[ORDER][1]
    assert ("read, trade" if venue in TELL else "does not tell") in found["rights of the key"][1]
    assert " in step, " in found["book"][1]
    orders = doctor.server.control(f"/{venue}/orders?account=client")
    assert all(order["status"] == "canceled" for order in orders)
    assert len(orders) == (venue not in CHECKED_ONLY)


@pytest.mark.parametrize("venue", TELL)
def test_a_key_that_may_withdraw_is_warned_of(doctor: Doctor, venue: str, tmp_path: Path) -> None:
    rights = {"account": "client", "permissions": ["read", "trade", "withdraw"]}
    strong = doctor.server.control(f"/{venue}/key", rights)
    path = keys_file(tmp_path, venue, strong)
    said = doctor(venue, "--keys", path)
    status, found, advice = items(said)["rights of the key"]
    doctor.server.control(f"/{venue}/key?key={quoted(strong['key'])}", method="DELETE")
    assert (status, said.code) == ("warning", 0)
    assert "withdraw" in found
    assert "cannot withdraw" in advice


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_that_is_none(doctor: Doctor, venue: str, tmp_path: Path) -> None:
    table = dict(doctor.server.keys[venue])
    table["key"] = table["key"][:-4] + "0000"
    said = doctor(venue, "--keys", keys_file(tmp_path, venue, table), "--order-test")
    found = items(said)
    assert said.code == 1
    status, _, advice = found["account"]
    assert (status, "keys file" in advice) == ("failed", True)
    assert found[ORDER][0] == found["fees"][0] == "skipped"
    assert found["book"][0] == "ok", "what is public was looked at"
    assert table["key"] not in said.out + said.err


@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_a_minute_off(doctor: Doctor, venue: str) -> None:
    said = doctor(venue, "--order-test", now_ns=lambda: time.time_ns() - 60_000_000_000)
    found = items(said)
    status, words, advice = found["clock"]
    assert (status, said.code) == ("failed", 1)
    assert "within 1 s" in words
    assert "chronyc" in advice
    assert not doctor.server.control(f"/{venue}/orders?account=client") or found[ORDER][0] != "ok"


def keys_file(folder: Path, venue: str, table: dict[str, str]) -> Path:
    """Write a keys file."""
    path = folder / "own-keys.toml"
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in table.items() if value]
    path.write_text(f"[{venue}]\n{''.join(lines)}")
    path.chmod(0o600)
    return path


def quoted(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize("venue", VENUES)
def test_another_shape_is_told(doctor: Doctor, venue: str) -> None:
    field = TICKS[venue]
    doctor.rule(
        hook="request.after",
        action="replace",
        venue=venue,
        match=f"^GET {MARKETS[venue]}",
        pattern=f'"{field}":',
        body=f'"since":"now","{field}":',
    )
    doctor.rule(
        hook="request.after",
        action="replace",
        venue=venue,
        match="balance|accounts?|wallet|Balance",
        pattern='"(free|hold|balance|availBal|walletBalance|value)":',
        body='"renamed":',
    )
    found = items(doctor(venue))
    status, words, _ = found["markets: shape"]
    assert status == "ok"
    assert words.startswith("also ")
    assert "since" in words
    assert found["account"][0] == "failed" or found["account: shape"][0] == "warning"


def test_a_market_that_is_none_gets_the_nearest(doctor: Doctor) -> None:
    said = doctor("okx", "BTC-USDD")
    found = items(said)
    assert said.code == 1
    assert found["markets"] == (
        "failed",
        "expected a market of okx, was 'BTC-USDD'",
        "did you mean 'BTC-USDT'?",
    )
    assert {found[name][0] for name in ITEMS[3:]} == {"skipped"}


def test_no_network(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    gone = announced(tmp_path / "gone" / "s.jsonl", free_port(), Path(doctor.server.record["ca"]))
    said = doctor("kraken", "--order-test", at=gone)
    found = items(said)
    assert said.code == 1
    status, words, advice = found["network"]
    assert (status, "Connection refused" in words) == ("failed", True)
    assert "network" in advice
    assert {found[name][0] for name in [*ITEMS[1:], ORDER]} == {"skipped"}


def test_a_book_that_does_not_come(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimera_cli.venues.doctor_book.PATIENCE_S", 1.0)
    doctor.rule(hook="frame.out", action="drop", venue="bybit", match="orderbook")
    found = items(doctor("bybit"))
    status, words, advice = found["book"]
    assert status == "failed"
    assert "not in step" in words
    assert advice
    assert found["account"][0] == "ok", "the rest is looked at"


def test_no_keys(program: Any, server: Serving, tmp_path: Path) -> None:
    record = {name: value for name, value in server.record.items() if name != "keys"}
    at = tmp_path / "no-keys.jsonl"
    at.write_text(json.dumps(record) + "\n")
    said = program("venue", "doctor", "okx", "--server", at, "--for", "0.6s")
    found = items(said)
    assert said.code == 0
    assert [found[name][0] for name in ITEMS] == ["ok"] * 4 + ["skipped"] * 5
    assert "KIMERA_OKX_KEY" in found["account"][2]


def test_orders_that_the_key_may_not_send(doctor: Doctor, tmp_path: Path) -> None:
    for venue in ("binance", "bybit", "coinbaseexchange", "kraken"):
        rights = {"account": "client", "permissions": ["read"]}
        weak = doctor.server.control(f"/{venue}/key", rights)
        said = doctor(venue, "--order-test", "--keys", keys_file(tmp_path, venue, weak))
        found = items(said)
        assert said.code == 1
        assert found[ORDER][0] == "failed"
        assert found["rights of the key"][0] == ("warning" if venue in TELL else "ok")


def test_a_real_venue_needs_leave_for_an_order(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kimera_cli.venues.clients.addresses import Server

    monkeypatch.setattr(Server, "live", True)
    said = doctor("okx", "--order-test")
    status, words, _ = items(said)[ORDER]
    assert (status, said.code) == ("failed", 1)
    assert "[live] allow = false" in words
    assert items(doctor("kraken", "--order-test"))[ORDER][0] == "ok", "nothing is carried out"


def test_what_can_be_wrong_with_the_command(program: Any, server: Serving) -> None:
    said = program("venue", "doctor", "krakn", "--server", server.file)
    assert (said.code, said.error["hint"]) == (2, "did you mean 'kraken'?")
    said = program("venue", "doctor", "okx", "--server", server.file, "--for", "soon")
    assert (said.code, said.error["code"]) == (2, "usage.duration")
