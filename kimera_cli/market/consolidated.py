"""One asset's book over several venues: sorted by what a unit costs or brings, fees included.

book = ConsolidatedBook(instruments, rates={"USD": Decimal(1), "USDT": Decimal("0.9998")})
book.apply(events, n)                       # event.instrument counts `instruments`
book.top(now_ns), book.levels(ASK, 10)

Prices are brought to one currency by `rates`, exactly: a venue's tick times its rate is a step of
the common unit (market/common_units.py). A book that is lost (a mark of the feed), was never there,
or is silent for longer than `stale_ns` is left out, and `left_out` says why. A best net bid above
the best net ask is an arbitrage, and is told rather than repaired: venues are not one market.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument, common_name
from kimera_cli.kernels.book import BOOK_OK, book_apply
from kimera_cli.kernels.consolidate import LEVEL, TOO_LARGE, VENUE_BOOK, consolidate
from kimera_cli.kernels.route import MILLION
from kimera_cli.layouts import ASK, BID, CLEAR, F_GAP, F_LAST, Events
from kimera_cli.market.book import new_books
from kimera_cli.market.common_units import common_units

LOST = F_GAP | F_LAST
"""A CLEAR that is a message of its own: no snapshot follows, the book is lost."""
NO_BOOK = "no book yet"
OUT_OF_STEP = "out of step with its venue"
FULL = "more levels than there is room for"


class ConsolidatedLevel(NamedTuple):
    """One level of one venue. `px` is in its own quote currency, the others in the common one."""

    instrument: Instrument
    px: Decimal
    qty: Decimal
    """Base units."""
    gross: Decimal
    net: Decimal
    """With the taker fee: what a unit costs (asks) or brings (bids)."""


class Top(NamedTuple):
    """Best levels by net price, None where there is none, and how far they cross."""

    bid: ConsolidatedLevel | None
    ask: ConsolidatedLevel | None

    @property
    def crossed_bps(self) -> float | None:
        """Best net bid above best net ask in basis points of the ask; negative: a spread."""
        if self.bid is None or self.ask is None:
            return None
        return float((self.bid.net - self.ask.net) / self.ask.net) * 1e4

    @property
    def arbitrage(self) -> bool:
        """Whether a unit bought at one venue brings more at another, fees paid."""
        return self.bid is not None and self.ask is not None and self.bid.net > self.ask.net


class ConsolidatedBook:
    """Books of instruments with one base asset, and their union."""

    def __init__(
        self, instruments: Sequence[Instrument], rates: Mapping[str, Decimal], stale_ns: int = 0
    ) -> None:
        """DataError `data.consolidated`: these are no one asset, or a rate is missing or not > 0.

        `rates`: common currency per unit of each quote currency. `stale_ns` 0: never stale.
        """
        _check(instruments, rates)
        self.instruments = tuple(instruments)
        self.rates = {each.quote: rates[each.quote] for each in instruments}
        self.stale_ns = stale_ns
        sizes = [each.contract_size * each.lot for each in instruments]
        ticks = [each.tick * rates[each.quote] for each in instruments]
        self.units = common_units(list(zip(ticks, sizes, strict=True)))
        self.books = new_books(len(instruments))
        self.heard_ns = np.zeros(len(instruments), np.int64)
        self._reasons = [NO_BOOK] * len(instruments)
        self._rows: Any = self._venues()
        self._levels: Any = np.zeros(1, LEVEL).view(np.recarray)

    def _venues(self) -> Any:
        rows: Any = np.zeros(len(self.instruments), VENUE_BOOK).view(np.recarray)
        rows.px_step, rows.qty_step = self.units.px_steps, self.units.qty_steps
        rows.fee_ppm = [round(each.taker_fee * MILLION) for each in self.instruments]
        rows.book = self.books.ctypes.data + self.books.itemsize * np.arange(len(rows))
        return rows

    def apply(self, events: Events, n: int | None = None) -> None:
        """Apply whole messages, events[:n]; `event.instrument` counts the instruments."""
        rows = events[:n]
        numbers = rows["instrument"]
        for k in np.unique(numbers):
            own = rows if numbers[0] == k and (numbers == k).all() else rows[numbers == k]
            self._apply(int(k), own)

    def _apply(self, k: int, rows: Events) -> None:
        self.heard_ns[k] = rows[-1]["ts_local_ns"]
        if book_apply(self.books[k], rows.view(np.recarray)) != BOOK_OK:
            self._reasons[k] = FULL
            return
        cleared = rows[rows["kind"] == CLEAR]
        if len(cleared):
            lost = cleared[-1]["flags"] & LOST == LOST
            self._reasons[k] = OUT_OF_STEP if lost else ""

    def left_out(self, now_ns: int) -> dict[str, str]:
        """Return why an instrument's book does not count now, by name; good ones are not in it."""
        found = {}
        for each, reason, heard in zip(self.instruments, self._reasons, self.heard_ns, strict=True):
            silent = now_ns - int(heard)
            if not reason and 0 < self.stale_ns < silent:
                reason = f"silent for {silent / 1e9:.1f} s"
            if reason:
                found[each.name] = reason
        return found

    def levels(
        self, side: int, depth: int, now_ns: int = 0, *, fees: bool = True
    ) -> list[ConsolidatedLevel]:
        """Return the best levels of all good books, best first; `fees` False: by price alone.

        DataError `data.consolidated`: a price or size is beyond 2^40 common units.
        """
        rows = self.merge(side, depth, now_ns, fees=fees)
        return [self._level(row) for row in rows]

    def top(self, now_ns: int = 0) -> Top:
        """Return best bid and ask by net price."""
        bids, asks = (self.levels(side, 1, now_ns) for side in (BID, ASK))
        return Top(bids[0] if bids else None, asks[0] if asks else None)

    def merge(self, side: int, depth: int, now_ns: int = 0, *, fees: bool = True) -> Any:
        """Return the best levels as LEVEL rows in common units, good until the next call."""
        out = self.left_out(now_ns)
        self._rows.good = [each.name not in out for each in self.instruments]
        if len(self._levels) < depth:
            self._levels = np.zeros(depth, LEVEL).view(np.recarray)
        room = self._levels[:depth]
        n = int(consolidate(self._rows, side, int(fees), room))
        if n == TOO_LARGE:
            raise DataError(
                "data.consolidated",
                f"expected prices and sizes below 2^40 units of {self.units.px_unit} and "
                f"{self.units.qty_unit}, was more",
                "give the rates between quote currencies with fewer digits",
            )
        return room[:n]

    def _level(self, row: Any) -> ConsolidatedLevel:
        one, unit = self.instruments[int(row.venue)], self.units.px_unit
        return ConsolidatedLevel(
            one,
            int(row.px_ticks) * one.tick,
            int(row.qty) * self.units.qty_unit,
            int(row.px) * unit,
            int(row.net) * unit / MILLION,
        )


def _check(instruments: Sequence[Instrument], rates: Mapping[str, Decimal]) -> None:
    assets = _names(common_name(each.base) for each in instruments)
    kinds = _names(each.kind for each in instruments)
    if len(assets) != 1 or len(kinds) != 1 or kinds == ["inverse"]:
        raise DataError(
            "data.consolidated",
            "expected instruments of one base asset and one kind, spot or linear, was "
            f"{', '.join(assets) or 'none'} ({', '.join(kinds) or 'none'})",
        )
    for quote in _names(each.quote for each in instruments):
        if not rates.get(quote, Decimal(0)) > 0:
            raise DataError(
                "data.consolidated",
                f"expected a rate above zero for {quote or 'a quote currency'}, was "
                f"{rates.get(quote, 'none')}",
            )


def _names(found: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(found))
