"""Every ending of a command: exit code, end record, error shape."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kimera_cli import errors
from kimera_cli.diagnostics import ExitCode, exit_code_for

if TYPE_CHECKING:
    from conftest import Kimera

PLANT = """
import sys, types
import typer
from kimera_cli import main, registry
from kimera_cli.records import Doctor

module = types.ModuleType("planted")
module.app = typer.Typer()

@module.app.command()
def planted(ctx: typer.Context, n: int = 1) -> None:
    with ctx.obj.output() as out:
        for i in range(n):
            out.emit(Doctor(item=str(i), status="ok", found="x" * 80))
{body}

sys.modules["planted"] = module
registry.COMMANDS["planted"] = registry.Spec("planted", "A command of this test.")
main.main()
"""


def planted(body: str, *args: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command whose body is given, inside the real program."""
    code = PLANT.format(body=textwrap.indent(textwrap.dedent(body), " " * 8))
    settings: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-c", code, *args], **settings)


def ending(body: str, *args: str) -> tuple[int, list[dict[str, Any]], str]:
    process = planted(body, *args)
    out, err = process.communicate(timeout=60)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("usage.x", 2),
        ("profile.x", 2),
        ("data.gap", 3),
        ("venue.timeout", 4),
        ("risk.position_limit", 5),
        ("run.x", 1),
        ("strategy.x", 1),
        ("lock.held", 1),
        ("internal", 1),
    ],
)
def test_exit_code_follows_the_family_of_the_error(code: str, exit_code: int) -> None:
    assert exit_code_for(errors.KimeraError(code, "m")) == exit_code


def test_numbers_are_the_documented_ones(repository: Path) -> None:
    page = (repository / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ")]
    documented = {int(n): name.strip() for n, name in rows if n.strip().isdigit()}
    assert set(documented) == {int(code) for code in ExitCode}


def test_success_ends_with_an_end_record() -> None:
    code, lines, err = ending("", "planted", "--n", "3")
    assert code == 0
    assert lines[-1] == {"type": "end", "status": "ok", "rows": 3, "code": 0}
    assert err == ""


def test_an_error_ends_the_stream_and_is_one_record_on_stderr() -> None:
    body = """
    from kimera_cli.errors import DataError
    raise DataError("data.gap", "expected 5, was 7", "fetch again", file="a.gz", line=7)
    """
    code, lines, err = ending(body, "planted")
    assert code == 3
    assert lines[-1] == {"type": "end", "status": "error", "rows": 1, "code": 3}
    assert json.loads(err) == {
        "type": "error",
        "code": "data.gap",
        "message": "expected 5, was 7",
        "hint": "fetch again",
        "details": {"file": "a.gz", "line": 7},
    }


def test_an_error_for_a_person_is_a_line_and_its_mend() -> None:
    body = 'from kimera_cli.errors import DataError; raise DataError("data.gap", "no", "do this")'
    _, _, err = ending(body, "planted", "--format", "none")
    assert err == "error: no [data.gap]\n  mend: do this\n"


def test_a_partial_result_exits_6() -> None:
    code, lines, _ = ending("out.partial()", "planted")
    assert (code, lines[-1]["status"], lines[-1]["code"]) == (6, "partial", 6)


def test_a_defect_is_one_line_without_traceback() -> None:
    code, lines, err = ending("1 / 0", "planted")
    assert code == 1
    assert lines[-1]["status"] == "error"
    assert json.loads(err)["code"] == "internal"
    assert "--debug" in json.loads(err)["hint"]
    assert "Traceback" not in err


def test_debug_shows_the_traceback_and_keeps_the_exit_code() -> None:
    code, _, err = ending("1 / 0", "planted", "--debug")
    assert code == 1
    assert "ZeroDivisionError" in err
    assert "Traceback" in err


def test_a_refused_file_names_file_and_reason(tmp_path: Path) -> None:
    code, _, err = ending(f"open({str(tmp_path)!r} + '/none/x').read()", "planted")
    told = json.loads(err)
    assert (code, told["code"]) == (1, "system.failed")
    assert told["details"]["file"] == f"{tmp_path}/none/x"


def test_nan_never_leaves() -> None:
    body = """
    from kimera_cli.records import Metric
    out.emit(Metric(run="r", metric="m", value=float("nan")))
    """
    code, lines, err = ending(body, "planted")
    assert code == 1
    assert [line["type"] for line in lines] == ["doctor", "end"]
    assert "Metric.value" in json.loads(err)["message"]


def test_nan_deep_inside_a_record_never_leaves() -> None:
    body = """
    from kimera_cli.records import Bench
    out.emit(Bench(name="b", n=1, median_ns=1.0, p99_ns=1.0, p999_ns=1.0, max_ns=1.0,
                   rate_per_s=1.0, detail={"a": [1.0, float("inf")]}))
    """
    code, lines, _ = ending(body, "planted")
    assert (code, lines[-1]["rows"]) == (1, 1)


def test_numpy_values_leave_as_numbers() -> None:
    body = """
    import numpy as np
    from kimera_cli.records import Metric
    out.emit(Metric(run="r", metric="m", value=np.float64(1.5), se=np.float32(0.5)))
    """
    _, lines, _ = ending(body, "planted")
    assert (lines[1]["value"], lines[1]["se"]) == (1.5, 0.5)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_stream_ends_with_130(name: str) -> None:
    body = """
    out.flush()
    import signal
    signal.pause()
    """
    process = planted(body, "planted")
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(getattr(signal, name))
    rest, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert json.loads(first)["type"] == "doctor"
    assert json.loads(rest) == {"type": "end", "status": "interrupted", "rows": 1, "code": 130}
    assert err == b""


def test_a_closed_pipe_is_silent_and_exits_141() -> None:
    process = planted("", "planted", "--n", "20000")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_an_error_is_told_although_the_reader_has_left() -> None:
    body = """
    sys.stdin.read()
    from kimera_cli.errors import DataError
    raise DataError("data.gap", "lost")
    """
    process = planted(body, "planted", "--n", "1", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert json.loads(process.stderr.read())["message"] == "lost"
    assert process.wait(timeout=60) == 3
    process.stderr.close()


def test_a_full_disk_is_an_error() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    process = planted("", "planted", stdout=full)
    _, err = process.communicate(timeout=60)
    os.close(full)
    assert process.returncode == 1
    assert json.loads(err)["code"] == "system.no_space"


def test_help_in_a_closed_pipe_is_silent(kimera: Kimera) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = kimera.start("--help", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["rnu"], "usage.command", "did you mean 'run'?"),
        (["profile", "lst"], "usage.arguments", "did you mean 'list'?"),
        (["profile", "show", "--orgin"], "usage.arguments", "--origin"),
        (["profile", "check"], "usage.arguments", "kimera profile check --help"),
        (["--format", "jsno", "doctor"], "usage.format", "did you mean 'json'?"),
        (["doctor", "--format", "xml"], "usage.format", "known: csv, json"),
        (["schema", "fil"], "usage.record_type", "did you mean 'fill'?"),
        (["completion", "bsh"], "usage.shell", "did you mean 'bash'?"),
        (["profile", "show", "prodction"], "profile.not_found", "did you mean 'production'?"),
    ],
)
def test_usage_errors_have_the_error_shape(
    kimera: Kimera, arguments: list[str], code: str, hint: str
) -> None:
    result = kimera(*arguments)
    assert result.code == 2
    (told,) = result.err_json
    assert told["code"] == code
    assert hint in told["hint"]
    assert result.end == {"type": "end", "status": "error", "rows": 0, "code": 2}


@pytest.mark.parametrize("arguments", [[], ["profile"]])
def test_no_arguments_give_help(kimera: Kimera, arguments: list[str]) -> None:
    result = kimera(*arguments)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("Usage: kimera")
