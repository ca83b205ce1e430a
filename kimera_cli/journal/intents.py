"""The intents journal of one account: what was meant is here before a byte of it is on the wire.

disk     an order's entry is on the disk (fsync) when `release` returns; entries that nobody waits
         for (answers, fills) share a commit, at most `group_commit_ms` late.
process  entries go into a memory-mapped log first, which survives a killed process; the database
         follows at most `group_commit_ms` later; opening replays what it had not got. After a power
         cut the tail may be lost, so intent numbers are reserved on the disk in blocks: no client
         id is ever given twice, and orders of the lost tail are recognised by theirs.

Whatever moment a process is killed at, each intent is afterwards new (not sent, for certain), sent
(in doubt: to be looked up), or where its last entry left it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import msgspec

from kimera_cli.errors import KimeraError, RunError, UsageError
from kimera_cli.files import write_error
from kimera_cli.journal.frame_log import FrameLog
from kimera_cli.journal.intent_replay import (
    DATABASE,
    KEPT,
    LOG,
    packed,
    recover,
    rows_of,
    told_fills,
)
from kimera_cli.journal.intent_store import IntentsHeader, IntentStore, StoredEntry
from kimera_cli.journal.owner import Owner
from kimera_cli.units import NS_PER_MS
from kimera_cli.venues.orders.account_orders import AccountOrders, OrderChange
from kimera_cli.venues.orders.client_id import IntentKey, client_id, session_of
from kimera_cli.venues.orders.entry import Baseline, Entry, Planned, Released, Withheld
from kimera_cli.venues.orders.lookup import Resend, resend_of
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import Intent, OrderUpdate, VenueFill

Durability = Literal["disk", "process"]
BLOCK = 4096
"""Intent numbers that are reserved at once."""
CHECKPOINT_ROWS = 2000
FORGET_ROWS = 500
"""Settled orders beyond the newest KEPT are forgotten so many at a time: half a millisecond."""

_ENCODE = msgspec.json.Encoder().encode


class Commit(NamedTuple):
    """Answer to `release`: `ok` False means that the orders must not be sent."""

    ok: bool
    latency_ns: int


class Timing(NamedTuple):
    """Limits of waiting, and the clock that they are measured by."""

    monotonic_ns: Callable[[], int]
    group_commit_ms: float = 2.0
    max_commit_ms: float = 50.0


class IntentJournal:
    """The writing side; one per account, see owner.py."""

    def __init__(
        self,
        store: IntentStore,
        orders: AccountOrders,
        owner: Owner,
        log: FrameLog | None,
        timing: Timing,
    ) -> None:
        self.orders = orders
        """All orders and fills of the account as the journal has them."""
        self.durability: Durability = "disk" if log is None else "process"
        self._store, self._owner, self._log, self._timing = store, owner, log, timing
        self._entries: list[StoredEntry] = []
        self._changed: dict[str, OrderState] = {}
        self._fills: list[tuple[VenueFill, int | None]] = []
        self._since: int | None = None
        self._seq = store.seq
        self._next = max(store.last_number(), store.reserved) + 1
        self._reserved = store.reserved
        self._failure: KimeraError | None = None

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        venue: str,
        account: str,
        durability: Durability,
        entropy: bytes,
        now_ns: int,
        timing: Timing,
    ) -> Self:
        """Open an account's journal, made if there is none, and bring it up to its last entry.

        `entropy` (16 random bytes) names a journal that is made now. RunError `run.account_busy`
        when another process owns it; UsageError `usage.journal` when it is another account's.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise write_error(folder, error) from error
        owner = Owner.take(folder)
        try:
            header = IntentsHeader(
                session=session_of(entropy), venue=venue, account=account, created_ns=now_ns
            )
            full: Literal["FULL", "NORMAL"] = "FULL" if durability == "disk" else "NORMAL"
            store = IntentStore.open(folder / DATABASE, lambda: header, full)
            _refuse_other(store, venue, account)
            orders = recover(store, folder / LOG)
            log = FrameLog(folder / LOG, store.header.session) if durability == "process" else None
            return cls(store, orders, owner, log, timing)
        except BaseException:
            owner.release()
            raise

    @property
    def header(self) -> IntentsHeader:
        """Whose journal it is."""
        return self._store.header

    def draft(self, now_ns: int, **fields: Any) -> Intent:
        """Return a new intent with its number and client id; nothing is written yet."""
        if self._log is not None and self._next > self._reserved:
            self._reserve()
        number, self._next = self._next, self._next + 1
        header = self._store.header
        name = client_id(header.venue, IntentKey(header.session, number))
        return Intent(
            number=number,
            client_id=name,
            venue=header.venue,
            account=header.account,
            created_ns=now_ns,
            **fields,
        )

    def plan(self, intents: Iterable[Intent]) -> None:
        """Take orders that are meant; `release` makes them last before they are sent."""
        for intent in intents:
            self.record(Planned(intent=intent), intent.created_ns)

    def release(self, client_ids: Iterable[str], ts_ns: int, expires_ns: int) -> Commit:
        """Mark planned orders as on the wire and wait until the durability holds that.

        `expires_ns` is when the venue will no longer execute the signed request. Not ok is a commit
        slower than `max_commit_ms`: the orders are withheld then, and must not be sent.
        """
        names = list(client_ids)
        start = self._timing.monotonic_ns()
        for name in names:
            self._refuse_unreleasable(name)
            self.record(Released(client_id=name, ts_ns=ts_ns, expires_ns=expires_ns), ts_ns)
        if self._log is None:
            self.flush()
        took = self._timing.monotonic_ns() - start
        ok = took <= self._timing.max_commit_ms * NS_PER_MS
        if not ok:
            why = f"the journal took {took / NS_PER_MS:.1f} ms"
            for name in names:
                self.record(Withheld(client_id=name, ts_ns=ts_ns, why=why), ts_ns)
        return Commit(ok, took)

    def record(self, entry: Entry, now_ns: int) -> list[OrderChange]:
        """Take what happened; return the orders that it changed. What says nothing new is not kept.

        In `disk` it lasts from the next commit on, in `process` from now on.
        """
        if self._failure is not None:
            raise self._failure
        told = len(self.orders.fills) + len(self.orders.fills.conflicts)
        changes = self.orders.apply(entry)
        is_news = len(self.orders.fills) + len(self.orders.fills.conflicts) != told
        if changes or is_news or isinstance(entry, Baseline):
            self._guarded(self._take, entry, changes, now_ns)
        return changes

    def withhold_planned(self, now_ns: int, why: str) -> list[OrderState]:
        """Close the orders that were meant and not sent; return them as they are now."""
        new = [s.client_id for s in self.orders.unsettled() if s.phase is Phase.NEW]
        for name in new:
            self.record(Withheld(client_id=name, ts_ns=now_ns, why=why), now_ns)
        return [self.orders.states[name] for name in new]

    def poll(self) -> None:
        """Commit when entries have waited for `group_commit_ms`; to be called when idle."""
        waited = None if self._since is None else self._timing.monotonic_ns() - self._since
        if waited is not None and waited >= self._timing.group_commit_ms * NS_PER_MS:
            self.flush()
        self._store.checkpoint(CHECKPOINT_ROWS)
        if self._log is not None and self._reserved - self._next < BLOCK // 2:
            self._reserve()

    def flush(self) -> None:
        """Commit everything that waits."""
        if self._failure is not None:
            raise self._failure
        if self._since is not None:
            self._guarded(self._commit)

    def close(self) -> None:
        """Commit and let the account go; after a failure, only let go."""
        try:
            if self._failure is None:
                self.flush()
                if self._log is not None:
                    self._store.reserve(self._next - 1)
        finally:
            self._store.close()
            if self._log is not None:
                self._log.close()
            self._owner.release()

    def _take(self, entry: Entry, changes: list[OrderChange], now_ns: int) -> None:
        for change in changes:
            self._changed[change.after.client_id] = change.after
        self._fills += told_fills(entry, changes)
        number = changes[0].after.intent.number if changes else 0
        self._store_entry(entry, number, now_ns)
        for change in changes:
            # What was held back until its order was known is not in the journal yet.
            if isinstance(change.entry, OrderUpdate) and change.entry is not entry:
                self._store_entry(change.entry, change.after.intent.number, now_ns)

    def _store_entry(self, entry: Entry, number: int, now_ns: int) -> None:
        kind = str(type(entry).__struct_config__.tag)
        self._seq += 1
        row = StoredEntry(self._seq, now_ns, kind, number, _ENCODE(entry))
        self._entries.append(row)
        if self._since is None:
            self._since = self._timing.monotonic_ns()
        if self._log is None:
            return
        payload = packed(row)
        if self._log.fits(payload):
            self._log.append(row.seq, payload)
        else:
            self._commit()

    def _commit(self) -> None:
        self._store.write(rows_of(self._entries, self._changed, self._fills))
        self._entries, self._changed, self._fills, self._since = [], {}, [], None
        if self._log is not None:
            self._log.restart()
        oldest = self._next - 1 - KEPT
        if oldest - self.orders.settled_to >= FORGET_ROWS:
            self.orders.forget_settled(oldest)

    def _reserve(self) -> None:
        self._reserved = self._next + BLOCK
        self._guarded(self._store.reserve, self._reserved)

    def _refuse_unreleasable(self, name: str) -> None:
        """Nothing may be sent that is not planned, or that may be at the venue already."""
        state = self.orders.states.get(name)
        may = state is not None and (state.phase is Phase.NEW or resend_of(state) is Resend.SAME_ID)
        if not may:
            was = "not planned" if state is None else str(state.phase)
            raise RunError(
                "run.journal_order",
                f"expected order {name} to be planned and not sent, was {was}",
                "this is a defect of kimera: please report it",
            )

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        """Run a write; after a failure the journal takes nothing more, so no hole can follow."""
        try:
            action(*arguments)
        except KimeraError as error:
            self._failure = error
            raise
        except BaseException:
            self._failure = RunError(
                "run.journal", "expected whole journal writes, was cut off in one"
            )
            raise


def _refuse_other(store: IntentStore, venue: str, account: str) -> None:
    header = store.header
    if (header.venue, header.account) != (venue, account):
        raise UsageError(
            "usage.journal",
            f"expected the journal of {venue}, account {account}, was that of {header.venue}, "
            f"account {header.account}",
            "give another folder",
            file=str(store.path),
        )


def account_folder(home: Path, venue: str, account: str) -> Path:
    """Return where an account's journal is."""
    return home / "orders" / f"{venue}-{account}"
