"""Text of a frame against what is declared: literals, names, words without meaning to us."""

from __future__ import annotations

import numpy as np

from kimera_cli.kernels._jit import inner, part
from kimera_cli.kernels.parse_bytes import find_byte, first_bytes, load8, load64, mixed
from kimera_cli.kernels.parse_layout import NAME_BYTES, NAME_SLOTS, TEXT

_QUOTE, _BACKSLASH, _SPACE, _TILDE = 34, 92, 32, 126


@part
def stands(frame, i, word, mask):
    """Tell whether the masked bytes of `word` stand at i."""
    return (load64(frame, i) ^ word) & mask == np.uint64(0)


@part
def literal_stands(frame, i, op):
    """Tell whether the literal of an op stands at i; up to 32 bytes."""
    good = stands(frame, i, op.words[0], op.masks[0])
    if good and op.length > 8:
        good = stands(frame, i + 8, op.words[1], op.masks[1])
        if good and op.length > 16:
            good = stands(frame, i + 16, op.words[2], op.masks[2])
            if good and op.length > 24:
                good = stands(frame, i + 24, op.words[3], op.masks[3])
    return good


@inner
def common_bytes(frame, i, op):
    """Return how many bytes of the op's literal stand at i before the first that does not."""
    for k in range(op.length):
        expected = (op.words[k >> 3] >> np.uint64(8 * (k & 7))) & np.uint64(255)
        if load8(frame, i + k) != np.int64(expected):
            return np.int64(k)
    return np.int64(op.length)


@part
def name_length(frame, i, end):
    """Return how many bytes stand at i before byte `end`; above NAME_BYTES when it is not near."""
    length = np.int64(0)
    k = np.int64(8)
    while k == 8 and length <= NAME_BYTES:
        k = find_byte(load64(frame, i + length), end)
        length += k
    return length


@inner
def find_name(feed, frame, i, length, spelling):
    """Return the symbol whose name in this spelling stands at i, or -1."""
    a = first_bytes(load64(frame, i), length)
    b = first_bytes(load64(frame, i + 8), length - 8)
    c = first_bytes(load64(frame, i + 16), length - 16)
    d = first_bytes(load64(frame, i + 24), length - 24)
    slot = mixed(a, b, c, d)
    for _ in range(NAME_SLOTS):
        name = feed.names[slot]
        if name.set == 0:
            break
        words = name.words
        if (
            name.spelling == spelling
            and name.length == length
            and words[0] == a
            and words[1] == b
            and words[2] == c
            and words[3] == d
        ):
            return name.symbol
        slot = (slot + 1) & (NAME_SLOTS - 1)
    return np.int64(-1)


@part
def skip_text(frame, i):
    """Go past printable ASCII to the quote behind it; return (0 or -TEXT, cursor)."""
    byte = load8(frame, i)
    while _SPACE <= byte <= _TILDE and byte != _QUOTE and byte != _BACKSLASH:
        i += 1
        byte = load8(frame, i)
    return (np.int64(0) if byte == _QUOTE else np.int64(-TEXT)), i
