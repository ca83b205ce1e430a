"""What must hold after every request, and over the whole state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kimera_cli.errors import RunError
from kimera_cli.venues.server.accounts import Ledger
from kimera_cli.venues.server.desk import Desk, engine_side
from kimera_cli.venues.server.model import BUY, SELL, Side

if TYPE_CHECKING:
    from kimera_cli.venues.server.exchange import Exchange


def check_uncrossed(desk: Desk) -> None:
    """Check that the best bid is below the best ask."""
    bid, ask = desk.depth.best(BUY), desk.depth.best(SELL)
    if bid is not None and ask is not None and bid >= ask:
        raise RunError(
            "run.venue_crossed",
            f"expected a bid below the ask in {desk.market.symbol}, was {bid} and {ask} ticks",
        )


def check_sums(ledger: Ledger) -> None:
    """Check that what left one account came to others, of each asset that moved."""
    for asset, amount in ledger.drift.items():
        if amount:
            raise RunError(
                "run.venue_conservation",
                f"expected the sum of {asset} over all accounts to stay, was {amount:+d} atoms",
            )


def check_all(exchange: Exchange) -> None:
    """Check sums of assets, holds, and books against the matching engine."""
    for asset, found, wanted in exchange.ledger.totals():
        if found != wanted:
            raise RunError(
                "run.venue_conservation",
                f"expected {wanted} atoms of {asset} over all accounts, was {found}",
            )
    for account in exchange.ledger.accounts.values():
        _check_holds(exchange, account.id)
    for desk in exchange.desks.values():
        check_uncrossed(desk)
        for side in (BUY, SELL):
            _check_book(desk, side)


def _check_holds(exchange: Exchange, account: int) -> None:
    owner = exchange.ledger.accounts[account]
    held = dict.fromkeys(owner.balances, 0)
    for order in owner.open.values():
        held[order.hold_asset] += order.hold
    for asset, wanted in held.items():
        balance = owner.balances[asset]
        if balance.held != wanted or balance.free < 0 or balance.held < 0:
            raise RunError(
                "run.venue_holds",
                f"expected account {owner.name} to hold {wanted} atoms of {asset} for its open "
                f"orders, was {balance.held} (free {balance.free})",
            )


def _check_book(desk: Desk, side: Side) -> None:
    levels = desk.depth.levels(side)
    found = desk.engine.levels(engine_side(side), len(levels) + 1)
    by_order: dict[int, int] = {}
    for order in desk.resting.values():
        if order.side == side:
            by_order[order.px_ticks] = by_order.get(order.px_ticks, 0) + order.left_lots
    if [tuple(level) for level in found] != levels or by_order != dict(levels):
        raise RunError(
            "run.venue_book",
            f"expected the {side} levels of {desk.market.symbol} as in the engine, was otherwise",
        )
