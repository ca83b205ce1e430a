"""`kimera fetch` as a process: streams, exit codes, and what it leaves behind."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

LINES = [
    '1723161600000000000 {"lastUpdateId":5,"bids":[["100.10","2"]],"asks":[["100.20","3"]]}',
    '1723161600100000000 {"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate",'
    '"E":1723161600090,"s":"BTCUSDT","U":6,"u":7,"b":[["100.10","1"]],"a":[]}}',
    '1723161600200000000 {"stream":"btcusdt@trade","data":{"e":"trade","E":1723161600190,'
    '"s":"BTCUSDT","t":1,"p":"100.10","q":"1","T":1723161600190,"m":true,"M":true}}',
]
NAME = "binance/BTCUSDT/l2"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "spot.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in LINES).encode()))
    return path


def test_import_list_show_export_remove(kimera: Any, recording: Path) -> None:
    first, again = kimera("fetch", "import", recording), kimera("fetch", "import", recording)
    assert (first.code, again.code) == (0, 0)
    (added,), (known,) = first.records("imported"), again.records("imported")
    assert (added["dataset"], added["rows"], added["added"]) == (NAME, 5, True)
    assert (known["rows"], known["added"]) == (5, False)

    (listed,) = kimera("fetch", "list").records("dataset")
    assert (listed["dataset"], listed["rows"], listed["days"]) == (NAME, 5, 1)
    assert (listed["tick"], listed["lot"], listed["kind"]) == ("0.1", "1", "spot")
    assert listed["sources"] == [added["source_hash"]]

    shown = kimera("fetch", "show", NAME)
    assert [each["type"] for each in shown.json] == [
        *("dataset", "dataset_source", "dataset_day", "end"),
    ]
    (day,) = shown.records("dataset_day")
    assert (day["day"], day["rows"], day["messages"], day["trades"]) == ("2024-08-09", 5, 3, 1)
    assert (day["low"], day["high"]) == ("100.1", "100.1")

    exported = kimera("fetch", "export", NAME)
    assert exported.end == {"type": "end", "status": "ok", "rows": 5, "code": 0}
    assert [each["kind"] for each in exported.records("event")][-1] == "trade"
    assert kimera("fetch", "export", NAME, "--to", "csv").out.count("\n") == 6
    target = kimera.folder / "x.parquet"
    (file,) = kimera("fetch", "export", NAME, "--to", "parquet", "-o", target).records("exported")
    assert file["bytes"] == target.stat().st_size

    assert kimera("fetch", "remove", NAME).code == 0
    assert kimera("fetch", "list").records("dataset") == []


def test_quiet_says_nothing_when_all_is_well(kimera: Any, recording: Path) -> None:
    done = kimera("--quiet", "fetch", "import", recording)
    assert (done.code, done.out, done.err) == (0, "", "")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "data.missing_file"),
        (b"", "data.empty_file"),
        (gzip.compress(b"", mtime=0), "data.unknown_format"),
        (b"dear diary\n", "data.unknown_format"),
        (gzip.compress(("\n".join(LINES) * 500).encode())[:120], "data.truncated"),
        (("\n".join(LINES)[:-20]).encode(), "data.bad_line"),
        (LINES[1].replace("100.10", "nan").encode(), "data.price"),
        (LINES[1].replace("100.10", "0").encode(), "data.price"),
        (LINES[1].replace("100.10", "-1").encode(), "data.price"),
        (LINES[1].replace("17231616001", "99231616001").encode(), "data.bad_line"),
        (LINES[1].replace("17231616001", "42231616001").encode(), "data.time"),
    ],
)
def test_bad_input_is_said_once_with_exit_code_3(
    kimera: Any, tmp_path: Path, content: bytes | None, code: str
) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    done = kimera("fetch", "import", path)
    assert done.code == 3
    (error,) = done.err_json
    assert error["code"] == code
    assert str(path) in error["message"]
    assert "Traceback" not in done.err
    assert done.end["status"] == "error"
    assert not list((kimera.home / "data").rglob("*.parquet"))


def test_one_bad_recording_does_not_keep_the_others_out(
    kimera: Any, recording: Path, tmp_path: Path
) -> None:
    done = kimera("fetch", "import", tmp_path / "nothing", recording)
    assert done.code == 6
    assert done.end["status"] == "partial"
    assert len(done.records("imported")) == 1
    assert [each["code"] for each in done.err_json] == ["data.missing_file"]


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["import", "x", "--as", "morse"], "usage.format"),
        (["import", "x", "--tick", "0"], "usage.step"),
        (["import", "x", "--lot", "many"], "usage.step"),
        (["show", "BTCUSDT"], "usage.dataset"),
        (["export", NAME, "--to", "xml"], "usage.export_format"),
    ],
)
def test_wrong_usage_is_exit_code_2(
    kimera: Any, tmp_path: Path, args: list[str], code: str
) -> None:
    (tmp_path / "x").write_text("x")
    done = kimera("fetch", *args)
    assert done.code == 2
    assert [each["code"] for each in done.err_json] == [code]


def test_a_data_folder_that_cannot_be(kimera: Any, recording: Path) -> None:
    (kimera.folder / "file").write_text("in the way")
    done = kimera("fetch", "import", recording, env={"KIMERA_HOME": str(kimera.folder / "file")})
    assert done.code == 3
    assert [each["code"] for each in done.err_json] == ["data.write"]


def test_a_damaged_catalog_is_named_by_list(kimera: Any, recording: Path) -> None:
    kimera("fetch", "import", recording)
    (part,) = (kimera.home / "data").rglob("*.parquet")
    part.write_bytes(part.read_bytes()[:100])
    done = kimera("fetch", "list")
    assert done.code == 3
    assert [each["code"] for each in done.err_json] == ["data.damaged_part"]


def test_a_reader_that_leaves_early_is_no_error(kimera: Any, tmp_path: Path) -> None:
    path = tmp_path / "spot.txt"
    path.write_text("".join(f"{line}\n" for line in LINES * 20_000))
    kimera("fetch", "import", path)
    process = kimera.start("fetch", "export", NAME)
    assert process.stdout.readline().startswith(b'{"type":"event"')
    process.stdout.close()
    assert process.wait() == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_table_of_bars_is_imported_without_a_kernel(kimera: Any, tmp_path: Path) -> None:
    """Else the first import on a machine waits half a minute for the compiler."""
    bars = tmp_path / "binance-BTCUSDT-1h.csv"
    rows = "2024-08-08T00:00Z,1,2,1,2,5\n2024-08-08T01:00Z,2,2,1,1,5\n"
    bars.write_text(f"time,open,high,low,close,volume\n{rows}")
    cache = tmp_path / "cache"
    done = kimera("fetch", "import", bars, env={"KIMERA_CACHE": str(cache)})
    assert done.code == 0, done.err
    assert not list(cache.rglob("*.nbi"))
