"""Run folders written by hand: a tiny one whose every number is known, and a seeded large one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.layouts import (
    ASK,
    BID,
    POST_ONLY,
    R_ACCEPTED,
    R_CANCEL_INTENT,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_INTENT,
    R_MARKOUT,
    R_REJECTED,
    R_SAMPLE,
    RECORD,
)
from kimera_cli.report.run import Run, read

START = 1_723_075_200_000_000_000
"""2024-08-08 00:00:00 UTC."""
S = 1_000_000_000

SPOT = {
    "venue": "binance",
    "symbol": "BTCUSDT",
    "kind": "spot",
    "tick": "0.5",
    "lot": "0.1",
    "base": "BTC",
    "quote": "USDT",
    "settle": "USDT",
    "contract_size": "1",
    "maker_fee": 0.0001,
    "taker_fee": 0.0004,
}
COIN = SPOT | {
    "venue": "binancecoinm",
    "symbol": "BTCUSD_PERP",
    "kind": "inverse",
    "tick": "0.1",
    "lot": "1",
    "quote": "USD",
    "settle": "BTC",
    "contract_size": "100",
}


class Rows:
    """Collects RECORD rows with increasing seq."""

    def __init__(self) -> None:
        self.rows: list[np.ndarray] = []

    def add(self, kind: int, t_s: float, **fields: Any) -> int:
        row = np.zeros(1, RECORD)
        row["seq"], row["kind"] = len(self.rows) + 1, kind
        row["mid_ticks"] = row["equity"] = row["ahead_lots"] = np.nan
        row["ts_exch_ns"] = START + round(t_s * S)
        row["ts_ns"] = row["ts_exch_ns"] + 1_000_000
        for name, value in fields.items():
            row[name] = value
        self.rows.append(row)
        return len(self.rows)

    def array(self) -> np.ndarray:
        return np.concatenate(self.rows) if self.rows else np.empty(0, RECORD)


def manifest(instruments: Sequence[dict[str, Any]], strategies: Sequence[str]) -> dict[str, Any]:
    """Return a manifest as `kimera run` writes it."""
    return {
        "kimera": "0.1.0",
        "command": ["kimera", "run", "--replay", "spot.jsonl.xz"],
        "profile": {"portfolio": {"rates": {"USD": 1.0, "USDT": 1.0}}},
        "sources": [
            {
                "dataset": f"{i['venue']}/{i['symbol']}/l2",
                "source_hash": "ab" * 32,
                "rows": 51_234,
                "start_ns": START,
                "end_ns": START + 100 * S,
                "instrument": i,
            }
            for i in instruments
        ],
        "strategies": [
            {"name": s, "origin": "built-in", "params": {"gamma": 0.1}, "interval_ns": 0}
            for s in strategies
        ],
        "seed": 7,
        "currency": "USD",
        "cash": 1_000.0,
        "fidelity": {
            "source": "recording",
            "queue_model": "risk_averse",
            "latency": {"feed": "recorded", "entry": "1 ms", "response": "1 ms"},
            "fees": "maker 1.0 bps, taker 4.0 bps",
            "feed_shift_ns": 0,
            "data_hash": "cd" * 32,
            "seed": 7,
        },
        "host": {"cpu": "test", "cores": 2},
        "versions": {"python": "3.11", "numpy": "2.2"},
    }


def summary(run: str, **changes: Any) -> dict[str, Any]:
    """Return a run_summary record as JSON-ready values."""
    return {
        "type": "run_summary",
        "run": run,
        "status": "complete",
        "events": 51_234,
        "orders": 0,
        "fills": 0,
        "denied": 0,
        "pnl": 0.0,
        "fees": 0.0,
        "max_drawdown": 0.0,
        "currency": "USD",
        "trade_hash": "ef" * 32,
        "events_per_s": 1e6,
        "seconds": 0.05,
        "folder": "",
        "fidelity": {},
    } | changes


def write_run(
    folder: Path,
    rows: np.ndarray,
    stated: dict[str, Any],
    *,
    status: str = "complete",
    **changes: Any,
) -> Path:
    """Write a run folder; `changes` go into the summary. Running, failed: no data files."""
    folder.mkdir(parents=True)
    body = {"run": folder.name, "started_ns": START, "ended_ns": START + 100 * S} | stated
    (folder / "manifest.json").write_text(json.dumps(body | {"status": status}))
    if status in ("running", "failed"):
        return folder
    files = {"events": None, "fills": R_FILL, "samples": R_SAMPLE, "markouts": R_MARKOUT}
    for name, kind in files.items():
        chosen = rows if kind is None else rows[rows["kind"] == kind]
        columns = {n: np.ascontiguousarray(chosen[n]) for n in RECORD.names or ()}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    body = summary(folder.name, status=status, **changes)
    (folder / "summary.json").write_text(json.dumps(body))
    return folder


def tiny_rows() -> np.ndarray:
    """Three fills on a spot book with tick 0.5 and lot 0.1; the last mid is 105.

    buy 1.0 at 100 (mid 100.5, 10 s later 101.5); sell 1.0 at 103 (mid 102.5, later 101);
    buy 2.0 at 102 as a taker (mid 101.5, later 102.5). PnL = -100 + 103 - 204 + 210 - 0.14 = 8.86.
    """
    rows = Rows()
    fills = [
        # time, order, side, maker, price, lots, mid, fee, ahead, mids after 1, 10, 60 s
        (1.0, 1, BID, 1, 200, 10, 201.0, 0.02, 30.0, (202, 203, 206)),
        (20.0, 2, ASK, 1, 206, 10, 205.0, 0.02, 10.0, (204, 202, 208)),
        (40.0, 3, BID, 0, 204, 20, 203.0, 0.10, 0.0, (204, 205, None)),
    ]
    position = 0
    for t, order, side, maker, px, lots, mid, fee, ahead, after in fills:
        shared = {"order_id": order, "side": side, "px_ticks": px, "qty_lots": lots}
        tif = POST_ONLY if maker else 1
        rows.add(R_INTENT, t - 0.5, **shared, tif=tif)
        rows.add(R_ACCEPTED, t - 0.5, **shared, ahead_lots=ahead)
        position += lots if side == BID else -lots
        seq = rows.add(
            R_FILL,
            t,
            **shared,
            type=maker,
            mid_ticks=mid,
            fee=fee,
            position_lots=position,
            ahead_lots=ahead,
        )
        for horizon, mid_after in zip((1, 10, 60), after, strict=True):
            if mid_after is not None:
                rows.add(
                    R_MARKOUT, t, **shared, type=horizon * S, mid_ticks=mid_after, left_lots=seq
                )
    rows.add(R_INTENT, 50.0, order_id=4, side=ASK, px_ticks=230, qty_lots=5, tif=POST_ONLY)
    rows.add(R_ACCEPTED, 50.0, order_id=4, side=ASK, px_ticks=230, qty_lots=5, ahead_lots=20.0)
    rows.add(R_CANCEL_INTENT, 60.0, order_id=4)
    rows.add(R_CANCELLED, 60.0, order_id=4, qty_lots=5)
    rows.add(R_INTENT, 61.0, order_id=5, side=BID, px_ticks=200, qty_lots=900)
    rows.add(R_DENIED, 61.0, order_id=5, side=BID, px_ticks=200, qty_lots=900, code=4)
    rows.add(R_INTENT, 62.0, order_id=6, side=BID, px_ticks=210, qty_lots=5, tif=POST_ONLY)
    rows.add(R_REJECTED, 62.0, order_id=6, side=BID, px_ticks=210, qty_lots=5, code=1)
    for t, mid, lots, equity in (
        (0, 200, 0, 0.0),
        (2, 204, 10, 1.98),
        (45, 204, 20, 2.86),
        (50, 200, 20, -1.14),
        (95, 210, 20, 8.86),
    ):
        rows.add(R_SAMPLE, t, mid_ticks=mid, position_lots=lots, equity=equity)
    return rows.array()


def coin_rows() -> np.ndarray:
    """One inverse fill: buy 10 contracts of 100 USD at 50,000; the last mid is 52,000: 40 USD."""
    rows = Rows()
    shared = {"order_id": 1, "side": BID, "px_ticks": 500_000, "qty_lots": 10}
    rows.add(R_INTENT, 0.5, **shared, tif=POST_ONLY)
    rows.add(R_FILL, 1.0, **shared, type=1, mid_ticks=500_000.0, position_lots=10)
    coins = 1_000.0 * (1 / 50_000 - 1 / 52_000)
    rows.add(R_SAMPLE, 0.0, mid_ticks=500_000.0, equity=0.0)
    rows.add(R_SAMPLE, 95.0, mid_ticks=520_000.0, position_lots=10, equity=coins)
    return rows.array()


def market_rows(
    seconds: int,
    fills: int,
    seed: int = 3,
    *,
    strategy: int = 0,
    instrument: int = 0,
    scale: float = 120_000.0,
    edge: float = 1.0,
) -> np.ndarray:
    """A seeded market maker on a random walk, sampled each second; fast, for large runs."""
    rng = np.random.default_rng(seed)
    mid = scale + np.cumsum(rng.normal(0, 12, seconds + 61)).round()
    at = np.sort(rng.choice(np.arange(1, seconds - 1), size=fills, replace=fills > seconds - 2))
    side = rng.integers(0, 2, fills)
    maker = rng.random(fills) < 0.9
    sign = np.where(side == BID, 1, -1)
    px = (mid[at] - sign * np.where(maker, edge * rng.integers(1, 25, fills), -5)).astype(np.int64)
    lots = rng.integers(1, 40, fills)
    block = np.zeros(fills * 7 + seconds, RECORD)
    block["mid_ticks"] = block["equity"] = block["ahead_lots"] = np.nan
    block["strategy"], block["instrument"] = strategy, instrument
    kinds = (R_INTENT, R_ACCEPTED, R_FILL, R_MARKOUT, R_MARKOUT, R_MARKOUT, R_CANCELLED)
    price, lot = 0.5, 0.1
    fee = px * price * lots * lot * np.where(maker, -0.00002, 0.0004)
    for k, kind in enumerate(kinds):
        part = block[k * fills : (k + 1) * fills]
        part["kind"], part["order_id"] = (
            kind,
            np.arange(fills) + 1 + strategy * 10**6 + instrument * 10**7,
        )
        part["side"], part["px_ticks"], part["qty_lots"] = side, px, lots
        part["ts_exch_ns"] = START + at * S - (rng.gamma(2, 1.5e9, fills) if k < 2 else 0)
        part["tif"] = np.where(maker, POST_ONLY, 1)
    block["ahead_lots"][fills : 2 * fills] = rng.exponential(60, fills)
    part = block[2 * fills : 3 * fills]
    part["type"], part["mid_ticks"], part["fee"] = maker, mid[at], fee
    part["position_lots"] = np.cumsum(sign * lots)
    cash = -np.cumsum(sign * lots * lot * px * price) - np.cumsum(fee)
    for k, horizon in enumerate((1, 10, 60)):
        part = block[(3 + k) * fills : (4 + k) * fills]
        part["type"] = horizon * S
        part["mid_ticks"] = mid[at + horizon] - sign * 2 * np.log1p(horizon)
        part["left_lots"] = -1
    cancelled = block[6 * fills : 7 * fills]
    cancelled["order_id"] += 500_000
    samples = block[7 * fills :]
    samples["kind"] = R_SAMPLE
    samples["ts_exch_ns"] = START + np.arange(seconds) * S
    samples["mid_ticks"] = mid[:seconds]
    done = np.searchsorted(at, np.arange(seconds), side="right")
    held = np.concatenate(([0], np.cumsum(sign * lots)))[done]
    samples["position_lots"] = held
    samples["equity"] = np.concatenate(([0.0], cash))[done] + held * lot * mid[:seconds] * price
    block["ts_ns"] = block["ts_exch_ns"] + 1_000_000
    extra = block[:fills].copy()
    extra["order_id"] += 500_000
    extra["px_ticks"] += 40
    rows = np.concatenate((block, extra))
    rows = rows[np.argsort(rows["ts_ns"], kind="stable")]
    return _numbered(rows)


def _numbered(rows: np.ndarray) -> np.ndarray:
    """Give rows their seq, and markouts the seq of their fill."""
    rows["seq"] = np.arange(1, len(rows) + 1)
    fills = rows[rows["kind"] == R_FILL]
    seq_of = dict(zip(fills["order_id"].tolist(), fills["seq"].tolist(), strict=True))
    marks = rows["kind"] == R_MARKOUT
    rows["left_lots"][marks] = [seq_of[i] for i in rows["order_id"][marks].tolist()]
    return rows


def merged(*parts: np.ndarray) -> np.ndarray:
    """Return several sleeves as the rows of one run."""
    rows = np.concatenate(parts)
    return _numbered(rows[np.argsort(rows["ts_ns"], kind="stable")])


@pytest.fixture(scope="session")
def kit() -> SimpleNamespace:
    """What tests build runs from."""
    names = ("SPOT", "COIN", "START", "Rows", "tiny_rows", "coin_rows", "market_rows", "merged")
    names += ("manifest", "write_run")
    return SimpleNamespace(**{name: globals()[name] for name in names})


@pytest.fixture
def tiny(tmp_path: Path) -> Run:
    stated = manifest([SPOT], ["glft"])
    return read(RunFolder.open(write_run(tmp_path / "tiny", tiny_rows(), stated, pnl=8.86)))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Run]:
    """Write and read a run: `make(rows, [SPOT], ["glft"], status=...)`."""

    def build(rows: np.ndarray, instruments: Any, strategies: Any, **changes: Any) -> Run:
        name = changes.pop("name", f"run{len(list(tmp_path.iterdir()))}")
        stated = manifest(instruments, strategies) | changes.pop("stated", {})
        return read(RunFolder.open(write_run(tmp_path / name, rows, stated, **changes)))

    return build
