"""What a request must pass before it reaches the matching engine, and what is held for it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.accounts import Account
from kimera_cli.venues.server.desk import Desk
from kimera_cli.venues.server.model import BUY, FeeTier, Order, OrderRequest, Reject, SelfTrade
from kimera_cli.venues.server.rules import Rules

RATE = 10**9
"""Fee rates are integers of 1e-9."""


class Rates(NamedTuple):
    """An account's fee rates in 1e-9 of the notional."""

    maker: int
    taker: int


def rates_of(rules: Rules, volume: int) -> Rates:
    """Return the fee rates at a traded volume (atoms)."""
    tier = tier_of(rules, volume)
    return Rates(int(tier.maker * RATE), int(tier.taker * RATE))


def tier_of(rules: Rules, volume: int) -> FeeTier:
    """Return the fee tier at a traded volume (atoms)."""
    units = Decimal(volume) / amounts.ONE
    return [tier for tier in rules.tiers if tier.volume <= units][-1]


def fee_on(amount: int, rate: int, digits: int) -> int:
    """Return the fee on an amount of atoms, cut off to `digits` decimals."""
    return amounts.truncated(amount * rate // RATE, digits)


def with_fee(amount: int, rate: int) -> int:
    """Return an amount and the highest fee on it, for a hold."""
    return amount - (-amount * rate // RATE)


class Size(NamedTuple):
    """What a request comes to: lots, and the atoms of quote that it may cost (0: a sell)."""

    lots: int
    cost: int
    quote_qty: int


def check_market(desk: Desk) -> None:
    """Reject new risk in a market that does not trade."""
    status = desk.market.status
    if status == "cancel_only":
        raise Reject("cancel_only", f"{desk.market.symbol} takes only cancels")
    if status == "delisted":
        raise Reject("bad_symbol", f"{desk.market.symbol} is not listed any more")
    if status == "halt":
        raise Reject("halted", f"{desk.market.symbol} does not trade now")


def check_client_id(account: Account, client_id: str, rules: Rules, now_ns: int) -> None:
    """Reject a client id that is taken, by the venue's rule of uniqueness."""
    found = account.by_client_id.get(client_id) if client_id else None
    if found is None or rules.client_id_unique == "never":
        return
    kept = rules.client_id_unique == "kept" and (
        not rules.client_id_window_ns or now_ns - found.created_ns < rules.client_id_window_ns
    )
    if found.is_open or kept:
        raise Reject("dup_client_id", f"client id {client_id} is taken", found)


def check_open_orders(account: Account, rules: Rules) -> None:
    """Reject an order above the account's limit of open orders."""
    if len(account.open) >= rules.max_open_orders and not account.exempt:
        raise Reject("too_many_orders", f"{len(account.open)} orders are open")


def check_lots(desk: Desk, lots: int) -> None:
    """Reject a size outside the market's limits."""
    market = desk.market
    if lots < market.min_lots:
        raise Reject("min_qty", f"{market.qty_text(lots)} is under {market.min_qty}")
    if lots > market.max_lots:
        raise Reject("max_qty", f"{market.qty_text(lots)} is over {market.max_qty}")


def check_cost(desk: Desk, cost: int) -> None:
    """Reject an order of too little value."""
    if cost < desk.market.min_cost:
        market = desk.market
        raise Reject("min_notional", f"{amounts.text(cost)} is under {market.min_notional}")


def limit_size(desk: Desk, account: Account, request: OrderRequest, px_ticks: int) -> Size:
    """Return the size of a limit order."""
    if request.qty is None:
        raise Reject("bad_request", "a limit order needs a quantity")
    lots = desk.market.lots(request.qty)
    cost = desk.market.cost(px_ticks, lots)
    desk.check_band(px_ticks)
    if not account.exempt:
        check_lots(desk, lots)
        check_cost(desk, cost)
    return Size(lots, cost, 0)


def market_size(
    desk: Desk, account: Account, request: OrderRequest, mode: SelfTrade, rates: Rates, rules: Rules
) -> Size:
    """Return the size of a market order, given by quantity or by cost, against the book now."""
    if (request.qty is None) == (request.cost is None):
        raise Reject("bad_request", "a market order needs either a quantity or a cost")
    if request.qty is not None:
        lots = desk.market.lots(request.qty)
        check_lots(desk, lots)
        done, cost = desk.sweep(account, request.side, mode, lots)
        if done:
            check_cost(desk, cost)
        return Size(lots, cost, 0)
    spend = _spend(request)
    check_cost(desk, spend)
    if rules.cost_includes_fee and request.side == BUY:
        spend = spend * RATE // (RATE + rates.taker)
    lots = desk.affordable(account, request.side, mode, spend)
    if not lots:
        liquid = desk.depth.best("sell" if request.side == BUY else "buy") is not None
        raise Reject("min_qty" if liquid else "no_liquidity", "the cost buys less than one lot")
    _, cost = desk.sweep(account, request.side, mode, lots)
    return Size(lots, cost, amounts.atoms(Decimal(str(request.cost))))


def _spend(request: OrderRequest) -> int:
    try:
        spend = amounts.atoms(Decimal(str(request.cost)))
    except (ValueError, ArithmeticError):
        raise Reject("bad_request", f"cost is not an amount: {request.cost!r}") from None
    if spend <= 0:
        raise Reject("bad_request", f"cost is not above 0: {request.cost!r}")
    return spend


def hold_of(order: Order, lots: int, cost: int, rates: Rates, rules: Rules) -> int:
    """Return what must be held for `lots` of an order that may cost `cost`, in its hold asset."""
    if order.side != BUY:
        return lots * order.market.lot_atoms
    if rules.fee_asset == "quote":
        return with_fee(cost, max(rates.maker, rates.taker))
    return cost


def check_funds(account: Account, asset: str, need: int) -> None:
    """Reject an order that the free balance does not cover."""
    free = account.balance(asset).free
    if need > free:
        raise Reject("funds", f"{asset}: needs {amounts.text(need)}, has {amounts.text(free)} free")
