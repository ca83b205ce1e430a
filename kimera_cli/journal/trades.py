"""The trade hash: one number that two runs share only when they traded alike.

It is the sha256 over the integer fields of each R_FILL row in order, 8 bytes little endian each.
seq is left out (it also counts samples, whose interval may change without changing a trade), and
so are floats.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import R_FILL

TRADE_FIELDS = (
    *("ts_ns", "ts_exch_ns", "strategy", "instrument", "order_id", "side", "type", "tif"),
    *("px_ticks", "qty_lots", "left_lots", "code", "position_lots", "tag"),
)


class Hasher(Protocol):
    """What `hashlib.sha256()` returns."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""

    def hexdigest(self) -> str:
        """Return the hash so far."""


def trade_hash_update(hasher: Hasher, rows: Rows) -> None:
    """Feed the fills among `rows` (seq order) to `hashlib.sha256()`; cuts do not matter."""
    fills = rows[rows["kind"] == R_FILL]
    block = np.empty((len(fills), len(TRADE_FIELDS)), "<i8")
    for column, name in enumerate(TRADE_FIELDS):
        block[:, column] = fills[name]
    hasher.update(block.tobytes())
