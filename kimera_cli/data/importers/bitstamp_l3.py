"""Bitstamp's live order feed as CSV: one row per order created, changed or deleted (L3).

`volume` is what is left of the order, in 1e-8 coins. The feed repeats an order's own time of
creation (whole seconds) on each of its rows, so only `created` rows carry a venue's time; others
get the recorder's (F_NO_EXCH_TIME). Orders from before the recording appear first when they change
or leave: a book has to pass over ids that it does not know. The symbol is in the file's name; where
it is not, it is BTCUSD, the only pair that the venue had when these files were made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kimera_cli.data.importers.base import (
    MAX_ROWS,
    Batch,
    Importer,
    ImportOptions,
    bad_line,
    off_grid,
)
from kimera_cli.data.importers.grid import finest_step, to_grid
from kimera_cli.data.streams import open_lines
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import (
    ADD,
    ASK,
    BID,
    DELETE,
    F_LAST,
    F_NO_EXCH_TIME,
    I64,
    MODIFY,
    VENUES,
    empty_events,
)
from kimera_cli.units import NS_PER_MS

_HEADER = b"id,timestamp,exchange.timestamp,price,volume,action,direction"
_ACTIONS = {b"created": ADD, b"changed": MODIFY, b"deleted": DELETE}
_SIDES = {b"bid": BID, b"ask": ASK}
_UNIT = Decimal("0.00000001")
_HEAD_ROWS = 10_000
_SYMBOL = re.compile(r"(?i)(btc|eth|xrp|ltc|bch)[-_]?(usd|eur|gbp|btc)")
_EXPECTED = "id,timestamp,exchange.timestamp,price,volume,action,direction"


class BitstampL3(Importer):
    """Order rows as the R package ob-analytics keeps them."""

    name = "bitstamp-l3"
    summary = "Bitstamp order events as CSV (ob-analytics), L3"

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the header."""
        return head.startswith(_HEADER)

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the order events."""
        instrument = options.settle(_instrument(path, options))
        rows: list[tuple[Any, ...]] = []
        for number, line in open_lines(path, options.progress):
            if number == 1:
                _check_header(path, line)
                continue
            rows.append(_row(path, number, line))
            if len(rows) == MAX_ROWS:
                yield _batch(path, instrument, rows)
                rows = []
        if rows:
            yield _batch(path, instrument, rows)


def _instrument(path: Path, options: ImportOptions) -> Instrument:
    named = _SYMBOL.search(path.name)
    symbol = options.symbol or (named[1] + named[2] if named else "BTCUSD")
    prices = []
    for number, line in islice(open_lines(path), 1, _HEAD_ROWS):
        prices.append(_row(path, number, line)[-1])
    return Instrument(
        venue="bitstamp",
        symbol=symbol.upper(),
        kind="spot",
        tick=finest_step(prices),
        lot=_UNIT,
        base=symbol[:3].upper(),
        quote=symbol[3:].upper(),
        maker_fee=0.003,
        taker_fee=0.004,
    )


def _check_header(path: Path, line: bytes) -> None:
    if line != _HEADER:
        raise bad_line(path, 1, f"the columns {_EXPECTED}", line, "data.columns")


def _row(path: Path, number: int, line: bytes) -> tuple[Any, ...]:
    """Return (line, kind, side, id, local ms, exchange ms, volume, price, price's text)."""
    try:
        order, local, exchange, price, volume, action, direction = line.split(b",")
        return (
            *(number, _ACTIONS[action], _SIDES[direction], int(order), int(local)),
            *(int(exchange), int(volume), float(price), price.decode()),
        )
    except (ValueError, KeyError):
        raise bad_line(path, number, _EXPECTED, line) from None


def _batch(path: Path, instrument: Instrument, rows: list[tuple[Any, ...]]) -> Batch:
    line, kind, side, order, local, exchange, volume, price, _ = zip(*rows, strict=True)
    events = empty_events(len(rows))
    events["aux"], events["kind"], events["side"], events["ref"] = line, kind, side, order
    events["venue"], events["flags"] = VENUES.index("bitstamp"), F_LAST
    events["ts_local_ns"] = np.array(local, np.int64) * NS_PER_MS
    events["ts_exch_ns"] = np.array(exchange, np.int64) * NS_PER_MS
    timeless = events["kind"] != ADD
    events["ts_exch_ns"][timeless] = events["ts_local_ns"][timeless]
    events["flags"][timeless] |= F_NO_EXCH_TIME
    events["px_ticks"] = _ticks(path, line, price, instrument.tick)
    events["qty_lots"] = _lots(path, line, volume, instrument.lot)
    return Batch(instrument, "l3", events)


def _ticks(path: Path, line: Sequence[int], price: Sequence[float], tick: Decimal) -> I64:
    ticks, bad = to_grid(np.array(price, np.float64), tick)
    if bad >= 0:
        raise _no_price(path, line[bad], price[bad], tick)
    if (ticks <= 0).any():
        first = int(np.argmax(ticks <= 0))
        raise bad_line(path, line[first], "a price above zero", price[first], "data.price")
    return ticks


def _lots(path: Path, line: Sequence[int], volume: Sequence[int], lot: Decimal) -> I64:
    units = np.array(volume, np.int64)
    lots, rest = np.divmod(units, int(lot / _UNIT))
    if rest.any():
        first = int(np.argmax(rest != 0))
        raise off_grid(path, line[first], "quantity", volume[first] * _UNIT, lot)
    if (units < 0).any():
        first = int(np.argmax(units < 0))
        raise bad_line(path, line[first], "no negative volume", volume[first], "data.quantity")
    return lots


def _no_price(path: Path, line: int, price: float, tick: Decimal) -> DataError:
    if not np.isfinite(price):
        return bad_line(path, line, "a finite price", price, "data.price")
    return off_grid(path, line, "price", price, tick)
