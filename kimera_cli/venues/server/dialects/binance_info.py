"""GET /api/v3/exchangeInfo of Binance, and the lists of assets and margin pairs."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.server.amounts import text
from kimera_cli.venues.server.desk import Desk
from kimera_cli.venues.server.dialects.binance_shapes import STP, Json, name_of, price, size
from kimera_cli.venues.server.exchange import Exchange

STATUS = {"trading": "TRADING", "halt": "BREAK", "cancel_only": "HALT", "delisted": "BREAK"}
WEIGHT_LIMIT = 6000
ORDERS_10S = 100
ORDERS_DAY = 200_000
RATE_LIMITS: list[Json] = [
    {
        "rateLimitType": "REQUEST_WEIGHT",
        "interval": "MINUTE",
        "intervalNum": 1,
        "limit": WEIGHT_LIMIT,
    },
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": ORDERS_10S},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": ORDERS_DAY},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
]


def exchange_info(exchange: Exchange, symbols: list[str] | None, now_ms: int) -> Json:
    """Return rules of all markets, or of those named."""
    desks = exchange.desks
    chosen = desks.values() if symbols is None else [desks[symbol] for symbol in symbols]
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "rateLimits": RATE_LIMITS,
        "exchangeFilters": [],
        "symbols": [_symbol(desk, exchange) for desk in chosen if listed(desk)],
        "sors": [],
    }


def listed(desk: Desk) -> bool:
    """Whether a market is shown."""
    return desk.market.status != "delisted"


def _symbol(desk: Desk, exchange: Exchange) -> Json:
    market = desk.market
    return {
        "symbol": name_of(market),
        "status": STATUS[market.status],
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": _filters(desk, exchange),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": STP[exchange.rules.self_trade],
        "allowedSelfTradePreventionModes": list(STP.values()),
    }


def _filters(desk: Desk, exchange: Exchange) -> list[dict[str, Any]]:
    market = desk.market
    low, high = desk.band
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": price(market, low),
            "maxPrice": price(market, high),
            "tickSize": price(market, 1),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": size(market, market.min_lots),
            "maxQty": size(market, market.max_lots),
            "stepSize": size(market, 1),
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": f"{market.min_notional:.8f}",
            "applyMinToMarket": True,
            "maxNotional": "9000000.00000000",
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": exchange.rules.max_open_orders},
    ]


def coins(exchange: Exchange, account: int) -> list[Json]:
    """Return GET /sapi/v1/capital/config/getall: every asset, without networks."""
    balances = exchange.balances(account)
    assets = dict.fromkeys(a for m in exchange.markets for a in (m.base, m.quote))
    return [_coin(asset, *balances.get(asset, (0, 0))) for asset in assets]


def _coin(asset: str, free: int, held: int) -> Json:
    return {
        "coin": asset,
        "depositAllEnable": False,
        "free": text(free),
        "freeze": "0",
        "ipoable": "0",
        "ipoing": "0",
        "isLegalMoney": False,
        "locked": text(held),
        "name": asset,
        "networkList": [],
        "storage": "0",
        "trading": True,
        "withdrawAllEnable": False,
        "withdrawing": "0",
    }
