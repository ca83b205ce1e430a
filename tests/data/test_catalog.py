"""The catalog: whole or not at all, once and not twice, and back as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from frames import NOW, T0, diff, only, save, trade
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimera_cli.data import manifest
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import Batch, ImportOptions
from kimera_cli.data.ingest import Import, import_file, open_replay
from kimera_cli.data.parquet import PartWriter, read_rows
from kimera_cli.errors import DataError, KimeraError, UsageError
from kimera_cli.layouts import EVENT, VENUES
from kimera_cli.units import NS_PER_DAY, NS_PER_S

NAME = "binance/BTCUSDT/l2"


def add(catalog: Catalog, path: Path, **options: object) -> Import:
    return import_file(path, catalog, ImportOptions(**options), NOW)  # type: ignore[arg-type]


def recording(folder: Path, start_ns: int = T0, n: int = 10, name: str = "a.txt") -> Path:
    lines = [diff(start_ns + i * NS_PER_S, i + 1, i + 1, [("100.1", f"{i}.5")]) for i in range(n)]
    return save(folder, *lines, name=name)


def everything(catalog: Catalog) -> set[str]:
    """Return all files of the catalog, those of the workshop too, but not the lock."""
    root = catalog.root
    found = {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()}
    return found - {".lock"}


def failure(code: str, action: Callable[[], object]) -> KimeraError:
    with pytest.raises(KimeraError) as caught:
        action()
    assert caught.value.code == code
    return caught.value


def test_what_goes_in_comes_out(tmp_path: Path, catalog: Catalog) -> None:
    path = recording(tmp_path)
    result = add(catalog, path)
    source = catalog.open(NAME)
    events = source.read()
    assert events.tobytes() == only(path).tobytes()
    assert (events["venue"] == VENUES.index("binance")).all()
    assert result.added
    assert (source.rows, source.start_ns, source.end_ns) == (10, T0, T0 + 9 * NS_PER_S)
    assert source.min_latency_ns == 0
    assert source.source_hash == result.source_hash
    assert source.instrument.tick == result.datasets[0].instrument.tick


def test_importing_twice_adds_nothing(tmp_path: Path, catalog: Catalog) -> None:
    path = recording(tmp_path)
    add(catalog, path)
    before = everything(catalog)
    copy = tmp_path / "renamed.txt"
    copy.write_bytes(path.read_bytes())
    again = add(catalog, copy)
    assert not again.added
    assert again.datasets[0].rows == 10
    assert everything(catalog) == before
    assert catalog.get(NAME).rows == 10


def test_two_recordings_follow_one_another_in_time(tmp_path: Path, catalog: Catalog) -> None:
    late = recording(tmp_path, T0 + 3600 * NS_PER_S, name="late.txt")
    early = recording(tmp_path, T0, name="early.txt")
    add(catalog, late)
    add(catalog, early)
    events = catalog.open(NAME).read()
    assert len(events) == 20
    assert (np.diff(events["ts_local_ns"]) > 0).all()
    assert [Path(s.files[0]).name for s in catalog.get(NAME).sources] == ["early.txt", "late.txt"]
    one = catalog.open(NAME, source=catalog.get(NAME).sources[1].hash[:12])
    assert one.start_ns == T0 + 3600 * NS_PER_S
    failure("data.unknown_source", lambda: catalog.open(NAME, source="0123"))


def test_recordings_of_the_same_time_are_not_mixed(tmp_path: Path, catalog: Catalog) -> None:
    add(catalog, recording(tmp_path, T0, name="a.txt"))
    second = recording(tmp_path, T0 + 5 * NS_PER_S, name="b.txt")
    add(catalog, second)
    failure("data.overlap", lambda: catalog.open(NAME).read())
    (source,) = open_replay([str(second)], catalog, ImportOptions(), NOW)
    assert source.start_ns == T0 + 5 * NS_PER_S
    assert len(source.read()) == 10


def test_days_are_parted_at_midnight_utc(tmp_path: Path, catalog: Catalog) -> None:
    midnight = T0 + NS_PER_DAY
    path = recording(tmp_path, midnight - 3 * NS_PER_S)
    info = add(catalog, path).datasets[0]
    assert [(p.partition, p.rows) for p in info.sources[0].parts] == [
        ("2024-08-09", 3),
        ("2024-08-10", 7),
    ]
    assert info.days == 2
    folder = catalog.root / "venue=binance/instrument=BTCUSDT/family=l2"
    assert sorted(p.name for p in folder.glob("day=*")) == ["day=2024-08-09", "day=2024-08-10"]
    assert catalog.open(NAME).read().tobytes() == only(path).tobytes()


def test_several_instruments_of_one_file_are_several_datasets(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = save(
        tmp_path,
        diff(T0, 1, 2, [("100.1", "1")]),
        diff(T0, 1, 2, [("9.25", "1")], symbol="ETHUSDT"),
    )
    result = add(catalog, path)
    assert [info.dataset for info in catalog.datasets()] == [NAME, "binance/ETHUSDT/l2"]
    eth = catalog.root / "venue=binance/instrument=ETHUSDT/family=l2" / manifest.FILE
    eth.unlink()  # as if the import had been killed between the two
    assert catalog.imported(result.source_hash) == []
    assert add(catalog, path).added
    assert [info.rows for info in catalog.datasets()] == [1, 1]


@pytest.mark.parametrize("bad", ["data.step", "data.bad_line"])
def test_a_failed_import_leaves_nothing(tmp_path: Path, catalog: Catalog, bad: str) -> None:
    good = [diff(T0 + i, i + 1, i + 1, [("100.1", "1.5")]) for i in range(40_000)]
    last = diff(T0, 1, 2, [("100.123", "1")]) if bad == "data.step" else "rubbish"
    path = save(tmp_path, *good, last)
    error = failure(bad, lambda: add(catalog, path))
    assert error.details["line"] == 40_001
    assert everything(catalog) == set()
    assert catalog.datasets() == []


KILLED = """
import os, signal, sys
from pathlib import Path
from kimera_cli.data import catalog, manifest, staging
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file

where, root, path, now = sys.argv[1:]
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "writing":
    staging.PartWriter.close = die
elif where == "moving":
    manifest.store = die          # parts are in place, the manifest is not
else:
    os.fsync = die                # manifest written, not yet put in place
import_file(Path(path), catalog.Catalog(Path(root)), ImportOptions(), int(now))
"""


@pytest.mark.parametrize("where", ["writing", "moving", "committing"])
def test_a_killed_import_shows_nothing_and_the_next_one_cleans_up(
    tmp_path: Path, catalog: Catalog, where: str
) -> None:
    first = recording(tmp_path, name="first.txt")
    add(catalog, first)
    before = everything(catalog)
    path = recording(tmp_path, T0 + 3600 * NS_PER_S, name="second.txt")
    args = [sys.executable, "-c", KILLED, where, str(catalog.root), str(path), str(NOW)]
    done = subprocess.run(args, check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert everything(catalog) > before
    assert catalog.get(NAME).rows == 10
    assert catalog.open(NAME).read().tobytes() == only(first).tobytes()

    third = recording(tmp_path, T0 + 7200 * NS_PER_S, name="third.txt")
    add(catalog, third)
    parts = {p for p in everything(catalog) if p.endswith(".parquet")}
    assert len(parts) == 2
    assert not [p for p in everything(catalog) if p.startswith(".staging")]
    assert add(catalog, path).added
    assert catalog.get(NAME).rows == 30


def test_tidying_leaves_living_imports_alone(tmp_path: Path, catalog: Catalog) -> None:
    from kimera_cli.data.staging import workshop

    with workshop(catalog.root) as where:
        assert catalog.tidy() == 0
        assert where.exists()
    assert not where.exists()


def test_tidying_meets_imports_that_end(catalog: Catalog) -> None:
    """A folder that is seen may be gone before its lock is looked at."""
    from kimera_cli.data.staging import workshop

    ended = threading.Event()

    def work(_: int) -> None:
        for _ in range(150):
            with workshop(catalog.root) as where:
                (where / "part").touch()

    def tidy() -> int:
        removed = 0
        while not ended.is_set():
            removed += catalog.tidy()
        return removed

    with ThreadPoolExecutor(4) as pool:
        tidying = pool.submit(tidy)
        try:
            list(pool.map(work, range(3)))
        finally:
            ended.set()
        tidying.result()
    catalog.tidy()
    assert not list((catalog.root / ".staging").iterdir())


def test_imports_at_the_same_time_add_each_recording_once(tmp_path: Path, catalog: Catalog) -> None:
    paths = [recording(tmp_path, T0 + i * 60 * NS_PER_S, name=f"{i}.txt") for i in range(4)] * 3
    gate = threading.Barrier(6)

    def work(path: Path) -> None:
        gate.wait(60)
        add(catalog, path)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, paths))
    assert catalog.get(NAME).rows == 40
    assert len(catalog.get(NAME).sources) == 4


FULL = """
import resource, sys
from pathlib import Path
from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.errors import DataError
root, path, now, limit = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
try:
    import_file(Path(path), Catalog(Path(root)), ImportOptions(), int(now))
except DataError as error:
    print(error.code, error.message)
"""


@pytest.mark.parametrize("limit", [0, 4, 2_000, 30_000])
def test_a_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, catalog: Catalog, limit: int
) -> None:
    rng = np.random.default_rng(1)
    lines = [
        trade(T0 + int(t), i, f"{p}.{c}", f"{q}", s="ETHUSDT")
        for i, (t, p, c, q) in enumerate(rng.integers(1, 10**6, (20_000, 4)))
    ]
    path = save(tmp_path, *lines)
    first = recording(tmp_path, name="first.txt")
    add(catalog, first)
    before = everything(catalog)
    args = [sys.executable, "-c", FULL, str(catalog.root), str(path), str(NOW), str(limit)]
    done = subprocess.run(args, check=True, capture_output=True, text=True)
    assert done.stdout.startswith("data.write ")
    assert done.stderr == ""
    assert everything(catalog) == before
    assert catalog.open(NAME).read().tobytes() == only(first).tobytes()


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    error = failure(
        "data.write", lambda: add(Catalog(tmp_path / "file" / "data"), recording(tmp_path))
    )
    assert "KIMERA_HOME" in error.hint


def test_rows_that_are_not_of_this_age(tmp_path: Path, catalog: Catalog) -> None:
    ahead = save(
        tmp_path, diff(T0, 1, 1, [("1", "1")]), diff(NOW + 2 * NS_PER_DAY, 2, 2, [("1", "1")])
    )
    assert failure("data.time", lambda: add(catalog, ahead)).details["line"] == 2
    in_ms = save(tmp_path, f"{T0 // 10**6:016d} " + diff(T0, 1, 1, [("1", "1")]).partition(" ")[2])
    assert failure("data.time", lambda: add(catalog, in_ms)).details["line"] == 1


def test_time_that_runs_backwards_is_kept_but_not_replayed(
    tmp_path: Path, catalog: Catalog
) -> None:
    path = save(
        tmp_path,
        diff(T0 + 5, 1, 1, [("1", "1")]),
        diff(T0 + 3, 2, 2, [("1", "2")]),
        diff(T0 + 9, 3, 3, [("1", "1")]),
    )
    info = add(catalog, path).datasets[0]
    assert (info.sources[0].backwards, info.sources[0].backwards_line) == (1, 2)
    assert catalog.open(NAME).read()["aux"].tolist() == [1, 2, 3]
    error = failure(
        "data.time_backwards", lambda: open_replay([NAME], catalog, ImportOptions(), NOW)
    )
    assert error.details == {"file": str(path), "line": 2}


def test_a_replay_by_path_imports_first_and_by_name_does_not(
    tmp_path: Path, catalog: Catalog
) -> None:
    notes: list[str] = []
    path = recording(tmp_path)
    for spec in (str(path), str(path), NAME):
        (source,) = open_replay([spec], catalog, ImportOptions(), NOW, notes.append)
        assert (source.dataset, source.rows) == (NAME, 10)
    assert len(notes) == 1


def test_names_that_are_none(tmp_path: Path, catalog: Catalog) -> None:
    add(catalog, recording(tmp_path))
    assert NAME in failure("data.unknown_dataset", lambda: catalog.get("binance/BTCUSD/l2")).hint
    spec = ["binance/BTCUSD/l2"]
    failure("data.unknown_dataset", lambda: open_replay(spec, catalog, ImportOptions(), NOW))
    for name in ("binance", "a/b/c/d", "../../etc", "a/../c", "a//c", "a/.b/c"):
        with pytest.raises(UsageError):
            catalog.get(name)


def test_another_grid_is_refused_until_the_dataset_is_removed(
    tmp_path: Path, catalog: Catalog
) -> None:
    add(catalog, recording(tmp_path))
    finer = save(tmp_path, diff(T0 + NS_PER_DAY, 1, 1, [("100.15", "1")]), name="finer.txt")
    assert failure("data.step", lambda: add(catalog, finer)).details["line"] == 1
    catalog.remove(NAME)
    assert everything(catalog) == set()
    assert str(add(catalog, finer).datasets[0].instrument.tick) == "0.01"


def test_a_damaged_part_is_named(tmp_path: Path, catalog: Catalog) -> None:
    add(catalog, recording(tmp_path))
    source = catalog.open(NAME)
    part = source.files[0]
    data = part.read_bytes()
    part.write_bytes(data[: len(data) // 2])
    assert str(part) in failure("data.damaged_part", source.read).message
    part.unlink()
    failure("data.missing_part", source.read)
    (part.parent.parent / manifest.FILE).write_text("{")
    failure("data.damaged_manifest", catalog.datasets)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 400),
    size=st.integers(1, 200),
    cuts=st.integers(1, 5),
)
def test_any_event_survives_parquet(
    tmp_path: Path, seed: int, n: int, size: int, cuts: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, EVENT)
    for name in EVENT.names or ():
        if name not in ("instrument", "venue", "reserved"):
            info = np.iinfo(EVENT[name])
            rows[name] = rng.integers(info.min, info.max, n, EVENT[name], endpoint=True)
    writer = PartWriter(tmp_path / "part.parquet", EVENT, {})
    for piece in np.array_split(rows, cuts):
        writer.write(piece)
    writer.close()
    chunks = list(read_rows(tmp_path / "part.parquet", EVENT, size))
    assert np.concatenate(chunks).tobytes() == rows.tobytes()
    assert max(map(len, chunks)) <= size


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """A million rows pass through the workshop; what is held at once stays below one row group."""
    from kimera_cli.data.parquet import ROW_GROUP
    from kimera_cli.data.staging import StagedDataset
    from kimera_cli.instrument import Instrument

    instrument = Instrument(
        venue="binance", symbol="X", kind="spot", tick=Decimal(1), lot=Decimal(1)
    )
    staged = StagedDataset(tmp_path, instrument, "l2", "0" * 64)
    held = []

    def batches() -> Iterator[Batch]:
        for i in range(20):
            events = np.zeros(50_000, EVENT)
            events["ts_local_ns"] = T0 + i * NS_PER_DAY // 4
            yield Batch(instrument, "l2", events)

    for batch in batches():
        staged.write(batch)
        held.append(sum(writer._held_rows for writer in staged._writers.values()))
    assert max(held) < ROW_GROUP
    assert sum(each.part.rows for each in staged.finish()) == 1_000_000


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_said(tmp_path: Path) -> None:
    root = tmp_path / "home"
    root.mkdir(mode=0o500)
    failure("data.write", lambda: add(Catalog(root / "data"), recording(tmp_path)))


def test_errors_carry_the_family_of_data(tmp_path: Path, catalog: Catalog) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n")
    with pytest.raises(DataError) as caught:
        add(catalog, path)
    assert caught.value.code == "data.unknown_format"
    assert "--as" in caught.value.hint
