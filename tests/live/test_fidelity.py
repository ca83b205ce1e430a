"""Recorded live runs against their replays, on a served venue."""

from __future__ import annotations

import json
import os
import shutil
import signal
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from live_server import Served

NS = 1_000_000_000
MARKETS = ("binance/BTCUSDT", "kraken/BTCUSD")
GRID = ("--strategy", "grid", "--set", "portfolio.cash=100000")
SLOW_ANSWERS = (
    *("--set", "latency.entry_ns=25000000", "--set", "latency.response_ns=1000000000"),
    *("--set", "risk.max_queue_age=60s"),
)
"""Slower than the feed on any machine, and no breaker that listens to the wall clock."""


def words(served: Served, *more: str, names: tuple[str, ...] = MARKETS) -> list[str]:
    markets = [word for name in names for word in ("--market", name)]
    run = ["run", "--source", "venue", *markets, "--server", str(served.listening), "--record"]
    return [*run, "--keys", str(served.keys), "--format", "jsonl", "--quiet", *GRID, *more]


def ran(result: Any) -> dict[str, Any]:
    assert result.code == 0, result.err
    (found,) = result.records("run_summary")
    return dict(found)


def checked(kimera: Any, folder: str | Path, *more: str) -> Any:
    result = kimera("report", "fidelity", folder, "--format", "jsonl", *more)
    assert result.code == 0, result.err
    return result


def amount(records: list[dict[str, Any]], instrument: str, side: str) -> Decimal:
    own = [r for r in records if (r["instrument"], r["side"]) == (instrument, side)]
    return sum((Decimal(r["qty"]) for r in own), Decimal(0))


@pytest.mark.parametrize("shape", ["single", "threads"])
def test_paper_and_replay_make_the_same_trades(kimera: Any, served: Served, shape: str) -> None:
    """With answers slower than the feed nothing is left that may differ."""
    result = kimera(*words(served, "--shape", shape, "--for", "12s", *SLOW_ANSWERS))
    told = ran(result)
    assert told["fills"] > 0, "a lively market fills a grid"
    folder = Path(told["folder"])
    kept = told["feed"]["recording"]
    assert kept.keys() == {"binance.zst", "kraken.zst"}
    assert all(each["whole"] and each["messages"] > 20 for each in kept.values())
    result = checked(kimera, kimera.folder / folder)
    (basis,) = result.records("fidelity_basis")
    assert basis["trade_hash"] == told["trade_hash"]
    assert basis["executor"] == "paper"
    *markets, total = result.records("agreement")
    assert total["instrument"] == ""
    assert len(markets) == 2
    for each in (*markets, total):
        assert each["same_fills"]
        assert each["identical"]
        assert each["parted_ns"] is None
        assert each["orders"] == each["replay_orders"] == each["same_orders"] > 0
        assert each["fills"] == each["matched"] == each["replay_fills"]
        assert each["pnl_difference"] == 0.0
        assert set(each["within"].values()) <= {1.0}
    assert {m["position_same"] for m in markets} == {1.0}
    assert result.records("fidelity_cause") == []
    assert not any((kimera.home / "data").rglob("*.parquet")), "no catalog is touched"


def test_on_one_market_even_trade_hashes_agree(kimera: Any, served: Served) -> None:
    told = ran(kimera(*words(served, "--for", "12s", *SLOW_ANSWERS, names=MARKETS[:1])))
    assert told["fills"] > 0
    result = checked(kimera, kimera.folder / told["folder"])
    (basis,) = result.records("fidelity_basis")
    assert basis["trade_hash"] == basis["replay_trade_hash"] == told["trade_hash"]
    (market,) = result.records("agreement")
    assert market["identical"]


def test_a_split_run_is_recorded_by_its_feed_process(kimera: Any, served: Served) -> None:
    """Its loop learns of an event some microseconds after its stamp, so little may differ."""
    told = ran(kimera(*words(served, "--shape", "split", "--for", "8s", *SLOW_ANSWERS)))
    assert all(each["whole"] for each in told["feed"]["recording"].values())
    result = checked(kimera, kimera.folder / told["folder"], "--keep", "kept")
    total = result.records("agreement")[-1]
    assert total["matched"] + total["run_only"] == total["fills"] == told["fills"]
    (basis,) = result.records("fidelity_basis")
    assert basis["replay"] == "kept"
    replay = kimera("report", "show", "kept", "--format", "jsonl")
    assert replay.code == 0, replay.err
    again = kimera("run", "--from", "kept")
    assert (again.code, again.err_json[-1]["code"]) == (2, "usage.from")
    assert told["run"] in again.err_json[-1]["hint"]


def test_a_live_run_is_measured_against_the_model(kimera: Any, served: Served) -> None:
    slowly = ("--set", "risk.max_orders_per_s=4")
    live = kimera(*words(served, "--execute", "live", "--for", "10s", *slowly))
    told = ran(live)
    folder = kimera.folder / told["folder"]
    result = checked(kimera, folder)
    (basis,) = result.records("fidelity_basis")
    assert basis["executor"] == "live"
    assert "orders of the run" in basis["latency"]
    orders = [r for r in live.records("order") if r["event"] == "accepted"]
    assert all(abs(r["ts_ns"] - r["ts_exch_ns"]) < 60 * NS for r in orders), "none in 1970"
    *markets, total = result.records("agreement")
    matches = result.records("fill_match")
    fills = kimera("journal", "show", folder, "--kind", "fill", "--format", "jsonl")
    journal = [r["body"] for r in fills.records("journal_entry")]
    here = [m for m in matches if m["match"] != "replay_only"]
    there = [m for m in matches if m["match"] != "run_only"]
    for market in markets:
        name = market["instrument"]
        for side, noun in (("buy", "bought"), ("sell", "sold")):
            mine = amount(here, name, side)
            assert mine == amount(journal, name, side) == Decimal(market[noun])
            assert amount(there, name, side) == Decimal(market[f"replay_{noun}"])
    assert total["fills"] == told["fills"] == total["matched"] + total["run_only"]
    near = 0.01 + 0.001 * total["turnover"]  # at the last sample, not at the last mid of all
    assert total["pnl"] == pytest.approx(told["pnl"], abs=near)
    assert total["pnl_difference"] == pytest.approx(total["pnl"] - total["replay_pnl"])
    counted = [m["cause"] for m in matches if m["cause"]]
    for cause in result.records("fidelity_cause"):
        if cause["cause"].startswith(("fill.", "run_only.", "replay_only.")):
            own = [m for m in matches if m["instrument"] == cause["instrument"]]
            assert cause["count"] == sum(m["cause"] == cause["cause"] for m in own)
            counted = [c for c in counted if c != cause["cause"]]
    assert counted == [], "every class is told of in words"
    other = checked(kimera, folder, "--latency", "profile")
    assert "the run's profile" in other.records("fidelity_basis")[0]["latency"]
    page = kimera("report", "fidelity", folder, "--format", "table", env={"COLUMNS": "80"})
    assert page.code == 0, page.err
    assert "All markets" in page.out
    assert max(map(len, page.out.splitlines())) <= 80


def test_a_killed_run_is_compared_as_far_as_it_was_recorded(kimera: Any, served: Served) -> None:
    process = kimera.start(*words(served, "--for", "1h", *SLOW_ANSWERS), "--out", "killed")
    assert process.stdout is not None
    fills = 0
    for line in process.stdout:
        fills += json.loads(line)["type"] == "fill"
        if fills >= 3:
            break
    busy = kimera("report", "fidelity", "killed")
    assert (busy.code, busy.err_json[-1]["code"]) == (1, "run.busy")
    for pid in [*(p.pid for p in psutil.Process(process.pid).children()), process.pid]:
        os.kill(pid, signal.SIGKILL)
    process.communicate()
    cut = kimera("report", "fidelity", "killed")
    assert cut.err_json[-1]["code"] == "data.run_unfinished"
    assert "kimera journal recover" in cut.err_json[-1]["hint"]
    assert kimera("journal", "recover", "killed").code == 0
    cut = kimera("report", "fidelity", "killed")
    assert cut.err_json[-1]["code"] == "data.recording_cut"
    assert "killed/recording/binance.zst.part" in cut.err_json[-1]["message"]
    result = checked(kimera, "killed", "--partial")
    (basis,) = result.records("fidelity_basis")
    assert basis["recorded_until_ns"] > 0
    total = result.records("agreement")[-1]
    assert total["fills"] == total["matched"], "what both know is the same"
    assert total["same_fills"] or total["replay_fills"] > total["fills"]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, served: Served) -> Path:
    """A short recorded run, to be spoilt."""
    from tests.conftest import Kimera

    kimera = Kimera(tmp_path_factory.mktemp("recorded"))
    told = ran(kimera(*words(served, "--for", "2s", *SLOW_ANSWERS)))
    return kimera.folder / str(told["folder"])


def spoilt(recorded: Path, kimera: Any) -> Path:
    return Path(shutil.copytree(recorded, kimera.folder / "spoilt"))


def refused(kimera: Any, folder: str | Path, *more: str) -> dict[str, Any]:
    result = kimera("report", "fidelity", folder, *more)
    assert result.code != 0
    error = dict(result.err_json[-1])
    assert "Traceback" not in result.err
    assert error["hint"]
    return error


def test_a_recording_that_was_shortened(kimera: Any, recorded: Path) -> None:
    folder = spoilt(recorded, kimera)
    path = folder / "recording" / "kraken.zst"
    path.write_bytes(path.read_bytes()[:-40])
    error = refused(kimera, folder)
    assert error["code"] == "data.recording_cut"
    assert "kraken.zst" in error["message"]
    assert "--partial" in error["hint"]
    checked(kimera, folder, "--partial")


def test_a_recording_that_was_damaged(kimera: Any, recorded: Path) -> None:
    folder = spoilt(recorded, kimera)
    path = folder / "recording" / "binance.zst"
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)
    error = refused(kimera, folder, "--partial")
    assert error["code"].startswith("data.")
    assert "binance.zst" in error["message"]


def test_a_recording_of_something_else(kimera: Any, recorded: Path) -> None:
    folder = spoilt(recorded, kimera)
    (folder / "recording" / "binance.zst").write_bytes(b"price,qty\n1,2\n3,4\n")
    assert "binance.zst" in refused(kimera, folder)["message"]
    shutil.copy(folder / "recording" / "kraken.zst", folder / "recording" / "binance.zst")
    error = refused(kimera, folder)
    assert error["code"] == "data.source_changed"


def test_a_recording_that_is_not_there(kimera: Any, recorded: Path) -> None:
    folder = spoilt(recorded, kimera)
    (folder / "recording" / "binance.zst").unlink()
    error = refused(kimera, folder)
    assert (error["code"], "binance" in error["message"]) == ("data.no_recording", True)
    shutil.rmtree(folder / "recording")
    error = refused(kimera, folder)
    assert error["code"] == "data.no_recording"
    assert "--record" in error["hint"]


def test_a_run_that_was_no_live_one(kimera: Any) -> None:
    kimera("run", "--for", "2s", "--out", "demo", "--quiet")
    error = refused(kimera, "demo")
    assert error["code"] == "usage.fidelity"
    assert "--from" in error["hint"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--latency", "guessed"), "usage.latency"),
        (("--window", "soon"), "usage.duration"),
        (("--keep", "."), "run.folder"),
    ],
)
def test_wrong_words(kimera: Any, recorded: Path, more: tuple[str, ...], code: str) -> None:
    (kimera.folder / "something").touch()
    assert refused(kimera, recorded, *more)["code"] == code


def test_only_live_feeds_are_recorded(kimera: Any) -> None:
    result = kimera("run", "--record", "--for", "1s")
    assert (result.code, result.err_json[-1]["code"]) == (2, "usage.record")
    assert not (kimera.folder / "runs").exists()
