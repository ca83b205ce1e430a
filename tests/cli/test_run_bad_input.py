"""What can be wrong with a run: told clearly, with its exit code, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Program, Said

T0 = 1_723_161_600_000_000_000
SHORT = ("run", "--for", "3s")
Lines = list[str]


def good(n: int = 50) -> Lines:
    start = {"lastUpdateId": 5, "bids": [["100.00", "9"]], "asks": [["100.30", "9"]]}
    lines = [f"{T0 - 1} {json.dumps(start)}"]
    return lines + [depth(i) for i in range(n)]


def depth(i: int, px: str = "100.10", symbol: str = "BTCUSDT", ts: int | None = None) -> str:
    data = {"e": "depthUpdate", "E": (T0 + i * 10**8) // 10**6 - 5, "s": symbol}
    data |= {"U": 6 + i, "u": 6 + i, "b": [[px, "5"]], "a": [["100.20", "5"]]}
    text = {"stream": f"{symbol.lower()}@depth@100ms", "data": data}
    return f"{ts or T0 + i * 10**8} {json.dumps(text)}"


def changed(at: int, line: str) -> Lines:
    lines = good()
    lines[at] = line
    return lines


def write(path: Path, lines: Lines) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def refused(said: Said, exit_code: int, code: str) -> dict[str, Any]:
    """Check the shape of a refusal: code, no traceback, an end record, no run folder."""
    assert said.code == exit_code, said.err
    assert said.error["code"] == code
    assert ", was" in said.error["message"]
    assert "Traceback" not in said.err
    assert said.json[-1] == {"type": "end", "status": "error", "rows": 0, "code": exit_code}
    assert not list(Path("runs").glob("*"))
    return said.error


# --- recordings ----------------------------------------------------------------------------------

BAD_LINES: dict[str, tuple[Callable[[], Lines], int]] = {
    "no JSON": (lambda: changed(7, f"{T0} {{oops"), 8),
    "another line format": (lambda: changed(7, "1;2;3"), 8),
    "zero price": (lambda: changed(7, depth(7, px="0.00")), 8),
    "negative price": (lambda: changed(7, depth(7, px="-100.10")), 8),
    "NaN": (lambda: changed(7, depth(7, px="NaN")), 8),
    "infinite": (lambda: changed(7, depth(7, px="1e400")), 8),
    "another instrument": (lambda: changed(7, depth(7, symbol="ETHUSDT")), 1),  # of the snapshot
    "a time of the future": (lambda: changed(7, depth(7, ts=T0 * 2)), 8),
    "a time in other units": (lambda: changed(7, depth(7, ts=T0 // 10**6)), 8),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_named(program: Program, tmp_path: Path, name: str) -> None:
    lines, number = BAD_LINES[name]
    path = write(tmp_path / "bad.txt", lines())
    said = program("run", "--replay", path)
    assert said.code == 3, said.err
    error = said.error
    assert error["details"].get("line", 0) == number, error
    assert "bad.txt" in error["message"]
    assert not Path("runs").exists()
    assert program("fetch", "list").records("dataset") == []


def test_time_that_goes_back_is_named(program: Program, tmp_path: Path) -> None:
    path = write(tmp_path / "back.txt", changed(7, depth(7, ts=T0 - 10**9)))
    error = refused(program("run", path), 3, "data.time_backwards")
    assert error["details"]["line"] == 8


def test_files_that_are_no_recordings(program: Program, tmp_path: Path) -> None:
    refused(program("run", "--replay", "gone.gz"), 3, "data.missing_file")
    (tmp_path / "empty.gz").write_bytes(b"")
    refused(program("run", "empty.gz"), 3, "data.empty_file")
    (tmp_path / "text.csv").write_text("these,are\nno,columns of ours\n")
    error = refused(program("run", "text.csv"), 3, "data.unknown_format")
    assert "kimera fetch import PATH --as" in error["hint"]
    refused(program("run", str(tmp_path)), 3, program("run", str(tmp_path)).error["code"])


def test_a_truncated_archive_is_named(program: Program, tmp_path: Path) -> None:
    whole = gzip.compress("\n".join(good(3_000)).encode())
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    error = refused(program("run", "cut.gz"), 3, "data.truncated")
    assert "cut.gz" in error["message"]
    assert program("fetch", "list").records("dataset") == []


def test_bars_are_no_events(program: Program, tmp_path: Path) -> None:
    rows = [f"{1_700_000_000_000 + i * 3_600_000},1,2,0.5,1.5,10" for i in range(5)]
    head = "timestamp,open,high,low,close,volume"
    write(tmp_path / "binance_BTCUSDT_1h.csv", [head, *rows])
    said = program("run", "binance_BTCUSDT_1h.csv")
    refused(said, 3, "data.family")
    assert "ohlcv" in said.error["message"]


def test_overlapping_recordings_are_refused(program: Program, tmp_path: Path) -> None:
    one = write(tmp_path / "one.txt", good(50))
    two = write(tmp_path / "two.txt", good(40))
    error = refused(program("run", "--replay", one, two), 3, "data.overlap")
    assert "one.txt" in error["message"]
    assert "two.txt" in error["message"]


def test_unknown_dataset_names_the_nearest(program: Program, tmp_path: Path) -> None:
    assert program("run", write(tmp_path / "one.txt", good())).code == 0
    for folder in Path("runs").iterdir():
        folder.rename(tmp_path / folder.name)
    error = refused(program("run", "--replay", "binance/BTCUSD/l2"), 3, "data.unknown_dataset")
    assert "binance/BTCUSDT/l2" in error["hint"]


def test_prices_levels_cannot_tell_a_place_in_the_queue(program: Program, tmp_path: Path) -> None:
    path = write(tmp_path / "one.txt", good())
    error = refused(program("run", path, "--set", "queue.model=l3"), 2, "profile.queue")
    assert "binance/BTCUSDT/l2" in error["message"]


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--set", "risk.max_drawdow=0.1"], "profile.unknown_key", "risk.max_drawdown"),
        (["--set", "max_drawdown=0.1"], "usage.unknown_param", "risk.max_drawdown"),
        (["--set", "gama=0.1"], "usage.unknown_param", "gamma"),
        (["--set", "gltf.gamma=0.1"], "usage.unknown_param", "glft"),
        (["--set", "glft.gama=0.1"], "usage.unknown_param", "gamma"),
        (["--set", "strategies.gltf.gamma=0.1"], "usage.unknown_param", "glft"),
        (["--set", "strategies.glft.gama=0.1"], "profile.unknown_param", "gamma"),
        (["--set", "gamma=wide"], "usage.param_value", "wide"),
        (["--set", "gamma=nan"], "usage.param_value", "finite"),
        (["--set", "gamma"], "usage.set", "--set"),
        (["--strategy", "glf"], "usage.unknown_strategy", "glft"),
        (["--strategy", "none.py"], "usage.unknown_strategy", "none.py"),
        (["--strategy", "glft,glft"], "usage.strategies", "twice"),
        (["--speed", "0x"], "profile.bad_value", "10x"),
        (["--for", "5 minutes"], "profile.bad_value", "90s"),
        (["--for", "0s"], "profile.bad_value", "90s"),
        (["--source", "live"], "usage.source", "demo, replay or venue"),
        (["--source", "replay"], "usage.replay", "fetch list"),
        (["--source", "demo", "--replay", "x"], "usage.source", "both"),
        (["--profile", "produktion"], "profile.not_found", "production"),
        (["--set", "portfolio.currency=EUR"], "profile.rate", "portfolio.rates.USD"),
        (["--set", "market.instruments=65"], "profile.bad_value", "at most 64"),
        (["--set", "market.tick=9000"], "data.synthetic", "market.tick"),
    ],
)
def test_a_wrong_setting_is_named_with_the_mend(
    program: Program, options: list[str], code: str, said: str
) -> None:
    result = program("run", "--strategy", "glft", *options)
    exit_code = 3 if code.startswith("data") else 2
    error = refused(result, exit_code, code)
    assert said in error["message"] + error["hint"]


def test_a_typo_in_a_profile_names_file_and_line(program: Program, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text("[risk]\nmax_drawdown = 0.1\nmax_dayly_loss = 0.1\n")
    error = refused(program("run", "--profile", "my.toml"), 2, "profile.unknown_key")
    assert error["details"]["line"] == 3
    text = '[run]\nstrategies = ["glft"]\n[strategies.glft]\ngama = 1.0\n'
    (tmp_path / "my.toml").write_text(text)
    error = refused(program("run", "--profile", "my.toml"), 2, "profile.unknown_param")
    assert "my.toml:4" in error["message"]
    assert "gamma" in error["hint"]


def test_another_currency_needs_its_rates(program: Program) -> None:
    euro = ("--set", "portfolio.currency=EUR", "--set", "portfolio.rates.USD=0.9")
    in_euro = program(*SHORT, "--strategy", "grid", *euro).summary
    in_dollar = program(*SHORT, "--strategy", "grid").summary
    assert in_euro["currency"] == "EUR"
    assert in_euro["fills"] > 0
    assert in_dollar["currency"] == "USD"


def test_too_many_of_anything(program: Program, tmp_path: Path) -> None:
    for i in range(9):
        (tmp_path / f"s{i}.py").write_text(
            '"""S."""\nfrom kimera_cli.strategies import Strategy\n\n\nclass S(Strategy):\n'
            "    def on_wake(self, market):\n        pass\n"
        )
    names = ",".join(f"./s{i}.py" for i in range(9))
    error = refused(program("run", "--strategy", names), 2, "usage.strategies")
    assert "was 9" in error["message"]
    refused(program("run", "--strategy", ","), 2, "usage.strategies")


# --- strategies ----------------------------------------------------------------------------------

CLASS = '''"""Mine."""

from kimera_cli.strategies import Strategy

INTERVAL_NS = 500_000_000


class Mine(Strategy):
    def on_wake(self, market):
        BODY
'''


def test_a_class_that_raises_is_named_with_its_line(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CLASS.replace("BODY", "market.buy(None, 0.01 / 0)"))
    said = program(*SHORT, "--strategy", "./mine.py")
    assert (said.code, said.error["code"]) == (1, "strategy.raised")
    assert said.error["details"]["line"] == 10
    assert "ZeroDivisionError" in said.error["message"]
    (folder,) = Path("runs").iterdir()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["status"] == "failed"
    assert manifest["error"]["code"] == "strategy.raised"
    assert program("journal", "verify", folder).code == 0
    assert program("report", "show", folder).code == 0


@pytest.mark.parametrize(
    "body",
    [
        "market.view['n_actions'] = 1; market.view['actions'][0]['kind'] = 99",
        "market.view['n_actions'] = 1; a = market.view['actions'][0]; a['kind'] = 1; "
        "a['qty_lots'] = -5; a['px_ticks'] = 1",
        "market.view['n_actions'] = 1; a = market.view['actions'][0]; a['kind'] = 2; "
        "a['order'] = 77",
    ],
)
def test_nonsense_is_denied_not_done(program: Program, tmp_path: Path, body: str) -> None:
    (tmp_path / "mine.py").write_text(CLASS.replace("BODY", body))
    said = program(*SHORT, "--strategy", "./mine.py")
    assert said.code == 0, said.err
    assert {denial["code"] for denial in said.records("denial")} == {"risk.bad_action"}
    assert said.summary["orders"] == 0


def test_a_negative_answer_ends_the_run_with_its_meaning(program: Program) -> None:
    said = program(*SHORT, "--strategy", "glft", "--set", "gamma=-1")
    assert (said.code, said.error["code"]) == (1, "run.strategy")
    assert "gamma" in said.error["message"]


# --- folders and limits --------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_left_alone(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    refused(program(*SHORT, "--out", "mine"), 1, "run.folder")
    refused(program(*SHORT, "--out", "mine/thesis.txt"), 1, "run.folder")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    assert program(*SHORT, "--out", "new").code == 0
    refused(program(*SHORT, "--out", "new"), 1, "run.folder")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(program: Program, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    refused(program(*SHORT, "--out", "locked/run"), 1, "run.folder")


def test_a_folder_that_cannot_be(program: Program) -> None:
    error = refused(program(*SHORT, "--out", "/proc/nowhere/run"), 1, "run.folder")
    assert "/proc/nowhere" in error["message"]


def test_the_kill_file_refuses_a_start(program: Program, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    kill = tmp_path / "home" / "kill"
    kill.touch()
    error = refused(program(*SHORT), 5, "risk.kill_switch")
    assert error["details"]["file"] == str(kill)
    assert program("trade", "arm").code == 0
    assert program(*SHORT).code == 0


def test_a_halted_run_ends_with_code_5_and_a_whole_folder(program: Program) -> None:
    options = ("--strategy", "grid", "--set", "risk.max_drawdown=0.0000001")
    said = program("run", "--for", "60s", *options)
    assert (said.code, said.error["code"]) == (5, "risk.drawdown")
    assert (said.summary["status"], said.summary["halted_by"]) == ("halted", "risk.drawdown")
    assert [record["code"] for record in said.records("halt")] == ["risk.drawdown"]
    assert said.json[-1] == {**said.json[-1], "status": "error", "code": 5}
    assert program("journal", "verify", said.summary["folder"]).code == 0
