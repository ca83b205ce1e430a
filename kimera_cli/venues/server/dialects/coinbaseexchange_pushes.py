"""Coinbase Exchange's websocket messages as frames; keys in the order of the recorded ones."""

from __future__ import annotations

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.dialects import coinbaseexchange_shapes as shapes
from kimera_cli.venues.server.dialects.coinbase_shapes import FIAT
from kimera_cli.venues.server.dialects.coinbase_text import (
    iso,
    named_uuid,
    price,
    product_id,
    size,
)
from kimera_cli.venues.server.dialects.coinbaseexchange_feed import match_body
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.frames import Frame, json_frame, text_frame
from kimera_cli.venues.server.model import BalanceChanged, BookChanged, Market, Ticker, Trade


def snapshot(market: Market, book: tuple[Levels, Levels]) -> Frame:
    """Return a whole book, asks first."""
    bids, asks = (
        ",".join(f'["{market.px_text(px)}","{market.qty_text(lots)}"]' for px, lots in levels)
        for levels in book
    )
    head = f'{{"type":"snapshot","product_id":"{product_id(market)}"'
    return text_frame(f'{head},"asks":[{asks}],"bids":[{bids}]}}')


def update(event: BookChanged) -> Frame:
    """Return the levels that changed."""
    market = event.market
    changes = ",".join(
        f'["{side}","{market.px_text(px)}","{market.qty_text(lots)}"]'
        for side, px, lots in event.changes
    )
    return text_frame(
        f'{{"type":"l2update","product_id":"{product_id(market)}","changes":[{changes}],'
        f'"time":"{iso(event.ts_ns)}"}}'
    )


def ticker(day: Ticker, trade: Trade, sequence: int) -> Frame:
    """Return a product's last trade and day; `side` is the taker's."""
    market = day.market
    return json_frame(
        {
            "type": "ticker",
            "sequence": sequence,
            "product_id": product_id(market),
            "price": price(market, trade.px_ticks),
            "open_24h": price(market, day.open_px),
            "volume_24h": shapes.eight(market, day.lots),
            "low_24h": price(market, day.low_px),
            "high_24h": price(market, day.high_px),
            "volume_30d": shapes.eight(market, day.lots),
            "best_bid": market.px_text(day.bid_px),
            "best_bid_size": shapes.eight(market, day.bid_lots),
            "best_ask": market.px_text(day.ask_px),
            "best_ask_size": shapes.eight(market, day.ask_lots),
            "side": trade.side,
            "time": iso(trade.ts_ns),
            "trade_id": trade.id,
            "last_size": size(market, trade.qty_lots),
        }
    )


def last_match(trade: Trade, sequence: int) -> Frame:
    """Return the trade before the subscription."""
    return json_frame(
        {
            "type": "last_match",
            **match_body(trade),
            "product_id": product_id(trade.market),
            "sequence": sequence,
            "time": iso(trade.ts_ns),
        }
    )


def heartbeat(market: Market, sequence: int, trade_id: int, now_ns: int) -> Frame:
    """Return where a product's messages are."""
    return json_frame(
        {
            "type": "heartbeat",
            "sequence": sequence,
            "last_trade_id": trade_id,
            "product_id": product_id(market),
            "time": iso(now_ns),
        }
    )


def status(exchange: Exchange) -> Frame:
    """Return all products and currencies."""
    names = sorted({asset for m in exchange.markets for asset in (m.base, m.quote)})
    return json_frame(
        {
            "type": "status",
            "products": [shapes.product(market) for market in exchange.markets],
            "currencies": [shapes.currency(asset, asset in FIAT) for asset in names],
        }
    )


def balance(event: BalanceChanged) -> Frame:
    """Return a wallet after a change."""
    when = iso(event.ts_ns)
    return json_frame(
        {
            "type": "balance",
            "account_id": named_uuid("wallet", event.account, event.asset),
            "currency": event.asset,
            "holds": amounts.text(event.held),
            "available": amounts.text(event.free),
            "updated": when,
            "timestamp": when,
        }
    )
