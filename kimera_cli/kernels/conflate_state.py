"""What waits in front of a ring whose consumer lags: the records of kernels/conflate.py."""

from __future__ import annotations

import numpy as np

from kimera_cli.layouts import MAX_INSTRUMENTS

CONFLATE = np.dtype(
    [
        # addresses and sizes, set by kimera_cli/shm/conflate.py
        ("levels", "i8"),  # EVENT (n_levels_max,): latest state of each pending level
        ("link", "i8"),  # i8 (n_levels_max,): the instrument's next level, -1 at its end
        ("cell_of", "i8"),  # i8 (n_levels_max,): the level's cell
        ("cells", "i8"),  # i8 (2 * n_levels_max,): hash of a level -> its number plus 1; 0: free
        ("kept", "i8"),  # EVENT (n_kept_max,)
        ("out", "i8"),  # EVENT (n_levels_max + n_kept_max + MORE,): the frozen batch
        ("pending", "i8"),  # PENDING (MAX_INSTRUMENTS,)
        ("lasts", "i8"),  # EVENT (LASTS * MAX_INSTRUMENTS,): CLEAR, CHECKSUM, QUOTE bid, QUOTE ask
        ("n_levels_max", "i8"),  # a power of two
        ("n_kept_max", "i8"),
        # what is pending
        ("n_levels", "i8"),
        ("n_kept", "i8"),
        ("n_pending", "i8"),  # events absorbed since the last freeze
        ("n_messages", "i8"),
        ("ts_first_ns", "i8"),  # local time of the oldest pending event
        ("ts_last_ns", "i8"),  # and of the newest
        ("n_out", "i8"),
        ("out_at", "i8"),  # how much of the batch has left
        ("ts_out_ns", "i8"),  # local time of the oldest event in the batch
        ("open", "i8"),  # 1: a message has left in part
        # counts
        ("n_taken", "i8"),  # events accepted
        ("n_passed", "i8"),  # of them, unchanged and at once
        ("n_merged", "i8"),  # levels and quotes that a later state replaced, or a CLEAR forgot
        ("n_delayed", "i8"),  # trades and all else that was kept for later
        ("n_unchecked", "i8"),  # checksums dropped
        ("n_batches", "i8"),
        ("n_refused", "i8"),  # times that not all was accepted
        ("reserved", "i8", (5,)),
    ],
    align=True,
)
"""One buffer, in the producer's own memory."""

PENDING = np.dtype(
    [
        ("lossless", "i8"),  # 1: never conflate this instrument
        ("first", "i8"),  # its first pending level, -1: none
        ("last", "i8"),
        ("messages", "i8"),  # book messages in the pending one
        ("message", "i8"),  # number of the last of them
        ("ref", "i8"),  # of the first
        ("seq", "i8"),  # of the last
        ("ts_exch_ns", "i8"),  # of the last
        ("marks", "i8"),  # F_GAP of any, F_NO_EXCH_TIME of the last
        ("cleared", "i8"),  # bit BID, bit ASK
        ("lasts", "i8"),  # bit LAST_*: which of its `lasts` are pending
        ("reserved", "i8"),
    ],
    align=True,
)
"""What is pending of one instrument."""

LAST_CLEAR = 0
LAST_CHECKSUM = 1
LAST_QUOTE = 2
"""Plus the side."""
LASTS = 4
MORE = LASTS * MAX_INSTRUMENTS
"""Events of a batch that are neither levels nor kept."""
