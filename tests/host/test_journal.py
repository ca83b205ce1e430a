"""The journal tells every edit, and survives every cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kimera_cli.errors import DataError, KimeraError
from kimera_cli.host.journal import BEGIN, DONE, END, INTENT, REVERTED, Journal
from kimera_cli.host.revert import changed

Ticks = Callable[[], int]


@pytest.fixture
def written(tmp_path: Path, ticks: Ticks) -> Path:
    path = tmp_path / "lib" / "j.jsonl"
    with Journal.open(path, ticks) as journal:
        journal.append(BEGIN, profile="hft", boot="b")
        for k, key in enumerate(("swappiness", "stat_interval")):
            path_ = f"/proc/sys/vm/{key}"
            journal.append(INTENT, item=key, path=path_, old="60", new="1", boot="b")
            journal.append(DONE, of=2 + 2 * k, status="applied", found="1", reason="")
        journal.append(END)
    return path


def test_what_was_written_is_read(written: Path) -> None:
    journal = Journal.read(written)
    assert [e.kind for e in journal.entries] == [BEGIN, INTENT, DONE, INTENT, DONE, END]
    assert [e.body["item"] for e in journal.outstanding()] == ["swappiness", "stat_interval"]
    assert journal.complete


def test_one_that_goes_on_is_one_chain(written: Path, ticks: Ticks) -> None:
    with Journal.open(written, ticks) as journal:
        journal.append(REVERTED, of=4, status="reverted", found="60")
    journal = Journal.read(written)
    assert len(journal.entries) == 7
    assert [e.body["item"] for e in journal.outstanding()] == ["swappiness"]


def test_what_was_denied_is_not_taken_back(tmp_path: Path, ticks: Ticks) -> None:
    with Journal.open(tmp_path / "j", ticks) as journal:
        journal.append(INTENT, item="x", path="/proc/sys/a", old="0", new="1", boot="b")
        journal.append(DONE, of=1, status="denied", found="0", reason="no")
        assert journal.outstanding() == []


def damage(path: Path, change: Callable[[list[str]], None]) -> DataError:
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError) as caught:
        Journal.read(path)
    assert caught.value.code == "data.host_journal"
    return caught.value


@pytest.mark.parametrize("line", range(6))
def test_an_edit_of_any_line_is_told_with_its_number(written: Path, line: int) -> None:
    def edit(lines: list[str]) -> None:
        entry = json.loads(lines[line])
        entry["ts_ns"] += 1
        lines[line] = json.dumps(entry)

    assert damage(written, edit).details["line"] == line + 1


@pytest.mark.parametrize("line", range(5))
def test_a_line_taken_out_is_told(written: Path, line: int) -> None:
    assert damage(written, lambda lines: lines.pop(line) and None).details["line"] == line + 1


def test_lines_in_another_order_are_told(written: Path) -> None:
    def swap(lines: list[str]) -> None:
        lines[1], lines[3] = lines[3], lines[1]

    assert damage(written, swap).details["line"] == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"n": 1}', "\x00\xff", "9" * 5000])
def test_a_line_that_is_no_entry_is_told(written: Path, text: str) -> None:
    assert damage(written, lambda lines: lines.__setitem__(2, text)).details["line"] == 3


def test_bytes_that_are_no_text_are_told(written: Path) -> None:
    raw = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([*raw[:3], b"\xff\xfe\x00\n", *raw[4:]]))
    with pytest.raises(DataError) as caught:
        Journal.read(written)
    assert caught.value.details["line"] == 4


def test_every_cut_of_the_last_line_is_dropped(written: Path, ticks: Ticks) -> None:
    whole = written.read_bytes()
    start = whole.rfind(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        written.write_bytes(whole[:end])
        assert len(Journal.read(written).entries) == 5
    with Journal.open(written, ticks) as journal:
        assert not journal.complete
        journal.append(END)
    assert [e.kind for e in Journal.read(written).entries][-2:] == [DONE, END]


def test_one_process_at_a_time(written: Path, ticks: Ticks) -> None:
    with Journal.open(written, ticks), pytest.raises(KimeraError) as caught:
        Journal.open(written, ticks)
    assert caught.value.code == "host.busy"
    Journal.open(written, ticks).close()


def test_one_that_others_may_write_is_not_trusted(written: Path, ticks: Ticks) -> None:
    written.chmod(0o666)
    with pytest.raises(DataError) as caught:
        Journal.open(written, ticks)
    assert "mode 666" in caught.value.message


def test_a_link_is_not_followed(written: Path, ticks: Ticks, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(written)
    with pytest.raises(KimeraError) as caught:
        Journal.open(link, ticks)
    assert caught.value.code == "host.journal"


@pytest.mark.parametrize(
    "path", ["/etc/shadow", "/proc/sys/../../etc/shadow", "/proc/version", "", "/sysroot/x"]
)
def test_a_path_that_apply_never_writes_is_refused(tmp_path: Path, ticks: Ticks, path: str) -> None:
    """Who can forge a chain must still not make root write where he likes."""
    with Journal.open(tmp_path / "j", ticks) as journal:
        journal.append(INTENT, item="x", path=path, old="0", new="1", boot="b")
        with pytest.raises(DataError) as caught:
            changed(journal)
    assert caught.value.details["line"] == 1
