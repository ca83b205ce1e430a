"""What Bybit's answers and pushes are made of: instruments, tickers, orders, executions, wallet."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.bybit_text import money, ms, name_of, size
from kimera_cli.venues.server.model import Candle, Fill, Market, Order, Ticker, Trade

_STATUS = {"trading": "Trading", "halt": "PreLaunch", "cancel_only": "PreLaunch"}
_DOLLARS = ("USD", "USDT", "USDC")
_ENDS = {
    "user": ("CancelByUser", "EC_PerCancelRequest"),
    "dead_man": ("CancelByDCP", "EC_PerCancelRequest"),
    "self_trade": ("CancelBySmp", "EC_BySelfMatch"),
    "post_only": ("UNKNOWN", "EC_PostOnlyWillTakeLiquidity"),
    "fok": ("UNKNOWN", "EC_CancelForNoFullFill"),
    "ioc": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
    "no_liquidity": ("UNKNOWN", "EC_NoImmediateQtyToFill"),
}
"""cancelType and rejectReason by why an order ended."""
_UNUSED = (
    "blockTradeId", "ocoTriggerBy", "orderIv", "placeType", "slLimitPrice", "slTriggerBy",
    "smpOrderId", "stopOrderType", "tpLimitPrice", "tpTriggerBy", "triggerBy",
)  # fmt: skip
_EXECUTION_UNUSED = (
    "blockTradeId", "closedSize", "extraFees", "indexPrice", "markIv", "markPrice", "stopOrderType",
    "tradeIv", "underlyingPrice",
)  # fmt: skip
MOST_VALUE = "8000000"


def instrument(market: Market) -> dict[str, Any]:
    """Return an entry of instruments-info."""
    most = f"{market.max_qty.normalize():f}"
    return {
        "symbol": name_of(market),
        "baseCoin": market.base,
        "quoteCoin": market.quote,
        "innovation": "0",
        "status": _STATUS.get(market.status, "Closed"),
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": size(market, 1),
            "quotePrecision": "0.00000001",
            "minOrderQty": size(market, market.min_lots),
            "maxOrderQty": most,
            "minOrderAmt": f"{market.min_notional.normalize():f}",
            "maxOrderAmt": MOST_VALUE,
            "maxLimitOrderQty": most,
            "maxMarketOrderQty": most,
            "postOnlyMaxLimitOrderSize": most,
        },
        "priceFilter": {"tickSize": amounts.text(market.tick_atoms)},
        "riskParameters": {"priceLimitRatioX": "0.5", "priceLimitRatioY": "0.5"},
    }


def figures(day: Ticker) -> dict[str, str]:
    """Return what REST and websocket both tell of a day."""
    market = day.market
    change = Decimal(day.last_px - day.open_px) / Decimal(day.open_px)
    return {
        "symbol": name_of(market),
        "lastPrice": market.px_text(day.last_px),
        "highPrice24h": market.px_text(day.high_px),
        "lowPrice24h": market.px_text(day.low_px),
        "prevPrice24h": market.px_text(day.open_px),
        "volume24h": size(market, day.lots),
        "turnover24h": money(day.quote),
        "price24hPcnt": f"{change:.4f}",
        "usdIndexPrice": market.px_text(day.last_px) if market.quote in _DOLLARS else "",
    }


def ticker(day: Ticker) -> dict[str, str]:
    """Return an entry of tickers."""
    market = day.market
    return {
        **figures(day),
        "bid1Price": market.px_text(day.bid_px) if day.bid_px else "",
        "bid1Size": size(market, day.bid_lots) if day.bid_px else "",
        "ask1Price": market.px_text(day.ask_px) if day.ask_px else "",
        "ask1Size": size(market, day.ask_lots) if day.ask_px else "",
    }


def public_trade(trade: Trade) -> dict[str, Any]:
    """Return an entry of recent-trade."""
    market = trade.market
    return {
        "execId": str(trade.id),
        "symbol": name_of(market),
        "price": market.px_text(trade.px_ticks),
        "size": size(market, trade.qty_lots),
        "side": trade.side.capitalize(),
        "time": ms(trade.ts_ns),
        "isBlockTrade": False,
        "isRPITrade": False,
        "seq": str(trade.serial),
    }


def bar(market: Market, candle: Candle) -> list[str]:
    """Return an entry of kline."""
    prices = (candle.open_px, candle.high_px, candle.low_px, candle.close_px)
    return [
        ms(candle.open_ns),
        *(market.px_text(px) for px in prices),
        size(market, candle.lots),
        money(candle.quote),
    ]


def status(order: Order) -> str:
    """Return where an order is, in the venue's words for spot."""
    if order.is_open:
        return "PartiallyFilled" if order.filled_lots else "New"
    if order.status == "filled":
        return "Filled"
    if order.reason == "post_only":
        return "Rejected"
    return "PartiallyFilledCanceled" if order.filled_lots else "Cancelled"


def order_details(order: Order) -> dict[str, Any]:
    """Return an order of realtime, history and the order topic."""
    market, extra = order.market, order.extra
    ended = not order.is_open and order.status != "filled"
    cancel_type, reason = _ENDS.get(order.reason, ("CancelByAdmin", "EC_Others"))
    left = order.left_lots if order.is_open else 0
    value = market.cost(order.px_ticks, left)
    return {
        **dict.fromkeys(_UNUSED, ""),
        "symbol": name_of(market),
        "orderType": order.kind.capitalize(),
        "orderLinkId": order.client_id,
        "orderId": str(order.id),
        "cancelType": cancel_type if ended else "UNKNOWN",
        "avgPrice": f"{order.average_px.normalize():f}" if order.filled_lots else "",
        "lastPriceOnCreated": "",
        "orderStatus": status(order),
        "takeProfit": "0",
        "cumExecValue": amounts.text(order.cost),
        "smpType": extra.get("smpType", "None"),
        "triggerDirection": 0,
        "isLeverage": "0",
        "rejectReason": reason if ended else "EC_NoError",
        "price": market.px_text(order.px_ticks) if order.px_ticks else "0",
        "createdTime": ms(order.created_ns),
        "positionIdx": 0,
        "timeInForce": extra.get("timeInForce", "GTC"),
        "leavesValue": amounts.text(value),
        "updatedTime": ms(order.updated_ns),
        "side": order.side.capitalize(),
        "smpGroup": 0,
        "triggerPrice": "0",
        "cumExecFee": amounts.text(sum(order.fees.values())),
        "cumFeeDetail": {asset: amounts.text(fee) for asset, fee in order.fees.items()},
        "leavesQty": size(market, left),
        "closeOnTrigger": False,
        "cumExecQty": size(market, order.filled_lots),
        "reduceOnly": False,
        "qty": amounts.text(order.quote_qty) if order.quote_qty else size(market, order.qty_lots),
        "stopLoss": "0",
        "marketUnit": extra.get("marketUnit", ""),
    }


def execution(fill: Fill) -> dict[str, Any]:
    """Return an execution of execution/list and the execution topic."""
    order, market = fill.order, fill.order.market
    cost = market.cost(fill.px_ticks, fill.qty_lots)
    base = cost if fill.fee_asset == market.quote else fill.qty_lots * market.lot_atoms
    left = order.qty_lots - sum(f.qty_lots for f in order.fills if f.trade_id <= fill.trade_id)
    return {
        **dict.fromkeys(_EXECUTION_UNUSED, ""),
        "symbol": name_of(market),
        "orderType": order.kind.capitalize(),
        "orderLinkId": order.client_id,
        "side": order.side.capitalize(),
        "orderId": str(order.id),
        "leavesQty": size(market, left),
        "execTime": ms(fill.ts_ns),
        "feeCurrency": fill.fee_asset,
        "isMaker": fill.maker,
        "execFee": amounts.text(fill.fee),
        "feeRate": f"{round(Decimal(fill.fee) / base, 6).normalize():f}",
        "execId": execution_id(fill),
        "execPrice": market.px_text(fill.px_ticks),
        "orderQty": size(market, order.qty_lots),
        "orderPrice": market.px_text(order.px_ticks) if order.px_ticks else "0",
        "execValue": amounts.text(cost),
        "execType": "Trade",
        "execQty": size(market, fill.qty_lots),
        "isLeverage": "0",
        "seq": fill.serial,
    }


def execution_id(fill: Fill) -> str:
    """Return the id of one order's part in a trade."""
    return str(fill.serial * 2 + fill.maker)
