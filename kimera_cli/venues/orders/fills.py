"""The ledger of fills: each counted once, however often it is told; positions are their sum.

A fill's name is (venue, symbol, trade id). A second telling of the same name must say the same; if
it says something else, both are kept apart as a conflict and the first one counts.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from kimera_cli.venues.orders.outcome import VenueFill

ZERO = Decimal(0)


class Added(enum.StrEnum):
    """What a ledger did with a fill."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"


class Assets(NamedTuple):
    """What a symbol trades."""

    base: str
    quote: str


class FillLedger:
    """All fills of one account, in the order in which they were first told."""

    def __init__(self, fills: Iterable[VenueFill] = ()) -> None:
        self._fills: dict[tuple[str, str, str], VenueFill] = {}
        self.conflicts: list[VenueFill] = []
        """Tellings that contradict the fill of the same name."""
        self._positions: dict[str, Decimal] = {}
        self._fees: dict[str, Decimal] = {}
        self._last: dict[str, int] = {}
        for fill in fills:
            self.add(fill)

    def __len__(self) -> int:
        return len(self._fills)

    def __contains__(self, name: object) -> bool:
        return name in self._fills

    def __iter__(self) -> Iterator[VenueFill]:
        return iter(self._fills.values())

    def get(self, name: tuple[str, str, str]) -> VenueFill | None:
        """Return the fill of a name, if it is known."""
        return self._fills.get(name)

    def add(self, fill: VenueFill) -> Added:
        """Count a fill unless its name is known."""
        known = self._fills.get(fill.name)
        if known is not None:
            if same_execution(known, fill):
                return Added.KNOWN
            self.conflicts.append(fill)
            return Added.CONFLICT
        self._fills[fill.name] = fill
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        self._positions[fill.symbol] = self._positions.get(fill.symbol, ZERO) + signed
        self._last[fill.symbol] = max(self._last.get(fill.symbol, 0), fill.ts_ns)
        self._fees[fill.fee_asset] = self._fees.get(fill.fee_asset, ZERO) + fill.fee
        return Added.NEW

    def position(self, symbol: str) -> Decimal:
        """Return what the fills of a symbol came to, in its base currency, before fees."""
        return self._positions.get(symbol, ZERO)

    def positions(self) -> dict[str, Decimal]:
        """Return the position of each symbol that was ever traded."""
        return dict(self._positions)

    def fees(self) -> dict[str, Decimal]:
        """Return the fees paid, per asset; negative is a rebate."""
        return dict(self._fees)

    def last_ns(self, symbol: str | None = None) -> int:
        """Return the time of the newest fill (of a symbol); 0 when there is none."""
        if symbol is not None:
            return self._last.get(symbol, 0)
        return max(self._last.values(), default=0)


def same_execution(one: VenueFill, other: VenueFill) -> bool:
    """Return whether two tellings of one name agree on what happened.

    Fee and maker flag may be missing in one telling (a stream that comes before the settlement).
    """
    return (
        one.side == other.side
        and one.price == other.price
        and one.quantity == other.quantity
        and one.venue_order_id == other.venue_order_id
    )


def asset_changes(fills: Iterable[VenueFill], assets: Mapping[str, Assets]) -> dict[str, Decimal]:
    """Return by how much fills change each asset of an account, fees included, exactly.

    `assets` says what each symbol trades; KeyError for a symbol that it does not have.
    """
    changes: dict[str, Decimal] = {}

    def add(asset: str, amount: Decimal) -> None:
        changes[asset] = changes.get(asset, ZERO) + amount

    for fill in fills:
        base, quote = assets[fill.symbol]
        sign = 1 if fill.side == "buy" else -1
        add(base, sign * fill.quantity)
        add(quote, -sign * fill.money)
        if fill.fee_asset:
            add(fill.fee_asset, -fill.fee)
    return changes
