"""Smart order routing: splits/s over six venues of twenty levels, fees and lots included.

`small` orders end within the first levels, `deep` ones take about twenty, and with `minimums` some
venues refuse small parts, so that sets of venues have to be tried. Books are drawn around one mid,
twenty levels over some 3.5 bp; fees differ by up to 1 bp; the next order meets other books.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.borrow import borrowed
from kimera_cli.kernels.route import ROUTE_VENUE, route
from kimera_cli.records import Bench

from .harness import Case, Watch
from .request import Request, row

ORDERS = 50_000
VENUES = 6
LEVELS = 20
BOOKS = 64
"""Sets of books; an order meets the one of its number modulo this."""
BATCH = 1_000
SEED = 11
FEES_PPM = (1_000, 1_000, 1_000, 1_000, 950, 900)


class Flow(NamedTuple):
    """One kind of order: its name, its mean size in units, and the least part of every venue."""

    name: str
    mean_units: int
    least_units: int


FLOWS = (Flow("small", 30, 0), Flow("deep", 1_500, 0), Flow("minimums", 300, 120))


@kernel
def split_all(venues, px, lots, orders, out):  # type: ignore[no-untyped-def]
    """Split every order (side, units); `out` gets units that were filled and levels that were met.

    Returns nothing else, so that no split can be left out.
    """
    venues, px, lots = borrowed(venues), borrowed(px), borrowed(lots)
    for i in range(orders.shape[0]):
        side, units = orders[i, 0], orders[i, 1]
        book = i & (BOOKS - 1)
        out[0] += units - route(venues, px[side, book], lots[side, book], side, units)
        for v in range(venues.shape[0]):
            if venues[v].qty > 0:
                out[1] += venues[v].at + (1 if venues[v].gone > 0 else 0)


def rows(request: Request) -> Iterator[Bench]:
    """Time each kind of order."""
    n = request.size(ORDERS)
    state = {flow.name: make(flow, n) for flow in FLOWS}
    timings = request.measure([_case(flow.name, state[flow.name]) for flow in FLOWS])
    for flow in FLOWS:
        filled, levels = counts(state[flow.name])
        yield row(
            request,
            f"route.{flow.name}",
            timings[flow.name],
            kind=f"batches of {BATCH} orders",
            venues=VENUES,
            levels=LEVELS,
            levels_taken=round(levels / n, 2),
            filled=round(filled / int(state[flow.name][3][:, 1].sum()), 4),
        )


def make(flow: Flow, n: int) -> tuple[Any, Any, Any, Any]:
    """Return venues, prices and quantities of both sides, and orders of (side, units)."""
    rng = np.random.default_rng(SEED)
    venues = np.zeros(VENUES, ROUTE_VENUE).view(np.recarray)
    venues.fee_ppm, venues.levels, venues.step = FEES_PPM, LEVELS, 1
    venues.max_qty, venues.min_qty = 1 << 60, flow.least_units
    shape = (BOOKS, VENUES, LEVELS)
    away = np.cumsum(rng.integers(10, 200, shape), axis=2)
    px = np.stack([6_000_000 + away, 6_000_000 - away])  # asks for a buy, bids for a sell
    lots = rng.integers(20, 120, (2, *shape))
    units = 1 + rng.poisson(flow.mean_units, n)
    return venues, px, lots, np.column_stack([rng.integers(0, 2, n), units])


def counts(state: tuple[Any, Any, Any, Any]) -> tuple[int, int]:
    """Return units filled and levels met over all orders."""
    out = np.zeros(2, np.int64)
    split_all(*state, out)
    return int(out[0]), int(out[1])


def _case(name: str, state: tuple[Any, Any, Any, Any]) -> Case:
    *market, orders = state
    parts = [orders[begin : begin + BATCH] for begin in range(0, len(orders), BATCH)]
    out = np.zeros(2, np.int64)

    def run(parts: list[Any], watch: Watch) -> None:
        watch.start()
        for part in parts:
            split_all(*market, part, out)
            watch.lap(len(part))

    return Case(name, lambda: parts, run)
