"""Options of every command: before or after its name, quiet for cron, locks against overlap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kimera_cli import lock
from kimera_cli.errors import KimeraError, UsageError

if TYPE_CHECKING:
    from conftest import Kimera

HOLDER = """
import sys
from pathlib import Path
from kimera_cli import lock
file = lock.hold(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


def holder(folder: Path, name: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize(
    "arguments",
    [
        ["--format", "csv", "profile", "list"],
        ["profile", "--format", "csv", "list"],
        ["profile", "list", "--format", "csv"],
        ["profile", "list", "--format=csv"],
    ],
)
def test_format_stands_before_or_after_the_command(kimera: Kimera, arguments: list[str]) -> None:
    assert kimera(*arguments).out.startswith("type,profile,path,summary\n")


@pytest.mark.parametrize("arguments", [["-v", "profile", "list"], ["profile", "list", "-vv"]])
def test_more_words_may_be_asked_for(kimera: Kimera, arguments: list[str]) -> None:
    done = kimera(*arguments)
    assert done.code == 0, done.err
    assert done.end["status"] == "ok"


@pytest.mark.parametrize(
    "arguments", [["--profile", "hft", "profile", "show"], ["profile", "show", "--profile", "hft"]]
)
def test_profile_stands_before_or_after_the_command(kimera: Kimera, arguments: list[str]) -> None:
    values = {r["key"]: r["value"] for r in kimera(*arguments).records("profile_value")}
    assert values["run.durability"] == "process"


def test_the_later_of_two_wins(kimera: Kimera) -> None:
    assert kimera("--format", "csv", "profile", "list", "--format", "none").out == ""


def test_quiet_says_nothing_when_all_is_well(kimera: Kimera) -> None:
    for arguments in (["-q", "profile", "list"], ["profile", "list", "--quiet"]):
        result = kimera(*arguments)
        assert (result.code, result.out, result.err) == (0, "", "")


def test_quiet_gives_data_when_asked_for_them(kimera: Kimera) -> None:
    result = kimera("profile", "list", "-q", "--format", "jsonl")
    assert result.end["rows"] == 3


def test_quiet_still_tells_errors(kimera: Kimera) -> None:
    result = kimera("profile", "check", "none.toml", "--quiet")
    assert result.code == 2
    assert "none.toml" in result.err


def test_a_held_lock_refuses_and_names_its_holder(kimera: Kimera) -> None:
    first = holder(kimera.home / "locks", "nightly")
    result = kimera("doctor", "--lock", "nightly")
    assert result.code == 1
    assert result.err_json[0]["code"] == "lock.held"
    assert str(first.pid) in result.err_json[0]["message"]
    assert result.end["rows"] == 0
    assert kimera("profile", "list", "--lock", "other").code == 0
    first.communicate("")
    assert kimera("--lock", "nightly", "profile", "list").code == 0


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    first = holder(tmp_path, "job")
    with pytest.raises(KimeraError, match="held by process"):
        lock.hold(tmp_path, "job")
    first.send_signal(signal.SIGKILL)
    first.wait()
    lock.hold(tmp_path, "job").close()


@pytest.mark.parametrize("name", ["", "a/b", "..", "-x", "x" * 101])
def test_a_lock_name_is_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="lock name"):
        lock.hold(tmp_path, name)


def test_help_takes_no_lock(kimera: Kimera) -> None:
    first = holder(kimera.home / "locks", "x")
    assert kimera("doctor", "--lock", "x", "--help").code == 0
    first.communicate("")


def test_help_names_the_global_options(kimera: Kimera) -> None:
    text = kimera("profile", "list", "--help").out
    assert "--format FORMAT" in text
    assert "--lock NAME" in text


def on_terminal(kimera: Kimera, *args: str, columns: int = 80, **env: str) -> str:
    """Run with stdout and stderr on a real pseudo terminal and return what it showed."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        kimera.command(args),
        stdout=slave,
        stderr=slave,
        env={**kimera.env, "COLUMNS": str(columns), **env},
        cwd=kimera.folder,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            block = os.read(master, 65_536)
        except OSError:  # the terminal is gone with its last writer
            break
        if not block:
            break
        shown += block
    process.wait()
    os.close(master)
    return shown.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_table_in_colour(kimera: Kimera) -> None:
    shown = on_terminal(kimera, "profile", "list", columns=140)
    assert shown.startswith("\x1b[1mprofile")
    assert '"type"' not in shown


def test_no_color_is_obeyed(kimera: Kimera) -> None:
    assert "\x1b" not in on_terminal(kimera, "profile", "list", NO_COLOR="1")
    assert "\x1b" not in on_terminal(kimera, "profile", "nope", NO_COLOR="1")


def test_an_error_on_a_terminal_is_for_a_person(kimera: Kimera) -> None:
    shown = on_terminal(kimera, "rnu")
    assert shown == (
        "\x1b[31merror:\x1b[0m expected a command of kimera, was 'rnu' [usage.command]\n"
        "  mend: did you mean 'run'?\n"
    )


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_no_line_of_a_table_is_wider_than_the_terminal(kimera: Kimera, columns: int) -> None:
    shown = on_terminal(kimera, "profile", "show", "--origin", columns=columns, NO_COLOR="1")
    assert max(len(line) for line in shown.splitlines()) <= columns


def test_json_is_one_document(kimera: Kimera) -> None:
    *records, end = json.loads(kimera("profile", "list", "--format", "json").out)
    assert [r["profile"] for r in records] == ["development", "hft", "production"]
    assert end["type"] == "end"


def test_an_empty_json_stream_is_a_document_too(kimera: Kimera) -> None:
    result = kimera("rnu", "--format", "json")
    assert result.code == 2
    result = kimera("--format", "json", "rnu")
    assert json.loads(result.out) == [{"type": "end", "status": "error", "rows": 0, "code": 2}]


def test_formats_agree_value_for_value(kimera: Kimera) -> None:
    import csv
    import io

    lines = kimera("doctor").records("doctor")
    table = list(csv.DictReader(io.StringIO(kimera("doctor", "--format", "csv").out)))
    assert [(r["item"], r["status"]) for r in lines] == [(r["item"], r["status"]) for r in table]
