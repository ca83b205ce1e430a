"""A small file is whole or absent, however many processes write it at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kimera_cli.errors import RunError
from kimera_cli.files import replacing, temporary_name, write_atomic

WRITER = """
import sys
from pathlib import Path
from kimera_cli.files import write_atomic
for n in range(150):
    write_atomic(Path(sys.argv[1]), sys.argv[2].encode() * (1 + 997 * n))
"""
HOLDER = """
import sys
from pathlib import Path
from kimera_cli.files import replacing
with replacing(Path(sys.argv[1])) as file:
    file.write(b"x" * 100_000)
    file.flush()
    print(flush=True)
    sys.stdin.read()
"""


def start(program: str, *args: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", program, *args]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def test_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "markets.json"
    writers = [start(WRITER, str(path), letter) for letter in "abc"]
    seen = 0
    while any(each.poll() is None for each in writers):
        if path.exists():
            data = path.read_bytes()
            assert data == data[:1] * len(data)
            assert len(data) % 997 == 1
            seen += 1
    assert seen
    for each in writers:
        each.communicate()
    assert [each.returncode for each in writers] == [0, 0, 0]
    assert names(tmp_path) == ["markets.json"]


def test_a_writer_that_was_stopped_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "kill"
    holder = start(HOLDER, str(path))
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.send_signal(signal.SIGSTOP)
    write_atomic(path, b"ours")
    assert path.read_bytes() == b"ours"
    holder.send_signal(signal.SIGCONT)
    holder.communicate(b"")
    assert path.read_bytes() == b"x" * 100_000, "the last one's stays"
    assert names(tmp_path) == ["kill"]


def test_what_a_killed_writer_left_is_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    holder = start(HOLDER, str(path))
    assert holder.stdout is not None
    holder.stdout.readline()
    holder.kill()
    holder.communicate()
    assert names(tmp_path) == [temporary_name(path).name]
    write_atomic(path, b"short")
    assert path.read_bytes() == b"short"
    assert names(tmp_path) == ["summary.json"]


def test_an_error_in_the_block_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "table"
    write_atomic(path, b"before")
    with pytest.raises(TypeError), replacing(path) as file:
        file.write(b"after" + None)  # type: ignore[operator]
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["table"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file") as caught:
        write_atomic(tmp_path / "absent" / "x", b"")
    assert caught.value.code == "run.folder"
