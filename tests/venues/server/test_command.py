"""`kimera venue serve` as a process: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import http.client
import json
import signal
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_it_says_where_it_is_serves_and_ends_clean_on_ctrl_c(kimera: Any, tmp_path: Path) -> None:
    process = kimera.start(
        "venue", "serve", "--venues", "binance", "--seed", "7", "--folder", tmp_path / "v"
    )
    try:
        listening = json.loads(process.stdout.readline())
        assert listening["type"] == "venue_listening"
        assert listening["venues"] == ["binance"]
        assert get(listening["port"], "/binance/api/v3/ping") == (200, b"{}")
        assert get(listening["port"], "/api/v3/ping", "api.binance.com") == (200, b"{}")
        status, body = get(listening["control_port"], "/binance/check")
        assert (status, json.loads(body)["conserved"]) == (200, True)
        keys = Path(listening["keys"])
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert len(tomllib.loads(keys.read_text())["binance"]["secret"]) == 64
        assert "BEGIN CERTIFICATE" in Path(listening["ca"]).read_text()
    finally:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    ended, last = (json.loads(line) for line in out.splitlines())
    assert (ended["type"], ended["requests"], ended["bugs"]) == ("venue_ended", 2, 0)
    assert (last["type"], last["status"], last["code"]) == ("end", "ok", 0)
    assert process.returncode == 0
    assert err == b""


def test_a_table_shows_the_ports_at_once(kimera: Any) -> None:
    process = kimera.start("--format", "table", "venue", "serve", "--venues", "binance")
    head, row = (process.stdout.readline().split() for _ in range(2))
    port = row[head.index(b"port")]
    assert get(int(port), "/binance/api/v3/ping") == (200, b"{}")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert b"requests" in out


def test_faults_from_a_file_and_an_end_by_time(kimera: Any, tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text('[[fault]]\nhook = "request.before"\naction = "reply"\nstatus = 503\n')
    process = kimera.start("venue", "serve", "--venues", "binance", "--faults", script)
    port = json.loads(process.stdout.readline())["port"]
    assert get(port, "/binance/api/v3/ping")[0] == 503
    assert get(port, "/binance/api/v3/ping")[0] == 200
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 0
    done = kimera("venue", "serve", "--venues", "binance", "--for", "100ms")
    assert (done.code, done.end["status"]) == (0, "ok")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--venues", "binanc"], "usage.venue", "did you mean 'binance'"),
        (["--venues", "binance", "--for", "soon"], "usage.duration", "such as 250ms"),
        (["--venues", "binance", "--faults", "none.toml"], "usage.faults", "none.toml"),
        (["--venues", "binance", "--rate", "-1"], "usage.rate", "from 0 to 100,000"),
        (["--venues", "binance", "--port", "70000"], "usage.arguments", "port"),
        (["--venues", "binance,binance"], "usage.venue", "once"),
    ],
)
def test_bad_options(kimera: Any, args: list[str], code: str, words: str) -> None:
    done = kimera("venue", "serve", "--for", "100ms", *args)
    assert done.code == 2
    [error] = done.err_json
    assert error["code"] == code
    assert words in error["message"] + error["hint"]


def test_a_port_or_a_folder_that_is_taken(kimera: Any, tmp_path: Path) -> None:
    process = kimera.start("venue", "serve", "--venues", "binance")
    port = json.loads(process.stdout.readline())["port"]
    again = ("venue", "serve", "--venues", "binance", "--for", "100ms")
    done = kimera(*again, "--port", str(port), "--folder", tmp_path / "other")
    assert (done.code, done.err_json[0]["code"]) == (4, "venue.port")
    done = kimera(*again)
    assert (done.code, done.err_json[0]["code"]) == (4, "venue.folder")
    assert "--folder" in done.err_json[0]["hint"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
