"""`kimera journal` as a real program."""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess

import numpy as np
import pytest

from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.journal.decode import KINDS
from kimera_cli.journal.record_file import read_parquet


@pytest.fixture
def run(finished_run):
    return finished_run(200)


def test_verify_passes_a_good_run(kimera, run):
    done = kimera("journal", "verify", run.path, "--format", "jsonl")
    assert done.code == 0, done.err
    checks = done.records("journal_check")
    assert [c["check"] for c in checks] == ["journal", "bulk", "trade_hash", *["file"] * 4]
    assert all(c["ok"] for c in checks)
    assert done.end["status"] == "ok"


def test_verify_names_the_table_and_the_seq(kimera, run):
    with sqlite3.connect(run.path / "journal.db") as db:
        (seq,) = db.execute("SELECT seq FROM fills LIMIT 1 OFFSET 3").fetchone()
        db.execute("UPDATE fills SET px_ticks = px_ticks + 1 WHERE seq = ?", (seq,))
    db.close()
    done = kimera("journal", "verify", run.path, "--format", "jsonl")
    assert done.code == 3
    (error,) = [r for r in done.err_json if r["type"] == "error"]
    assert error["code"] == "data.journal_altered"
    assert f"table fills at seq {seq}: px_ticks" in error["message"]
    assert "Traceback" not in done.err


def test_run_by_id_and_latest(kimera, run, tmp_path):
    for name in (run.run[:12], "latest"):
        done = kimera("journal", "verify", name, "--runs", run.path.parent, "--format", "jsonl")
        assert done.code == 0, done.err
    done = kimera("journal", "verify", "nothing", "--format", "jsonl")
    assert (done.code, done.err_json[0]["code"]) == (3, "data.run_missing")


def test_show_reads_like_an_order(kimera, run, rows_of):
    done = kimera(
        "journal", "show", run.path, "--kind", "fill", "--limit", "3", "--format", "jsonl"
    )
    assert done.code == 0, done.err
    rows = rows_of(200)
    fills = rows[rows["kind"] == 5][:3]
    shown = done.records("journal_entry")
    assert [s["seq"] for s in shown] == fills["seq"].tolist()
    for entry, row in zip(shown, fills, strict=True):
        body, first = entry["body"], row["instrument"] == 0
        assert entry["kind"] == "fill"
        assert body["instrument"] == ("binance/BTCUSDT" if first else "kraken/XBTUSD")
        assert body["strategy"] == ("maker", "taker")[row["strategy"]]
        assert body["side"] == ("buy", "sell")[row["side"]]
        tick = 100 if first else 10
        assert float(body["px"]) == pytest.approx(row["px_ticks"] / tick)
        assert body["fee_currency"] == ("USDT" if first else "XBT")
        assert body["maker"] == bool(row["type"])


def test_show_every_kind_in_seq_order(kimera, run, rows_of):
    kinds = rows_of(200)["kind"]
    for extra, wanted in (((), ~np.isin(kinds, [9, 10])), (("--bulk",), np.isin(kinds, [9, 10]))):
        done = kimera("journal", "show", run.path, *extra, "--format", "jsonl")
        shown = done.records("journal_entry")
        assert [s["kind"] for s in shown] == [KINDS[k] for k in kinds[wanted]]


def test_show_since_a_time(kimera, run, rows_of):
    rows = rows_of(200)
    middle = int(rows["ts_ns"][100])
    for text in (str(middle), str(np.datetime64(middle // 1000, "us"))):
        done = kimera("journal", "show", run.path, "--since", text, "--format", "jsonl")
        assert done.code == 0, done.err
        first = done.records("journal_entry")[0]
        assert abs(first["ts_ns"] - middle) < 10**7
        assert first["ts_ns"] >= middle // 1000 * 1000


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("show", "--kind", "fil"), "usage.kind"),
        (("show", "--since", "yesterday"), "usage.time"),
        (("export", "--to", "xlsx"), "usage.export_format"),
    ],
)
def test_wrong_options_say_what_is_accepted(kimera, run, args, code):
    done = kimera("journal", args[0], run.path, *args[1:], "--format", "jsonl")
    assert (done.code, done.err_json[0]["code"]) == (2, code)


@pytest.mark.parametrize("to", ["jsonl", "csv", "parquet"])
def test_export_holds_every_record(kimera, run, rows_of, to, tmp_path):
    out = tmp_path / f"out.{to}"
    done = kimera("journal", "export", run.path, "--to", to, "-o", out, "--format", "jsonl")
    assert done.code == 0, done.err
    (record,) = done.records("exported")
    assert (record["rows"], record["bytes"]) == (200, out.stat().st_size)
    rows = rows_of(200)
    if to == "parquet":
        assert read_parquet(out).tobytes() == rows.tobytes()
    elif to == "jsonl":
        assert [json.loads(x)["seq"] for x in out.read_text().splitlines()] == rows["seq"].tolist()
    else:
        read = list(csv.DictReader(out.open()))
        assert [int(r["tag"]) for r in read] == rows["tag"].tolist()
        assert [r["kind_name"] for r in read] == [KINDS[k] for k in rows["kind"]]


def test_an_export_mends_a_lost_file(kimera, run):
    before = run.events()
    (run.path / "events.parquet").unlink()
    out = run.path / "events.parquet"
    kimera("journal", "export", run.path, "--to", "parquet", "-o", out)
    assert RunFolder.open(run.path).events().tobytes() == before.tobytes()


def test_export_into_a_folder_that_is_not_there(kimera, run, tmp_path):
    done = kimera(
        "journal", "export", run.path, "-o", tmp_path / "no" / "x.jsonl", "--format", "jsonl"
    )
    assert (done.code, done.err_json[0]["code"]) == (1, "run.folder")


def test_follow_ends_when_the_writer_is_gone(kimera, run):
    done = kimera("journal", "show", run.path, "--follow", "--format", "jsonl")
    assert done.code == 0
    assert done.end["rows"] == run.manifest["journal"]["entries"]


def test_follow_shows_what_is_written_meanwhile(kimera, new_journal, tmp_path, rows_of):
    folder = RunFolder.create(tmp_path / "live", {"profile": {}}, now_ns=1)
    journal = new_journal("live", run=folder.run)
    rows = rows_of(100)
    audit = rows[~np.isin(rows["kind"], [9, 10])]
    journal.append(audit[:5])
    with kimera.start("journal", "show", folder.path, "--follow", "--format", "jsonl") as child:
        read = [json.loads(child.stdout.readline())["seq"] for _ in range(5)]
        journal.append(audit[5:9])
        read += [json.loads(child.stdout.readline())["seq"] for _ in range(4)]
        journal.close()
        rest = child.stdout.read().splitlines()
    assert read == audit["seq"][:9].tolist()
    assert json.loads(rest[-1])["type"] == "end"
    assert child.returncode == subprocess.CompletedProcess([], 0).returncode


def test_a_missing_journal_is_a_data_error(kimera, run):
    (run.path / "journal.db").write_bytes(b"not a database, but long enough to be read as one" * 9)
    done = kimera("journal", "verify", run.path, "--format", "jsonl")
    assert done.code == 3
    (run.path / "journal.db").unlink()
    for command in ("verify", "show", "export"):
        done = kimera("journal", command, run.path, "--format", "jsonl")
        assert (done.code, done.err_json[0]["code"]) == (3, "data.journal"), command


def test_help_imports_nothing_heavy(run_python):
    code = (
        "import sys; sys.argv = ['kimera', 'journal', 'show', '--help']\n"
        "from kimera_cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "bad = {'numpy', 'pyarrow', 'numba', 'sqlite3', 'pandas'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    done = run_python(code)
    assert done.code == 0, done.err
