"""Unpacking: same lines from every packing, and an error with file and line when it is cut."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from kimera_cli.data.streams import CHUNK, open_lines, read_head, sha256
from kimera_cli.errors import DataError

LINES = [f"line {i} {i * i}".encode() for i in range(40_000)]
TEXT = b"\n".join(LINES) + b"\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.fixture(params=PACKERS)
def packed(request: pytest.FixtureRequest) -> bytes:
    return PACKERS[request.param](TEXT)


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "recording.bin"  # the name must not matter
    path.write_bytes(data)
    return path


def test_every_packing_gives_the_same_numbered_lines(tmp_path: Path, packed: bytes) -> None:
    assert list(open_lines(write(tmp_path, packed))) == list(enumerate(LINES, 1))


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_members_that_follow_one_another_are_one_file(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    path = write(tmp_path, pack(TEXT[:1000]) + pack(TEXT[1000:]))
    assert b"".join(line + b"\n" for _, line in open_lines(path)) == TEXT


def test_padding_behind_a_gzip_member_is_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(TEXT) + bytes(512))
    assert sum(1 for _ in open_lines(path)) == len(LINES)


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_a_truncated_archive_names_file_and_line(tmp_path: Path, kind: str) -> None:
    data = PACKERS[kind](TEXT)
    path = write(tmp_path, data[: len(data) * 2 // 3])
    seen = 0
    with pytest.raises(DataError) as caught:  # noqa: PT012  (the error comes while reading)
        for number, line in open_lines(path):
            assert line == LINES[number - 1]
            seen = number
    assert caught.value.code == "data.truncated"
    assert caught.value.details == {"file": str(path), "line": seen + 1}
    assert str(path) in caught.value.message
    assert f"line {seen + 1}" in caught.value.message


@pytest.mark.parametrize("kind", ["gz", "xz", "zst"])
def test_a_flipped_byte_is_found(tmp_path: Path, kind: str) -> None:
    data = bytearray(PACKERS[kind](TEXT))
    data[len(data) // 2] ^= 0x55
    if kind == "zst":  # zstd frames carry no checksum by default: flip in the header instead
        data = bytearray(PACKERS[kind](TEXT))
        data[5] ^= 0xFF
    with pytest.raises(DataError) as caught:
        list(open_lines(write(tmp_path, bytes(data))))
    assert caught.value.code in ("data.damaged", "data.truncated")


def test_rubbish_behind_an_archive_is_damage(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        list(open_lines(write(tmp_path, gzip.compress(TEXT) + b"rubbish")))
    assert caught.value.code == "data.damaged"


def test_a_last_line_without_its_end_and_windows_ends(tmp_path: Path) -> None:
    path = write(tmp_path, b"one\r\ntwo\nthree")
    assert list(open_lines(path)) == [(1, b"one"), (2, b"two"), (3, b"three")]


def test_lines_longer_than_a_block(tmp_path: Path) -> None:
    lines = [b"x" * (3 * CHUNK), b"", b"y" * (CHUNK + 1)]
    path = write(tmp_path, b"\n".join(lines) + b"\n")
    assert [line for _, line in open_lines(path)] == lines


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: None, "data.missing_file"),
        (lambda path: path.write_bytes(b""), "data.empty_file"),
        (lambda path: path.mkdir(), "data.unreadable"),
    ],
)
def test_no_file_no_bytes_no_right(
    tmp_path: Path, make: Callable[[Path], object], code: str
) -> None:
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(DataError) as caught:
        list(open_lines(path))
    assert caught.value.code == code
    assert str(path) in caught.value.message


def test_the_head_of_a_truncated_file_can_still_be_seen(tmp_path: Path) -> None:
    data = gzip.compress(TEXT)
    assert read_head(write(tmp_path, data[: len(data) // 2]), 100) == TEXT[:100]


def test_progress_counts_stored_bytes(tmp_path: Path, packed: bytes) -> None:
    told: list[int] = []
    list(open_lines(write(tmp_path, packed), told.append))
    assert sum(told) == len(packed)


def test_hash_of_one_file_is_its_sha256_and_of_two_depends_on_their_order(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    a.write_bytes(b"left")
    b.write_bytes(b"right")
    assert sha256([a]) == hashlib.sha256(b"left").hexdigest()
    assert sha256([a, b]) != sha256([b, a])
