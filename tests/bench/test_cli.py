"""Every benchmark through the real program, on few events: rows, shape, and what they claim."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

STAGES = ("event_to_book", "book_to_decision", "decision_to_gate", "total")
FRAME_STAGES = ("wire_to_event", *STAGES[:-1], "gate_to_bytes", "total")
INSTRUMENTS = (1, 2, 4, 8, 16, 32, 64)
DEPTHS = (10, 50, 200, 1_000, 5_000)
ROWS = {
    "backtest": {f"backtest.synthetic.{name}-100ms" for name in ("watch", "grid")},
    "book": {"book.synthetic", "book.consolidated"},
    "latency": {
        *("latency.stamps", "latency.frame_to_order.synthetic"),
        *(f"latency.frame_stage.{name}.synthetic" for name in FRAME_STAGES),
        *(
            f"latency.{part}.synthetic"
            for part in ("tick", "message", "recorder", *(f"stage.{name}" for name in STAGES))
        ),
    },
    "match": {"match"},
    "tick": {"tick.synthetic"},
    "gate": {"gate.accept", "gate.mixed"},
    "table": {"table.lookup", "table.lookup_spread", "table.lookup_swapping", "table.swap"},
    "route": {"route.small", "route.deep", "route.minimums"},
    "order": {
        "order.hmac",
        *(f"order.{v}.rest" for v in ("binance", "bybit", "okx", "kraken", "htx")),
        *(f"order.{v}.websocket" for v in ("binance", "bybit", "okx", "kraken")),
        "order.coinbaseexchange.rest",
    },
    "parse": {
        f"parse.{kind}.{venue}"
        for kind in ("depth", "quote", "trade")
        for venue in ("binance", "binanceusdm", "bybit", "okx", "kraken", "coinbase", "htx")
    },
    "features": {"features.synthetic"},
    "wire": {"wire.depth", "wire.trade"},
    "venue": {"venue.rest", "venue.push", "venue.book_alone.binance"}
    | {f"venue.book.{venue}" for venue in ("binance", "kraken", "okx", "bybit", "coinbase")}
    | {
        f"venue.{what}.{venue}.{way}"
        for what in ("order", "order_cpu")
        for venue in ("binance", "okx", "bybit", "kraken")
        for way in ("rest", "websocket")
    },
    "scale": {f"scale.{name}-{n}" for name in ("instruments", "loop") for n in INSTRUMENTS}
    | {f"scale.{name}-{n}" for name in ("depth", "wide") for n in DEPTHS},
    "ring": {
        *("ring.single", "ring.batch", "ring.latency", "counter", "histogram"),
        *(f"{block}.{act}" for block in ("broadcast", "state") for act in ("read", "write")),
        *("conflate.pass", "conflate.absorb"),
    },
    "synthetic": {"synthetic.hawkes", "synthetic.poisson"},
    "import": {"import.binance"},
    "catalog": {"catalog.read.made-up"},
    "replay": {
        f"replay.synthetic.{strategy}-{ms}ms" for strategy in ("watch", "grid") for ms in (100, 10)
    },
    "cold-start": {
        "cold-start.python",
        "cold-start.help",
        "cold-start.run-help",
        "cold-start.run",
    },
}
QUICK = ("--repeats", "2", "--events", "3000")


@pytest.mark.parametrize("name", ROWS)
def test_rows_of(kimera: Any, name: str) -> None:
    done = kimera("bench", name, *QUICK)
    assert done.code == 0, done.err
    rows = done.records("bench")
    assert {row["name"] for row in rows} == ROWS[name]
    assert done.end == {"type": "end", "status": "ok", "rows": len(rows), "code": 0}
    for row in rows:
        assert row["n"] > 0
        assert row["median_ns"] > 0  # a short last batch counts here and not among the quantiles
        assert row["p99_ns"] <= row["p999_ns"] <= row["max_ns"]
        assert row["rate_per_s"] == pytest.approx(1e9 / row["median_ns"], rel=0.01)
        assert len(row["detail"]["repeats_ns"]) == 2
        assert row["detail"]["kind"]
        assert "numba" in row["machine"]
        assert row["commit"]
        assert row["peer"] == ""


def test_every_benchmark_is_tested_here() -> None:
    from kimera_cli.bench.suite import SUITES

    assert set(ROWS) == set(SUITES)


def test_gate_rows_say_what_was_answered(kimera: Any) -> None:
    accept, mixed = kimera("bench", "gate", *QUICK).records("bench")
    assert accept["detail"]["answers"] == {"ok": 3000}
    answers = mixed["detail"]["answers"]
    assert sum(answers.values()) == 3000
    assert set(answers) == {"ok", "max_order", "price_collar", "instrument_filter"}


def test_match_rows_hold_all_kinds_of_orders(kimera: Any) -> None:
    (row,) = kimera("bench", "match", "--repeats", "1", "--events", "20000").records("bench")
    detail = row["detail"]
    assert sum(detail["requests"].values()) == 20000 == row["n"]
    assert all(count > 500 for count in detail["requests"].values())
    assert detail["trades"] > 500
    kinds = {"ok", "unknown_order", "post_only_would_cross", "fok_not_filled", "self_trade"}
    assert kinds | {"ioc_expired"} <= set(detail["answers"])


def test_a_saved_result_compares_with_itself_as_noise(kimera: Any, tmp_path: Path) -> None:
    path = tmp_path / "gate.jsonl"
    assert kimera("bench", "gate", *QUICK, "--save", path).code == 0
    saved = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["name"] for row in saved] == ["gate.accept", "gate.mixed"]
    changes = kimera("bench", "compare", path, path).records("bench_change")
    assert [(c["ratio"], c["verdict"]) for c in changes] == [(1.0, "noise")] * 2


def test_saving_into_a_missing_folder_is_said_with_its_option(kimera: Any, tmp_path: Path) -> None:
    done = kimera("bench", "gate", *QUICK, "--save", tmp_path / "absent" / "x.jsonl")
    assert done.code == 1
    (error,) = done.err_json
    assert "--save" in error["hint"]


def test_a_recording_is_measured_beside_the_synthetic_tape(kimera: Any, shared_data: Path) -> None:
    path = shared_data / "hftbacktest" / "usdm_btcusdt_20240808.gz"
    done = kimera("bench", "book", *QUICK, "--recording", path)
    names = [row["name"] for row in done.records("bench")]
    assert names == ["book.synthetic", "book.usdm_btcusdt_20240808", "book.consolidated"]


def test_a_recording_without_levels_is_refused(kimera: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("nothing that anyone records\n")
    done = kimera("bench", "book", *QUICK, "--recording", path)
    assert done.code == 3
    assert [e["code"] for e in done.err_json] == ["data.unknown_format"]


def test_an_absent_peer_is_named_with_the_extra(kimera: Any, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "hftbacktest.py").write_text("raise ImportError('not installed')\n")
    done = kimera("bench", "gate", *QUICK, "--peers", env={"PYTHONPATH": str(hidden)})
    assert done.code == 2
    (error,) = done.err_json
    assert error["code"] == "usage.peer_absent"
    assert "kimera[peers]" in error["hint"]


def test_help_imports_nothing_heavy(run_python: Any) -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from kimera_cli.main import app;"
        "from kimera_cli import context;"
        "r = CliRunner().invoke(app, ['bench', 'replay', '--help'], obj=context.from_process());"
        "assert r.exit_code == 0, r.output;"
        "print(*[m for m in ('numpy', 'numba', 'hftbacktest', 'ccxt') if m in sys.modules])"
    )
    done = run_python(code)
    assert (done.code, done.out.strip()) == (0, ""), done.err
