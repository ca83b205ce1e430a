"""The journal of a run: every intent, answer and fill, in order, under a chosen durability.

batch    one transaction per `append`, flushed to the disk by the system: replay and demo.
disk     fsync at each commit. Rows that nobody waits for share a commit, at most `group_commit_ms`
         late; an intent is committed before `commit_intents` returns.
process  rows go into a memory-mapped log first, which survives a killed process; the database
         follows at most `group_commit_ms` later; recovery on open replays what it had not got.

Statistics (samples, markouts) go to a second file, bulk.db, which is never waited for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, Self

import msgspec
import numpy as np

from kimera_cli.errors import KimeraError, RunError
from kimera_cli.journal import log as append_log
from kimera_cli.journal.chain import (
    SCHEMA_VERSION,
    Head,
    Header,
    canonical_hash,
    genesis,
    is_bulk,
    layout_text,
)
from kimera_cli.journal.database import ChainDatabase, refuse_backwards
from kimera_cli.journal.latency import LatencyHistogram
from kimera_cli.journal.lease import take_lease
from kimera_cli.journal.record_file import Rows
from kimera_cli.units import NS_PER_MS

Durability = Literal["batch", "process", "disk"]
JOURNAL = "journal.db"
BULK = "bulk.db"
LOG = "intents.log"


class Store(Protocol):
    """What a journal writes its chain to; SQLite today."""

    @property
    def head(self) -> Head:
        """The chain's end as committed."""

    def append(self, rows: Rows) -> None:
        """Add rows to the open transaction."""

    def commit(self) -> None:
        """Make the open transaction last."""

    def close(self) -> None:
        """Let go of the storage; what was not committed is forgotten."""


class CommitResult(NamedTuple):
    """Answer to `commit_intents`: `ok` False means that the orders must not be sent."""

    ok: bool
    latency_ns: int


class CommitLatency(msgspec.Struct, frozen=True):
    """How long commits took; quantiles to 3 %, the maximum exact."""

    commits: int
    p50_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int


class JournalEnd(msgspec.Struct, frozen=True):
    """Where the chains of a closed journal end; kept in the manifest, so truncation is found."""

    durability: str
    entries: int
    seq: int
    hash: str
    bulk_entries: int
    bulk_seq: int
    bulk_hash: str
    commit_latency: CommitLatency


class Journal:
    """Writes RECORD rows of one run; one writer per run folder."""

    def __init__(
        self,
        store: Store,
        bulk: Store,
        log: append_log.AppendLog | None,
        *,
        durability: Durability,
        monotonic_ns: Callable[[], int],
        group_commit_ms: float = 2.0,
        max_commit_ms: float = 50.0,
    ) -> None:
        self.durability = durability
        self._store, self._bulk, self._log = store, bulk, log
        self._now = monotonic_ns
        self._group_ns = int(group_commit_ms * NS_PER_MS)
        self._max_ns = int(max_commit_ms * NS_PER_MS)
        self._seq = max(store.head.seq, bulk.head.seq)
        self._since: int | None = None
        self._logged: list[Rows] = []
        self._n_logged = 0
        self._latency = LatencyHistogram()
        self._failure: KimeraError | None = None
        self._lease: int | None = None

    @classmethod
    def create(
        cls,
        folder: Path,
        *,
        run: str,
        profile: Mapping[str, Any],
        created_ns: int,
        durability: Durability,
        monotonic_ns: Callable[[], int],
        **timing: float,
    ) -> Self:
        """Start the journal of a new run; `timing`: group_commit_ms, max_commit_ms."""
        lease = take_lease(folder)
        stores: list[ChainDatabase] = []
        for name, chain in ((JOURNAL, "audit"), (BULK, "bulk")):
            header = Header(
                schema_version=SCHEMA_VERSION,
                run=run,
                profile_hash=canonical_hash(profile),
                chain=chain,
                durability=durability,
                created_ns=created_ns,
                layout=layout_text(),
            )
            full = chain == "audit" and durability == "disk"
            stores.append(ChainDatabase.create(folder / name, header, "FULL" if full else "NORMAL"))
        log = _open_log(folder, stores[0].header, durability)
        audit, bulk = stores
        journal = cls(audit, bulk, log, durability=durability, monotonic_ns=monotonic_ns, **timing)
        journal._lease = lease
        return journal

    @classmethod
    def resume(cls, folder: Path, *, monotonic_ns: Callable[[], int], **timing: float) -> Self:
        """Open the journal of a run that was cut off and bring the log's rows into the database."""
        lease = take_lease(folder)
        store = ChainDatabase.open(folder / JOURNAL, "FULL")
        bulk = ChainDatabase.open(folder / BULK, "NORMAL")
        store.append(append_log.waiting(folder / LOG, store.head, genesis(store.header)))
        store.commit()
        durability: Durability = store.header.durability  # type: ignore[assignment]
        log = _open_log(folder, store.header, durability)
        journal = cls(store, bulk, log, durability=durability, monotonic_ns=monotonic_ns, **timing)
        journal._lease = lease
        return journal

    @property
    def head(self) -> Head:
        """The audit chain's end as committed to the database."""
        return self._store.head

    def append(self, rows: Rows) -> None:
        """Take the next rows (any kinds, seq order); waits no longer than the durability asks."""
        self._check_order(rows)
        self._guarded(self._take, rows)
        self.poll()

    def poll(self) -> None:
        """Commit when rows have waited for `group_commit_ms`; to be called when idle."""
        if self._since is None:
            return
        if self.durability == "batch" or self._now() - self._since >= self._group_ns:
            self.flush()

    def commit_intents(self, rows: Rows) -> CommitResult:
        """Take intents and return when the durability holds them; `ok` False: do not send.

        Everything that waited is committed with them. Not ok is a commit slower than
        `max_commit_ms`; the intents are in the journal then, and the engine records that it did
        not send them.
        """
        start = self._now()
        self._check_order(rows)
        self._guarded(self._take, rows)
        if self._log is None:
            self._guarded(self._commit)
        took = self._now() - start
        self._latency.add(took)
        return CommitResult(self.durability == "batch" or took <= self._max_ns, took)

    def flush(self) -> None:
        """Commit everything that waits."""
        start = self._now()
        self._guarded(self._commit)
        if self._log is None:
            self._latency.add(self._now() - start)

    def commit_latency(self) -> CommitLatency:
        """Return how long it took until rows were held as the durability promises."""
        p50, p99, p999 = (self._latency.quantile_ns(q) for q in (0.5, 0.99, 0.999))
        return CommitLatency(self._latency.n, p50, p99, p999, self._latency.max_ns)

    def close(self) -> JournalEnd:
        """Commit, close both files and say where the chains end; after a failure, only close."""
        try:
            if self._failure is None:
                self.flush()
        finally:
            for part in (self._store, self._bulk, self._log):
                if part is not None:
                    part.close()
            if self._lease is not None:
                os.close(self._lease)
                self._lease = None
        return self.end()

    def end(self) -> JournalEnd:
        """Return where the committed chains end."""
        audit, bulk = self._store.head, self._bulk.head
        return JournalEnd(
            self.durability,
            *(audit.entries, audit.seq, audit.hash.hex()),
            *(bulk.entries, bulk.seq, bulk.hash.hex()),
            self.commit_latency(),
        )

    def _check_order(self, rows: Rows) -> None:
        """Refuse rows before anything is touched, so that what was taken stays good."""
        if len(rows):
            refuse_backwards(rows, self._seq)
            self._seq = int(rows["seq"][-1])

    def _take(self, rows: Rows) -> None:
        if not len(rows):
            return
        if self._since is None:
            self._since = self._now()
        bulk = is_bulk(rows)
        self._bulk.append(rows[bulk])
        if self._log is None:
            self._store.append(rows[~bulk])
        else:
            self._take_into_log(self._log, rows[~bulk])

    def _take_into_log(self, log: append_log.AppendLog, rows: Rows) -> None:
        while len(rows):
            if not log.free:
                self._commit()
            part = rows[: log.free]
            log.append(part, self._store.head.entries + self._n_logged + 1)
            self._logged.append(part)
            self._n_logged += len(part)
            rows = rows[len(part) :]

    def _commit(self) -> None:
        if self._n_logged:
            self._store.append(np.concatenate(self._logged))
        self._store.commit()
        self._bulk.commit()
        self._since = None
        if self._log is not None:
            self._logged, self._n_logged = [], 0
            self._log.restart()

    def _guarded(self, action: Callable[..., None], *rows: Rows) -> None:
        """Run a write; after a failure the journal takes nothing more, so no hole can follow."""
        if self._failure is not None:
            raise self._failure
        try:
            action(*rows)
        except KimeraError as error:
            self._failure = error
            raise
        except BaseException:
            self._failure = RunError(
                "run.journal", "expected whole journal writes, was cut off in one"
            )
            raise


def _open_log(folder: Path, header: Header, durability: Durability) -> append_log.AppendLog | None:
    if durability != "process":
        return None
    return append_log.AppendLog(folder / LOG, genesis(header))
