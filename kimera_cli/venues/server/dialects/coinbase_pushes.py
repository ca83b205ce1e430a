"""The events inside Coinbase Advanced Trade's websocket messages, as JSON text.

A book's sizes and prices have all decimals of lot and tick, as recorded; the order of keys is that
of the recorded messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects import coinbase_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_market import candle_body
from kimera_cli.venues.server.dialects.coinbase_text import (
    NEVER,
    iso,
    named_uuid,
    order_uuid,
    price,
    product_id,
    size,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import json_bytes
from kimera_cli.venues.server.model import BookChanged, Market, Order, Side, Ticker, Trade

BUCKET_NS = 300 * NS_PER_S
BARS = 100
SIDES: dict[Side, str] = {"buy": "bid", "sell": "offer"}


def _level(market: Market, side: Side, px_ticks: int, lots: int, when: str) -> str:
    return (
        f'{{"side":"{SIDES[side]}","event_time":"{when}","price_level":"{market.px_text(px_ticks)}"'
        f',"new_quantity":"{market.qty_text(lots)}"}}'
    )


def _book(kind: str, market: Market, levels: list[str]) -> bytes:
    text = ",".join(levels)
    return f'{{"type":"{kind}","product_id":"{product_id(market)}","updates":[{text}]}}'.encode()


def book_snapshot(market: Market, book: tuple[Levels, Levels], now_ns: int) -> bytes:
    """Return a whole book, bids first."""
    when, (bids, asks) = iso(now_ns), book
    levels = [_level(market, "buy", px, lots, when) for px, lots in bids]
    levels += [_level(market, "sell", px, lots, when) for px, lots in asks]
    return _book("snapshot", market, levels)


def book_update(event: BookChanged) -> bytes:
    """Return the levels that a request changed."""
    when = iso(event.ts_ns)
    levels = [_level(event.market, *change, when) for change in event.changes]
    return _book("update", event.market, levels)


def trades(kind: str, found: Sequence[Trade]) -> bytes:
    """Return trades in the order given; `side` is the resting order's."""
    listed = [
        {
            "trade_id": str(trade.id),
            "product_id": product_id(trade.market),
            "price": trade.market.px_text(trade.px_ticks),
            "size": trade.market.qty_text(trade.qty_lots),
            "side": trade.maker_side.upper(),
            "time": iso(trade.ts_ns),
        }
        for trade in found
    ]
    return json_bytes({"type": kind, "trades": listed})


def ticker(kind: str, day: Ticker) -> bytes:
    """Return a product's last 24 hours."""
    market = day.market
    change = (day.last_px - day.open_px) / day.open_px * 100 if day.open_px else 0
    body = {
        "type": "ticker",
        "product_id": product_id(market),
        "price": market.px_text(day.last_px),
        "volume_24_h": market.qty_text(day.lots),
        "low_24_h": market.px_text(day.low_px),
        "high_24_h": market.px_text(day.high_px),
        "low_52_w": market.px_text(day.low_px),
        "high_52_w": market.px_text(day.high_px),
        "price_percent_chg_24_h": f"{change:.14g}",
        "best_bid": market.px_text(day.bid_px),
        "best_bid_quantity": market.qty_text(day.bid_lots),
        "best_ask": market.px_text(day.ask_px),
        "best_ask_quantity": market.qty_text(day.ask_lots),
    }
    return json_bytes({"type": kind, "tickers": [body]})


def candles(kind: str, exchange: Exchange, symbol: str, n: int) -> bytes:
    """Return the newest n bars of five minutes, newest first."""
    market = exchange.market(symbol)
    found = exchange.candles(symbol, BUCKET_NS, limit=n)[::-1]
    bars = [candle_body(market, bar) | {"product_id": product_id(market)} for bar in found]
    return json_bytes({"type": kind, "candles": bars})


def heartbeat(now_ns: int, counter: int) -> bytes:
    """Return a heartbeat; its time has nanoseconds."""
    when = iso(now_ns)[:-1].replace("T", " ")
    body = {
        "current_time": f"{when}{now_ns % 1000:03d}+00:00",
        "heartbeat_counter": counter,
    }
    return json_bytes(body)


def orders(kind: str, found: Sequence[Order]) -> bytes:
    """Return orders as the `user` channel has them: cumulative, no single fills."""
    return json_bytes({"type": kind, "orders": [order_body(order) for order in found]})


def order_body(order: Order) -> dict[str, Any]:
    """Return an order as it is now."""
    market = order.market
    return {
        "order_id": order_uuid(order.id),
        "client_order_id": order.client_id,
        "cumulative_quantity": size(market, order.filled_lots),
        "leaves_quantity": size(market, order.left_lots),
        "avg_price": shapes.average(order),
        "total_fees": amounts.text(shapes.fees_of(order)),
        "status": shapes.STATUS[order.status],
        "product_id": product_id(market),
        "creation_time": iso(order.created_ns),
        "order_side": order.side.upper(),
        "order_type": order.kind.capitalize(),
        "cancel_reason": shapes.WHY.get(order.reason, order.reason) if not order.is_open else "",
        "reject_reason": "",
        "total_value_after_fees": amounts.text(shapes.after_fees(order)),
        "contract_expiry_type": "UNKNOWN_CONTRACT_EXPIRY_TYPE",
        "product_type": "SPOT",
        "risk_managed_by": "UNKNOWN_RISK_MANAGEMENT_TYPE",
        "time_in_force": shapes.TIFS["ioc" if order.kind == "market" else order.tif],
        "trigger_status": "INVALID_ORDER_TYPE",
        "completion_percentage": shapes.completion(order),
        "filled_value": amounts.text(order.cost),
        "limit_price": price(market, order.px_ticks) if order.px_ticks else "0",
        "number_of_fills": str(len(order.fills)),
        "outstanding_hold_amount": amounts.text(order.hold),
        "post_only": "true" if order.post_only else "false",
        "retail_portfolio_id": named_uuid("portfolio", order.account),
        "stop_price": "",
        "end_time": NEVER,
        "start_time": NEVER,
    }
