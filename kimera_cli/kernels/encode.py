"""Digests as text: lower-case hex, base64 (RFC 4648 section 4), and base64 inside a URL's query.

Same contract as text.py: write at a place, return the place after.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner
from kimera_cli.kernels.text import ZEROS, put_word_big

TOP_16, LOW_16 = np.uint64(0xFFFF_0000), np.uint64(0x0000_FFFF)
SECOND_8, FIRST_8 = np.uint64(0x0000_FF00_0000_FF00), np.uint64(0x0000_00FF_0000_00FF)
SECOND_4, FIRST_4 = np.uint64(0x00F0_00F0_00F0_00F0), np.uint64(0x000F_000F_000F_000F)
ONES, SIX = np.uint64(0x0101_0101_0101_0101), np.uint64(0x0606_0606_0606_0606)
UP_TO_A = np.uint64(ord("a") - ord("0") - 10)

BASE64 = np.frombuffer(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=", np.uint8
).copy()
PAD = 64
"""The place of `=` in BASE64."""
QUOTED = 62
"""From here on the characters of BASE64 are written as %XX in a query: `+`, `/`, `=`."""


@inner
def put_hex(out, at, data, n):
    """Write n bytes (a multiple of 4) as 2 n hex digits."""
    for i in range(0, n, 4):
        four = (np.uint64(data[i]) << np.uint64(24)) | (np.uint64(data[i + 1]) << np.uint64(16))
        four |= (np.uint64(data[i + 2]) << np.uint64(8)) | np.uint64(data[i + 3])
        put_word_big(out, at, _hex_of(four))
        at += 8
    return at


@inner
def _hex_of(four):
    """Return the hex digits of 32 bits as eight bytes, the first the highest."""
    word = ((four & TOP_16) << np.uint64(16)) | (four & LOW_16)
    word = ((word & SECOND_8) << np.uint64(8)) | (word & FIRST_8)
    word = ((word & SECOND_4) << np.uint64(4)) | (word & FIRST_4)
    letters = ((word + SIX) >> np.uint64(4)) & ONES  # 10 to 15 carry into the fifth bit
    return word + ZEROS + letters * UP_TO_A


@inner
def put_base64(out, at, data, n):
    """Write n bytes (n = 1 or 2 modulo 3, as digests are) as padded base64."""
    for i in range(0, n - 2, 3):
        word = (np.int64(data[i]) << 16) | (np.int64(data[i + 1]) << 8) | np.int64(data[i + 2])
        out[at] = BASE64[word >> 18]
        out[at + 1] = BASE64[(word >> 12) & 63]
        out[at + 2] = BASE64[(word >> 6) & 63]
        out[at + 3] = BASE64[word & 63]
        at += 4
    rest = n % 3
    if rest == 0:
        return at
    word = np.int64(data[n - rest]) << 16
    if rest == 2:
        word |= np.int64(data[n - 1]) << 8
    out[at] = BASE64[word >> 18]
    out[at + 1] = BASE64[(word >> 12) & 63]
    out[at + 2] = BASE64[(word >> 6) & 63] if rest == 2 else BASE64[PAD]
    out[at + 3] = BASE64[PAD]
    return at + 4


@inner
def put_base64_in_query(out, at, data, n):
    """Write n bytes as base64 with `+`, `/` and `=` percent-encoded: up to three times as long."""
    for i in range(0, n, 3):
        left = n - i
        word = np.int64(data[i]) << 16
        if left > 1:
            word |= np.int64(data[i + 1]) << 8
        if left > 2:
            word |= np.int64(data[i + 2])
        at = _put_quoted(out, at, word >> 18)
        at = _put_quoted(out, at, (word >> 12) & 63)
        at = _put_quoted(out, at, (word >> 6) & 63 if left > 1 else PAD)
        at = _put_quoted(out, at, word & 63 if left > 2 else PAD)
    return at


@inner
def _put_quoted(out, at, place):
    character = BASE64[place]
    if place < QUOTED:
        out[at] = character
        return at + 1
    out[at] = 37  # %
    upper = np.int64(character)
    out[at + 1] = 48 + (upper >> 4)  # the high digits of + / = are 2, 2 and 3
    low = upper & 15
    out[at + 2] = 55 + low  # the low ones B, F and D
    return at + 3
