"""From entries back to orders: reading an intents journal, and its log into its database."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kimera_cli.journal import intent_tables as tables
from kimera_cli.journal.failures import damaged_journal
from kimera_cli.journal.frame_log import frames
from kimera_cli.journal.intent_store import IntentStore, Rows, StoredEntry
from kimera_cli.venues.orders.account_orders import AccountOrders, OrderChange
from kimera_cli.venues.orders.entry import Entry
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import FillUpdate, VenueFill

DATABASE, LOG = "intents.db", "intents.log"
_DECODER: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_FRAME = struct.Struct("<qqB")
_FILL = str(FillUpdate.__struct_config__.tag)
KEPT = 10_000
"""Orders whose whole state is kept, whether or not they are settled: after a start, and while
orders go on. They are 11 MB; a late word about an older one changes nothing.
"""


def read_orders(folder: Path) -> AccountOrders:
    """Return an account's orders as its journal has them, also while another process writes it.

    DataError `data.journal` when there is none or when it was changed.
    """
    store = IntentStore.read(folder / DATABASE)
    try:
        orders = folded(store)
        for row in _waiting(store, folder / LOG):
            orders.apply(_decoded(folder / LOG, row.body))
        return orders
    finally:
        store.leave()


def recover(store: IntentStore, log: Path, keep: int = KEPT) -> AccountOrders:
    """Return the account's orders, after the log's entries have come into the database.

    Orders that were settled before the last `keep` numbers are known by their fills alone, so that
    a long life makes neither start nor process large.
    """
    rows = list(_waiting(store, log))
    oldest = min((row.number for row in rows if row.number), default=store.last_number() + 1)
    orders = folded(store, min(store.last_number() - keep, oldest - 1))
    changed: dict[str, OrderState] = {}
    fills: list[tuple[VenueFill, int | None]] = []
    for row in rows:
        entry = _decoded(log, row.body)
        changes = orders.apply(entry)
        changed |= {change.after.client_id: change.after for change in changes}
        fills += told_fills(entry, changes)
    if rows:
        store.write(rows_of(rows, changed, fills))
    return orders


def told_fills(entry: Entry, changes: list[OrderChange]) -> list[tuple[VenueFill, int | None]]:
    """Return the fills whose rows change, with the number of the order that they belong to."""
    own = [
        (c.fill, c.after.intent.number)
        for c in changes
        if c.fill is not None and c.fill.venue_order_id == c.after.venue_order_id
    ]
    return [(entry.fill, None)] if isinstance(entry, FillUpdate) and not own else [*own]


def rows_of(
    entries: list[StoredEntry],
    changed: dict[str, OrderState],
    fills: list[tuple[VenueFill, int | None]],
) -> Rows:
    """Return what one commit writes: entries, and the rows of the tables that follow from them."""
    return Rows(
        entries,
        [tables.order_row(state) for state in changed.values()],
        [tables.fill_row(fill, number) for fill, number in fills],
    )


def folded(store: IntentStore, settled_to: int = 0) -> AccountOrders:
    """Fold all entries, but of settled orders up to a number take the fills alone."""
    orders = AccountOrders(store.header.session, settled_to=max(settled_to, 0))
    for row, settled in store.entries():
        if row.kind == _FILL:
            _fold_fill(store, orders, row, settled)
        elif not settled or row.number > settled_to:
            orders.apply(_decoded(store.path, row.body))
    return orders


def _fold_fill(store: IntentStore, orders: AccountOrders, row: StoredEntry, settled: bool) -> None:
    entry = _decoded(store.path, row.body)
    assert isinstance(entry, FillUpdate)
    number = row.number if settled else 0
    if not row.number:  # it came before its order was known, or is a foreign one
        number = store.settled_owner(entry.fill.symbol, entry.fill.trade_id)
    if 0 < number <= orders.settled_to:
        orders.fills.add(entry.fill)
    else:
        orders.apply(entry)


def _waiting(store: IntentStore, log: Path) -> Iterable[StoredEntry]:
    for frame in frames(log, store.header.session, store.seq):
        ts_ns, number, length = _FRAME.unpack_from(frame.payload)
        at = _FRAME.size + length
        kind = frame.payload[_FRAME.size : at].decode()
        yield StoredEntry(frame.seq, ts_ns, kind, number, frame.payload[at:])


def packed(row: StoredEntry) -> bytes:
    """Return an entry as the payload of a frame."""
    kind = row.kind.encode()
    return _FRAME.pack(row.ts_ns, row.number, len(kind)) + kind + row.body


def _decoded(path: Path, body: bytes) -> Entry:
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError as error:
        raise damaged_journal(path, str(error)) from error
