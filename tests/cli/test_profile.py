"""`kimera profile`: list, show, check."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conftest import Kimera


def test_list_names_shipped_and_own_profiles(kimera: Kimera) -> None:
    own = kimera.folder / "config/kimera/profiles/mine.toml"
    own.parent.mkdir(parents=True)
    own.write_text("# My own settings. More of it.\n[run]\nseed = 3\n", encoding="utf-8")
    rows = {r["profile"]: r for r in kimera("profile", "list").records("profile_info")}
    assert set(rows) == {"development", "production", "hft", "mine"}
    assert rows["mine"]["path"] == str(own)
    assert rows["mine"]["summary"] == "My own settings"
    assert all(row["summary"] for row in rows.values())


def test_show_tells_origins_only_when_asked(kimera: Kimera) -> None:
    plain = kimera("profile", "show").records("profile_value")
    assert {row["origin"] for row in plain} == {""}
    full = kimera("profile", "show", "--origin", "--set", "run.seed=4")
    rows = {r["key"]: r for r in full.records("profile_value")}
    assert rows["run.seed"] == {
        "type": "profile_value",
        "key": "run.seed",
        "value": 4,
        "origin": "flag",
    }
    assert rows["run.events"]["origin"].startswith("shipped development.toml:")


def test_check_reports_every_problem_with_its_line(kimera: Kimera) -> None:
    bad = kimera.folder / "bad.toml"
    bad.write_text("[run]\nsed = 1\n\n[risk]\nmax_drawdown = 3\n", encoding="utf-8")
    result = kimera("profile", "check", bad)
    assert result.code == 2
    assert [(e["code"], e["details"]["line"]) for e in result.err_json] == [
        ("profile.unknown_key", 2),
        ("profile.bad_value", 5),
    ]
    (check,) = result.records("check")
    assert (check["passed"], check["total"], check["ok"]) == (0, 2, False)
    assert result.end["code"] == 2


def test_check_passes_the_shipped_files(kimera: Kimera, repository: Path) -> None:
    result = kimera("profile", "check", *sorted((repository / "profiles").glob("*.toml")))
    assert result.code == 0
    assert all(row["ok"] and row["passed"] == row["total"] for row in result.records("check"))


def test_a_local_file_is_found_and_its_mistake_told(kimera: Kimera) -> None:
    (kimera.folder / "kimera.toml").write_text("[run]\nseed = 'x'\n", encoding="utf-8")
    result = kimera("profile", "show")
    assert result.code == 2
    assert "kimera.toml:2" in result.err_json[0]["message"]
