"""Features by name: the hot loop's own numbers (kernels/features.py) over whole recordings."""

from __future__ import annotations

from typing import Any

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.kernels.features import features_run
from kimera_cli.layouts import EVENT, FEATURES, Events, aligned_zeros
from kimera_cli.market.book import new_books


def new_features(n: int, zeros: Any = aligned_zeros) -> Any:
    """Return n fresh feature states, shape (n,) of dtype FEATURES."""
    return zeros(n, FEATURES).view(np.recarray)


class FeatureStream:
    """Book and features of one instrument over a stream of L2 events, fed in slices of any size.

    `advance(events)` returns one FEATURES row per venue message (F_LAST) in the slice, shape (m,);
    NaN policy of kernels/features.py. Raises DataError `data.book` for a level that does not fit.
    """

    def __init__(self) -> None:
        self.book = new_books(1)[0]
        self.state = new_features(1)[0]

    def advance(self, events: Events) -> Any:
        """Take in the next events (dtype EVENT; DEPTH, CLEAR and TRADE count)."""
        if events.dtype != EVENT:
            raise DataError("data.events", f"expected events of dtype EVENT, was {events.dtype}")
        rows = new_features(len(events))
        n = features_run(self.book, self.state, events.view(np.recarray), rows)
        if n < 0:
            raise DataError(
                "data.book",
                f"expected all levels of {len(events)} events to fit the book, was status {-n}",
                "check the recording: kimera fetch check",
            )
        return rows[:n]
