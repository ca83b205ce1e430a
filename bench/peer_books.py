"""Order books that Python users have, as peers of kimera's: one Python call per level.

Each gets the first levels of the same tape and its best prices are read after every one. Objects
that the peer wants (prices, deltas) are made before the watch starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from kimera_cli.layouts import BID, DEPTH

from .harness import Case, Timing, Watch
from .machine import package
from .request import Peer, Request
from .tape import Tape

LEVELS = 20_000
NAUTILUS = "nautilus_trader"
CCXT = "ccxt"


@dataclass(frozen=True)
class PeerBook:
    """One peer: its package, how its book and rows are made, and how they run."""

    package: str
    prepare: Callable[[Tape], Any]
    run: Callable[[Any, Watch], None]

    def case(self, tape: Tape) -> Case:
        """Return the case to time in turn with kimera's."""
        return Case(self.package, lambda: self.prepare(tape), self.run)

    def result(self, timings: dict[str, Timing]) -> Peer:
        """Return the peer as a row names it."""
        return Peer(f"{self.package} {package(self.package)}", timings[self.package])


def available(request: Request) -> list[PeerBook]:
    """Return the peers that were asked for and are installed; says which are not."""
    if not request.peers:
        return []
    peers = [
        PeerBook(NAUTILUS, _nautilus, _update_nautilus),
        PeerBook(CCXT, _ccxt, _update_ccxt),
    ]
    for peer in peers:
        if find_spec(peer.package) is None:
            request.note(f"{peer.package} is not installed: not compared with it")
    return [peer for peer in peers if find_spec(peer.package) is not None]


def first_levels(tape: Tape) -> Any:
    """Return the first LEVELS level events of a tape."""
    levels = tape.levels()
    return levels[levels["kind"] == DEPTH][:LEVELS]


def _ccxt(tape: Tape) -> tuple[Any, list[tuple[bool, float, float]]]:
    from ccxt.async_support.base.ws.order_book import OrderBook

    tick, lot = float(tape.instrument.tick), float(tape.instrument.lot)
    return OrderBook(), [
        (bool(e["side"] == BID), int(e["px_ticks"]) * tick, int(e["qty_lots"]) * lot)
        for e in first_levels(tape)
    ]


def _update_ccxt(state: tuple[Any, list[tuple[bool, float, float]]], watch: Watch) -> None:
    book, levels = state
    bids, asks = book["bids"], book["asks"]
    watch.start()
    for is_bid, px, qty in levels:
        (bids if is_bid else asks).store(px, qty)
        if bids and asks:
            _ = bids[0][0], asks[0][0]
    watch.lap(len(levels))


def _nautilus(tape: Tape) -> tuple[Any, list[Any]]:
    """An L2 book (aggregated by price) and one delta per level, as its adapters make them."""
    from nautilus_trader.model.book import OrderBook
    from nautilus_trader.model.data import BookOrder, OrderBookDelta
    from nautilus_trader.model.enums import BookAction, BookType, OrderSide
    from nautilus_trader.model.identifiers import InstrumentId
    from nautilus_trader.model.objects import Price, Quantity

    name = InstrumentId.from_str("BTCUSDT.PEER")
    tick, lot = tape.instrument.tick, tape.instrument.lot
    decimals = (-tick.as_tuple().exponent, -lot.as_tuple().exponent)  # type: ignore[operator]
    deltas = []
    for e in first_levels(tape):
        side = OrderSide.BUY if e["side"] == BID else OrderSide.SELL
        px = Price(float(int(e["px_ticks"]) * tick), decimals[0])
        qty = Quantity(float(int(e["qty_lots"]) * lot), decimals[1])
        action = BookAction.UPDATE if e["qty_lots"] else BookAction.DELETE
        ts = int(e["ts_exch_ns"])
        order = BookOrder(side, px, qty, 0)
        deltas.append(OrderBookDelta(name, action, order, 0, int(e["seq"]), ts, ts))
    return OrderBook(name, BookType.L2_MBP), deltas


def _update_nautilus(state: tuple[Any, list[Any]], watch: Watch) -> None:
    book, deltas = state
    watch.start()
    for delta in deltas:
        book.apply_delta(delta)
        _ = book.best_bid_price(), book.best_ask_price()
    watch.lap(len(deltas))
