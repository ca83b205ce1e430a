"""`kimera doctor`: finds what is planted, and says how to mend it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from kimera_cli import doctor, host_facts
from kimera_cli.context import Context

if TYPE_CHECKING:
    from conftest import Kimera


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def world(tmp_path: Path, **env: str) -> Context:
    return Context(
        stdin=io.StringIO(),
        stdout=io.BytesIO(),
        stderr=io.StringIO(),
        env={"KIMERA_HOME": str(tmp_path / "home"), "XDG_CONFIG_HOME": str(tmp_path), **env},
    )


def test_every_item_of_the_contract_is_there(kimera: Kimera) -> None:
    result = kimera("doctor")
    items = {r["item"]: r for r in result.records("doctor")}
    assert set(items) == {
        "python",
        "packages",
        "installation",
        "plugs",
        "profile",
        "data folder",
        "numba cache",
        "clock",
        "cores",
        "memory lock limit",
    }
    assert all(row["advice"] for row in items.values() if row["status"] != "ok")
    failed = [row for row in items.values() if row["status"] == "failed"]
    assert result.code == (1 if failed else 0)
    assert result.end["status"] == ("error" if failed else "ok")


def test_it_leaves_no_folder_behind(kimera: Kimera) -> None:
    kimera("doctor")
    assert not kimera.home.exists()


def test_a_wrong_profile_fails_with_its_own_hint(kimera: Kimera) -> None:
    (kimera.folder / "kimera.toml").write_text("[run]\nsed = 1\n", encoding="utf-8")
    result = kimera("doctor")
    (row,) = [r for r in result.records("doctor") if r["item"] == "profile"]
    assert row["status"] == "failed"
    assert "kimera.toml:2" in row["found"]
    assert row["advice"] == "did you mean 'run.seed'?"
    assert result.code == 1


def test_quiet_tells_what_failed(kimera: Kimera) -> None:
    (kimera.folder / "kimera.toml").write_text("[run]\nsed = 1\n", encoding="utf-8")
    result = kimera("doctor", "-q")
    assert (result.code, result.out) == (1, "")
    assert "warning: profile: " in result.err


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    found = doctor.check_data_folder(world(tmp_path, KIMERA_HOME=str(blocked / "home")))
    assert found.status == "failed"
    assert "KIMERA_HOME" in found.advice


@pytest.mark.parametrize(
    ("free", "status"), [(1 << 20, "failed"), (1 << 30, "warning"), (1 << 40, "ok")]
)
def test_free_space(tmp_path: Path, monkeypatch: Any, free: int, status: str) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: Usage(0, 0, free))
    assert doctor.check_data_folder(world(tmp_path)).status == status


def test_a_leftover_folder_that_hides_the_package(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "kimera_cli").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.check_installation(world(tmp_path))
    assert found.status == "failed"
    assert found.advice.endswith(str(tmp_path / "kimera_cli"))


def test_plugs_are_named_and_a_broken_one_is_told(tmp_path: Path, monkeypatch: Any) -> None:
    info = tmp_path / "plug-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: plug\nVersion: 1.0\n", encoding="utf-8")
    points = info / "entry_points.txt"
    points.write_text("[kimera.strategies]\nmine = json:loads\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = doctor.check_plugs(world(tmp_path))
    assert found.status == "ok"
    assert "mine" in found.found
    points.write_text("[kimera.strategies]\nmine = no_such_module:x\n", encoding="utf-8")
    found = doctor.check_plugs(world(tmp_path))
    assert found.status == "failed"
    assert "mine (no_such_module:x)" in found.found


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("msgspec>=0.19", ""),
        ("msgspec>=999", "expected >=999"),
        ("msgspec<0.1,>=0.0.1", "expected <0.1"),
        ("no-such-package>=1", "not installed"),
    ],
)
def test_requirements(requirement: str, problem: str) -> None:
    found = doctor._requirement_problem(requirement)
    assert problem in found
    assert bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("clock", "status"),
    [
        (host_facts.Clock(True, 500, "tsc"), "ok"),
        (host_facts.Clock(False, 0, "tsc"), "warning"),
        (host_facts.Clock(None, 0, ""), "warning"),
    ],
)
def test_clock(tmp_path: Path, monkeypatch: Any, clock: host_facts.Clock, status: str) -> None:
    monkeypatch.setattr(host_facts, "read", lambda: clock)
    assert doctor.check_clock(world(tmp_path)).status == status


def test_a_clock_that_was_never_set(tmp_path: Path) -> None:
    early = world(tmp_path)
    early.now_ns = lambda: 0
    assert doctor.check_clock(early).status == "failed"


def test_the_kernel_answers_about_its_clock() -> None:
    """The structure is read at the right offsets: the error stays within its documented bound."""
    state = host_facts.read()
    assert state.synchronised in (True, False, None)
    assert 0 <= state.max_error_us <= 16_000_000


@pytest.mark.parametrize(("limit", "status"), [(None, "ok"), (1 << 30, "ok"), (1 << 16, "warning")])
def test_locked_memory(tmp_path: Path, monkeypatch: Any, limit: int | None, status: str) -> None:
    monkeypatch.setattr(host_facts, "locked_memory_limit", lambda: limit)
    assert doctor.check_locked_memory(world(tmp_path)).status == status


def test_one_core_is_few(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(host_facts, "usable_cores", lambda: 0.5)
    found = doctor.check_cores(world(tmp_path))
    assert (found.status, found.found) == ("warning", "0.5 usable")


def test_a_cold_numba_cache_is_told(run_python: Any, tmp_path: Path) -> None:
    code = (
        "import io, os, sys\n"
        "from kimera_cli import doctor\n"
        "from kimera_cli.context import Context\n"
        "w = Context(io.StringIO(), io.BytesIO(), io.StringIO(), os.environ)\n"
        "print(doctor.check_numba_cache(w).status)\n"
    )
    assert run_python(code, env={"KIMERA_CACHE": str(tmp_path / "cold")}).out == "warning\n"
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert run_python(code, env={"KIMERA_CACHE": str(blocked)}).out == "failed\n"
