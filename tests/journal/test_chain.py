"""The chain, byte for byte as docs/reference/journal.md specifies it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimera_cli.errors import RunError
from kimera_cli.journal import tables
from kimera_cli.journal.chain import BODY_BYTES, STORED, link, pack, unpack
from kimera_cli.journal.trades import TRADE_FIELDS, trade_hash_update
from kimera_cli.layouts import R_FILL, R_SAMPLE, RECORD

GENESIS = bytes(range(32))


def reference_chain(rows, previous=GENESIS):
    """Return the hashes as the specification says, with nothing of kimera's."""
    hashes = []
    for row in rows:
        head = struct.pack("<qqq", row["seq"], row["ts_ns"], row["kind"])
        body = b"".join(
            struct.pack("<d" if RECORD[n].kind == "f" else "<q", row[n]) for n in RECORD.names
        )
        previous = hashlib.sha256(previous + head + body).digest()
        hashes.append(previous)
    return hashes


def test_body_is_160_bytes_without_padding():
    assert BODY_BYTES == 160 == 8 * len(STORED.names)


def test_hash_is_that_of_the_specification(rows_of):
    rows = rows_of(50)
    assert link(rows, GENESIS) == reference_chain(rows)


def test_bodies_come_back_bit_for_bit(rows_of):
    rows = rows_of(100)
    assert unpack(pack(rows)).tobytes() == rows.tobytes()


@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_any_cut_gives_the_same_chain(cuts):
    rows = np.zeros(60, RECORD)
    rows["seq"] = np.arange(1, 61)
    rows["px_ticks"] = np.arange(60) ** 2
    hashes, previous = [], GENESIS
    for part in np.split(rows, sorted(cuts)):
        hashes += link(part, previous)
        previous = hashes[-1] if hashes else GENESIS
    assert hashes == link(rows, GENESIS)


@settings(max_examples=10, deadline=None)
@given(data=st.data(), durability=st.sampled_from(["batch", "process", "disk"]))
def test_any_cut_and_any_durability_give_the_same_journal(
    data, durability, tmp_path_factory, rows_of
):
    from kimera_cli.journal.journal import Journal

    rows = rows_of(120)
    cuts = data.draw(st.lists(st.integers(0, 120), max_size=6))
    ends = []
    for pieces in (np.split(rows, sorted(cuts)), [rows]):
        journal = Journal.create(
            tmp_path_factory.mktemp("run"), run="r", profile={}, created_ns=1,
            durability=durability, monotonic_ns=lambda: 0,
        )  # fmt: skip
        for piece in pieces:
            if data.draw(st.booleans()):
                journal.commit_intents(piece)
            else:
                journal.append(piece)
        ends.append(journal.close())
    assert ends[0].hash == ends[1].hash
    assert ends[0].bulk_hash == ends[1].bulk_hash
    assert ends[0].entries + ends[0].bulk_entries == 120


def test_genesis_is_the_hash_of_the_header(new_journal, tmp_path):
    new_journal().close()
    db = sqlite3.connect(tmp_path / "run" / "journal.db")
    db.row_factory = sqlite3.Row
    header = dict(db.execute("SELECT * FROM header").fetchone())
    stored = header.pop("genesis")
    header.pop("id")
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    assert hashlib.sha256(text).digest() == stored


def test_tables_hold_what_the_bodies_say(new_journal, tmp_path, rows_of):
    rows = rows_of(300)
    journal = new_journal()
    journal.append(rows)
    journal.close()
    db = sqlite3.connect(tmp_path / "run" / "journal.db")
    fills = db.execute("SELECT seq, px_ticks, fee, mid_ticks, tag FROM fills").fetchall()
    wanted = rows[rows["kind"] == R_FILL]
    assert [f[0] for f in fills] == wanted["seq"].tolist()
    assert [f[1] for f in fills] == wanted["px_ticks"].tolist()
    assert [f[2] for f in fills] == wanted["fee"].tolist()
    assert [f[3] is None for f in fills] == np.isnan(wanted["mid_ticks"]).tolist()
    assert [f[4] for f in fills] == wanted["tag"].tolist()
    held = {
        p.name: db.execute(f"SELECT count(*) FROM {p.name}").fetchone()[0]
        for p in tables.PROJECTIONS
    }
    assert held == {p.name: int(np.isin(rows["kind"], p.kinds).sum()) for p in tables.PROJECTIONS}


def test_statistics_go_to_the_second_file(new_journal, tmp_path, rows_of):
    rows = rows_of(300)
    journal = new_journal()
    journal.append(rows)
    end = journal.close()
    bulk = sqlite3.connect(tmp_path / "run" / "bulk.db")
    kinds = {k for (k,) in bulk.execute("SELECT kind FROM audit")}
    assert R_SAMPLE in kinds
    assert end.bulk_entries == int(np.isin(rows["kind"], [9, 10]).sum())


@pytest.mark.parametrize("durability", ["batch", "process"])
@pytest.mark.parametrize("order", [[0, 1, 1], [2, 1], [-5, 1]])
def test_seq_must_rise(new_journal, rows_of, durability, order):
    journal = new_journal(durability=durability)
    journal.append(rows_of(10))
    wrong = rows_of(len(order), first_seq=11)
    wrong["seq"] = 11 + np.array(order)
    with pytest.raises(RunError) as caught:
        journal.append(wrong)
    assert caught.value.code == "run.journal_order"
    journal.append(rows_of(5, first_seq=11))  # nothing of the refused rows is in the way
    end = journal.close()
    assert end.entries + end.bulk_entries == 15


def reference_trades(rows):
    data = b""
    for row in rows:
        if row["kind"] == R_FILL:
            data += struct.pack("<14q", *(int(row[name]) for name in TRADE_FIELDS))
    return hashlib.sha256(data).hexdigest()


@given(cuts=st.lists(st.integers(0, 80), max_size=8))
def test_trade_hash_does_not_depend_on_cuts(cuts, rows_of):
    rows = rows_of(80)
    hasher = hashlib.sha256()
    for part in np.split(rows, sorted(cuts)):
        trade_hash_update(hasher, part)
    assert hasher.hexdigest() == reference_trades(rows)


def test_trade_hash_is_of_trades_alone(rows_of):
    def of(rows):
        hasher = hashlib.sha256()
        trade_hash_update(hasher, rows)
        return hasher.hexdigest()

    rows = rows_of(200)
    fewer = rows[rows["kind"] != R_SAMPLE].copy()
    fewer["seq"] = np.arange(len(fewer))
    fewer["fee"] += 1.0
    assert of(fewer) == of(rows)
    for name in TRADE_FIELDS:
        other = rows.copy()
        other[name][np.argmax(rows["kind"] == R_FILL)] ^= 1
        assert of(other) != of(rows), name
    assert of(rows[:0]) == hashlib.sha256().hexdigest()


def test_trade_fields_are_all_integers_but_seq_and_kind():
    integers = {name for name in RECORD.names if RECORD[name].kind == "i"}
    assert set(TRADE_FIELDS) == integers - {"seq", "kind"}
