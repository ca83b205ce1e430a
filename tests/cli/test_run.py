"""`kimera run`: its options, what it says, and what it leaves behind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Program, Said

T0 = 1_723_161_600_000_000_000
SHORT = ("run", "--for", "5s")
EARNER = ("--strategy", "grid", "--set", "grid.half_spread_ticks=2")


def diff(i: int, bid: str, ask: str, symbol: str = "BTCUSDT") -> str:
    """One depth message: the touch stands at bid and ask, 100 ms after the one before."""
    data = {"e": "depthUpdate", "E": (T0 + i * 10**8) // 10**6 - 5, "s": symbol}
    data |= {"U": 6 + i, "u": 6 + i, "b": [[bid, "5"]], "a": [[ask, "5"]]}
    text = {"stream": f"{symbol.lower()}@depth@100ms", "data": data}
    return f"{T0 + i * 10**8} {json.dumps(text)}"


def recording(path: Path, first: int = 0, n: int = 200, symbol: str = "BTCUSDT") -> Path:
    """A raw recording of n messages: the price walks up and down by a tick."""
    start = {"lastUpdateId": 5 + first, "bids": [["100.00", "9"]], "asks": [["100.30", "9"]]}
    lines = [f"{T0 + first * 10**8 - 1} {json.dumps(start)}"] if symbol == "BTCUSDT" else []
    lines += [diff(first + i, f"100.{i % 2}0", f"100.{2 + i % 2}0", symbol) for i in range(n)]
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
    return path


def folder_of(said: Said) -> Path:
    return Path(said.summary["folder"])


# --- what a run says and leaves -------------------------------------------------------------------


def test_the_demo_streams_orders_and_fills_and_ends_with_its_summary(program: Program) -> None:
    said = program(*SHORT, *EARNER)
    kinds = [record["type"] for record in said.json]
    assert said.code == 0
    assert kinds[-2:] == ["run_summary", "end"]
    assert set(kinds) >= {"order", "fill"}
    summary = said.summary
    assert len(said.records("fill")) == summary["fills"] > 0
    submitted = [r for r in said.records("order") if r["event"] == "submitted"]
    assert len(submitted) == summary["orders"]
    assert len(said.records("denial")) == summary["denied"]
    assert summary["pnl"] == pytest.approx(sum(summary["pnl_by_strategy"].values()))
    assert summary["fidelity"]["source"] == "demo"
    assert said.err.splitlines()[-1] == f"report: {summary['report']}"


def test_the_default_demo_trades(program: Program) -> None:
    """What `make run` shows: orders that are filled, a result that is not nothing."""
    summary = program("run").summary
    assert summary["fills"] > 10
    assert summary["pnl"] != 0
    assert summary["sharpe"] is not None
    assert summary["sharpe_se"] > 0
    assert summary["market_seconds"] == pytest.approx(600, abs=1)


def test_the_folder_holds_everything(program: Program) -> None:
    said = program(*SHORT, *EARNER)
    folder = folder_of(said)
    assert {path.name for path in folder.iterdir()} == {
        *("manifest.json", "summary.json", "journal.db", "bulk.db", "report.html"),
        *("events.parquet", "fills.parquet", "samples.parquet", "markouts.parquet"),
    }
    stated = json.loads((folder / "summary.json").read_text())
    assert stated == said.summary
    assert program("journal", "verify", folder).code == 0
    assert program("report", "show", folder).code == 0


def test_csv_and_json_carry_the_same_records(program: Program) -> None:
    lines = program(*SHORT, *EARNER, "--format", "csv").out.splitlines()
    array = json.loads(program(*SHORT, *EARNER, "--format", "json").out)
    types = [line.partition(",")[0] for line in lines if not line.startswith("type,")]
    assert types == [record["type"] for record in array[:-1]]


def test_quiet_is_quiet(program: Program) -> None:
    said = program(*SHORT, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert list(Path("runs").glob("*/report.html"))


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_a_person_gets_a_page_that_fits(program: Program, width: int) -> None:
    said = program(*SHORT, *EARNER, "--format", "table", width=width)
    lines = said.out.splitlines()
    assert max(len(line) for line in lines) <= width
    for word in ("PnL", "Maximum drawdown", "Sharpe", "Fill ratio", "events/s", "Queue", "hash"):
        assert word in said.out, word
    (report,) = Path("runs").glob("*/report.html")
    assert str(report) in said.out
    assert "complete" in lines[1]
    assert "\x1b" not in said.out


def test_colour_only_where_a_person_looks(program: Program) -> None:
    said = program(*SHORT, "--format", "table", stdout_is_terminal=True)
    assert "\x1b[" in said.out
    plain = program(*SHORT, "--format", "table", stdout_is_terminal=True, env={"NO_COLOR": "1"})
    assert "\x1b[" not in plain.out


def test_progress_tells_events_per_second(program: Program) -> None:
    ticks = iter(range(0, 10**15, 150_000_000))
    said = program(
        "run", "--format", "none", stderr_is_terminal=True, monotonic_ns=lambda: next(ticks)
    )
    drawn = [part for part in said.err.split("\r\x1b[2K") if part.startswith("running")]
    assert drawn
    assert "events" in drawn[-1]
    assert "/s" in drawn[-1]


# --- options -------------------------------------------------------------------------------------


def test_seed_decides_the_demo(program: Program) -> None:
    one, again, other = (program(*SHORT, *EARNER, "--seed", n).summary for n in (3, 3, 4))
    assert one["trade_hash"] == again["trade_hash"] != other["trade_hash"]
    assert one["run"] != again["run"]


def test_events_and_duration_end_a_run(program: Program) -> None:
    assert 500 <= program("run", "--events", 500).summary["events"] < 600
    assert program("run", "--for", "2500ms").summary["market_seconds"] == pytest.approx(
        2.5, abs=0.1
    )


def test_several_strategies_have_a_ledger_each(program: Program) -> None:
    said = program("run", "--for", "20s", "--strategy", "grid,glft", "--strategy", "noop")
    assert set(said.summary["pnl_by_strategy"]) == {"grid", "glft", "noop"}
    assert {fill["strategy"] for fill in said.records("fill")} >= {"grid"}


def test_set_reaches_settings_and_parameters(program: Program) -> None:
    said = program(
        *(*SHORT, "--strategy", "glft,avellaneda_stoikov"),
        *("--set", "risk.max_open_orders=7", "--set", "gamma=0.2", "--set", "glft.k=3"),
        *("--set", "strategies.avellaneda_stoikov.horizon_s=20"),
    )
    manifest = json.loads((folder_of(said) / "manifest.json").read_text())
    glft, avellaneda = (one["params"] for one in manifest["strategies"])
    assert manifest["profile"]["risk"]["max_open_orders"] == 7
    assert (glft["gamma"], avellaneda["gamma"]) == (0.2, 0.2)
    assert (glft["k"], avellaneda["k"]) == (3.0, 1.0)
    assert avellaneda["horizon_s"] == 20.0


def test_profile_gives_parameters_and_durability(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        '[run]\nstrategies = ["glft"]\ndurability = "disk"\nduration = "4s"\n'
        "[strategies.glft]\ngamma = 0.3\n[strategies.gltf]\ngamma = 1.0\n"
    )
    said = program("run", "--profile", "mine.toml")
    manifest = json.loads((folder_of(said) / "manifest.json").read_text())
    assert manifest["strategies"][0]["params"]["gamma"] == 0.3
    assert said.summary["durability"] == manifest["journal"]["durability"] == "disk"
    assert manifest["fidelity"]["durability"].startswith("disk: fsynced")
    assert "mine.toml:8 sets parameters of 'gltf'" in said.err


@pytest.mark.parametrize("durability", ["batch", "process", "disk"])
def test_durability_is_printed_and_changes_no_trade(program: Program, durability: str) -> None:
    said = program(*SHORT, *EARNER, "--set", f"run.durability={durability}")
    assert said.summary["durability"] == durability
    assert said.summary["trade_hash"] == program(*SHORT, *EARNER).summary["trade_hash"]
    page = program(*SHORT, "--set", f"run.durability={durability}", "--format", "table").out
    assert f"Durability    {durability}" in page


def test_out_names_the_folder(program: Program) -> None:
    said = program(*SHORT, "--out", "here/mine")
    assert said.summary["folder"] == "here/mine"
    assert Path("here/mine/report.html").is_file()
    assert not Path("runs").exists()


def test_realtime_flushes_what_happens_as_it_happens(program: Program) -> None:
    """A fast factor: the records are those of full speed."""
    fast = program("run", "--for", "2s", *EARNER, "--speed", "100x").summary
    assert fast["trade_hash"] == program("run", "--for", "2s", *EARNER).summary["trade_hash"]


# --- recordings ----------------------------------------------------------------------------------


def test_recordings_are_replayed_together_in_any_order(program: Program, tmp_path: Path) -> None:
    day1 = recording(tmp_path / "a.gz", 0, 200)
    day2 = recording(tmp_path / "b.gz", 200, 200)
    both = program("run", "--replay", day1, day2, *EARNER).summary
    turned = program("run", day2, "--replay", day1, *EARNER).summary
    named = program("run", "--replay", "binance/BTCUSDT/l2", *EARNER).summary
    assert both["events"] == turned["events"] == named["events"]
    assert both["trade_hash"] == turned["trade_hash"] == named["trade_hash"]
    assert both["fidelity"]["data_hash"] == turned["fidelity"]["data_hash"]
    assert program("run", "--replay", day1, day1, *EARNER).summary["events"] < both["events"]


def test_a_recording_runs_to_its_end_unless_asked(program: Program, tmp_path: Path) -> None:
    path = recording(tmp_path / "a.gz", 0, 7_000)  # 700 s: more than the default of the demo
    assert program("run", path).summary["market_seconds"] == pytest.approx(699.9, abs=0.2)
    assert program("run", path, "--for", "1m").summary["market_seconds"] == pytest.approx(60, abs=1)
    environment = {"KIMERA_RUN__DURATION": "30s"}
    shorter = program("run", path, env=environment).summary
    assert shorter["market_seconds"] == pytest.approx(30, abs=1)


def test_three_real_recordings_twice_give_one_trade_hash(
    program: Program, shared_data: Path
) -> None:
    folder = shared_data / "hftbacktest"
    paths = [folder / f"{name}_20240808.gz" for name in ("spot_btcusdt", "usdm_btcusdt")]
    paths.append(folder / "cm_btcusd_perp_20240808.gz")
    first = program("run", "--replay", *paths)
    again = program("run", "--replay", *reversed(paths), "--format", "jsonl")
    assert first.code == again.code == 0
    assert first.summary["trade_hash"] == again.summary["trade_hash"]
    assert first.summary["fills"] > 20
    assert {fill["instrument"] for fill in first.records("fill")} >= {"binanceusdm/BTCUSDT"}
    repeated = program("run", "--from", folder_of(first))
    assert repeated.summary["trade_hash"] == first.summary["trade_hash"]


# --- the same again ------------------------------------------------------------------------------


@pytest.fixture
def mine(tmp_path: Path, program: Program) -> Any:
    """A run of one's own strategy on one's own recording, and its files."""
    strategy = tmp_path / "mine.py"
    strategy.write_text(
        '"""Mine."""\nfrom kimera_cli.strategies import Strategy\nPARAMS = {"size": 1.0}\n'
        "INTERVAL_NS = 1_000_000_000\n\n\nclass Mine(Strategy):\n"
        "    def on_wake(self, market):\n        market.buy(None, self.params['size'])\n"
    )
    path = recording(tmp_path / "a.gz")
    said = program("run", path, "--strategy", strategy, "--set", "size=2", "--seed", 5)
    assert said.summary["fills"] > 0
    return said, strategy, path


def test_a_run_is_repeated_from_its_manifest(program: Program, mine: Any) -> None:
    said, _, _ = mine
    for source in (folder_of(said), folder_of(said) / "manifest.json", said.summary["run"][:20]):
        again = program("run", "--from", source)
        assert again.summary["trade_hash"] == said.summary["trade_hash"]
        manifest = json.loads((folder_of(again) / "manifest.json").read_text())
        assert manifest["repeats"] == said.summary["run"]


def test_a_repeat_finds_its_recording_again(program: Program, mine: Any) -> None:
    said, _, _ = mine
    assert program("fetch", "remove", "binance/BTCUSDT/l2").code == 0
    again = program("run", "--from", "latest")
    assert again.summary["trade_hash"] == said.summary["trade_hash"]


def test_a_repeat_of_the_demo_needs_nothing_else(program: Program) -> None:
    said = program(*SHORT, *EARNER, "--seed", 9, "--set", "market.volatility=0.9")
    again = program("run", "--from", folder_of(said))
    assert again.summary["trade_hash"] == said.summary["trade_hash"]


def test_a_changed_strategy_is_refused(program: Program, mine: Any) -> None:
    _, strategy, _ = mine
    strategy.write_text(strategy.read_text().replace("buy", "sell"))
    said = program("run", "--from", "latest")
    assert (said.code, said.error["code"]) == (1, "run.strategy_changed")
    assert "mine" in said.error["message"]
    assert said.error["details"]["file"] == str(strategy)


def test_a_changed_recording_is_refused(program: Program, mine: Any, tmp_path: Path) -> None:
    _, _, path = mine
    program("fetch", "remove", "binance/BTCUSDT/l2")
    recording(path, n=199)
    said = program("run", "--from", "latest")
    assert (said.code, said.error["code"]) == (3, "data.source_changed")
    assert "a.gz" in said.error["message"]
    path.unlink()
    program("fetch", "remove", "binance/BTCUSDT/l2")
    gone = program("run", "--from", "latest")
    assert (gone.code, gone.error["code"]) == (3, "data.source_changed")


def test_another_result_is_an_error(program: Program, mine: Any) -> None:
    """The manifest is the same, what it promises is not: somebody changed kimera, or the file."""
    said, _, _ = mine
    summary = folder_of(said) / "summary.json"
    summary.write_text(summary.read_text().replace(said.summary["trade_hash"], "f" * 64))
    again = program("run", "--from", folder_of(said))
    assert (again.code, again.error["code"]) == (1, "run.not_repeated")
    assert again.json[-1]["code"] == 1


def test_a_repeat_takes_no_other_inputs(program: Program, mine: Any) -> None:
    said = program("run", "--from", "latest", "--seed", 0, "--set", "size=1")
    assert (said.code, said.error["code"]) == (2, "usage.from")
    assert "--set" in said.error["message"]
    assert "--seed" in said.error["message"]
    assert program("run", "--from", "latest", "--speed", "1000x", "--out", "b").code == 0


def test_a_manifest_of_something_else_is_refused(program: Program, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"run": "x", "status": "complete", "started_ns": 1}')
    said = program("run", "--from", "manifest.json")
    assert (said.code, said.error["code"]) == (3, "data.run_manifest")
