"""The benchmarks by name. Data only, so that `kimera bench --help` imports none of them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kimera_cli.records import Bench

    from .request import Request


class Suite(NamedTuple):
    """One benchmark: its module, which has `rows(request)`, and its line in the help."""

    module: str
    help: str


SUITES: dict[str, Suite] = {
    "latency": Suite("latency", "Nanoseconds from a due event to its order's slot."),
    "replay": Suite("replay", "Events/s of a full replay with strategy and gate."),
    "backtest": Suite("backtest", "Events/s of a backtest, beside nautilus_trader's."),
    "parse": Suite("parse", "Nanoseconds from a venue's frame to events."),
    "book": Suite("book", "Level updates/s with best prices."),
    "match": Suite("match", "Orders/s of the matching engine."),
    "tick": Suite("tick", "Nanoseconds from an event to an order slot."),
    "gate": Suite("gate", "Decisions/s of the risk gate."),
    "table": Suite("table", "Nanoseconds of a lookup in the decision table, and of a swap."),
    "route": Suite("route", "Orders/s split over six venues' books."),
    "order": Suite("order", "Nanoseconds from ticks and lots to signed order bytes."),
    "features": Suite("features", "Feature updates/s after each message."),
    "scale": Suite("scale", "Cost per event by instruments and by depth."),
    "ring": Suite("ring", "Messages/s between two processes, and how long one takes."),
    "wire": Suite("wire", "Frames/s from a loopback websocket into the shared ring."),
    "venue": Suite("venue", "REST orders/s and pushed book updates/s of the venue server."),
    "synthetic": Suite("synthetic", "Events/s of the synthetic market."),
    "import": Suite("imports", "Frames/s from raw recordings to events."),
    "catalog": Suite("catalog", "Events/s from the Parquet catalog."),
    "cold-start": Suite("cold_start", "Milliseconds from the shell to an answer."),
}
ALL = "all"


def run(name: str, request: Request) -> Iterator[Bench]:
    """Run one benchmark, or all of them in the order above, and yield a record per row."""
    for each in SUITES if name == ALL else (name,):
        module = import_module(f".{SUITES[each].module}", __package__)
        yield from module.rows(request)
