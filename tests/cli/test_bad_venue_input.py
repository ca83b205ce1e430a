"""What can be wrong with a venue, the way to it, or what is asked of it: told, soon, and no more.

A refusal has the right exit code, says what was expected and what was, leaves nothing half-written
and never shows a traceback. The tables below are played against a server that answers as no venue
should (hostile.py), and against the venue server.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hostile import ANSWERS, CERTIFICATES, Hostile, announced, free_port, unroutable
from serving import VENUES, Serving

from kimera_cli.feeds.backoff import Backoff
from kimera_cli.venues.clients.transport import Transport

if TYPE_CHECKING:
    from conftest import Program, Said

MOST_REQUESTS = 4
"""A first question is not asked for ever."""
TIERS = tuple(VENUES)
KEYED = ("okx", "coinbaseexchange")
"""Venues whose keys have a passphrase."""
ORDER = ("buy", "0.01", "--price", "45000")
Mend = dict[str, tuple[list[str], str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"))
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    made = Hostile(tmp_path_factory.mktemp("hostile"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between questions that are as short as can be."""
    monkeypatch.setattr(
        "kimera_cli.venues.clients.session.Backoff", lambda **_: Backoff(0.001, 0.001)
    )
    for name in ("FIRST_WAIT_S", "LIMITED_WAIT_S"):
        monkeypatch.setattr(f"kimera_cli.venues.history.ask.{name}", 0.001)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than a moment for a venue that says nothing, which one at work may need as well."""
    quick = partial(Transport, connect_s=0.5, answer_s=0.5)
    for room in ("venues.trading", "live.markets"):
        monkeypatch.setattr(f"kimera_cli.{room}.Transport", quick)
    monkeypatch.setattr("kimera_cli.venues.history.exchange.TIMEOUT_MS", 500)


def refused(said: Said, exit_code: int, *codes: str) -> dict[str, Any]:
    """Check the shape of a refusal; return its error."""
    assert said.code == exit_code, (said.err, said.out)
    error = said.error
    assert not codes or error["code"] in codes, error
    assert "expected " in error["message"], error
    assert "was " in error["message"], error
    assert "Traceback" not in said.err
    assert "\x1b" not in said.err
    assert "<html" not in said.err, "a page is named, not shown"
    assert len(error["message"]) < 400
    assert said.json[-1]["code"] == exit_code
    written = [p for p in Path().rglob("*") if p.is_file() and p.suffix in (".txt", ".part")]
    assert not written, "nothing half-written"
    assert not list(Path("runs").glob("*"))
    return error


def commands(venue: str, file: Path, keys: str) -> dict[str, list[object]]:
    """Return a command of each kind that begins by asking a venue."""
    symbol, at = VENUES[venue], ["--server", file]
    market = f"{venue}/{symbol}"
    return {
        "balance": ["trade", "balance", "--venue", venue, "--keys", keys, *at],
        "order": ["trade", "order", symbol, *ORDER, "--venue", venue, "--keys", keys, *at],
        "markets": ["fetch", "markets", venue, *at],
        "bars": ["fetch", "ohlcv", venue, "BTC/USDT", "--since", "1d", *at],
        "record": ["fetch", "record", venue, symbol, "--out", "r.txt", "--for", "1s", *at],
        "paper": ["run", "--source", "venue", "--market", market, "--for", "1s", *at],
        "live": ["run", "--source", "venue", "--market", market, "--execute", "live", "--for", "1s",
                 "--keys", keys, *at],
    }  # fmt: skip


# --- the way to a venue -----------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_answers_that_no_venue_gives(
    program: Program, server: Serving, hostile: Hostile, venue: str
) -> None:
    for name, answer in ANSWERS.items():
        hostile.answer, hostile.requests = answer, 0
        command = commands(venue, hostile.file, server.record["keys"])["balance"]
        error = refused(program(*command), 4, "venue.unreadable", "venue.no_answer")
        assert error["hint"], name
        assert hostile.requests <= MOST_REQUESTS, name


@pytest.mark.parametrize("kind", ["markets", "bars", "record", "paper", "live", "order"])
def test_every_command_names_such_an_answer(
    program: Program, server: Serving, hostile: Hostile, kind: str
) -> None:
    every = 3 if kind in ("markets", "bars") else 2
    for number, answer in enumerate(list(ANSWERS.values())[::every]):
        hostile.answer, hostile.requests = answer, 0
        venue = TIERS[number % len(TIERS)]
        command = commands(venue, hostile.file, server.record["keys"])[kind]
        error = refused(program(*command), 4)
        assert error["code"].startswith("venue."), error
        assert error["hint"], error
        assert hostile.requests <= MOST_REQUESTS, error
    assert not list(Path("home").rglob("*.parquet"))


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_certificates_that_are_not_trusted(
    program: Program, server: Serving, tmp_path: Path, certificate: str
) -> None:
    false = Hostile(tmp_path / "false", certificate)
    false.answer = ANSWERS["an object"]
    for number, kind in enumerate(("balance", "order", "markets", "record", "paper", "live")):
        venue = TIERS[number]
        error = refused(program(*commands(venue, false.file, server.record["keys"])[kind]), 4)
        assert error["code"] == "venue.tls"
        assert "certificate" in error["message"]
    false.stop()
    assert false.requests == 0, "nothing is said to a host that cannot prove who it is"


def test_nobody_listens(program: Program, server: Serving, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    gone = announced(tmp_path / "gone" / "s.jsonl", free_port(), Path(server.record["ca"]))
    for number, kind in enumerate(("balance", "markets", "record", "paper", "live")):
        command = commands(TIERS[number], gone, server.record["keys"])[kind]
        error = refused(program(*command), 4, "venue.unreachable")
        assert "network" in error["hint"]


@pytest.mark.usefixtures("impatient")
def test_nobody_takes_the_connection(program: Program, server: Serving, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    with unroutable() as port:
        far = announced(tmp_path / "far" / "s.jsonl", port, Path(server.record["ca"]))
        for venue, kind in (("htx", "balance"), ("okx", "record"), ("kraken", "markets")):
            error = refused(program(*commands(venue, far, server.record["keys"])[kind]), 4)
            assert error["code"] in ("venue.unreachable", "venue.timeout")


@pytest.mark.usefixtures("impatient")
def test_nobody_answers(
    program: Program, server: Serving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hostile.whole", lambda reply: True)
    silent = Hostile(tmp_path / "silent")
    for venue, kind in (("bybit", "balance"), ("okx", "live"), ("kraken", "bars")):
        error = refused(program(*commands(venue, silent.file, server.record["keys"])[kind]), 4)
        assert error["code"] in ("venue.no_answer", "venue.timeout")
        assert "nothing for" in error["message"]
    silent.stop()
    assert silent.requests == 3, "a first question that nobody answers is asked once"


def test_no_name_server(program: Program, server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    keys = ("--keys", server.record["keys"])
    for words in (
        ("fetch", "ticker", "binance", "BTC/USDT"),
        ("fetch", "record", "kraken", "XBTUSD", "--out", "r.txt"),
        ("run", "--source", "venue", "--market", "okx/BTC-USDT", "--for", "1s", *keys),
    ):
        error = refused(program(*words), 4, "venue.dns")
        assert "name servers" in error["hint"]


# --- what a venue says ------------------------------------------------------------------------


@pytest.mark.parametrize("venue", VENUES)
def test_maintenance(program: Program, server: Serving, venue: str) -> None:
    server.control(f"/{venue}/maintenance", {"on": True})
    try:
        for kind in ("balance", "order", "markets", "record"):
            command = commands(venue, server.file, server.record["keys"])[kind]
            error = refused(program(*command), 4)
            assert "try again later" in error["hint"] or "again later" in error["hint"], error
    finally:
        server.control(f"/{venue}/maintenance", {"on": False})


@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_that_is_a_minute_off(program: Program, server: Serving, venue: str) -> None:
    late = {"now_ns": lambda: time.time_ns() - 60_000_000_000}
    for kind in ("order", "record", "live"):
        command = commands(venue, server.file, server.record["keys"])[kind]
        error = refused(program(*command, **late), 4, "venue.clock")
        assert "60." in error["message"] or "59." in error["message"]
        assert "chronyc" in error["hint"]
    assert not server.control(f"/{venue}/orders?account=client")


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_whose_answer_is_a_page_is_told_to_be_in_doubt(
    program: Program, server: Serving, venue: str
) -> None:
    rule = {"hook": "request.before", "action": "reply", "status": 503, "venue": venue}
    rule |= {"body": "<html><title>Sorry</title></html>", "match": "(?i)order", "count": None}
    server.control("/faults", rule)
    command = commands(venue, server.file, server.record["keys"])["order"]
    try:
        said = program(*command, "--wait", "0")
        (record,) = said.records("trade_order")
        assert (record["phase"], said.code) == ("unknown", 4)
        assert said.error["code"] == "venue.order_unknown"
        assert "do not send it again" in said.error["hint"]
        again = program(*command, "--wait", "0")
        assert (again.code, again.error["code"]) == (5, "risk.order_in_doubt")
    finally:
        server.control("/faults", method="DELETE")


# --- what is asked of it ----------------------------------------------------------------------

WRONG_KEYS = {
    "key": "key",
    "secret": "secret",
    "passphrase": "passphrase",
}


@pytest.mark.parametrize("venue", VENUES)
def test_keys_that_the_venue_does_not_take(
    program: Program, server: Serving, tmp_path: Path, venue: str
) -> None:
    for name in ("key", "secret", "passphrase"):
        if name == "passphrase" and venue not in KEYED:
            continue
        table = dict(server.keys[venue])
        table[name] = wrong(venue, name, table[name])
        path = keys_file(tmp_path, venue, table)
        for kind in ("balance", "live"):
            error = refused(program(*commands(venue, server.file, str(path))[kind]), 4)
            assert error["code"] == "venue.auth", error
            assert "keys file" in error["hint"]
            assert table[name] not in error["message"]


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_that_may_not_trade(
    program: Program, server: Serving, tmp_path: Path, venue: str
) -> None:
    weak = server.control(f"/{venue}/key", {"account": "client", "permissions": ["read"]})
    path = keys_file(tmp_path, venue, weak)
    said = program(*commands(venue, server.file, str(path))["order"])
    (record,) = said.records("trade_order")
    assert (record["phase"], said.code) == ("rejected", 4)
    assert said.error["code"] == "venue.order_rejected"
    assert "permissions" in said.error["hint"]


@pytest.mark.parametrize("venue", VENUES)
def test_orders_that_do_not_fit(program: Program, server: Serving, venue: str) -> None:
    symbol = VENUES[venue]
    at = ("--venue", venue, "--server", server.file)
    table = {
        ("buy", "0.01", "--price", "45000.00001"): (2, "usage.tick"),
        ("buy", "0.00000001", "--price", "45000"): (2, "usage.min_"),
        ("buy", "900", "--price", "45000"): (4, "venue.order_rejected"),
    }
    for words, (exit_code, code) in table.items():
        said = program("trade", "order", symbol, *words, *at)
        assert said.code == exit_code, said.err
        assert said.error["code"].startswith(code)
        assert said.error["hint"], said.error
    for command in ("order", "fees"):
        words = ("BTCUSDX", *ORDER) if command == "order" else ("BTCUSDX",)
        error = refused(program("trade", command, *words, *at), 2, "usage.symbol")
        assert error["hint"].startswith("did you mean '"), error
    near = program("fetch", "ticker", venue, "BTC/USDX", "--server", server.file)
    assert refused(near, 2, "usage.symbol")["hint"].startswith("did you mean 'BTC/USD")


@pytest.mark.parametrize(
    "words",
    [
        ("trade", "balance", "--venue", "krakn"),
        ("trade", "order", "BTCUSDT", "buy", "1", "--venue", "krakn"),
        ("fetch", "markets", "krakn"),
        ("fetch", "record", "krakn", "XBTUSD", "--out", "r.txt"),
        ("run", "--source", "venue", "--market", "krakn/XBTUSD"),
        ("venue", "serve", "--venues", "krakn"),
        ("venue", "faults", "--venues", "krakn"),
    ],
    ids=" ".join,
)
def test_a_venue_that_is_none(program: Program, words: tuple[str, ...]) -> None:
    assert refused(program(*words), 2, "usage.venue")["hint"] == "did you mean 'kraken'?"


KEYS_FILES: dict[str, tuple[str, int, str, str]] = {
    "no TOML": ("[okx\nkey = s3cr3t-s3cr3t", 0o600, "usage.keys", "a table per venue"),
    "no table": ("okx = 3\n", 0o600, "usage.keys", "[okx] with"),
    "another venue": ("[ok]\nkey = 'a'\n", 0o600, "usage.keys", "did you mean 'ok'?"),
    "empty": ("", 0o600, "usage.keys", "[okx] with"),
    "a misspelt name": ("[okx]\nkey='a'\nsecrt='s3cr3t-s3cr3t'\n", 0o600, "usage.keys", "'secret'"),
    "no passphrase": ("[okx]\nkey='a'\nsecret='b'\n", 0o600, "usage.keys", "passphrase"),
    "no text": ("[okx]\nkey=5\n", 0o600, "usage.keys", "a table per venue"),
    "a variable that is not set": ("[okx]\nkey='env:NOPE'\n", 0o600, "usage.keys", "export NOPE"),
    "readable by the group": ("[okx]\n", 0o640, "usage.keys_mode", "chmod 600"),
    "readable by all": ("[okx]\n", 0o604, "usage.keys_mode", "chmod 600"),
}


@pytest.mark.parametrize("name", KEYS_FILES)
def test_keys_files(program: Program, server: Serving, tmp_path: Path, name: str) -> None:
    text, mode, code, mend = KEYS_FILES[name]
    path = tmp_path / "own.toml"
    path.write_text(text)
    path.chmod(mode)
    for kind in ("balance", "order"):
        error = refused(program(*commands("okx", server.file, str(path))[kind]), 2, code)
        assert mend in error["hint"], error
        assert "s3cr3t" not in json.dumps(error)


def test_former_names_of_venues_in_a_keys_file(
    program: Program, server: Serving, tmp_path: Path
) -> None:
    path = keys_file(tmp_path, "huobi", server.keys["htx"])
    for venue in ("htx", "huobi"):
        said = program(
            "trade", "balance", "--venue", venue, "--keys", path, "--server", server.file
        )
        assert said.code == 0, said.err


def test_no_keys_file(program: Program, server: Serving) -> None:
    for kind in ("balance", "order", "live"):
        refused(program(*commands("okx", server.file, "absent.toml")[kind]), 2, "usage.keys")


SERVERS = {
    "absent": "No such file",
    "folder": "directory",
    "other.jsonl": "no such record",
    "bytes": "no such record",
    "no-ca.jsonl": "cannot be read",
    "http://127.0.0.1": "was http://127.0.0.1",
    "http://127.0.0.1:99999": "was http://127.0.0.1:99999",
    "http://192.0.2.1:80": "was http://192.0.2.1:80",
    "https://api.binance.com": "was https://api.binance.com",
}


@pytest.mark.parametrize("name", SERVERS)
def test_server_files(program: Program, server: Serving, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.jsonl").write_text('{"type":"end"}\n')
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\n\x00")
    record = {**server.record, "ca": str(tmp_path / "no-such.pem")}
    (tmp_path / "no-ca.jsonl").write_text(json.dumps(record) + "\n")
    for kind in ("balance", "markets", "record", "paper"):
        command = commands("okx", Path(name), server.record["keys"])[kind]
        command[command.index("--server") + 1] = name
        error = refused(program(*command), 2, "usage.server")
        assert SERVERS[name] in error["message"]


WORDS: dict[tuple[str, ...], tuple[int, str]] = {
    ("venue", "serve", "--rate", "-1"): (2, "usage.rate"),
    ("venue", "serve", "--rate", "nan"): (2, "usage.rate"),
    ("venue", "serve", "--rate", "inf"): (2, "usage.rate"),
    ("venue", "serve", "--rate", "1e9"): (2, "usage.rate"),
    ("venue", "serve", "--for", "soon"): (2, "usage.duration"),
    ("venue", "serve", "--for", "-5s"): (2, "usage.duration"),
    ("venue", "serve", "--venues", "okx,okx"): (2, "usage.venue"),
    ("venue", "serve", "--faults", "absent.toml"): (2, "usage.faults"),
    ("venue", "serve", "--tape", "BTC"): (2, "usage.tape"),
    ("venue", "serve", "--tape", "BTC/USDT=binance/BTCUSDT/l2"): (3, "data."),
    ("venue", "serve", "--port", "70000"): (2, "usage.arguments"),
    ("venue", "serve", "--folder", "/dev/null/x"): (1, "system."),
    ("venue", "faults", "--fault", "F99"): (2, "usage.fault"),
    ("venue", "faults", "--path", "air"): (2, "usage.path"),
    ("trade", "fills", "--since", "soon"): (2, "usage.duration"),
    ("trade", "guard", "--silent", "soon"): (2, "usage.duration"),
    ("trade", "guard", "--for", "1.2.3s"): (2, "usage.duration"),
    ("trade", "order", "BTC-USDT", "buy", "NaN"): (2, "usage.amount"),
    ("trade", "order", "BTC-USDT", "buy", "-1"): (2, "usage."),
    ("trade", "order", "BTC-USDT", "buy", "1e999999"): (2, "usage."),
    ("trade", "amend", "BTC-USDT", "x"): (2, "usage.amend"),
    ("trade", "status", "BTC-USDT", "no-such-order"): (4, "venue."),
    ("trade", "open", "NOSUCH"): (2, "usage.symbol"),
    ("trade", "balance", "--account", "../../x"): (2, "usage.account"),
    ("trade", "order", "BTC-USDT", *ORDER, "--account", "../../x"): (2, "usage.account"),
    ("fetch", "ohlcv", "okx", "BTC/USDT", "--since", "soon"): (2, "usage.time"),
    ("fetch", "ohlcv", "okx", "BTC/USDT", "--since", "1d", "-t", "7x"): (2, "usage.timeframe"),
    ("fetch", "trades", "okx", "BTC/USDT", "--since", "1d", "--tick", "x"): (2, "usage.step"),
    ("fetch", "funding", "kraken", "BTC/USD", "--since", "1d"): (2, "usage.not_offered"),
    ("fetch", "record", "okx", "BTC-USDT", "--out", "."): (2, "usage.output"),
    ("fetch", "record", "okx", "BTC-USDT", "--out", "/dev/null/x.txt"): (3, "data.write"),
    ("fetch", "record", "okx", "BTC-USDT", "--out", "x", "--kinds", "deep"): (2, "usage.kind"),
    ("fetch", "record", "okx", "BTC-USDT", "--out", "x", "--for", "soon"): (2, "usage.duration"),
    ("run", "--source", "venue"): (2, "usage.market"),
    ("run", "--source", "venue", "--market", "okx"): (2, "usage.market"),
    ("run", "--source", "venue", "--market", "okx/BTC-USDX"): (2, "usage.symbol"),
    ("run", "--source", "venue", "--market", "okx/BTC-USDT", "--execute", "now"): (
        2, "usage.execute",
    ),
    ("run", "--source", "venue", "--market", "okx/BTC-USDT", "--set", "risk.max_drawdown=5"): (
        2, "profile.bad_value",
    ),
    ("run", "--source", "venue", "--market", "okx/BTC-USDT", "--execute", "live", "--account",
     "../../x"): (2, "usage.account"),
}  # fmt: skip


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_words_that_do_not_fit(program: Program, server: Serving, words: tuple[str, ...]) -> None:
    exit_code, code = WORDS[words]
    more: tuple[object, ...] = () if words[0] == "venue" else ("--server", server.file)
    if words[0] == "trade":
        more += ("--venue", "okx")
    said = program(*words, *more)
    assert said.code == exit_code, said.err
    if exit_code:
        assert said.error["code"].startswith(code), said.error
        assert "Traceback" not in said.err
        assert "unexpected" not in said.error["message"]


def keys_file(folder: Path, venue: str, table: dict[str, str]) -> Path:
    """Write a keys file of one venue."""
    path = folder / "own.toml"
    path.unlink(missing_ok=True)
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in table.items() if value]
    path.write_text(f"[{venue}]\n{''.join(lines)}")
    path.chmod(0o600)
    return path


def wrong(venue: str, name: str, text: str) -> str:
    """Return another key, secret or passphrase of the same form."""
    if venue == "coinbase" and name == "secret":
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        return pem.decode()
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]
