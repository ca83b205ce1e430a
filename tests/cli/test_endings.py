"""Commands: Ctrl-C, a reader who leaves, a narrow terminal, a program that reads.

One table of commands (`endings.py`), and each of the four for all of them.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from endings import ABSENT, ROWS, Places, command_of, commands
from hostile import Hostile
from serving import Serving

from kimera_cli import context, main
from kimera_cli.journal.intent_replay import DATABASE, read_orders
from kimera_cli.journal.intents import account_folder

if TYPE_CHECKING:
    from conftest import Kimera, Program, Said

WAIT_S = 120
NARROW = 40
AT_OKX = ("--venue", "okx")
HOLE = """time,open,high,low,close,volume
2024-08-08T00:00Z,61710,61950,61600,61900,812
2024-08-08T01:00Z,61900,62010,61800,61850,640
2024-08-08T03:00Z,61850,61990,61700,61720,701
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    serving = Serving(tmp_path_factory.mktemp("server"), rate="5")
    taker = {"account": "another"}  # somebody has traded, whatever the background did so far
    serving.control("/okx/key", taker)
    serving.control("/okx/deposit", taker | {"asset": "USDT", "amount": "10000"})
    serving.control("/okx/order", taker | {"symbol": "BTC/USDT", "side": "buy", "qty": "0.01"})
    yield serving
    serving.stop()


@pytest.fixture(scope="module")
def silent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    """A server that takes requests and never answers."""
    hostile = Hostile(tmp_path_factory.mktemp("silent"))
    hostile.silent = True
    yield hostile
    hostile.stop()


@pytest.fixture(scope="module")
def places(server: Serving, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Places:
    """What commands are about: a server, a run, a recorded live run, bars with a hole, ..."""
    folder = tmp_path_factory.mktemp("places")
    keys = Path(server.record["keys"])
    bars = folder / "binance-BTCUSDT-1h.csv"
    bars.write_text(HOLE)
    live = f"run --source venue --market okx/BTC-USDT --server {server.file} --record --for 1s"
    made = (
        "run --for 2s --strategy grid --out run",
        f"{live} --strategy grid --out recorded",
        "bench ring --events 1000 --repeats 1 --save saved.json",
    )
    env = os.environ | {"KIMERA_HOME": str(folder / "home")}
    for words_of_it in made:
        command = [sys.executable, "-m", "kimera_cli", *words_of_it.split()]
        subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    values = folder / "host" / "proc" / "sys" / "vm"
    values.mkdir(parents=True)
    (values / "swappiness").write_text("60\n")
    profile = repository / "profiles" / "development.toml"
    names = ("run", "recorded", "host")
    paths = {name: folder / name for name in names} | {"saved": folder / "saved.json"}
    return Places(server=server.file, keys=keys, bars=bars, profile=profile, **paths)


def words(name: str, places: Places, **others: Path) -> list[str]:
    """Return a row's words; `others` are places of this call alone."""
    return replace(places, **others).words(ROWS[name].words)


@pytest.fixture
def row(program: Program, places: Places) -> Callable[..., Said]:
    """Call a row, in this process, after what has to be run before it."""

    def call(name: str, *more: str, **world: Any) -> Said:
        for before in filter(None, [ROWS[name].before]):
            assert program(*places.words(before)).code == 0
        return program(*words(name, places), *more, **world)

    return call


def test_every_command_has_a_row_or_a_reason() -> None:
    """A new command has to say how it ends; those that share a function share a row."""
    world = context.Context(io.StringIO(), io.BytesIO(), io.StringIO(), {})
    there = dict(commands(world))
    told = {command_of(name) for name in ROWS}
    functions = {there[name] for name in told}
    missing = [name for name, function in there.items() if function not in functions]
    assert sorted(missing) == sorted(ABSENT)
    assert told <= there.keys()


def test_a_command_without_a_row_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ROWS, "trade arm")
    with pytest.raises(AssertionError, match="trade arm"):
        test_every_command_has_a_row_or_a_reason()


def orders_at(server: Serving) -> dict[str, Any]:
    return {each["id"]: each for each in server.control("/okx/orders?account=client")}


def resting(server: Serving) -> set[str]:
    return {name for name, each in orders_at(server).items() if each["status"] in ("open", "new")}


def whole(text: str) -> list[dict[str, Any]]:
    """Return the records of a stream that ends as a stream does."""
    assert text.endswith("\n")
    records: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [r["type"] for r in records].count("end") == 1
    assert records[-1]["type"] == "end"
    assert records[-1]["rows"] == len(records) - 1
    return records


@pytest.mark.parametrize("name", ROWS)
def test_a_program_reads_lines_of_json_alone(row: Callable[..., Said], name: str) -> None:
    """Also without --format: nothing here is a terminal."""
    said, expected = row(name), ROWS[name]
    if not expected.text:
        assert whole(said.out)[-1]["code"] == said.code, said.err
    errors = [line for line in said.err.splitlines() if line.startswith("{")]
    assert [json.loads(line)["type"] for line in errors] == ["error"] * len(errors)
    if not expected.fails:
        assert (said.code, len(errors)) == (expected.code, expected.code > 0), said.err
    else:
        assert (said.code > 0, len(errors)) == (True, 1), said.err


@pytest.mark.parametrize("width", [NARROW, 80])
def test_help_fits_the_terminal(
    program: Program, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    world = context.Context(io.StringIO(), io.BytesIO(), io.StringIO(), {})
    for name, _ in commands(world):
        assert program(*name.split(), "--help", width=width).code == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width, name


@pytest.mark.parametrize("name", ROWS)
def test_a_narrow_terminal(row: Callable[..., Said], name: str) -> None:
    said, expected = row(name, "--format", "table", width=NARROW), ROWS[name]
    lines = said.out.splitlines()
    assert "Traceback" not in said.err
    assert lines or expected.fails or expected.mute
    if not expected.text:
        written = [line for line in lines if len(line.split()) > 1]  # a path is never cut
        assert max(map(len, written), default=0) <= max(NARROW, expected.least), said.out
        assert not [line for line in lines if line.startswith("{")]


@pytest.mark.parametrize("name", ROWS)
def test_a_reader_who_has_left(
    program: Program,
    server: Serving,
    row: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """As `| head -1`, when the line was the first of more: no error, no noise."""
    monkeypatch.setattr(main, "_drop_stdout", lambda: None)  # the stdout of this very process
    reader, writer = os.pipe()
    os.close(reader)
    before = resting(server)
    with os.fdopen(writer, "wb", buffering=0) as stdout:
        said = row(name, stdout=stdout)
    assert "Traceback" not in said.err
    assert "Broken" not in said.err
    if not ROWS[name].fails:
        assert said.code == 141, said.err
    if name == "trade order":
        assert program("trade", "reconcile", "--server", server.file, *AT_OKX).code == 0
        again = program("trade", "cancel-all", "--server", server.file, *AT_OKX)
        assert [r["phase"] for r in again.records("trade_order")] == ["canceled"]
    assert resting(server) <= before


class Full(io.BytesIO):
    """A pipe that takes nothing more: at the first write somebody presses Ctrl-C."""

    pressed = False

    def write(self, data: Any) -> int:
        if not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)
        return super().write(data)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let it do what it does in a process of its own, whatever commands of this one have set."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("name", ROWS)
def test_ctrl_c_while_the_pipe_is_full(row: Callable[..., Said], name: str) -> None:
    stdout = Full()
    said = row(name, stdout=stdout)
    assert stdout.pressed
    assert "Traceback" not in said.err
    goes_on = name == "venue serve"  # Ctrl-C is how it is asked to end
    assert said.code == (0 if goes_on else 130), said.err
    if not ROWS[name].text:
        end = whole(stdout.getvalue().decode())[-1]
        assert (end["status"], end["code"]) == (("ok", 0) if goes_on else ("interrupted", 130))


def interrupted(process: subprocess.Popen[bytes], number: int = signal.SIGINT) -> Any:
    """Send a signal; return the records of a command that ended as it should."""
    process.send_signal(number)
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert b"ignored" not in err
    records = whole(out.decode())
    assert (records[-1]["status"], records[-1]["code"]) == ("interrupted", 130)
    return records


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.asks])
def test_ctrl_c_while_a_venue_is_silent(
    kimera: Kimera, places: Places, silent: Hostile, name: str
) -> None:
    before = silent.requests
    process = kimera.start(*words(name, places, server=silent.file))
    while silent.requests == before:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    records = interrupted(process)
    assert {r["type"] for r in records} <= {"kill_switch", "venue_check", "end"}
    assert not list(kimera.folder.glob("file.rec*"))
    assert not list(kimera.folder.glob("runs/*"))
    assert not list(kimera.home.rglob("*.parquet"))
    if name == "trade kill":
        assert records[0]["killed"], "what was asked for first is in force"
    if (account_folder(kimera.home, "okx", "main") / DATABASE).exists():
        assert not read_orders(account_folder(kimera.home, "okx", "main")).states


def test_ctrl_c_while_an_order_is_on_its_way(
    kimera: Kimera, server: Serving, places: Places
) -> None:
    """It may be at the venue: the journal says so, and the next command clears it up."""
    server.control("/faults", {"hook": "request.after", "action": "delay", "seconds": 30.0,
                               "match": "^POST /api/v5/trade/order", "count": None})  # fmt: skip
    before = orders_at(server)  # of the tests before
    process = kimera.start(*words("trade order", places))
    while not (new := orders_at(server).keys() - before.keys()):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    interrupted(process)
    server.control("/faults", method="DELETE")
    (order,) = (orders_at(server)[each] for each in new)
    found = kimera("trade", "cancel-all", "--server", server.file, *AT_OKX)
    assert found.code == 0, found.err
    records = found.records("trade_order")
    (record,) = (each for each in records if each["client_id"] == order["client_id"])
    assert (record["phase"], record["ours"]) == ("canceled", True)
    assert order["status"] in ("open", "new")
    told = kimera("trade", "reconcile", "--server", server.file, *AT_OKX).records("difference")
    foreign = [each for each in told if each["kind"] == "order_foreign"]  # of the tests before
    assert told == foreign
    assert order["client_id"] not in str(foreign)


ON_AND_ON = {
    "fetch record": ("--for 10ms", "--for 10m"),
    "fetch consolidated": ("--depth 2", "--for 10m --every 50ms"),
    "trade guard": ("--for 100ms", "--for 10m"),
    "venue serve": ("--for 100ms", "--for 10m"),
    "venue doctor": ("--for 100ms", "--for 10m"),
    "venue faults": ("--fault F1", "--all"),
    "run": ("--for 1s", "--for 30d"),
    "run --source venue": ("--for 1s", "--for 10m"),
    "run --source venue --execute live": ("--for 1s", "--for 10m"),
    "bench ring": ("--repeats 1", "--repeats 200"),
}
"""Those that go on until they are told to stop, or for long, and how a row becomes such a one."""


@pytest.mark.parametrize("name", ON_AND_ON)
def test_ctrl_c_amid_work(kimera: Kimera, server: Serving, places: Places, name: str) -> None:
    """At a terminal every process of a command gets it."""
    before = resting(server)
    typed = places.words(ROWS[name].words.replace(*ON_AND_ON[name]))
    process = kimera.start(*typed, start_new_session=True)
    assert process.stdout is not None
    assert process.stderr is not None
    speaks = process.stderr if name == "trade guard" else process.stdout
    first = b""
    if name == "fetch record":
        while not list(kimera.folder.glob("*file.rec*")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
    else:
        first = speaks.readline()
        assert first, process.communicate()
    os.killpg(process.pid, signal.SIGINT)
    rest = process.stdout.read()
    err = process.stderr.read()
    code, status = (0, "ok") if name in ("venue serve", "fetch record") else (130, "interrupted")
    assert process.wait(timeout=WAIT_S) == code, err
    assert b"Traceback" not in err
    out = rest if speaks is process.stderr else first + rest
    assert whole(out.decode())[-1]["status"] == status
    assert resting(server) <= before
