"""Positions: what fills came to, per market and in total per asset over all venues."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from kimera_cli.instrument import Instrument, common_name
from kimera_cli.records import TradePosition
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.orders.outcome import VenueFill

ZERO = Decimal(0)
TOTAL = "total"


@dataclass
class _Sum:
    bought: Decimal = ZERO
    sold: Decimal = ZERO
    cost: Decimal = ZERO
    fees: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    fills: int = 0

    def add(self, fill: VenueFill) -> None:
        if fill.side == "buy":
            self.bought += fill.quantity
            self.cost += fill.money
        else:
            self.sold += fill.quantity
            self.cost -= fill.money
        self.fees[fill.fee_asset] += fill.fee
        self.fills += 1


def positions(
    fills: Iterable[VenueFill], instruments: Mapping[tuple[str, str], Instrument], account: str
) -> list[TradePosition]:
    """Return a record per market with fills, then one per asset over all venues.

    Fees in the base asset lower the position, fees in the quote raise the cost; fees in a third
    asset are told and counted in neither. `instruments` is by (venue, symbol); of a market that it
    does not have, only sums of its fills can be told: no asset, and no part of a total.
    """
    sums: dict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for fill in fills:
        sums[fill.venue, fill.symbol].add(fill)
    totals: dict[str, _Sum] = defaultdict(_Sum)
    quantities: dict[str, Decimal] = defaultdict(Decimal)
    found = []
    for (venue, symbol), total in sorted(sums.items()):
        instrument = instruments.get((venue, symbol))
        if instrument is None:
            quantity, cost = total.bought - total.sold, plain(total.cost)
            found.append(_record(venue, account, symbol, "", quantity, total, cost))
            continue
        base, quote = common_name(instrument.base), common_name(instrument.quote)
        quantity = total.bought - total.sold - total.fees.get(base, ZERO)
        quantities[base] += quantity
        _merge(totals[base], total)
        cost = plain(total.cost + total.fees.get(quote, ZERO))
        record = _record(venue, account, symbol, base, quantity, total, cost)
        found.append(replace(record, quote=quote))
    for name, total in sorted(totals.items()):
        found.append(_record(TOTAL, account, "", name, quantities[name], total, ""))
    return found


def _merge(into: _Sum, part: _Sum) -> None:
    into.bought += part.bought
    into.sold += part.sold
    into.fills += part.fills
    for name, fee in part.fees.items():
        into.fees[name] += fee


def _record(
    venue: str,
    account: str,
    symbol: str,
    asset: str,
    quantity: Decimal,
    total: _Sum,
    cost: str,
) -> TradePosition:
    return TradePosition(
        venue=venue,
        account=account,
        symbol=symbol,
        asset=asset,
        qty=plain(quantity),
        bought=plain(total.bought),
        sold=plain(total.sold),
        cost=cost,
        fees={name: plain(fee) for name, fee in sorted(total.fees.items())},
        fills=total.fills,
    )
