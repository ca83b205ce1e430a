"""Table files: whole or absent, the same after a round trip, and refused by file and field."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from leaning import OFI, QI, T0, leaning_states

from kimera_cli.ensemble import next_move, quantiser
from kimera_cli.ensemble.fill import Stamp, fill
from kimera_cli.ensemble.listing import cell_records, table_record
from kimera_cli.ensemble.table_file import FORMAT, Learnt, TableFile, load, pack, save
from kimera_cli.errors import DataError
from kimera_cli.layouts import TABLE_ENTRY


@pytest.fixture(scope="module")
def table() -> TableFile:
    past = leaning_states(1_500, seed=1)
    axes = [(QI, 16), (OFI, 4)]
    member = next_move.learn(past, (QI, OFI))
    cut = quantiser.learn(past.x, axes)
    end = int(past.ts_ns[-1])
    side = fill(member, cut, past, Stamp(3, end, end + 10**12))
    learnt = Learnt(
        dataset="a/B/l2", source_hash="0" * 64, start_ns=T0, end_ns=end, states=1_500,
        moves=1_400, mean_ticks=0.1,
    )  # fmt: skip
    return pack(side, cut, member, learnt, expires_ns=end + 10**12, min_confidence=0.95, kimera="0")


def test_a_round_trip_changes_nothing(table, tmp_path):
    path = tmp_path / "a.table"
    digest = save(path, table)
    again = load(path)
    assert again == table
    assert path.read_bytes().startswith(FORMAT + digest.encode())
    assert [p.name for p in tmp_path.iterdir()] == ["a.table"]
    assert again.side().tobytes() == table.side().tobytes()
    x = leaning_states(50, seed=2).x
    assert np.array_equal(again.member().expect(x), table.member().expect(x))
    assert np.array_equal(again.quantiser().cells_of(x), table.quantiser().cells_of(x))


def test_every_cell_says_what_the_member_says_all_over_it(table):
    """Asked anew at random points, a cell that is sure is hardly ever wrong."""
    member, cut = table.member(), table.quantiser()
    x = leaning_states(4_000, seed=9).x
    fresh = member.decide(*member.expect(x))
    entries = table.side()["entries"][0][cut.cells_of(x)]
    sure = (entries["version"] > 0) & (entries["confidence"] >= 0.999)
    assert sure.mean() > 0.5
    assert (entries["action"][sure] == fresh[sure]).mean() > 0.99
    share = entries["confidence"][~sure].mean()
    agreed = (entries["action"][~sure] == fresh[~sure]).mean()
    assert abs(share - agreed) < 0.1, "confidence is the share of the cell that agrees"


def test_listing_bounds_follow_each_other(table):
    cells = list(cell_records(table))
    record = table_record(Path("x"), table, "f" * 64)
    assert (record.cells, record.filled, record.axes) == (
        64,
        len(cells),
        "queue_imbalance:16,ofi:4",
    )
    assert cells[0].bounds["queue_imbalance"][0] is None
    by_cell = {c.cell: c for c in cells}
    assert by_cell[4].bounds["queue_imbalance"][0] == by_cell[0].bounds["queue_imbalance"][1]
    assert all(abs(c.p_sell + c.p_hold + c.p_buy - 1) < 1e-6 for c in cells)


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(FORMAT + hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    return path


@pytest.mark.parametrize("keep", [0, 3, 40, 85, 86, 200, -1])
def test_a_cut_file_is_refused(table, tmp_path, keep):
    path = tmp_path / "a.table"
    save(path, table)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"a\.table") as caught:
        load(path)
    assert caught.value.code in ("data.table_format", "data.table_damaged")


def test_a_changed_byte_is_refused_wherever_it_is(table, tmp_path):
    path = tmp_path / "a.table"
    save(path, table)
    raw = path.read_bytes()
    for at in range(len(FORMAT), len(raw), len(raw) // 40):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 4]) + raw[at + 1 :])
        with pytest.raises(DataError):
            load(path)


@pytest.mark.parametrize("raw", [b"", b"\n", b"PK\x03\x04", b"kimera-table 2 sha256 00\n"])
def test_another_file_is_no_table(tmp_path, raw):
    path = tmp_path / "a.table"
    path.write_bytes(raw)
    with pytest.raises(DataError, match="another kind or version"):
        load(path)
    with pytest.raises(DataError, match="No such file"):
        load(tmp_path / "none.table")


def damaged(table: TableFile, **fields: Any) -> bytes:
    return msgspec.msgpack.encode({**msgspec.to_builtins(table, builtin_types=(bytes,)), **fields})


def entries(table: TableFile, **fields: float) -> bytes:
    held = np.frombuffer(table.entries, TABLE_ENTRY).copy()
    for name, value in fields.items():
        held[name][5] = value
    return held.tobytes()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: {"version": 0}, "$.version"),
        (lambda t: {"version": "3"}, "$.version"),
        (lambda t: {"extra": 1}, "extra"),
        (lambda t: {"expires_ns": 5}, "$.expires_ns"),
        (lambda t: {"axes": ["ofi", "ofi"]}, "$.axes"),
        (lambda t: {"axes": ["ofi", "gamma"]}, "$.axes"),
        (lambda t: {"axes": []}, "$.axes"),
        (lambda t: {"edges": t.edges[:1]}, "$.edges"),
        (lambda t: {"edges": [t.edges[0][:-3], t.edges[1]]}, "$.edges"),
        (lambda t: {"edges": [t.edges[0][::-1], t.edges[1]]}, "$.edges"),
        (lambda t: {"edges": [b"\0" * 8 * 80, t.edges[1]]}, "$.edges"),
        (lambda t: {"entries": t.entries[:-64]}, "$.entries"),
        (lambda t: {"entries": entries(t, p_buy=0.7)}, "$.entries"),
        (lambda t: {"knots": [b"", t.knots[1]]}, "$.knots"),
        (lambda t: {"moves": t.moves[:-8]}, "$.moves"),
        (lambda t: {"points": b"\xff" * len(t.points)}, "$.moves"),
        (lambda t: {"width": 0.0}, "$.width"),
        (lambda t: {"edge_ticks": float("nan")}, "$.width"),
        (lambda t: {"min_confidence": 1.5}, "$.min_confidence"),
        (lambda t: {"learnt": {"dataset": "a"}}, "$.learnt"),
    ],
)
def test_a_field_that_cannot_be_is_named_with_the_file(table, tmp_path, change, said):
    path = write(tmp_path / "b.table", damaged(table, **change(table)))
    with pytest.raises(DataError) as caught:
        load(path)
    assert caught.value.code == "data.table_field"
    assert said in caught.value.message
    assert "b.table" in caught.value.message
    assert caught.value.details["file"] == str(path)


@pytest.mark.parametrize(
    "change",
    [{"p_buy": 3.0}, {"action": 2}, {"version": 9}, {"expected_ticks": np.nan}, {"learned_ns": 1}],
)
def test_entries_with_good_checksums_must_still_make_sense(table, tmp_path, change):
    from kimera_cli.kernels.table import seal_entries

    side = table.side()
    for name, value in change.items():
        side["entries"][name][0, 5] = value
    seal_entries(side.ctypes.data)
    cells = table.quantiser().cells
    body = damaged(table, entries=side["entries"][0, :cells].tobytes())
    with pytest.raises(DataError, match=r"\$.entries"):
        load(write(tmp_path / "c.table", body))


def test_a_write_that_fails_leaves_the_old_table(table, tmp_path, monkeypatch):
    path = tmp_path / "a.table"
    save(path, table)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Exception, match="room"):
        save(path, msgspec.structs.replace(table, version=4))
    monkeypatch.undo()
    assert load(path).version == 3
    assert [p.name for p in tmp_path.iterdir()] == ["a.table"]
