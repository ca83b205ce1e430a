"""The soak's own parts: processes that leave nothing behind, comparisons that find what differs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from kimera_cli.errors import VenueError
from kimera_cli.venues.faults.scenario import FaultFailedError
from kimera_cli.venues.soak.acts import Act, Call, Target
from kimera_cli.venues.soak.compare import Life, good_book, lines, same_account, same_book
from kimera_cli.venues.soak.control import Control
from kimera_cli.venues.soak.play import by_websocket
from kimera_cli.venues.soak.processes import Group, wait_for
from kimera_cli.venues.soak.theatre import Plan, opened

if TYPE_CHECKING:
    from conftest import Kimera

BOOK = {"good": True, "lost": 0, "bids": [["10.0", "1"], ["9.5", "2"]], "asks": [["10.5", "1"]]}
THERE = {
    "bids": [["10.00", "1.0"], ["9.50", "2"], ["9", "1"]],
    "asks": [["10.5", "1"], ["11", "3"]],
}


def test_equal_books_agree_however_their_numbers_are_written() -> None:
    assert same_book(BOOK, THERE) == "the 3 best levels of the book; lost 0 times"


@pytest.mark.parametrize(
    "other",
    [
        {**THERE, "bids": [["10", "1"], ["9.5", "3"]]},
        {**THERE, "asks": [["10.4", "1"]]},
        {**THERE, "bids": []},
    ],
)
def test_other_books_do_not(other: dict[str, Any]) -> None:
    with pytest.raises(FaultFailedError):
        same_book(BOOK, other)


def test_a_book_that_is_not_good_at_the_end_says_why() -> None:
    summary = {"feed": {"books": {"okx/BTC-USDT": {"good": False, "reason": "a gap"}}}}
    with pytest.raises(FaultFailedError, match="a gap"):
        good_book(summary, "okx")


class Told:
    """A control API that says what it was given."""

    def __init__(self, orders: list[Any], fills: list[Any]) -> None:
        self.said = {"/okx/orders": orders, "/okx/fills": fills}

    def get(self, path: str) -> Any:
        return self.said[path]


ORDER = {"id": 1, "client_id": "x", "status": "filled", "filled": "1", "created_ns": 50}
FILL = {"order_id": 1, "client_id": "x", "side": "buy", "price": "10", "qty": "1", "fee": "0"}


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose account journal agrees with everything."""
    quiet = type("Orders", (), {"in_doubt": lambda self: iter(())})()
    monkeypatch.setattr("kimera_cli.venues.soak.compare.read_orders", lambda folder: quiet)
    monkeypatch.setattr("kimera_cli.venues.soak.compare.same_orders", lambda journal, there: 1)
    monkeypatch.setattr("kimera_cli.venues.soak.compare.same_fills", lambda journal, told: 1)
    return tmp_path


def life(folder: Path, fills: list[str], *more: Any, killed: bool) -> Life:
    out = folder / "run-1.jsonl"
    record = {"type": "fill", "instrument": "okx/BTC-USDT", "side": "buy", "px": "10.0"}
    told = [json.dumps(each) for each in (*({**record, "qty": qty} for qty in fills), *more)]
    out.write_text("".join(f"{line}\n" for line in told) + '{"type":"fi')
    return Life(10, 100, out, killed)


def compared(home: Path, fills: list[str], *more: Any, killed: bool = False, **order: Any) -> None:
    control: Any = Told([{**ORDER, **order}], [FILL])
    lives = [life(home, fills, *more, killed=killed)]
    assert same_account(control, Target("okx", "BTC/USDT"), home, lives) == (1, 1)


def test_a_run_that_was_not_killed_knows_every_fill_of_its_time(journal: Path) -> None:
    compared(journal, ["1.0"])
    with pytest.raises(FaultFailedError, match="every fill"):
        compared(journal, [])
    compared(journal, [], created_ns=500)  # of another run


def test_a_killed_run_may_miss_fills_and_invents_none(journal: Path) -> None:
    compared(journal, [], killed=True)
    with pytest.raises(FaultFailedError, match="no other fills"):
        compared(journal, ["1", "1"], killed=True)


def test_a_run_that_takes_its_order_for_somebody_elses_is_found(journal: Path) -> None:
    notice = {"type": "notice", "code": "venue.not_ours", "message": "x"}
    compared(journal, ["1"], {**notice, "details": {"venue": "htx"}})
    with pytest.raises(FaultFailedError, match="its own alone"):
        compared(journal, ["1"], {**notice, "details": {"venue": "okx"}})


def test_an_order_that_is_left_open_is_found(journal: Path) -> None:
    with pytest.raises(FaultFailedError, match="no open order"):
        compared(journal, ["1"], status="open")


def test_half_a_line_of_a_killed_process_ends_its_records(tmp_path: Path) -> None:
    assert [r["type"] for r in lines(life(tmp_path, ["1"], killed=True).out)] == ["fill"]


def test_requests_by_websocket_are_those_of_the_live_runs_that_told_them(tmp_path: Path) -> None:
    def told(name: str, **feed: Any) -> Life:
        out = tmp_path / name
        out.write_text(json.dumps({"type": "run_summary", "feed": feed}))
        return Life(0, 1, out, killed=False)

    fared = {"okx": {"by_websocket": 3}, "htx": {"by_websocket": 0}, "late": 1}
    killed = life(tmp_path, ["1"], killed=True)
    lives = [told("live", orders=fared), told("paper", books={}), killed, told("x", orders=fared)]
    assert by_websocket(SimpleNamespace(lives=lives)) == 6  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Group]:
    words = ["venue", "serve", "--venues", "okx", "--folder", "server", "--for", "300s"]
    group = Group("server", words, tmp_path, os.environ)
    yield group
    group.end()


def test_a_group_ends_whole_and_its_control_port_says_so(server: Group, tmp_path: Path) -> None:
    assert wait_for(lambda: server.out.stat().st_size, 240)
    control = Control(next(iter(lines(server.out)))["control_port"])
    assert control.get("/")["okx"]["sockets"] == 0
    assert control.post("/faults", {"hook": "frame.out", "action": "drop"}) == {"id": 1}
    with pytest.raises(VenueError, match="expected 200"):
        control.post("/okx/market", {"symbol": "NO/SUCH"})
    (first, *_) = server.members()
    server.end()
    assert server.code == 0
    assert not psutil.pid_exists(first)
    with pytest.raises(VenueError, match="expected an answer"):
        control.get("/")


def test_a_killed_group_is_gone(server: Group) -> None:
    server.kill("kill_all", random.Random(1))
    assert server.gone()
    assert server.code == -signal.SIGKILL


def plan(**other: Any) -> Plan:
    clocks = {"now_ns": time.time_ns, "monotonic_ns": time.perf_counter_ns}
    given = {"venues": ("okx",), "execute": "paper", "way": "mixed", "seconds": 1.0}
    rest = {"seed": 1, "gap_s": 1.0, "kill_s": 0.0, "env": os.environ, "note": print}
    return Plan(**{**given, **rest, **clocks, **other})


def test_what_lasts_is_taken_back_in_its_time(tmp_path: Path) -> None:
    with opened(plan(), tmp_path) as theatre:
        rule = {"hook": "frame.out", "action": "drop", "count": None}
        theatre.inject(Act("frames: none", "okx", call=Call("/faults", rule), lasts_s=0.3))
        pause = Call("/okx/maintenance", {"on": True}), Call("/okx/maintenance", {"on": False})
        theatre.inject(Act("maintenance", "okx", 0.0, *pause, lasts_s=60.0))
        assert len(theatre.control.get("/faults")["rules"]) == 1
        theatre.wait(0.5)
        assert theatre.control.get("/faults")["rules"] == []
        assert theatre.done.total() == 0
        assert theatre.met == {("okx", "maintenance"): 1}  # there was nobody to send frames to
        server = theatre.server
    assert not server.members()


def test_a_server_that_does_not_start_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "server").write_text("in the way")
    with pytest.raises(Exception, match="expected a venue server"), opened(plan(), tmp_path):
        pass
    left = [p.pid for p in psutil.process_iter() if str(tmp_path) in " ".join(_words(p))]
    assert not left


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--execute", "wet"), "usage.execute"),
        (("--orders", "pigeon"), "usage.orders"),
        (("--gap", "0s"), "usage.duration"),
        (("--fault", "F1"), "usage.fault"),
    ],
)
def test_nonsense_is_a_usage_error(kimera: Kimera, words: tuple[str, ...], code: str) -> None:
    done = kimera("venue", "faults", "--soak", *words)
    assert (done.code, code in done.err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("execute", "orders"), [("live", "rest"), ("live", "websocket"), ("paper", "mixed")]
)
def test_a_soak_with_kills_ends_in_agreement(kimera: Kimera, execute: str, orders: str) -> None:
    short = ("--for", "15s", "--gap", "0.4s", "--kill", "8s", "--seed", "3", "--orders", orders)
    done = kimera(
        "venue", "faults", "--soak", "--execute", execute, "--venues", "okx,kraken", *short
    )
    assert done.code == 0, done.out + done.err
    (told,) = done.records("soak")
    assert told["passed"]
    assert told["injected"] >= told["faults"] > 10
    assert told["kills"] >= 1
    assert (told["by_websocket"] > 0) == (orders == "websocket")
    assert not told["folder"]
    assert [(r["venue"], r["passed"]) for r in done.records("fault")] == [
        ("okx", True), ("kraken", True),
    ]  # fmt: skip


@pytest.mark.slow
def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path), "KIMERA_HOME": str(tmp_path / "home")}
    words = [sys.executable, "-m", "kimera_cli", "venue", "faults", "--soak", "--venues", "okx"]
    soak = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert soak.stderr is not None
    assert b"folder" in soak.stderr.readline()
    assert b"run-1" in soak.stderr.readline()
    time.sleep(3.0)
    soak.send_signal(signal.SIGINT)
    assert soak.wait(120) == 130
    left = [p for p in psutil.process_iter() if any(str(tmp_path) in w for w in _folder_of(p))]
    assert not left


def _folder_of(process: psutil.Process) -> list[str]:
    try:
        return [process.cwd()]
    except psutil.Error:
        return []
