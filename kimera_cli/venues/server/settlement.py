"""What a trade moves: base and quote between the two accounts, fees to the exchange, holds."""

from __future__ import annotations

from kimera_cli.venues.server.accounts import FEES, Ledger
from kimera_cli.venues.server.admission import Rates, fee_on, hold_of, rates_of
from kimera_cli.venues.server.model import BUY, Fill, Order, Trade
from kimera_cli.venues.server.rules import Rules


def settle(
    ledger: Ledger, rules: Rules, trade: Trade, maker: Order, taker: Order
) -> tuple[Fill, Fill]:
    """Book a trade on both orders; return the fills of maker and taker (orders not yet closed)."""
    buyer, seller = (maker, taker) if maker.side == BUY else (taker, maker)
    market = trade.market
    cost = market.cost(trade.px_ticks, trade.qty_lots)
    size = trade.qty_lots * market.lot_atoms
    ledger.pay(buyer.account, seller.account, market.quote, cost)
    ledger.pay(seller.account, buyer.account, market.base, size)
    buyer.hold -= cost
    seller.hold -= size
    fills = _book(ledger, rules, trade, maker, cost), _book(ledger, rules, trade, taker, cost)
    for order in (maker, taker):
        ledger.accounts[order.account].volume += cost
    return fills


def _book(ledger: Ledger, rules: Rules, trade: Trade, order: Order, cost: int) -> Fill:
    account = ledger.accounts[order.account]
    rates = rates_of(rules, account.volume)
    is_maker = order.id == trade.maker_id
    rate = rates.maker if is_maker else rates.taker
    asset, fee = _fee(ledger, rules, trade, order, cost, rate)
    fill = Fill(
        trade.id, trade.serial, order, trade.px_ticks, trade.qty_lots, fee, asset, is_maker,
        trade.ts_ns,
    )  # fmt: skip
    order.filled_lots += trade.qty_lots
    order.cost += cost
    order.updated_ns = trade.ts_ns
    order.fills = (*order.fills, fill)
    account.fills.append(fill)
    if order.kind == "limit":
        shrink_hold(ledger, rules, order, rates)
    return fill


def _fee(
    ledger: Ledger, rules: Rules, trade: Trade, order: Order, cost: int, rate: int
) -> tuple[str, int]:
    market = trade.market
    if order.side == BUY and rules.fee_asset == "received":
        fee = fee_on(trade.qty_lots * market.lot_atoms, rate, rules.fee_digits)
        ledger.charge(order.account, market.base, fee)
        return market.base, fee
    fee = fee_on(cost, rate, rules.fee_digits)
    if order.side != BUY:
        ledger.charge(order.account, market.quote, fee)
    elif fee:
        ledger.pay(order.account, FEES, market.quote, fee)
        order.hold -= fee
    return market.quote, fee


def shrink_hold(ledger: Ledger, rules: Rules, order: Order, rates: Rates) -> None:
    """Release what a limit order holds beyond what the rest of it needs."""
    left = order.left_lots
    cost = order.market.cost(order.px_ticks, left)
    surplus = order.hold - hold_of(order, left, cost, rates, rules)
    if surplus > 0:
        release(ledger, order, surplus)


def release(ledger: Ledger, order: Order, amount: int | None = None) -> None:
    """Give `amount` (None: all) of what an order holds back to its account."""
    freed = order.hold if amount is None else amount
    if freed:
        ledger.hold(order.account, order.hold_asset, -freed)
        order.hold -= freed
