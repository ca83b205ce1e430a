"""Runs with a journal, made by the code that real runs use."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.journal.journal import Journal
from kimera_cli.journal.trades import trade_hash_update
from kimera_cli.layouts import R_AMEND_INTENT, R_FILL, R_INTENT, RECORD
from kimera_cli.records import RunSummary

START_NS = 1_723_000_000_000_000_000
BTC = {"venue": "binance", "symbol": "BTCUSDT", "kind": "spot", "tick": "0.01", "lot": "0.00001"}
XBT = {"venue": "kraken", "symbol": "XBTUSD", "kind": "inverse", "tick": "0.1", "lot": "0.001"}
MANIFEST: dict[str, Any] = {
    "profile": {"run": {"seed": 7}},
    "strategies": [{"name": "maker"}, {"name": "taker"}],
    "sources": [
        {"instrument": BTC | {"quote": "USDT"}},
        {"instrument": XBT | {"base": "XBT", "quote": "USD"}},
    ],
}


def make_rows(n: int, seed: int = 0, first_seq: int = 1) -> np.ndarray:
    """Return n rows of every kind with hostile values among them (NaN, int64 limits)."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, RECORD)
    rows["seq"] = np.arange(first_seq, first_seq + n)
    rows["ts_ns"] = START_NS + np.cumsum(rng.integers(0, 10**6, n))
    rows["ts_exch_ns"] = rows["ts_ns"] - rng.integers(0, 10**5, n)
    rows["kind"] = rng.integers(R_INTENT, R_AMEND_INTENT + 1, n)
    for name, top in (("strategy", 2), ("instrument", 2), ("side", 2), ("type", 2), ("tif", 4)):
        rows[name] = rng.integers(0, top, n)
    for name in ("order_id", "px_ticks", "qty_lots", "left_lots", "tag"):
        rows[name] = rng.integers(0, 10**7, n)
    rows["position_lots"] = rng.integers(-(10**4), 10**4, n)
    rows["mid_ticks"] = rng.normal(6e6, 10, n)
    rows["mid_ticks"][rng.random(n) < 0.1] = np.nan
    rows["fee"] = rng.normal(0, 1, n)
    rows["equity"] = np.nan
    rows["tag"][rng.random(n) < 0.05] = np.iinfo(np.int64).max
    rows["tag"][rng.random(n) < 0.05] = np.iinfo(np.int64).min
    return rows


def make_summary(run: str, folder: Path, rows: np.ndarray) -> RunSummary:
    """Return a summary whose trade hash is that of the rows."""
    trades = hashlib.sha256()
    trade_hash_update(trades, rows)
    return RunSummary(
        run=run, status="complete", events=0, orders=0, fills=int((rows["kind"] == R_FILL).sum()),
        denied=0, pnl=0.0, fees=0.0, max_drawdown=0.0, currency="USD",
        trade_hash=trades.hexdigest(), events_per_s=0.0, seconds=0.0, folder=str(folder),
        fidelity={},
    )  # fmt: skip


@pytest.fixture(scope="session")
def rows_of() -> Callable[..., np.ndarray]:
    return make_rows


@pytest.fixture
def ticking() -> Callable[[], int]:
    """A clock that moves one microsecond per look."""
    steps = itertools.count(0, 1000)
    return lambda: next(steps)


@pytest.fixture
def new_journal(tmp_path: Path, ticking: Callable[[], int]) -> Callable[..., Journal]:
    """Make a journal in a folder of its own name under tmp_path."""

    def make(name: str = "run", durability: str = "batch", **options: Any) -> Journal:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        settings = {"run": "r1", "profile": {}, "created_ns": 1, "monotonic_ns": ticking} | options
        return Journal.create(folder, durability=durability, **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture
def finished_run(tmp_path: Path, ticking: Callable[[], int]) -> Callable[..., RunFolder]:
    """Write a complete run of n rows, in chunks, as the engine does."""

    def make(n: int = 400, *, durability: str = "batch", seed: int = 0) -> RunFolder:
        folder = RunFolder.create(None, MANIFEST, now_ns=START_NS, base=tmp_path / "runs")
        rows = make_rows(n, seed)
        journal = Journal.create(
            folder.path, run=folder.run, profile=MANIFEST["profile"], created_ns=START_NS,
            durability=durability, monotonic_ns=ticking,
        )  # type: ignore[arg-type]  # fmt: skip
        recorder = RunRecorder(folder.path)
        for chunk in np.array_split(rows, 7):
            journal.append(chunk)
            recorder.write(chunk)
        folder.finish(
            "complete", ended_ns=START_NS + 1, summary=make_summary(folder.run, folder.path, rows),
            files=recorder.close(), journal=journal.close(),
        )  # fmt: skip
        return RunFolder.open(folder.path)

    return make
