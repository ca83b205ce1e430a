"""What a run held at its end: per market over its strategies, and per asset over its markets."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from kimera_cli.instrument import Instrument, common_name
from kimera_cli.kernels.ledger import quote_value
from kimera_cli.records import Holding

if TYPE_CHECKING:
    from kimera_cli.engine.session import Session

TOTAL = "total"
_quote_value = getattr(quote_value, "py_func", quote_value)


def holdings(session: Session) -> list[Holding]:
    """Return a holding per market that the run traded in, then one per asset over all of them.

    Values are at the last known price (engine/summary.py Marks); null where none is known, and then
    in the asset's total as well.
    """
    arrays = session.arrays
    lots: dict[int, int] = defaultdict(int)
    for view, sleeve in zip(arrays.views, arrays.sleeves, strict=True):
        if sleeve["n_fills"]:
            lots[int(sleeve["stream"])] += int(view["position_lots"])
    found = [_of_market(session, k, held) for k, held in sorted(lots.items())]
    return [*found, *_totals(found)]


def _of_market(session: Session, k: int, lots: int) -> Holding:
    instrument, row = session.instruments[k], session.arrays.instruments.view(np.recarray)[k]
    price = session.marks.price_ticks(k, float(session.arrays.features[k]["mid_ticks"]))
    value = float(_quote_value(row, price, lots) * row.settle_rate) if lots else 0.0
    return Holding(
        market=instrument.name,
        asset=common_name(instrument.base),
        qty=_known(_base_units(instrument, price, lots)),
        value=_known(value),
    )


def _base_units(instrument: Instrument, price_ticks: float, lots: int) -> float:
    size = float(lots * instrument.lot * instrument.contract_size)
    if instrument.kind == "inverse" and lots:
        return size / (price_ticks * float(instrument.tick))
    return size


def _totals(markets: list[Holding]) -> list[Holding]:
    by_asset: dict[str, list[Holding]] = defaultdict(list)
    for each in markets:
        by_asset[each.asset].append(each)
    return [
        Holding(
            market=TOTAL,
            asset=asset,
            qty=_sum([each.qty for each in held]),
            value=_sum([each.value for each in held]),
        )
        for asset, held in sorted(by_asset.items())
    ]


def _sum(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) if len(known) == len(values) else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
