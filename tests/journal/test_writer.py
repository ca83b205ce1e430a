"""The writer behind the loop writes what a writer in the loop writes."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from kimera_cli.engine.run_recorder import RunRecorder
from kimera_cli.engine.run_writer import RunWriter
from kimera_cli.errors import RunError
from kimera_cli.journal.record_file import read_parquet
from kimera_cli.journal.trades import trade_hash_update


@pytest.fixture
def new_writer(new_journal, tmp_path):
    def make(name, durability="batch"):
        journal = new_journal(name, durability)
        return RunWriter(journal, RunRecorder(tmp_path / name)), journal

    return make


@pytest.mark.parametrize("durability", ["batch", "process", "disk"])
def test_everything_arrives_in_order(new_writer, new_journal, tmp_path, rows_of, durability):
    rows = rows_of(3000)
    writer, _ = new_writer("run", durability)
    for chunk in np.array_split(rows, 60):
        writer.write(chunk)
    written = writer.close()
    direct = new_journal("direct", durability)
    direct.append(rows)
    end = direct.close()
    assert (written.journal.hash, written.journal.bulk_hash) == (end.hash, end.bulk_hash)
    assert read_parquet(tmp_path / "run" / "events.parquet").tobytes() == rows.tobytes()
    trades = hashlib.sha256()
    trade_hash_update(trades, rows)
    assert written.trade_hash == trades.hexdigest()


@pytest.mark.parametrize("durability", ["batch", "process"])
def test_a_failure_reaches_the_caller_and_stops_the_run(new_writer, tmp_path, rows_of, durability):
    rows = rows_of(100)
    writer, _ = new_writer("run", durability)
    writer.write(rows[:50])

    def write_again():
        writer.write(rows[:50])  # the same seq
        writer.close()

    with pytest.raises(RunError) as caught:
        write_again()
    assert caught.value.code == "run.journal_order"
    end = writer.abort()
    assert end.entries + end.bulk_entries == 50
    assert not list((tmp_path / "run").glob("*.parquet*"))


def test_abort_keeps_the_journal_and_drops_the_files(new_writer, tmp_path, rows_of):
    writer, _ = new_writer("run")
    writer.write(rows_of(100))
    end = writer.abort()
    assert end.entries + end.bulk_entries == 100
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"journal.db", "bulk.db"}
