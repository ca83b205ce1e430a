"""`kimera tune-host` as it is typed: streams, exit codes, tables, and this machine itself."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from metal import build, picture, put

from kimera_cli.host.values import settled

if TYPE_CHECKING:
    from conftest import Kimera, Result

SWAPPINESS = "/proc/sys/vm/swappiness"
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

Tune = Callable[..., Any]


@pytest.fixture
def tune(kimera: Kimera, host: Path) -> Tune:
    """Run `kimera tune-host ARGS --root HOST`."""

    def run(*args: str) -> Result:
        return kimera("tune-host", *args, "--root", host)

    return run


def test_probe_in_a_pipe_is_records(tune: Tune) -> None:
    done = tune("probe", "hft")
    assert done.code == 0
    assert done.end["rows"] == len(done.records("host_item")) > 40
    (item,) = [i for i in done.records("host_item") if i["item"] == "swappiness"]
    assert (item["current"], item["advised"], item["status"]) == ("60", "at most 1", "change")
    assert (item["settable"], item["profile"]) == ("now", "hft")
    assert item["paths"] == [SWAPPINESS]


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("command", ["probe", "plan", "apply"])
def test_tables_fit_the_terminal(kimera: Kimera, host: Path, command: str, width: int) -> None:
    arguments = ["tune-host", command, "hft", "--root", host, "--format", "table"]
    done = kimera(*arguments, env={"COLUMNS": str(width)})
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("item "), "columns, not blocks"
    assert len([x for x in lines if x.startswith("frequency")]) == 1, "16 files on one line"
    if width == 140 and command != "probe":
        assert "16 of /sys/devices" in done.out


def test_verbose_tables_hide_nothing(kimera: Kimera, host: Path) -> None:
    done = kimera("tune-host", "probe", "hft", "--root", host, "--format", "table", "-v")
    assert "effect" in done.out
    assert "steadier times on the engine's cores" in done.out


def test_plan_as_a_script_is_a_script(tune: Tune) -> None:
    done = tune("plan", "hft", "--script")
    assert done.out.startswith("#!/bin/sh\n")
    assert '"type"' not in done.out
    assert subprocess.run(["sh", "-n"], input=done.out, text=True, check=False).returncode == 0


def test_there_and_back(tune: Tune, host: Path) -> None:
    before = picture(host)
    assert tune("apply", "hft", "--persist").code == 0
    assert (host / "var/lib/kimera/tune-host.jsonl").is_file()
    held = tune("verify", "--no-jitter")
    assert held.code == 0
    assert {r["status"] for r in held.records("host_result")} == {"held"}
    assert tune("revert").code == 0
    assert picture(host) == before
    again = tune("revert")
    assert again.code == 0
    assert again.end["rows"] == 0
    assert "nothing to take back" in again.err


def test_a_dry_run_tells_and_changes_nothing(tune: Tune, host: Path) -> None:
    before = picture(host)
    done = tune("apply", "hft", "--dry-run")
    assert done.code == 0
    assert {r["status"] for r in done.records("host_result")} == {"planned"}
    assert picture(host) == before


def test_quiet_says_what_cron_should_mail(tune: Tune, host: Path) -> None:
    assert tune("apply", "hft", "--quiet").err == ""
    assert tune("verify", "--no-jitter", "--quiet").err == ""
    put(host, SWAPPINESS, "33")
    done = tune("verify", "--no-jitter", "--quiet")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"warning: {SWAPPINESS}: changed: changed since\n"


def test_an_unknown_profile_names_the_nearest(tune: Tune) -> None:
    done = tune("plan", "htf")
    assert done.code == 2
    assert done.err_json[-1]["code"] == "usage.host_profile"
    assert done.err_json[-1]["hint"] == "did you mean 'hft'?"


def test_a_conflict_is_partial_and_force_is_not(tune: Tune, host: Path) -> None:
    tune("apply", "hft")
    put(host, SWAPPINESS, "33")
    done = tune("revert")
    assert (done.code, done.end["status"]) == (6, "partial")
    assert [r["item"] for r in done.records("host_result") if r["status"] == "conflict"] == [
        "swappiness"
    ]
    assert tune("revert", "--force").code == 0


def test_a_changed_value_fails_verify(tune: Tune, host: Path) -> None:
    tune("apply", "hft")
    put(host, SWAPPINESS, "33")
    done = tune("verify", "--no-jitter")
    assert done.code == 1
    (changed,) = [r for r in done.records("host_result") if r["status"] == "changed"]
    assert (changed["found"], changed["reason"]) == ("33", "changed since")


@pytest.mark.parametrize("command", [["revert"], ["verify", "--no-jitter"], ["apply", "hft"]])
def test_an_edited_journal_stops_everything(tune: Tune, host: Path, command: list[str]) -> None:
    tune("apply", "server")
    path = host / "var/lib/kimera/tune-host.jsonl"
    path.write_text(path.read_text().replace('"old": "60"', '"old": "99"'))
    before = picture(host)
    done = tune(*command)
    assert done.code == 3
    error = done.err_json[-1]
    assert error["code"] == "data.host_journal"
    assert f"{path}:" in error["message"]
    assert error["details"]["line"] > 1
    assert picture(host) == before


def test_a_corrupted_line_is_named(tune: Tune, host: Path) -> None:
    tune("apply", "server")
    path = host / "var/lib/kimera/tune-host.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], b"\x00garbage\xff\n", *lines[5:]]))
    done = tune("revert")
    assert done.code == 3
    assert done.err_json[-1]["details"]["line"] == 5


def test_another_hosts_delays_cannot_be_felt(tune: Tune) -> None:
    tune("apply", "server")
    done = tune("verify")
    assert done.code == 1
    assert done.err_json[-1]["code"] == "host.not_live"
    assert {r["status"] for r in done.records("host_result")} == {"held"}


def test_without_linux_there_is_nothing_to_tune(kimera: Kimera, tmp_path: Path) -> None:
    done = kimera("tune-host", "probe", "--root", tmp_path / "nothing")
    assert done.code == 1
    assert done.err_json[-1]["code"] == "host.not_linux"


def test_a_control_measures_this_machine_against_itself(kimera: Kimera, tmp_path: Path) -> None:
    journal = tmp_path / "none.jsonl"
    arguments = ["--control", "--rounds", "8", "--seconds", "0.05", "--journal", journal]
    done = kimera("tune-host", "verify", *arguments)
    assert done.code == 0, done.err
    assert [r["measure"] for r in done.records("jitter")] == ["wakeup", "loop"]
    for record in done.records("jitter"):
        assert record["compared"] == "control: nothing changed"
        assert 0 < record["before_p50_ns"] <= record["before_p999_ns"] <= record["before_max_ns"]
        assert record["low"] <= record["ratio"] <= record["high"]


def test_nothing_applied_is_nothing_to_compare(kimera: Kimera, tmp_path: Path) -> None:
    done = kimera("tune-host", "verify", "--journal", tmp_path / "none.jsonl")
    assert done.code == 1
    assert done.err_json[-1]["code"] == "host.nothing_applied"
    assert "--control" in done.err_json[-1]["hint"]


# --- who may -------------------------------------------------------------------------------------


@pytest.fixture
def open_host() -> Iterator[Path]:
    """A host in a folder that an ordinary user may enter, which pytest's is not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield build(Path(folder) / "host")


@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize("persist", [[], ["--persist"]])
def test_without_root_every_line_is_told_and_nothing_is_done(
    kimera: Kimera, open_host: Path, persist: list[str]
) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    program = [sys.executable, "-c", "import kimera_cli.main"]
    if subprocess.run([*nobody, *program], capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user may not read this installation")
    before = picture(open_host)
    arguments = ["tune-host", "apply", "hft", *persist, "--root", open_host]
    done = subprocess.run(
        [*nobody, *kimera.command(arguments)],
        capture_output=True,
        text=True,
        env=kimera.env,
        cwd=open_host,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert '"code":"host.needs_root"' in done.stderr
    assert "sudo kimera tune-host apply hft" in done.stderr
    assert done.stdout.count('"status":"denied","reason":"needs root"') > 40
    dry = subprocess.run(
        [*nobody, *kimera.command([*arguments, "--dry-run"])],
        capture_output=True,
        text=True,
        env=kimera.env,
        check=False,
    )
    assert dry.returncode == 0, dry.stderr
    assert dry.stdout.count('"status":"planned","reason":"needs root"') > 40
    assert picture(open_host) == before


@AS_ROOT
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
def test_an_ordinary_user_may_look_but_not_take_back(kimera: Kimera, open_host: Path) -> None:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    program = [sys.executable, "-c", "import kimera_cli.main"]
    if subprocess.run([*nobody, *program], capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user may not read this installation")
    assert kimera("tune-host", "apply", "server", "--root", open_host).code == 0

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = kimera.command(["tune-host", *arguments, "--root", str(open_host)])
        return subprocess.run(
            [*nobody, *command], capture_output=True, text=True, env=kimera.env, check=False
        )

    assert run("verify", "--no-jitter").returncode == 0
    back = run("revert")
    assert back.returncode == 1
    assert '"code":"host.journal"' in back.stderr
    assert "run as root" in back.stderr


def mounted_read_only(folder: str, command: list[str], env: dict[str, str]) -> Any:
    """Run a command where a folder is a read-only mount, as /proc/sys is in a container."""
    line = (
        f'mount -o bind "{folder}" "{folder}" && mount -o remount,bind,ro "{folder}" && exec "$@"'
    )
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", line, "sh", *command],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )


@AS_ROOT
@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
@pytest.mark.parametrize(("folder", "code"), [("proc", 6), ("", 1)])
def test_a_read_only_mount_is_denied_with_its_reason(
    kimera: Kimera, host: Path, folder: str, code: int
) -> None:
    """All of it: an error that says so. Only /proc: the rest is done, and the end is partial."""
    command = kimera.command(["tune-host", "apply", "hft", "--root", host])
    if mounted_read_only(str(host / folder), ["true"], kimera.env).returncode:
        pytest.skip("this machine lets nobody mount")
    done = mounted_read_only(str(host / folder), command, kimera.env)
    assert done.returncode == code, done.stderr
    assert "read-only file system" in done.stdout
    assert ('"code":"host.read_only"' in done.stderr) == (code == 1)
    assert ('"status":"applied"' in done.stdout) == (code == 6)


@pytest.fixture
def machine(kimera: Kimera, tmp_path: Path) -> Iterator[Tune]:
    """This machine, for one test at a time: `machine("apply", "laptop")`, taken back at the end."""
    with (Path(tempfile.gettempdir()) / "kimera-test-host.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        journal = tmp_path / "journal.jsonl"

        def run(*args: str) -> Result:
            return kimera("tune-host", *args, "--journal", journal)

        dry = run("apply", "laptop", "--dry-run").records("host_result")
        if not dry or any(r["reason"] for r in dry):
            pytest.skip("this machine is as the laptop profile wants it, or takes no change")
        try:
            yield run
        finally:
            run("revert")


@AS_ROOT
def test_this_machine_there_and_back(machine: Tune) -> None:
    """For real: the laptop profile, which costs nothing, and back to the very values of before."""
    todo = [r["path"] for r in machine("apply", "laptop", "--dry-run").records("host_result")]
    before = {path: Path(path).read_bytes() for path in todo}
    done = machine("apply", "laptop")
    applied = [r for r in done.records("host_result") if r["status"] == "applied"]
    assert applied
    assert done.code == (0 if len(applied) == len(todo) else 6)
    for result in applied:
        found = settled(result["path"], Path(result["path"]).read_text())
        assert found == settled(result["path"], result["new"])
    assert machine("verify", "--no-jitter").code == 0
    back = machine("revert")
    assert {r["status"] for r in back.records("host_result")} == {"reverted"}
    assert {path: Path(path).read_bytes() for path in todo} == before


@AS_ROOT
def test_this_machine_verified_by_switching(machine: Tune) -> None:
    machine("apply", "laptop")
    done = machine("verify", "--rounds", "8", "--seconds", "0.05")
    assert done.code == 0, done.err
    assert [r["measure"] for r in done.records("jitter")] == ["wakeup", "loop"]
    assert "old against new" in done.records("jitter")[0]["compared"]
    after = machine("verify", "--no-jitter")
    assert {r["status"] for r in after.records("host_result")} == {"held"}, "left in B"
    assert machine("revert").code == 0
