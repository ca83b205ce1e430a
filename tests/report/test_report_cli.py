"""`kimera report` as a process: streams, names of runs, errors, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def runs(kimera: Any, kit: Any) -> Path:
    """Two runs under ./runs of the program's folder."""
    base = kimera.folder / "runs"
    base.mkdir()
    stated = kit.manifest([kit.SPOT], ["glft"])
    kit.write_run(base / "20240808T000000Z-aaaa1111", kit.tiny_rows(), stated, pnl=8.86)
    later = stated | {"started_ns": kit.START + 1}
    kit.write_run(base / "20240808T000001Z-bbbb2222", kit.market_rows(200, 40), later)
    return base


def test_show_in_a_pipe_gives_metric_records(kimera: Any, runs: Path) -> None:
    done = kimera("report", "show", "20240808T000000Z")
    assert done.code == 0
    found = {(r["metric"], r["scope"], r["strategy"]): r for r in done.records("metric")}
    pnl = found["pnl", "", ""]
    assert (pnl["value"], pnl["unit"], pnl["n"]) == (pytest.approx(8.86), "USD", 3)
    assert found["pnl", "", "glft"]["instrument"] == "binance/BTCUSDT"
    assert found["markout_10s", "maker", ""]["value"] > 0
    assert found["calmar", "", ""] | {"run": ""} == {
        "type": "metric", "run": "", "metric": "calmar", "value": None, "se": None, "unit": "ratio",
        "definition": found["calmar", "", ""]["definition"], "strategy": "", "instrument": "",
        "scope": "", "n": 5, "reason": "the run is shorter than 30 days",
    }  # fmt: skip
    assert done.end["rows"] == len(done.json) - 1


@pytest.mark.parametrize("columns", ["80", "140"])
def test_show_as_a_page(kimera: Any, runs: Path, columns: str) -> None:
    done = kimera("--format", "table", "report", "show", "latest", env={"COLUMNS": columns})
    assert done.code == 0
    assert done.out.startswith("run 20240808T000001Z-bbbb2222")
    assert max(map(len, done.out.splitlines())) <= int(columns)
    assert "\x1b" not in done.out


def test_html_is_written_whole_into_the_folder(kimera: Any, runs: Path) -> None:
    done = kimera("report", "html", "latest")
    assert done.code == 0
    [record] = done.records("report_file")
    file = kimera.folder / record["file"]
    assert file == runs / "20240808T000001Z-bbbb2222" / "report.html"
    assert file.stat().st_size == record["bytes"]
    assert file.read_text().endswith("</html>\n")
    assert not list(file.parent.glob(".*"))


def test_html_elsewhere(kimera: Any, runs: Path) -> None:
    assert kimera("report", "html", "latest", "-o", "out.html").code == 0
    assert (kimera.folder / "out.html").is_file()
    failed = kimera("report", "html", "latest", "-o", "nowhere/out.html")
    assert failed.code == 1
    assert "nowhere/out.html" in failed.err


def test_compare(kimera: Any, runs: Path) -> None:
    done = kimera("report", "compare", "20240808T000000Z", "latest", "--html", "both.html")
    assert done.code == 0
    assert {r["metric"] for r in done.records("comparison")} >= {"pnl", "fill_ratio", "dsr"}
    assert (kimera.folder / "both.html").read_text().startswith("<!doctype html>")
    page = kimera("--format", "table", "report", "compare", "20240808T000000Z", "latest")
    assert "20240808T000001Z-bbbb2222 against 20240808T000000Z-aaaa1111" in page.out


@pytest.mark.parametrize(
    ("args", "code", "error"),
    [
        (["show", "nothing"], 3, "data.run_missing"),
        (["show", "2024"], 3, "data.run_ambiguous"),
        (["show", "latest", "--horizon", "5"], 2, "usage.horizon"),
        (["compare", "latest"], 2, "usage.runs"),
    ],
)
def test_errors(kimera: Any, runs: Path, args: list[str], code: int, error: str) -> None:
    done = kimera("report", *args)
    assert done.code == code
    assert done.err_json[-1]["code"] == error
    assert done.err_json[-1]["hint"]


def test_a_damaged_run_is_refused_with_its_file(kimera: Any, runs: Path) -> None:
    file = runs / "20240808T000000Z-aaaa1111" / "fills.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    done = kimera("report", "show", "20240808T000000Z")
    assert done.code == 3
    assert "fills.parquet" in done.err


def test_help_imports_nothing_heavy(run_python: Any) -> None:
    code = (
        "import sys; sys.argv = ['kimera', 'report', 'show', '--help']\n"
        "from kimera_cli import main\n"
        "try: main.main()\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'pandas', 'numba', 'rich', 'pyarrow') if m in sys.modules])"
    )
    assert run_python(code).out.splitlines()[-1] == "[]"
