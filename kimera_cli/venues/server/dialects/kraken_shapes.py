"""What Kraken's REST answers are made of: pairs, tickers, orders, trades of an account."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects import kraken_names as names
from kimera_cli.venues.server.dialects.kraken_text import AMOUNT_DIGITS, COST_DIGITS, cost, unix
from kimera_cli.venues.server.model import Candle, Fill, Market, Order, Ticker, Trade
from kimera_cli.venues.server.rules import Rules

_STATUS = {"trading": "online", "halt": "maintenance", "cancel_only": "cancel_only"}
_ENDED = {"filled": "closed", "canceled": "canceled", "expired": "expired"}
_REASONS = {"user": "User requested", "dead_man": "Cancel all orders after"}
_ZERO = "0.00000"
VOLUME_DIGITS = 8


def asset(name: str) -> dict[str, Any]:
    """Return an entry of Assets."""
    cash = names.is_cash(name)
    return {
        "aclass": "currency",
        "altname": names.alternative(name),
        "decimals": 4 if cash else AMOUNT_DIGITS,
        "display_decimals": 2 if cash else 5,
        "collateral_value": 1.0,
        "status": "enabled",
    }


def pair(market: Market, rules: Rules) -> dict[str, Any]:
    """Return an entry of AssetPairs."""
    return {
        "altname": names.altname(market),
        "wsname": names.wsname(market),
        "aclass_base": "currency",
        "base": names.asset(market.base),
        "aclass_quote": "currency",
        "quote": names.asset(market.quote),
        "lot": "unit",
        "cost_decimals": COST_DIGITS,
        "pair_decimals": market.px_digits,
        "lot_decimals": market.qty_digits,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": [[int(tier.volume), float(tier.taker * 100)] for tier in rules.tiers],
        "fees_maker": [[int(tier.volume), float(tier.maker * 100)] for tier in rules.tiers],
        "fee_volume_currency": "ZUSD",
        "margin_call": 80,
        "margin_stop": 40,
        "ordermin": f"{market.min_qty.normalize():f}",
        "costmin": f"{market.min_notional.normalize():f}",
        "tick_size": f"{market.tick.normalize():f}",
        "status": _STATUS.get(market.status, "delisted"),
    }


def ticker(day: Ticker, today: Candle) -> dict[str, Any]:
    """Return an entry of Ticker: each list has today's value and that of 24 hours."""
    market = day.market

    def px(ticks: int) -> str:
        return market.px_text(ticks, COST_DIGITS)

    def best(ticks: int, lots: int) -> list[str]:
        whole = lots * market.lot_atoms // amounts.ONE
        return [px(ticks), str(whole), amounts.fixed(lots * market.lot_atoms, 3)]

    return {
        "a": best(day.ask_px, day.ask_lots),
        "b": best(day.bid_px, day.bid_lots),
        "c": [px(day.last_px), market.qty_text(day.last_lots, VOLUME_DIGITS)],
        "v": [market.qty_text(lots, VOLUME_DIGITS) for lots in (today.lots, day.lots)],
        "p": [vwap(market, today.quote, today.lots), vwap(market, day.quote, day.lots)],
        "t": [today.trades, day.trades],
        "l": [px(today.low_px), px(day.low_px)],
        "h": [px(today.high_px), px(day.high_px)],
        "o": px(today.open_px),
    }


def vwap(market: Market, quote: int, lots: int) -> str:
    """Return the mean price of a volume."""
    if not lots:
        return _ZERO
    return amounts.fixed(quote * amounts.ONE // (lots * market.lot_atoms), COST_DIGITS)


def public_trade(trade: Trade) -> list[Any]:
    """Return an entry of Trades."""
    market = trade.market
    return [
        market.px_text(trade.px_ticks, COST_DIGITS),
        market.qty_text(trade.qty_lots, VOLUME_DIGITS),
        trade.ts_ns / 1e9,
        trade.side[0],
        trade.taker_kind[0],
        "",
        trade.id,
    ]


def bar(market: Market, candle: Candle) -> list[Any]:
    """Return an entry of OHLC."""
    prices = (candle.open_px, candle.high_px, candle.low_px, candle.close_px)
    return [
        candle.open_ns // 1_000_000_000,
        *(market.px_text(px) for px in prices),
        vwap(market, candle.quote, candle.lots) if candle.lots else "0.0",
        market.qty_text(candle.lots, VOLUME_DIGITS),
        candle.trades,
    ]


def description(order: Order) -> dict[str, str]:
    """Return how Kraken describes an order."""
    market = order.market
    price = market.px_text(order.px_ticks) if order.px_ticks else "0"
    kind = f"limit {price}" if order.kind == "limit" else "market"
    return {
        "pair": names.altname(market),
        "type": order.side,
        "ordertype": order.kind,
        "price": price,
        "price2": "0",
        "leverage": "none",
        "order": f"{order.side} {volume(order)} {names.altname(market)} @ {kind}",
    }


def volume(order: Order) -> str:
    """Return the size of an order; by cost, its cost."""
    if order.quote_qty:
        return amounts.fixed(order.quote_qty, COST_DIGITS)
    return order.market.qty_text(order.qty_lots, VOLUME_DIGITS)


def average(order: Order) -> str:
    """Return the mean price of an order's fills."""
    return vwap(order.market, order.cost, order.filled_lots)


def oflags(order: Order) -> str:
    """Return an order's flags."""
    chosen = ("fciq", "post" if order.post_only else "", "viqc" if order.quote_qty else "")
    return ",".join(each for each in chosen if each)


def order_info(order: Order, *, trades: bool = False) -> dict[str, Any]:
    """Return an order of OpenOrders, ClosedOrders or QueryOrders."""
    found: dict[str, Any] = {
        "refid": None,
        "userref": order.extra.get("userref", 0),
        "status": _ENDED.get(order.status, "open"),
        "opentm": unix(order.created_ns),
        "starttm": 0,
        "expiretm": 0,
        "descr": {**description(order), "close": ""},
        "vol": volume(order),
        "vol_exec": order.market.qty_text(order.filled_lots, VOLUME_DIGITS),
        "cost": cost(order.cost),
        "fee": cost(sum(order.fees.values())),
        "price": average(order),
        "stopprice": _ZERO,
        "limitprice": _ZERO,
        "misc": "",
        "oflags": oflags(order),
    }
    if not order.is_open:
        found["reason"] = reason(order)
        found["closetm"] = unix(order.updated_ns)
    if order.client_id:
        found["cl_ord_id"] = order.client_id
    if trades:
        found["trades"] = [execution_id(fill) for fill in order.fills]
    return found


def reason(order: Order) -> str | None:
    """Return why an order ended, None for one that was filled."""
    return _REASONS.get(order.reason, order.reason.replace("_", " ").capitalize()) or None


def execution_id(fill: Fill) -> str:
    """Return the id of one order's part in a trade."""
    return names.transaction("T", fill.serial * 2 + fill.maker)


def ledger_id(fill: Fill, leg: int) -> str:
    """Return the id of a ledger entry that a fill made; `leg` 0 is base, 1 quote."""
    return names.transaction("L", (fill.serial * 2 + fill.maker) * 2 + leg)


def own_trade(fill: Fill) -> dict[str, Any]:
    """Return an entry of TradesHistory."""
    market, order = fill.order.market, fill.order
    return {
        "ordertxid": names.transaction("O", order.id),
        "postxid": names.transaction("T", order.id),
        "pair": names.key(market),
        "time": unix(fill.ts_ns),
        "type": order.side,
        "ordertype": order.kind,
        "price": market.px_text(fill.px_ticks, COST_DIGITS),
        # All digits: it is what changed hands, and balances must come to the same.
        "cost": amounts.fixed(market.cost(fill.px_ticks, fill.qty_lots), AMOUNT_DIGITS),
        "fee": cost(fill.fee),
        "vol": market.qty_text(fill.qty_lots, VOLUME_DIGITS),
        "margin": _ZERO,
        "misc": "",
        "trade_id": fill.trade_id,
        "maker": fill.maker,
        "ledgers": [ledger_id(fill, 0), ledger_id(fill, 1)],
    }
