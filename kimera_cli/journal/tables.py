"""SQL tables of a journal file, and the rows that follow from an entry.

The audit table is the record; intents, orders and fills are its projections for people who query
with SQL. Nothing is in a projection that does not follow from a body, so a change there is found
as well.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import (
    R_ACCEPTED,
    R_AMEND_INTENT,
    R_AMENDED,
    R_CANCEL_INTENT,
    R_CANCEL_REJECTED,
    R_CANCELLED,
    R_DENIED,
    R_FILL,
    R_INTENT,
    R_REJECTED,
    RECORD,
)


class Projection(NamedTuple):
    """A table whose rows are chosen fields of the entries of some kinds."""

    name: str
    kinds: tuple[int, ...]
    columns: tuple[str, ...]

    @property
    def ddl(self) -> str:
        """The statement that makes the table."""
        return f"CREATE TABLE {self.name} ({', '.join(map(_column, self.columns))})"

    @property
    def insert(self) -> str:
        """The statement that adds one row."""
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * len(self.columns))})"

    @property
    def select(self) -> str:
        """The statement that reads all rows in seq order."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY seq"


def _column(name: str) -> str:
    if name == "seq":
        return "seq INTEGER PRIMARY KEY"
    return f"{name} {'REAL' if RECORD[name].kind == 'f' else 'INTEGER NOT NULL'}"


_ORDER = (
    *("seq", "ts_ns", "kind", "strategy", "instrument", "order_id", "side", "type", "tif"),
    *("px_ticks", "qty_lots", "code", "tag"),
)

PROJECTIONS = (
    Projection("intents", (R_INTENT, R_DENIED, R_CANCEL_INTENT, R_AMEND_INTENT), _ORDER),
    Projection(
        "orders",
        (R_ACCEPTED, R_REJECTED, R_CANCELLED, R_AMENDED, R_CANCEL_REJECTED),
        (*_ORDER, "ts_exch_ns", "left_lots"),
    ),
    Projection(
        "fills",
        (R_FILL,),
        (
            *("seq", "ts_ns", "ts_exch_ns", "strategy", "instrument", "order_id", "side", "type"),
            *("px_ticks", "qty_lots", "left_lots", "mid_ticks", "fee", "position_lots"),
            *("ahead_lots", "tag"),
        ),
    ),
)
"""intents: what strategies wanted, sent or denied. orders: what became of it. fills: executions."""

_CORE = (
    "CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), schema_version INTEGER NOT NULL,"
    " run TEXT NOT NULL, profile_hash TEXT NOT NULL, chain TEXT NOT NULL,"
    " durability TEXT NOT NULL, created_ns INTEGER NOT NULL, layout TEXT NOT NULL,"
    " genesis BLOB NOT NULL)",
    "CREATE TABLE audit (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " body BLOB NOT NULL, prev_hash BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), entries INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, hash BLOB NOT NULL)",
)

INSERT_AUDIT = "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?)"


def projections(chain: str) -> tuple[Projection, ...]:
    """Return the projections of a chain: the bulk chain has none."""
    return PROJECTIONS if chain == "audit" else ()


def statements(chain: str) -> list[str]:
    """Return the statements that make an empty journal file of the chain."""
    return [*_CORE, *(p.ddl for p in projections(chain))]


def project(projection: Projection, rows: Rows) -> list[tuple[Any, ...]]:
    """Return the table rows that follow from `rows`; NaN becomes NULL."""
    chosen = rows[np.isin(rows["kind"], projection.kinds)]
    if not len(chosen):
        return []
    return list(zip(*(_values(chosen[name]) for name in projection.columns), strict=True))


def _values(column: NDArray[Any]) -> list[Any]:
    values: list[Any] = column.tolist()
    if column.dtype.kind == "f":
        return [None if value != value else value for value in values]
    return values
