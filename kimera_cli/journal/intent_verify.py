"""Checks an orders journal: its chain, and that its tables are what its entries come to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from kimera_cli.errors import DataError
from kimera_cli.journal.intent_replay import DATABASE, folded
from kimera_cli.journal.intent_store import IntentStore
from kimera_cli.journal.intent_tables import fill_row, order_row
from kimera_cli.records import JournalCheck
from kimera_cli.venues.orders.account_orders import AccountOrders

Table = Literal["orders", "fills"]


def is_intents(folder: Path) -> bool:
    """Return whether a folder holds an orders journal."""
    return (folder / DATABASE).is_file()


def verify_intents(folder: Path) -> Iterator[JournalCheck]:
    """Yield a check of the chain and, if it holds, of each table; another process may write."""
    store = IntentStore.read(folder / DATABASE)
    try:
        store.hold_still()
        try:
            orders = folded(store)
        except DataError as error:
            yield _check(folder, store, "chain", "entries", error.message)
            return
        yield _check(folder, store, "chain", "entries", "")
        yield _check(folder, store, "orders", "orders", _differing(store, "orders", orders))
        yield _check(folder, store, "fills", "fills", _differing(store, "fills", orders))
    finally:
        store.leave()


def altered(folder: Path, bad: JournalCheck) -> DataError:
    """Return the error of a journal that is not what was written."""
    return DataError(
        "data.journal_altered",
        f"expected the orders journal {folder} as it was written, was altered in table "
        f"{bad.table}: {bad.detail}",
        "kimera trade reconcile compares with the venue; the venue's word is the one that counts",
        file=str(folder / DATABASE),
    )


def _differing(store: IntentStore, table: Table, orders: AccountOrders) -> str:
    """Return which row of a table is not what the entries come to; empty when none."""
    wanted = _orders(orders) if table == "orders" else _fills(orders)
    for expected, found in zip_longest(wanted, store.table(table)):
        if found is None:
            return f"the row of {_name(table, expected)} is missing"
        if expected != found:
            return f"the row of {_name(table, found)} does not follow from the entries"
    return ""


def _orders(orders: AccountOrders) -> Iterable[tuple[Any, ...]]:
    return sorted(order_row(state) for state in orders.states.values())


def _fills(orders: AccountOrders) -> Iterable[tuple[Any, ...]]:
    rows = []
    for fill in orders.fills:
        state = orders.find(fill.symbol, fill.venue_order_id)
        rows.append(fill_row(fill, None if state is None else state.intent.number))
    return sorted(rows, key=lambda row: row[:2])


def _name(table: Table, row: tuple[Any, ...] | None) -> str:
    if row is None:
        return "nothing"
    return f"order {row[0]}" if table == "orders" else f"fill {row[1]} of {row[0]}"


def _check(folder: Path, store: IntentStore, check: str, table: str, problem: str) -> JournalCheck:
    header = store.header
    return JournalCheck(
        run=f"{header.venue}-{header.account}",
        entries=store.seq,
        ok=not problem,
        detail=problem,
        check=check,
        file=str(folder / DATABASE),
        table=table,
        last_seq=store.seq,
        hash=store.head,
    )
