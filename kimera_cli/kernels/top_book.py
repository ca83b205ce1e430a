"""A book of the best levels only, with the checksum that its venue computes over it (Kraken).

The channel tells of `depth` levels per side and says nothing of those that fall behind: they are
cut off at the end of each message, in the open, as deletion events before its CHECKSUM, so that
every reader of the events has the right book (data/importers/depth_limit.py does so for
recordings). Sides are arrays sorted from worst to best: what happens near the touch moves little.

The checksum (docs.kraken.com/api/docs/guides/spot-ws-book-v2): CRC32 over the ten best asks from
low to high, then the ten best bids from high to low, of each level the digits of price and size
with the pair's decimals, without point and leading zeros. The CRC goes eight bytes a step (M. E.
Kounavis, F. L. Berry, "Novel Table Lookup-Based Algorithms for High-Performance CRC Generation").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kimera_cli.kernels._jit import inner, kernel
from kimera_cli.kernels.parse_bytes import load64
from kimera_cli.layouts import ASK, BID, DEPTH, F_LAST, F_SNAPSHOT

LEVELS = 1 << 11
"""Levels of a side while a message is applied; channels keep 1,000 at most."""
SUMMED = 10
"""Levels of a side under the checksum."""
_END = SUMMED * 4 * 20
"""Where the digits end in `text`."""
_TEXT = _END + 16

TOP = np.dtype(
    [
        ("depth", "i8"),
        ("px_factor", "i8"),  # of a tick, in units of the last decimal
        ("qty_factor", "i8"),
        ("crc", "i8"),  # of the ten best levels, when `changed` is 0
        ("changed", "i8"),
        ("n", "i8", (2,)),
        ("px", "i8", (2, LEVELS)),
        ("qty", "i8", (2, LEVELS)),
        ("text", "u1", (_TEXT,)),
    ],
    align=True,
)
"""One book, 64 KiB."""

TOP_OK, TOP_FULL, TOP_CROSSED, TOP_WRONG = range(4)


def _tables() -> NDArray[np.uint64]:
    """Return the CRC of each byte (polynomial 0xEDB88320), and of it with 1 to 7 zero bytes
    behind it.
    """
    tables = np.zeros((8, 256), np.uint64)
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        tables[0, byte] = value
    for zeros in range(1, 8):
        before = tables[zeros - 1]
        tables[zeros] = (before >> np.uint64(8)) ^ tables[0][before & np.uint64(255)]
    return tables


_CRC = _tables()
_BYTE = np.uint64(255)
_PLAIN = 0xFFFF ^ (F_LAST | F_SNAPSHOT)
_ALL = np.uint64(0xFFFFFFFF)
_HUNDRED = np.uint64(100)
_PAIRS = np.array([[48 + k // 10, 48 + k % 10] for k in range(100)], np.uint8)


@inner
def _place(top, side, px_ticks):
    """Return the index of the first level that is not worse than px_ticks."""
    low, high = np.int64(0), top.n[side]
    while low < high:
        middle = (low + high) >> 1
        px = top.px[side, middle]
        if (px < px_ticks) if side == BID else (px > px_ticks):
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def top_set(top, side, px_ticks, qty_lots):
    """Put one level; qty_lots 0 removes it. Returns TOP_OK or TOP_FULL."""
    at, n = _place(top, side, px_ticks), top.n[side]
    there = at < n and top.px[side, at] == px_ticks
    if n - at <= SUMMED + 1:
        top.changed = 1
    if there and qty_lots > 0:
        top.qty[side, at] = qty_lots
    elif there:
        for k in range(at, n - 1):
            top.px[side, k] = top.px[side, k + 1]
            top.qty[side, k] = top.qty[side, k + 1]
        top.n[side] = n - 1
    elif qty_lots > 0:
        if n >= LEVELS:
            return np.int64(TOP_FULL)
        for k in range(n, at, -1):
            top.px[side, k] = top.px[side, k - 1]
            top.qty[side, k] = top.qty[side, k - 1]
        top.px[side, at] = px_ticks
        top.qty[side, at] = qty_lots
        top.n[side] = n + 1
    return np.int64(TOP_OK)


@kernel
def top_clear(top):
    """Forget both sides."""
    top.n[BID] = 0
    top.n[ASK] = 0
    top.changed = 1


@inner
def _cut(top, side, events, at):
    """Drop what lies behind the depth; write its deletions to events[at:], like events[0].

    Return the place behind them.
    """
    more = max(top.n[side] - top.depth, 0)
    for k in range(more):
        events[at + k] = events[0]
        event = events[at + k]
        event.kind = DEPTH
        event.side = side
        event.px_ticks = top.px[side, k]
        event.qty_lots = 0
        event["flags"] &= _PLAIN
    if more > 0:
        for k in range(top.depth):
            top.px[side, k] = top.px[side, k + more]
            top.qty[side, k] = top.qty[side, k + more]
        top.n[side] = top.depth
    return at + more


@inner
def _digits(text, at, value):
    """Write a number above zero in decimal, so that it ends before text[at]; return its place.

    Backwards, because then nobody has to know how many digits there are; two a step.
    """
    rest = np.uint64(value)
    while rest >= _HUNDRED:
        above = rest // _HUNDRED
        pair = np.int64(rest - above * _HUNDRED)
        at -= 2
        text[at] = _PAIRS[pair, 0]
        text[at + 1] = _PAIRS[pair, 1]
        rest = above
    pair = np.int64(rest)
    if pair >= 10:
        at -= 1
        text[at] = _PAIRS[pair, 1]
        pair = pair // 10
    at -= 1
    text[at] = np.uint8(48 + pair)
    return at


@inner
def _side_digits(top, side, at):
    """Write the digits of a side's best levels, the best one first, so that they end before `at`;
    return their place.
    """
    n = top.n[side]
    for k in range(max(n - SUMMED, 0), n):
        at = _digits(top.text, at, top.qty[side, k] * top.qty_factor)
        at = _digits(top.text, at, top.px[side, k] * top.px_factor)
    return at


@inner
def _crc32(text, k, n):
    """Return the CRC32 of text[k:n]; eight bytes behind it may be read."""
    crc = _ALL
    while n - k >= 8:
        word = load64(text, k) ^ crc
        crc = (
            _CRC[7, np.int64(word & _BYTE)]
            ^ _CRC[6, np.int64((word >> np.uint64(8)) & _BYTE)]
            ^ _CRC[5, np.int64((word >> np.uint64(16)) & _BYTE)]
            ^ _CRC[4, np.int64((word >> np.uint64(24)) & _BYTE)]
            ^ _CRC[3, np.int64((word >> np.uint64(32)) & _BYTE)]
            ^ _CRC[2, np.int64((word >> np.uint64(40)) & _BYTE)]
            ^ _CRC[1, np.int64((word >> np.uint64(48)) & _BYTE)]
            ^ _CRC[0, np.int64(word >> np.uint64(56))]
        )
        k += 8
    while k < n:
        byte = np.int64((crc ^ np.uint64(text[k])) & _BYTE)
        crc = (crc >> np.uint64(8)) ^ _CRC[0, byte]
        k += 1
    return np.int64(crc ^ _ALL)


@kernel
def top_crc(top):
    """Return the checksum of the ten best levels."""
    if top.changed:
        at = _side_digits(top, np.int64(BID), np.int64(_END))
        at = _side_digits(top, np.int64(ASK), at)
        top.crc = _crc32(top.text, at, np.int64(_END))
        top.changed = 0
    return top.crc


@kernel
def top_message(top, events, n):
    """Apply a message that ends with its CHECKSUM; return (status, events of it now)."""
    for k in range(n - 1):
        e = events[k]
        if e.kind == DEPTH:
            if top_set(top, np.int64(e.side), e.px_ticks, e.qty_lots) != TOP_OK:
                return np.int64(TOP_FULL), n
    more = max(top.n[BID] - top.depth, 0) + max(top.n[ASK] - top.depth, 0)
    if n + more > events.shape[0]:
        return np.int64(TOP_FULL), n
    if more > 0:  # the checksum stays last
        events[n - 1 + more] = events[n - 1]
        _cut(top, np.int64(ASK), events, _cut(top, np.int64(BID), events, n - 1))
        n += more
    bids, asks = top.n[BID], top.n[ASK]
    if bids > 0 and asks > 0 and top.px[BID, bids - 1] >= top.px[ASK, asks - 1]:
        return np.int64(TOP_CROSSED), n
    right = top_crc(top) == events[n - 1].qty_lots
    return np.int64(TOP_OK if right else TOP_WRONG), n
