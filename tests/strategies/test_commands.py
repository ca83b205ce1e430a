"""`kimera strategies` as a shell sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kimera_cli.strategies.registry import BUILT_IN


def test_list_names_all_built_in_strategies(kimera):
    done = kimera("strategies", "list")
    assert done.code == 0
    assert [r["strategy"] for r in done.records("strategy")][: len(BUILT_IN)] == list(BUILT_IN)
    assert all(r["summary"] and r["origin"] for r in done.records("strategy"))
    assert done.end["status"] == "ok"


@pytest.mark.parametrize("name", BUILT_IN)
def test_show_gives_every_parameter_with_meaning(kimera, name):
    done = kimera("strategies", "show", name)
    (strategy,) = done.records("strategy")
    params = {r["param"]: r["default"] for r in done.records("strategy_param")}
    assert params == strategy["params"]
    assert all(r["unit"] and r["meaning"] for r in done.records("strategy_param"))


def test_show_takes_a_file_and_names_what_is_wrong_with_it(kimera, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def decide(view, x):\n    return 0\n")
    done = kimera("strategies", "show", path)
    assert done.code == 1
    (error,) = done.err_json
    assert error["code"] == "strategy.signature"
    assert error["details"] == {"file": str(path), "line": 1}
    assert "Traceback" not in done.err


def test_an_unknown_name_is_a_usage_error_with_the_nearest(kimera):
    done = kimera("strategies", "show", "glfd")
    assert done.code == 2
    assert "glft" in done.err_json[0]["hint"]


@pytest.mark.parametrize("flag", [(), ("--python",)])
def test_new_writes_a_strategy_whose_test_passes_as_written(kimera, tmp_path, flag):
    done = kimera("strategies", "new", "my_maker", *flag, "--dir", tmp_path / "mine")
    assert done.code == 0
    files = {r["kind"]: r["path"] for r in done.records("written")}
    assert set(files) == {"strategy", "test"}
    assert f"kimera run --strategy {files['strategy']}" in done.err
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", files["test"]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout
    assert "6 passed" in tested.stdout
    shown = kimera("strategies", "show", files["strategy"])
    assert shown.records("strategy")[0]["protocol"] == ("python" if flag else "compiled")
    assert all(r["meaning"] for r in shown.records("strategy_param"))


def test_new_overwrites_nothing(kimera, tmp_path):
    kept = tmp_path / "test_my_maker.py"
    kept.write_text("mine\n")
    done = kimera("strategies", "new", "my_maker")
    assert done.code == 2
    assert done.err_json[0]["code"] == "usage.exists"
    assert kept.read_text() == "mine\n"
    assert not (tmp_path / "my_maker.py").exists()


@pytest.mark.parametrize("name", ["My-Maker", "9lives", "glft", "_x", "test_x", "MyMaker", ""])
def test_new_refuses_a_name_that_is_no_module_name_or_taken(kimera, tmp_path, name):
    done = kimera("strategies", "new", name)
    assert done.code == 2
    assert done.err_json[0]["code"] == "usage.strategy_name"
    assert not list(tmp_path.glob("*.py"))


def test_new_tells_when_the_folder_cannot_be_made(kimera, tmp_path):
    (tmp_path / "file").write_text("")
    done = kimera("strategies", "new", "my_maker", "--dir", tmp_path / "file" / "sub")
    assert done.code == 2
    assert done.err_json[0]["code"] == "usage.folder"
