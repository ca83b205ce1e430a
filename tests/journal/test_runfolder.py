"""A run folder is complete, or it says that it is not."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from kimera_cli.engine.run_recorder import FILES, RunRecorder
from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.errors import DataError, RunError
from kimera_cli.journal import record_file

NOW = 1_723_000_000_000_000_000


def test_what_was_written_comes_back_bit_for_bit(finished_run, rows_of):
    folder, rows = finished_run(3000), rows_of(3000)
    assert folder.events().tobytes() == rows.tobytes()
    for name, kind in FILES.items():
        read = getattr(folder, name.removesuffix(".parquet"))()
        assert read.tobytes() == rows[rows["kind"] == kind].tobytes()
        assert len(read) > 0
    assert folder.summary().run == folder.run


def test_row_groups_do_not_change_what_is_read(finished_run, rows_of, monkeypatch):
    monkeypatch.setattr(record_file, "ROW_GROUP", 100)
    assert finished_run(1000).events().tobytes() == rows_of(1000).tobytes()


def test_only_the_owner_may_look(finished_run):
    folder = finished_run()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"manifest.json", "summary.json", "journal.db", "bulk.db", "fills.parquet"} <= set(modes)


def test_no_side_files_stay_behind(finished_run):
    names = {p.name for p in finished_run().path.iterdir()}
    assert names == {
        "manifest.json",
        "summary.json",
        "journal.db",
        "bulk.db",
        "events.parquet",
        *FILES,
    }


def test_two_runs_of_one_nanosecond_get_two_folders(tmp_path):
    first, second = (RunFolder.create(None, {}, now_ns=NOW, base=tmp_path) for _ in range(2))
    assert first.run != second.run
    assert first.run.startswith("20240807T030640Z-")
    assert first.path != second.path


def test_manifest_says_running_until_the_end(tmp_path):
    folder = RunFolder.create(tmp_path / "mine", {"seed": 3}, now_ns=NOW)
    assert RunFolder.open(tmp_path / "mine").status == "running"
    folder.update(sources=[])
    assert RunFolder.open(tmp_path / "mine").manifest["sources"] == []
    folder.finish("halted", ended_ns=NOW + 5)
    again = RunFolder.open(tmp_path / "mine")
    assert (again.status, again.manifest["ended_ns"], again.manifest["seed"]) == (
        "halted",
        NOW + 5,
        3,
    )


def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="holds something") as caught:
        RunFolder.create(tmp_path, {}, now_ns=NOW)
    assert caught.value.code == "run.folder"
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError) as caught:
        RunFolder.create(tmp_path / "file" / "run", {}, now_ns=NOW)
    assert caught.value.code == "run.folder"
    with pytest.raises(RunError):
        RunFolder.create(tmp_path / "file", {}, now_ns=NOW)


def test_lookup_by_start_of_id_and_latest(tmp_path):
    runs = [RunFolder.create(None, {}, now_ns=NOW + i * 10**9, base=tmp_path) for i in range(3)]
    assert RunFolder.open(runs[1].run[:20], tmp_path).run == runs[1].run
    assert RunFolder.open("latest", tmp_path).run == runs[2].run
    with pytest.raises(DataError, match="was 3") as caught:
        RunFolder.open("2024", tmp_path)
    assert caught.value.code == "data.run_ambiguous"
    with pytest.raises(DataError, match=f"newest is {runs[2].run}") as caught:
        RunFolder.open("1999", tmp_path)
    assert caught.value.code == "data.run_missing"
    with pytest.raises(DataError, match="not in"):
        RunFolder.open("latest", tmp_path / "none")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x5A
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [_truncate, _remove, _empty])
@pytest.mark.parametrize("name", ["events", "fills", "samples", "markouts"])
def test_damaged_files_name_themselves_and_the_mend(finished_run, damage, name):
    folder = finished_run()
    damage(folder.path / f"{name}.parquet")
    with pytest.raises(DataError, match=rf"{name}\.parquet") as caught:
        getattr(folder, name)()
    assert "kimera journal export" in caught.value.hint


def test_fewer_rows_than_the_manifest_states_are_damage(finished_run, rows_of):
    folder = finished_run()
    file = record_file.RecordParquet(folder.path / "events.parquet")
    file.write(rows_of(399))
    file.close()
    with pytest.raises(DataError, match="399 rows where the manifest has 400"):
        folder.events()


def test_a_table_of_something_else_is_damage(finished_run):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = finished_run()
    pq.write_table(pa.table({"seq": [1, 2]}), folder.path / "fills.parquet")
    with pytest.raises(DataError, match="without ts_ns"):
        folder.fills()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run": "x"}'])
def test_a_broken_manifest_is_an_error_not_a_traceback(finished_run, text):
    folder = finished_run()
    (folder.path / "manifest.json").write_text(text)
    with pytest.raises(DataError) as caught:
        RunFolder.open(folder.path)
    assert caught.value.code == "data.run_manifest"


def test_a_run_without_summary_says_so(finished_run):
    folder = finished_run()
    (folder.path / "summary.json").unlink()
    with pytest.raises(DataError, match=r"summary\.json"):
        folder.summary()


def test_abort_leaves_no_file(tmp_path, rows_of):
    recorder = RunRecorder(tmp_path)
    recorder.write(rows_of(500))
    recorder.abort()
    assert list(tmp_path.iterdir()) == []


def test_nothing_has_its_name_before_close(tmp_path, rows_of):
    recorder = RunRecorder(tmp_path)
    recorder.write(rows_of(500))
    assert not list(tmp_path.glob("*.parquet"))
    infos = recorder.close()
    assert infos["events.parquet"].rows == 500
    assert np.array_equal(
        [i.bytes for i in infos.values()], [(tmp_path / n).stat().st_size for n in infos]
    )


def test_manifest_is_json_for_other_programs(finished_run):
    folder = finished_run()
    manifest = json.loads((folder.path / "manifest.json").read_text())
    assert manifest["files"]["events.parquet"]["rows"] == 400
    assert manifest["journal"]["entries"] + manifest["journal"]["bulk_entries"] == 400
