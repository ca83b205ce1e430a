"""SQL tables of an intents journal.

`entries` is the record, chained by hashes; `orders` and `fills` follow from it, for people who ask
with SQL. Decimals are text, so that they stay exact.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import VenueFill

SCHEMA_VERSION = 1

STATEMENTS = (
    "CREATE TABLE header (id INTEGER PRIMARY KEY CHECK (id = 1), schema_version INTEGER NOT NULL,"
    " session INTEGER NOT NULL, venue TEXT NOT NULL, account TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL, reserved INTEGER NOT NULL)",
    "CREATE TABLE entries (seq INTEGER PRIMARY KEY, ts_ns INTEGER NOT NULL, kind TEXT NOT NULL,"
    " number INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL)",
    "CREATE TABLE orders (number INTEGER PRIMARY KEY, client_id TEXT NOT NULL UNIQUE,"
    " phase TEXT NOT NULL, venue_order_id TEXT NOT NULL, symbol TEXT NOT NULL,"
    " side TEXT NOT NULL, kind TEXT NOT NULL, tif TEXT NOT NULL, price TEXT, quantity TEXT,"
    " filled TEXT NOT NULL, cost TEXT NOT NULL, strategy TEXT NOT NULL, resends TEXT NOT NULL,"
    " created_ns INTEGER NOT NULL, sent_ns INTEGER NOT NULL, reason TEXT,"
    " settled INTEGER NOT NULL)",
    "CREATE TABLE fills (symbol TEXT NOT NULL, trade_id TEXT NOT NULL, number INTEGER,"
    " venue_order_id TEXT NOT NULL, side TEXT NOT NULL, price TEXT NOT NULL,"
    " quantity TEXT NOT NULL, fee TEXT NOT NULL, fee_asset TEXT NOT NULL, maker INTEGER,"
    " ts_ns INTEGER NOT NULL, PRIMARY KEY (symbol, trade_id)) WITHOUT ROWID",
)
"""`reserved`: intent numbers up to here may have been given, whether or not they are here.
`settled`: the order is over and all its fills are known, so that a start need not read its entries.
"""

INSERT_HEADER = "INSERT INTO header VALUES (1, ?, ?, ?, ?, ?, 0)"
INSERT_ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)"
UPSERT_ORDER = f"INSERT OR REPLACE INTO orders VALUES ({', '.join('?' * 18)})"
UPSERT_FILL = (
    f"INSERT INTO fills VALUES ({', '.join('?' * 11)}) ON CONFLICT (symbol, trade_id)"
    " DO UPDATE SET number = coalesce(excluded.number, number)"
)
"""A fill is what its first telling says; only whose it is may become known later."""


def order_row(state: OrderState) -> tuple[Any, ...]:
    """Return an order's row."""
    intent = state.intent
    return (
        *(intent.number, intent.client_id, str(state.phase), state.venue_order_id),
        *(intent.symbol, intent.side, intent.kind, intent.tif),
        *(_text(state.price), _text(state.quantity), str(state.filled), str(state.cost)),
        *(intent.strategy, intent.resends, intent.created_ns, state.sent_ns),
        *(None if state.reason is None else str(state.reason), int(state.is_settled)),
    )


def fill_row(fill: VenueFill, number: int | None) -> tuple[Any, ...]:
    """Return a fill's row; `number` is that of our intent, None for a foreign order."""
    return (
        *(fill.symbol, fill.trade_id, number, fill.venue_order_id, fill.side),
        *(str(fill.price), str(fill.quantity), str(fill.fee), fill.fee_asset),
        *(None if fill.maker is None else int(fill.maker), fill.ts_ns),
    )


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
