"""Watches a table while it is used: hit rate, age, and agreement on lookups that the reader kept.

The hot path keeps every n-th lookup (kernels/table.py). `look_back` takes them, lets the member
decide anew at the same states, and counts; it runs between slices of the loop, never inside.
"""

from __future__ import annotations

import numpy as np

from kimera_cli.ensemble.agreement import use_record
from kimera_cli.ensemble.publish import PrivateMemory, Publisher, Reader
from kimera_cli.ensemble.table_file import TableFile
from kimera_cli.errors import UsageError
from kimera_cli.layouts import I64
from kimera_cli.records import TableUse

SAMPLE_EVERY = 16


class Watch:
    """A table in use by one strategy in one instrument; `address` is what view.table holds."""

    def __init__(
        self,
        table: TableFile,
        *,
        min_confidence: float | None = None,
        max_age_ns: int = 0,
        sample_every: int = SAMPLE_EVERY,
    ) -> None:
        self.table = table
        self.member = table.member()
        self.min_confidence = table.min_confidence if min_confidence is None else min_confidence
        self.memory = PrivateMemory()
        Publisher(self.memory).publish(table.side())
        self.reader = Reader(
            self.memory,
            min_confidence=self.min_confidence,
            max_age_ns=max_age_ns,
            min_version=table.version,
            sample_every=sample_every,
        )
        self._parts: list[tuple[I64, I64, I64, I64]] = []

    @property
    def address(self) -> int:
        """Address of the reader's TABLE_USE."""
        return self.reader.address

    def look_back(self) -> None:
        """Compare the lookups that were kept since the last call with fresh decisions."""
        kept = self.reader.take_samples()
        if len(kept):
            fresh = self.member.decide(*self.member.expect(kept["x"]))
            action = kept["action"].astype(np.int64)
            self._parts.append((kept["ts_ns"].copy(), kept["status"].copy(), action, fresh))

    def record(self, dataset: str, strategy: str = "") -> TableUse:
        """Return what came of it so far."""
        self.look_back()
        nothing = (np.zeros(0, np.int64),) * 4
        columns = zip(*(self._parts or [nothing]), strict=True)
        ts_ns, status, action, fresh = (np.concatenate(parts) for parts in columns)
        return use_record(
            dataset,
            self.table,
            self.min_confidence,
            self.reader.tally(),
            (ts_ns, status, action, fresh),
            strategy,
        )


def check_instrument(table: TableFile, dataset: str, path: str) -> None:
    """Raise UsageError `usage.table` when a table was learnt on another instrument."""
    learnt, used = table.learnt.dataset.rsplit("/", 1)[0], dataset.rsplit("/", 1)[0]
    if learnt != used:
        raise UsageError(
            "usage.table",
            f"expected a table of {used}, was one of {learnt} in {path}",
            f"fill one: kimera ensemble table fill {dataset} --out FILE",
        )
