"""Frames that are nearly right: small changes, aimed at what a parser gets wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

_NUMBER = re.compile(rb"-?\d[\d.eE+-]*")
_TOKENS = (
    *(b'"', b",", b":", b"[", b"]", b"{", b"}", b"\\", b"\0", b"\xff", b"\xc3\xa9", b" ", b"\n"),
    *(b"null", b"true", b"[]", b"{}", b'""', b"[[", b"]]", b'\\"', b"\\u0031", b"-", b"+", b".0"),
    *(b"e5", b"E-3", b"NaN", b"Infinity", b"0", b"00", b"9" * 19, b"1" * 30, b'"new":1,'),
)
_NUMBERS = (
    *(b"0", b"-0", b"0.0", b"00", b"01", b"1.", b".5", b"-1", b"1e5", b"1E-7", b"4.0E7", b"1e400"),
    *(b"0.00001", b"0.000001", b"0.01", b"0.005", b"9" * 17, b"9" * 18, b"9" * 19, b"9" * 30),
    *(b"9223372036854775807", b"9223372036854775808", b"4611686018427387903", b"4294967296"),
    *(b"0." + b"0" * 30, b"1." + b"0" * 17, b"12345678.12345678", b"123456789.123456789", b""),
)


def _change_byte(random: Random, frame: bytes, at: int) -> bytes:
    return frame[:at] + bytes([random.randrange(256)]) + frame[at + 1 :]


def _drop(random: Random, frame: bytes, at: int) -> bytes:
    return frame[:at] + frame[at + random.choice((1, 1, 1, 2, 5, 20)) :]


def _put_token(random: Random, frame: bytes, at: int) -> bytes:
    return frame[:at] + random.choice(_TOKENS) + frame[at:]


def _repeat(random: Random, frame: bytes, at: int) -> bytes:
    end = at + random.choice((1, 2, 8, 40, 200))
    return frame[:end] + frame[at:end] + frame[end:]


def _cut(random: Random, frame: bytes, at: int) -> bytes:
    return frame[:at]


def _put_number(random: Random, frame: bytes, at: int) -> bytes:
    numbers = list(_NUMBER.finditer(frame))
    if not numbers:
        return frame
    found = random.choice(numbers)
    new = random.choice(_NUMBERS)
    if random.random() < 0.5:
        new = str(random.randrange(10 ** random.randrange(1, 20))).encode()
        point = random.randrange(len(new) + 1)
        new = new[:point] + b"." + new[point:] if 0 < point < len(new) else new
    return frame[: found.start()] + new + frame[found.end() :]


_WAYS: tuple[Callable[[Random, bytes, int], bytes], ...] = (
    *(_change_byte, _drop, _put_token, _repeat, _cut),
    *(_put_number,) * 5,
)


def mutant(random: Random, frames: Sequence[bytes]) -> bytes:
    """One of the frames with one to four changes; sometimes the end of another frame."""
    frame = random.choice(frames)
    if random.random() < 0.05:
        other = random.choice(frames)
        frame = frame[: random.randrange(len(frame))] + other[random.randrange(len(other)) :]
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        frame = random.choice(_WAYS)(random, frame, random.randrange(len(frame) + 1))
    return frame
