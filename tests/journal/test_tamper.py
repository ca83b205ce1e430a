"""Any change anywhere in a journal is found, and located."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3

import numpy as np
import pytest

from kimera_cli.engine.run_audit import verify_run
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.journal import tables
from kimera_cli.journal.chain import Header


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tmp_path_factory.mktemp("original")


@pytest.fixture
def run(finished_run, original, tmp_path):
    """A fresh copy of one finished run."""
    if not (original / "run").exists():
        shutil.copytree(finished_run(300).path, original / "run")
    shutil.copytree(original / "run", tmp_path / "copy")
    return RunFolder.open(tmp_path / "copy")


def edit(run, *statements, file="journal.db"):
    with contextlib.closing(sqlite3.connect(run.path / file)) as db, db:
        for statement in statements:
            db.execute(*statement) if isinstance(statement, tuple) else db.execute(statement)


def checks(run):
    return {
        check.check if check.check != "file" else check.file: check for check in verify_run(run)
    }


def bad(run):
    return {name: check for name, check in checks(run).items() if not check.ok}


def columns(table):
    fixed = {
        "header": [*Header.__struct_fields__, "genesis"],
        "audit": ["ts_ns", "kind", "body", "prev_hash", "hash"],
        "head": ["entries", "seq", "hash"],
    }  # fmt: skip
    for projection in tables.PROJECTIONS:
        fixed[projection.name] = [c for c in projection.columns if c != "seq"]
    return fixed[table]


CELLS = [
    (t, c) for t in ("header", "audit", "head", "intents", "orders", "fills") for c in columns(t)
]


def test_an_untouched_run_passes_every_check(run):
    assert bad(run) == {}
    assert set(checks(run)) == {
        "journal", "bulk", "trade_hash",
        "events.parquet", "fills.parquet", "samples.parquet", "markouts.parquet",
    }  # fmt: skip


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_a_changed_cell_is_found_at_its_row(run, table, column):
    with contextlib.closing(sqlite3.connect(run.path / "journal.db")) as db:
        key = "id" if table in ("header", "head") else "seq"
        keys = [k for (k,) in db.execute(f"SELECT {key} FROM {table} ORDER BY {key}")]
        at = keys[len(keys) // 2]
        (value,) = db.execute(f"SELECT {column} FROM {table} WHERE {key} = ?", (at,)).fetchone()
    edit(run, (f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (_altered(value), at)))
    found = bad(run)["journal"]
    assert found.table in (table, "sqlite_master")
    if key == "seq":
        assert (found.table, found.bad_seq) == (table, at)
    if table in ("intents", "orders", "fills"):
        assert column in found.detail


def _altered(value):
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if isinstance(value, str):
        return "bulk" if value == "audit" else value + " "
    return 1 if value is None else value - 1


@pytest.mark.parametrize("table", ["audit", "intents", "orders", "fills"])
@pytest.mark.parametrize("place", [0, 5, -1])
def test_a_deleted_row_is_found(run, table, place):
    with contextlib.closing(sqlite3.connect(run.path / "journal.db")) as db:
        keys = [k for (k,) in db.execute(f"SELECT seq FROM {table} ORDER BY seq")]
    edit(run, f"DELETE FROM {table} WHERE seq = {keys[place]}")
    found = bad(run)["journal"]
    if table != "audit":
        assert (found.table, found.bad_seq) == (table, keys[place])
    else:
        assert found.bad_seq in (keys[place + 1 if place >= 0 else -2], keys[place])


@pytest.mark.parametrize("table", ["intents", "orders", "fills"])
@pytest.mark.parametrize("seq", [-5, 10**6])
def test_an_invented_row_is_found(run, table, seq):
    width = len(columns(table))
    edit(run, f"INSERT INTO {table} VALUES ({seq}{', 1' * width})")
    found = bad(run)["journal"]
    assert (found.table, found.bad_seq) == (table, seq)


def test_two_swapped_entries_are_found(run):
    a, b = (s for (s,) in _query(run, "SELECT seq FROM audit ORDER BY seq LIMIT 2 OFFSET 20"))
    edit(
        run,
        f"UPDATE audit SET seq = -1 WHERE seq = {a}",
        f"UPDATE audit SET seq = {a} WHERE seq = {b}",
        f"UPDATE audit SET seq = {b} WHERE seq = -1",
    )
    found = bad(run)["journal"]
    assert (found.table, found.bad_seq) == ("audit", a)


def _query(run, sql):
    with contextlib.closing(sqlite3.connect(run.path / "journal.db")) as db:
        return db.execute(sql).fetchall()


def test_an_end_cut_off_with_a_forged_head_is_found_by_the_manifest(run):
    (last,), (before,) = _query(run, "SELECT seq FROM audit ORDER BY seq DESC LIMIT 2")
    edit(
        run,
        *(f"DELETE FROM {t} WHERE seq = {last}" for t in ("audit", "intents", "orders", "fills")),
        f"UPDATE head SET entries = entries - 1, seq = {before},"
        f" hash = (SELECT hash FROM audit WHERE seq = {before})",
    )
    found = bad(run)["journal"]
    assert found.bad_seq == before
    assert "manifest" in found.detail
    assert found.entries == run.manifest["journal"]["entries"] - 1


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE fills", "CREATE TABLE extra (a)", "DELETE FROM header", "DELETE FROM head"],
)
def test_a_changed_set_of_tables_is_found(run, statement):
    edit(run, statement)
    assert "journal" in bad(run)


def test_the_second_file_is_checked_too(run):
    edit(
        run,
        "UPDATE audit SET ts_ns = ts_ns + 1 WHERE seq = (SELECT max(seq) FROM audit)",
        file="bulk.db",
    )
    assert set(bad(run)) == {"bulk"}


@pytest.mark.parametrize("change", [{"run": "other"}, {"profile": {"run": {"seed": 8}}}])
def test_a_manifest_of_another_run_is_found(run, change):
    path = run.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    found = bad(RunFolder.open(run.path))["journal"]
    assert (found.table, next(iter(change)) in found.detail) == ("header", True)


def test_a_changed_trade_hash_is_found(run):
    path = run.path / "summary.json"
    summary = json.loads(path.read_text())
    summary["trade_hash"] = "0" * 64
    path.write_text(json.dumps(summary))
    assert set(bad(run)) == {"trade_hash"}


def test_a_changed_or_missing_file_is_found(run):
    data = bytearray((run.path / "fills.parquet").read_bytes())
    data[100] ^= 1
    (run.path / "fills.parquet").write_bytes(data)
    (run.path / "samples.parquet").unlink()
    assert {n: c.detail for n, c in bad(run).items()} == {
        "fills.parquet": "not the bytes written",
        "samples.parquet": "missing",
    }


def _dump(path):
    """Return every cell that SQL can see, or the error."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as db:
            names = [n for (n,) in db.execute("SELECT name FROM sqlite_master ORDER BY name")]
            return [db.execute(f"SELECT * FROM {name}").fetchall() for name in names]
    except (sqlite3.Error, OverflowError) as error:
        return str(error)


def test_single_byte_flips_anywhere_in_the_file(run):
    """What SQL can see is as written, or verify says that it is not."""
    path = run.path / "journal.db"
    whole, before = path.read_bytes(), _dump(path)
    rng = np.random.default_rng(5)
    found = 0
    for at in rng.choice(len(whole), 250, replace=False):
        data = bytearray(whole)
        data[at] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(data)
        try:
            ok = not bad(run)
        except Exception as error:
            assert type(error).__name__ == "DataError", repr(error)  # noqa: PT017
            ok = False
        if ok:
            assert _dump(path) == before, f"byte {at}"
        found += not ok
    assert found > 150


def test_every_single_byte_of_one_entry(run):
    seq, body, prev, digest = _query(
        run, "SELECT seq, body, prev_hash, hash FROM audit LIMIT 1 OFFSET 9"
    )[0]
    for column, value in (("body", body), ("prev_hash", prev), ("hash", digest)):
        for at in range(0, len(value), 7):
            changed = value[:at] + bytes([value[at] ^ 0x10]) + value[at + 1 :]
            edit(run, (f"UPDATE audit SET {column} = ? WHERE seq = ?", (changed, seq)))
            found = bad(run)["journal"]
            assert (found.table, found.bad_seq) == ("audit", seq)
        edit(run, (f"UPDATE audit SET {column} = ? WHERE seq = ?", (value, seq)))
    assert bad(run) == {}


@pytest.mark.parametrize("body", [b"", b"x" * 159, b"x" * 161, None, 7, "text"])
def test_bodies_of_another_size_or_type(run, body):
    seq = _query(run, "SELECT seq FROM audit LIMIT 1 OFFSET 9")[0][0]
    with contextlib.suppress(sqlite3.IntegrityError):
        edit(run, ("UPDATE audit SET body = ? WHERE seq = ?", (body, seq)))
        found = bad(run)["journal"]
        assert (found.table, found.bad_seq) == ("audit", seq)
