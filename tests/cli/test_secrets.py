"""Planted secrets are in no output, record, recording, journal, manifest, report or log.

Every venue, with --debug and -vv, in good and in bad weather: what was said and every file that was
written is searched for the keys, in each spelling that a request may give them.
"""

from __future__ import annotations

import json
import subprocess
from base64 import b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from serving import VENUES, Serving

if TYPE_CHECKING:
    from conftest import Program, Said

ORDER = ("buy", "0.01", "--price", "45000")
LOUD = ("--debug", "-vv")
SHORTEST = 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"), rate="50")
    yield serving
    serving.stop()


def pieces(keys: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return what must not be found, by what it is."""
    found = {}
    for venue, table in keys.items():
        for name, text in table.items():
            lines = [t for t in text.splitlines() if len(t) >= SHORTEST and "---" not in t]
            for number, line in enumerate([*lines, text] if lines else []):
                for how, spelt in (
                    ("", line),
                    (" quoted", quote(line, safe="")),
                    (" in base64", b64encode(line.encode()).decode().rstrip("=")),
                    (" in JSON", json.dumps(line)[1:-1]),
                ):
                    found[f"{venue}.{name} {number}{how}"] = spelt
    return found


def searched(texts: Iterable[str], keys: dict[str, dict[str, str]]) -> None:
    """Fail when a text has a secret."""
    whole = "\n".join(texts)
    assert len(whole) > 2_000, "there is something to be searched"
    shown = [name for name, text in pieces(keys).items() if text in whole]
    assert not shown


def written(folder: Path, but: Iterable[Path] = ()) -> list[str]:
    """Return every file's text below a folder."""
    left = {path.resolve() for path in but}
    files = [p for p in folder.rglob("*") if p.is_file() and p.resolve() not in left]
    return [path.read_bytes().decode("latin-1") for path in files]


def said_by(results: Iterable[Said]) -> list[str]:
    return [text for one in results for text in (one.out, one.err)]


@pytest.mark.parametrize("venue", VENUES)
def test_commands_of_an_account(
    program: Program, server: Serving, tmp_path: Path, venue: str
) -> None:
    symbol, at = VENUES[venue], ("--venue", venue, "--server", server.file, *LOUD)
    bad = {"venue": venue, "match": "", "count": 4}
    weather: list[dict[str, Any] | None] = [
        None,
        {**bad, "hook": "request.after", "action": "truncate"},
        {**bad, "hook": "request.before", "action": "drop"},
        # A venue that says back what it was asked.
        {
            **bad,
            "hook": "request.before",
            "action": "reply",
            "status": 401,
            "body": echoed(server, venue),
        },
        {
            **bad,
            "hook": "request.before",
            "action": "reply",
            "status": 500,
            "body": echoed(server, venue),
        },
    ]
    results = []
    for rule in weather:
        for words in (
            ("balance",),
            ("order", symbol, *ORDER, "--wait", "0"),
            ("order", symbol, *ORDER, "--dry-run"),
            ("cancel-all", symbol),
        ):
            if rule is not None:
                server.control("/faults", rule)
            results.append(program("trade", *words, *at))
            server.control("/faults", method="DELETE")
    searched([*said_by(results), *written(tmp_path)], {venue: server.keys[venue]})


def echoed(server: Serving, venue: str) -> str:
    """Return an answer that holds the account's keys."""
    return json.dumps({"code": 1, "msg": " ".join(server.keys[venue].values()), "error": "x"})


def test_doctors(program: Program, server: Serving, tmp_path: Path) -> None:
    results = [program("doctor", *LOUD)]
    for venue in ("okx", "coinbase", "htx"):
        words = ("venue", "doctor", venue, "--server", server.file, "--for", "0.1s")
        results.append(program(*words, "--order-test", *LOUD))
        rule = {"hook": "request.before", "action": "reply", "status": 401, "venue": venue}
        rule |= {"body": echoed(server, venue), "match": "(?i)balance|account", "count": None}
        server.control("/faults", rule)
        results.append(program(*words, *LOUD))
        server.control("/faults", method="DELETE")
    searched([*said_by(results), *written(tmp_path)], server.keys)


def test_recordings_and_histories(program: Program, server: Serving, tmp_path: Path) -> None:
    """They need no key, and take none from where others find one."""
    keys = {
        f"KIMERA_{venue.upper()}_{name.upper()}": text
        for venue, table in server.keys.items()
        for name, text in table.items()
        if text
    }
    results = []
    for venue, symbol in VENUES.items():
        out = ("--out", f"{venue}.rec", "--for", "0.3s")
        words = ("fetch", "record", venue, symbol, *out, "--server", server.file, *LOUD)
        results.append(program(*words, env=keys))
    words = ("fetch", "markets", "kraken", "--server", server.file, *LOUD)
    results.append(program(*words, env=keys))
    assert all(one.code == 0 for one in results), [one.err for one in results]
    searched([*said_by(results), *written(tmp_path)], server.keys)


@pytest.mark.parametrize("execute", ["paper", "live"])
def test_a_run_and_its_folder(kimera: Any, server: Serving, tmp_path: Path, execute: str) -> None:
    markets = [word for v in ("okx", "htx") for word in ("--market", f"{v}/{VENUES[v]}")]
    result = kimera(
        *("run", "--source", "venue", *markets, "--server", server.file, "--execute", execute),
        *("--strategy", "grid", "--for", "2s", "--out", "told", "--format", "jsonl", *LOUD),
    )
    assert result.code == 0, result.err
    assert (tmp_path / "told" / "manifest.json").exists()
    searched([result.out, result.err, *written(tmp_path)], server.keys)


def test_the_venue_servers_own_words(kimera: Any, tmp_path: Path, program: Program) -> None:
    """Keys are in its keys file, which only the owner can read, and nowhere else."""
    process: subprocess.Popen[bytes] = kimera.start(
        *("venue", "serve", "--venues", "okx,htx,coinbase", "--folder", "venue", "--rate", "0"),
        *("--format", "jsonl", *LOUD),
    )
    assert process.stdout is not None
    record = process.stdout.readline()
    (tmp_path / "server.jsonl").write_bytes(record)
    serving = Serving.__new__(Serving)
    serving.record = json.loads(record)
    keys_path = tmp_path / "venue" / "keys.toml"
    assert keys_path.stat().st_mode & 0o077 == 0
    import tomllib

    keys = tomllib.loads(keys_path.read_text())
    results = [
        program("trade", "balance", "--venue", venue, "--server", "server.jsonl", *LOUD)
        for venue in keys
    ]
    process.terminate()
    out, err = process.communicate(timeout=60)
    texts = [record.decode(), out.decode(), err.decode(), *said_by(results)]
    searched([*texts, *written(tmp_path, [keys_path])], keys)
