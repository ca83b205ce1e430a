"""JSON of Binance spot: orders, fills, account, book, tape, bars. Amounts have eight decimals."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.admission import RATE, Rates
from kimera_cli.venues.server.depth import Levels
from kimera_cli.venues.server.keys import Key
from kimera_cli.venues.server.model import Candle, Fill, Market, Order, Ticker, Trade

MS = 1_000_000
STP = {
    "none": "NONE",
    "cancel_newest": "EXPIRE_TAKER",
    "cancel_oldest": "EXPIRE_MAKER",
    "cancel_both": "EXPIRE_BOTH",
    "decrement": "DECREMENT",
}
Json = dict[str, Any]


def money(amount: int) -> str:
    """Return atoms with eight decimals."""
    return amounts.fixed(amount, 8)


def price(market: Market, px_ticks: int) -> str:
    """Return a price with eight decimals."""
    return market.px_text(px_ticks, 8)


def size(market: Market, lots: int) -> str:
    """Return a size with eight decimals."""
    return market.qty_text(lots, 8)


def name_of(market: Market) -> str:
    """Return Binance's name of a market (`BTCUSDT`)."""
    return market.base + market.quote


def status_of(order: Order) -> str:
    """Return Binance's word for an order's state."""
    if order.status == "open":
        return "PARTIALLY_FILLED" if order.filled_lots else "NEW"
    if order.status == "filled":
        return "FILLED"
    if order.reason == "self_trade":
        return "EXPIRED_IN_MATCH"
    return "EXPIRED" if order.status == "expired" else "CANCELED"


def type_of(order: Order) -> str:
    """Return Binance's order type."""
    return "LIMIT_MAKER" if order.post_only else order.kind.upper()


def order_head(order: Order, client_id: str | None = None) -> Json:
    """Return what all answers about an order begin with."""
    return {
        "symbol": name_of(order.market),
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.client_id if client_id is None else client_id,
    }


def order_amounts(order: Order) -> Json:
    """Return sizes, state and kind of an order."""
    market = order.market
    return {
        "price": price(market, order.px_ticks),
        "origQty": size(market, order.qty_lots),
        "executedQty": size(market, order.filled_lots),
        "origQuoteOrderQty": money(order.quote_qty),
        "cummulativeQuoteQty": money(order.cost),
        "status": status_of(order),
        "timeInForce": order.tif.upper(),
        "type": type_of(order),
        "side": order.side.upper(),
    }


def prevented(order: Order) -> str:
    """Return how much of an order the prevention of self-trades took; empty for nothing."""
    ended = order.reason == "self_trade" and not order.is_open
    lots = order.prevented_lots + (order.left_lots if ended else 0)
    return size(order.market, lots) if lots else ""


def _prevention(order: Order) -> Json:
    """Return what orders have that an own order was in the way of."""
    quantity = prevented(order)
    return {"preventedQuantity": quantity} if quantity else {}


def order_query(order: Order) -> Json:
    """Return an order as GET /api/v3/order shows it."""
    return {
        **order_head(order),
        **order_amounts(order),
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": order.created_ns // MS,
        "updateTime": order.updated_ns // MS,
        "isWorking": True,
        "workingTime": order.created_ns // MS,
        "selfTradePreventionMode": STP[order.self_trade],
        **_prevention(order),
    }


def order_ack(order: Order) -> Json:
    """Return the shortest answer to a new order (newOrderRespType ACK)."""
    return {**order_head(order), "transactTime": order.created_ns // MS}


def order_result(order: Order) -> Json:
    """Return the answer to a new order without its fills (RESULT)."""
    return {
        **order_ack(order),
        **order_amounts(order),
        "workingTime": order.created_ns // MS,
        "selfTradePreventionMode": STP[order.self_trade],
        **_prevention(order),
    }


def order_full(order: Order) -> Json:
    """Return the answer to a new order with its fills (FULL)."""
    market = order.market
    fills = [
        {
            "price": price(market, fill.px_ticks),
            "qty": size(market, fill.qty_lots),
            "commission": money(fill.fee),
            "commissionAsset": fill.fee_asset,
            "tradeId": fill.trade_id,
        }
        for fill in order.fills
    ]
    return {**order_result(order), "fills": fills}


def order_canceled(order: Order, cancel_id: str) -> Json:
    """Return the answer to a cancel; the cancel has a client id of its own."""
    head = order_head(order, cancel_id)
    return {
        "symbol": head.pop("symbol"),
        "origClientOrderId": order.client_id,
        **head,
        "transactTime": order.updated_ns // MS,
        **order_amounts(order),
        "selfTradePreventionMode": STP[order.self_trade],
    }


def my_trade(fill: Fill) -> Json:
    """Return a fill as GET /api/v3/myTrades shows it."""
    order = fill.order
    market = order.market
    return {
        "symbol": name_of(market),
        "id": fill.trade_id,
        "orderId": order.id,
        "orderListId": -1,
        "price": price(market, fill.px_ticks),
        "qty": size(market, fill.qty_lots),
        "quoteQty": money(market.cost(fill.px_ticks, fill.qty_lots)),
        "commission": money(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts_ns // MS,
        "isBuyer": order.side == "buy",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }


def rate_text(rate: int) -> str:
    """Return a fee rate as a fraction with eight decimals."""
    return amounts.fixed(rate * (amounts.ONE // RATE), 8)


def account(balances: dict[str, tuple[int, int]], rates: Rates, now_ms: int, uid: int) -> Json:
    """Return GET /api/v3/account."""
    return {
        "makerCommission": rates.maker * 10_000 // RATE,
        "takerCommission": rates.taker * 10_000 // RATE,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {
            "maker": rate_text(rates.maker),
            "taker": rate_text(rates.taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        },
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": False,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": asset, "free": money(free), "locked": money(held)}
            for asset, (free, held) in balances.items()
        ],
        "permissions": ["SPOT"],
        "uid": uid,
    }


def restrictions(key: Key) -> Json:
    """Return GET /sapi/v1/account/apiRestrictions: what a key may do."""
    refused = (
        "enableInternalTransfer", "enableMargin", "enableFutures", "permitsUniversalTransfer",
        "enableVanillaOptions", "enableFixApiTrade", "enableFixReadOnly",
        "enablePortfolioMarginTrading",
    )  # fmt: skip
    return {
        "ipRestrict": False,
        "createTime": 1_700_000_000_000,
        "enableReading": key.may("read"),
        "enableSpotAndMarginTrading": key.may("trade"),
        "enableWithdrawals": key.may("withdraw"),
        **dict.fromkeys(refused, False),
    }


def levels(market: Market, side: Levels) -> list[list[str]]:
    """Return levels of a book."""
    return [[price(market, px), size(market, lots)] for px, lots in side]


def public_trade(trade: Trade) -> Json:
    """Return a trade as GET /api/v3/trades shows it."""
    market = trade.market
    return {
        "id": trade.id,
        "price": price(market, trade.px_ticks),
        "qty": size(market, trade.qty_lots),
        "quoteQty": money(market.cost(trade.px_ticks, trade.qty_lots)),
        "time": trade.ts_ns // MS,
        "isBuyerMaker": trade.side == "sell",
        "isBestMatch": True,
    }


def kline(market: Market, bar: Candle, interval_ns: int) -> list[Any]:
    """Return a bar as GET /api/v3/klines shows it."""
    return [
        bar.open_ns // MS,
        price(market, bar.open_px),
        price(market, bar.high_px),
        price(market, bar.low_px),
        price(market, bar.close_px),
        size(market, bar.lots),
        (bar.open_ns + interval_ns) // MS - 1,
        money(bar.quote),
        bar.trades,
        size(market, bar.taker_buy_lots),
        money(bar.taker_buy_quote),
        "0",
    ]


def change_of(ticker: Ticker) -> tuple[int, str]:
    """Return a day's change in ticks, and in percent with three decimals."""
    change = ticker.last_px - ticker.open_px
    return change, f"{Decimal(change) * 100 / ticker.open_px:.3f}"


def average_of(ticker: Ticker) -> str:
    """Return a day's average price by volume."""
    if not ticker.lots:
        return price(ticker.market, ticker.last_px)
    return money(ticker.quote * amounts.ONE // (ticker.lots * ticker.market.lot_atoms))


def day(ticker: Ticker, first_id: int, last_id: int) -> Json:
    """Return GET /api/v3/ticker/24hr of one market."""
    market = ticker.market
    change, percent = change_of(ticker)
    return {
        "symbol": name_of(market),
        "priceChange": price(market, change),
        "priceChangePercent": percent,
        "weightedAvgPrice": average_of(ticker),
        "prevClosePrice": price(market, ticker.open_px),
        "lastPrice": price(market, ticker.last_px),
        "lastQty": size(market, ticker.last_lots),
        **best(ticker),
        "openPrice": price(market, ticker.open_px),
        "highPrice": price(market, ticker.high_px),
        "lowPrice": price(market, ticker.low_px),
        "volume": size(market, ticker.lots),
        "quoteVolume": money(ticker.quote),
        "openTime": ticker.open_ns // MS,
        "closeTime": ticker.close_ns // MS,
        "firstId": first_id,
        "lastId": last_id,
        "count": ticker.trades,
    }


def best(ticker: Ticker) -> Json:
    """Return best bid and ask."""
    market = ticker.market
    return {
        "bidPrice": price(market, ticker.bid_px),
        "bidQty": size(market, ticker.bid_lots),
        "askPrice": price(market, ticker.ask_px),
        "askQty": size(market, ticker.ask_lots),
    }
