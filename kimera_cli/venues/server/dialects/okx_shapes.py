"""What OKX's answers and pushes are made of: instruments, tickers, orders, fills, balances."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.okx_text import ms, name_of, price, size
from kimera_cli.venues.server.model import Candle, Fill, Market, Order, Ticker, Trade

_STATES = {"trading": "live", "halt": "suspend", "cancel_only": "suspend", "delisted": "suspend"}
_SOURCES = {
    "user": ("1", "Order canceled by user"),
    "fok": ("13", "Order canceled: FOK order was canceled due to incompletely filled."),
    "ioc": ("14", "Order canceled: IOC order was partially canceled due to incompletely filled."),
    "no_liquidity": (
        "14",
        "Order canceled: IOC order was partially canceled due to incompletely filled.",
    ),
    "dead_man": ("20", "Cancel all after triggered"),
    "post_only": ("31", "The post-only order will take liquidity in taker orders"),
    "self_trade": ("32", "Self trade prevention"),
}
_SYSTEM = ("0", "Order canceled by system")
_UNUSED = (
    "algoClOrdId", "algoId", "attachAlgoClOrdId", "lever", "pxType", "pxUsd", "pxVol",
    "quickMgnType", "slOrdPx", "slTriggerPx", "slTriggerPxType", "source", "stpId", "tpOrdPx",
    "tpTriggerPx", "tpTriggerPxType", "ccy", "posSide",
)  # fmt: skip
_UNUSED_INSTRUMENT = (
    "alias", "auctionEndTime", "ctMult", "ctType", "ctVal", "ctValCcy", "expTime", "instFamily",
    "lever", "optType", "settleCcy", "stk", "uly",
)  # fmt: skip
LISTED_MS = "1548133413000"
MOST_QUOTE = "20000000"


def instrument(market: Market, code: int) -> dict[str, Any]:
    """Return an entry of instruments."""
    most = f"{market.max_qty.normalize():f}"
    return {
        **dict.fromkeys(_UNUSED_INSTRUMENT, ""),
        "baseCcy": market.base,
        "category": "1",
        "instId": name_of(market),
        "instIdCode": code,
        "instType": "SPOT",
        "listTime": LISTED_MS,
        "lotSz": size(market, 1),
        "maxIcebergSz": most,
        "maxLmtAmt": MOST_QUOTE,
        "maxLmtSz": most,
        "maxMktAmt": MOST_QUOTE,
        "maxMktSz": most,
        "maxStopSz": most,
        "maxTriggerSz": most,
        "maxTwapSz": most,
        "minSz": size(market, market.min_lots),
        "quoteCcy": market.quote,
        "ruleType": "normal",
        "state": _STATES[market.status],
        "tickSz": price(market, 1),
    }


def ticker(day: Ticker) -> dict[str, str]:
    """Return a ticker; the keys stand in the order of the websocket's."""
    market = day.market
    return {
        "instType": "SPOT",
        "instId": name_of(market),
        "last": price(market, day.last_px),
        "lastSz": size(market, day.last_lots),
        "askPx": price(market, day.ask_px) if day.ask_px else "",
        "askSz": size(market, day.ask_lots) if day.ask_px else "",
        "bidPx": price(market, day.bid_px) if day.bid_px else "",
        "bidSz": size(market, day.bid_lots) if day.bid_px else "",
        "open24h": price(market, day.open_px),
        "high24h": price(market, day.high_px),
        "low24h": price(market, day.low_px),
        "volCcy24h": amounts.text(amounts.truncated(day.quote, 9)),
        "vol24h": size(market, day.lots),
        "sodUtc0": price(market, day.open_px),
        "sodUtc8": price(market, day.open_px),
        "ts": ms(day.close_ns),
    }


def public_trade(trade: Trade) -> dict[str, str]:
    """Return a trade; the keys stand in the order of the websocket's."""
    market = trade.market
    return {
        "instId": name_of(market),
        "tradeId": str(trade.id),
        "px": price(market, trade.px_ticks),
        "sz": size(market, trade.qty_lots),
        "side": trade.side,
        "ts": ms(trade.ts_ns),
    }


def bar(market: Market, candle: Candle, closed: bool) -> list[str]:
    """Return a bar: time, prices, volume in base and quote (twice), whether it is closed."""
    quote = amounts.text(amounts.truncated(candle.quote, 9))
    prices = (candle.open_px, candle.high_px, candle.low_px, candle.close_px)
    return [
        ms(candle.open_ns),
        *(price(market, px) for px in prices),
        size(market, candle.lots),
        quote,
        quote,
        str(int(closed)),
    ]


def state(order: Order) -> str:
    """Return where an order is, in the venue's words."""
    if order.is_open:
        return "partially_filled" if order.filled_lots else "live"
    return "filled" if order.status == "filled" else "canceled"


def order_details(order: Order) -> dict[str, Any]:
    """Return an order as order details, history and the orders channel have it."""
    market, last = order.market, order.fills[-1] if order.fills else None
    canceled = state(order) == "canceled"
    source, why = _SOURCES.get(order.reason, _SYSTEM) if canceled else ("", "")
    fee_asset = market.base if order.side == "buy" else market.quote
    return {
        **dict.fromkeys(_UNUSED, ""),
        "accFillSz": size(market, order.filled_lots),
        "attachAlgoOrds": [],
        "avgPx": f"{order.average_px.normalize():f}" if order.filled_lots else "",
        "cTime": ms(order.created_ns),
        "cancelSource": source,
        "cancelSourceReason": why,
        "category": "normal",
        "clOrdId": order.client_id,
        "fee": paid(sum(order.fees.values())),
        "feeCcy": fee_asset,
        "fillPx": price(market, last.px_ticks) if last else "",
        "fillSz": size(market, last.qty_lots) if last else "0",
        "fillTime": ms(last.ts_ns) if last else "",
        "instId": name_of(market),
        "instType": "SPOT",
        "isTpLimit": "false",
        "linkedAlgoOrd": {"algoId": ""},
        "ordId": str(order.id),
        "ordType": order.extra.get("ordType", order.kind),
        "pnl": "0",
        "px": price(market, order.px_ticks) if order.px_ticks else "",
        "rebate": "0",
        "rebateCcy": market.quote if order.side == "buy" else market.base,
        "reduceOnly": "false",
        "side": order.side,
        "state": state(order),
        "stpMode": order.extra.get("stpMode", "cancel_maker"),
        "sz": amounts.text(order.quote_qty) if order.quote_qty else size(market, order.qty_lots),
        "tag": order.extra.get("tag", ""),
        "tdMode": "cash",
        "tgtCcy": order.extra.get("tgtCcy", ""),
        "tradeId": str(last.trade_id) if last else "",
        "uTime": ms(order.updated_ns),
    }


def pushed_order(order: Order, fill: Fill | None, amend: str = "") -> dict[str, Any]:
    """Return an order of the orders channel: fields of a fill only where a fill is told."""
    market, found = order.market, order_details(order)
    return {
        **found,
        "fillPx": price(market, fill.px_ticks) if fill else "",
        "fillSz": size(market, fill.qty_lots) if fill else "0",
        "fillTime": ms(fill.ts_ns) if fill else "",
        "tradeId": str(fill.trade_id) if fill else "",
        "execType": exec_type(fill) if fill else "",
        "fillFee": paid(fill.fee) if fill else "0",
        "fillFeeCcy": fill.fee_asset if fill else "",
        "amendResult": amend,
        "code": "0",
        "msg": "",
    }


def own_trade(fill: Fill) -> dict[str, str]:
    """Return an entry of fills."""
    order, market = fill.order, fill.order.market
    return {
        "instType": "SPOT",
        "instId": name_of(market),
        "tradeId": str(fill.trade_id),
        "ordId": str(order.id),
        "clOrdId": order.client_id,
        "billId": bill_id(fill),
        "tag": order.extra.get("tag", ""),
        "fillPx": price(market, fill.px_ticks),
        "fillSz": size(market, fill.qty_lots),
        "side": order.side,
        "posSide": "net",
        "execType": exec_type(fill),
        "feeCcy": fill.fee_asset,
        "fee": paid(fill.fee),
        "ts": ms(fill.ts_ns),
        "fillTime": ms(fill.ts_ns),
    }


def bill_id(fill: Fill) -> str:
    """Return the id of an account's part in a trade."""
    return str(fill.serial * 2 + fill.maker)


def exec_type(fill: Fill) -> str:
    """Return M for a maker's fill, T for a taker's."""
    return "M" if fill.maker else "T"


def paid(fee: int) -> str:
    """Return a fee: negative, because it is paid."""
    return amounts.text(-fee)
