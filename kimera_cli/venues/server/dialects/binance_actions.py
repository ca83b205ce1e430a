"""What Binance spot does with a signed request; REST and the websocket API share it.

Each action takes the account and the parameters as text and returns the JSON result.
https://developers.binance.com/docs/binance-spot-api-docs/rest-api/trading-endpoints
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, cast

from kimera_cli.venues.server.dialects import binance_shapes as shapes
from kimera_cli.venues.server.dialects.binance_errors import (
    BinanceError,
    illegal,
    missing,
    of_reject,
)
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.model import Market, Order, OrderRequest, Reject, SelfTrade, Side

Params = Mapping[str, str]
Json = dict[str, Any]
Action = Callable[[int, Params], Any]

ID_PATTERN = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
MODES = {name: mode for mode, name in shapes.STP.items()}
SIDES: dict[str, Side] = {"BUY": "buy", "SELL": "sell"}
TIFS = ("GTC", "IOC", "FOK")
TYPES = ("LIMIT", "MARKET", "LIMIT_MAKER")
NO_ORDER = BinanceError(-2013, "Order does not exist.")


class Actions:
    """Trading and account requests of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.names = {shapes.name_of(m): m for m in exchange.markets}
        self._made_ids = count(1)

    def market(self, params: Params) -> Market:
        """Return the market of parameter symbol."""
        name = params.get("symbol", "")
        if not name:
            raise missing("symbol")
        market = self.names.get(name)
        if market is None or market.status == "delisted":
            raise BinanceError(-1121, "Invalid symbol.")
        return market

    # orders

    def place(self, account: int, params: Params) -> Json:
        """POST /api/v3/order, order.place."""
        request = self.request(params)
        order = self.exchange.place(account, request)
        wanted = params.get("newOrderRespType") or ("ACK" if request.post_only else "FULL")
        shape = {"ACK": shapes.order_ack, "RESULT": shapes.order_result}
        return shape.get(wanted, shapes.order_full)(order)

    def test(self, account: int, params: Params) -> Json:
        """POST /api/v3/order/test, order.test: all checks, no order."""
        self.exchange.check(account, self.request(params))
        return {}

    def request(self, params: Params) -> OrderRequest:
        """Return the order that the parameters ask for."""
        market = self.market(params)
        side, kind = SIDES.get(params.get("side", "")), params.get("type", "")
        if side is None:
            raise BinanceError(-1117, "Invalid side.")
        if kind not in TYPES:
            raise BinanceError(-1116, "Invalid orderType.")
        _check_extras(params, kind)
        return OrderRequest(
            market.symbol,
            side,
            "market" if kind == "MARKET" else "limit",
            _sent(params, "quantity", kind != "MARKET"),
            _sent(params, "price", kind != "MARKET") if kind != "MARKET" else None,
            params.get("quoteOrderQty") if kind == "MARKET" else None,
            _tif(params, kind),
            kind == "LIMIT_MAKER",
            self._client_id(params, "newClientOrderId"),
            _mode(params),
        )

    def _client_id(self, params: Params, name: str) -> str:
        given = params.get(name)
        if given is None:
            return f"{self.exchange.seed:08x}{next(self._made_ids):014x}"
        if not CLIENT_ID.fullmatch(given):
            raise illegal(name, ID_PATTERN)
        return given

    def cancel(self, account: int, params: Params) -> Json:
        """DELETE /api/v3/order, order.cancel."""
        order = self._cancel(account, params)
        return shapes.order_canceled(order, self._client_id(params, "newClientOrderId"))

    def _cancel(self, account: int, params: Params) -> Order:
        market = self.market(params)
        order_id, client_id = _which(params)
        found = self.exchange.find(account, order_id, client_id)
        if found.market is not market:
            raise Reject("not_found")
        return self.exchange.cancel(account, found.id)

    def cancel_all(self, account: int, params: Params) -> list[Json]:
        """DELETE /api/v3/openOrders, openOrders.cancelAll."""
        market = self.market(params)
        orders = self.exchange.cancel_all(account, market.symbol)
        if not orders:
            raise Reject("not_found")
        cancel_id = self._client_id(params, "newClientOrderId")
        return [shapes.order_canceled(order, cancel_id) for order in orders]

    def replace(self, account: int, params: Params) -> Json:
        """POST /api/v3/order/cancelReplace, order.cancelReplace."""
        mode = params.get("cancelReplaceMode", "")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise missing("cancelReplaceMode")
        known = {"cancelOrderId": "orderId", "cancelOrigClientOrderId": "origClientOrderId"}
        which = {known[k]: v for k, v in params.items() if k in known}
        which["symbol"] = shapes.name_of(self.market(params))
        canceled = self._try(lambda: self.cancel(account, which))
        if "code" in canceled and mode == "STOP_ON_FAILURE":
            placed: Json | None = None
        else:
            placed = self._try(lambda: self.place(account, params))
        return _replaced(canceled, placed)

    @staticmethod
    def _try(act: Callable[[], Json]) -> Json:
        try:
            return act()
        except Reject as reject:
            return of_reject(reject).body
        except BinanceError as error:
            return error.body

    def amend(self, account: int, params: Params) -> Json:
        """PUT /api/v3/order/amend/keepPriority, order.amend.keepPriority: a smaller quantity."""
        market = self.market(params)
        order_id, client_id = _which(params)
        order = self.exchange.find(account, order_id, client_id)
        lots = market.lots(_sent(params, "newQty", True) or "")
        if not order.is_open or order.market is not market:
            raise Reject("not_found")
        if lots >= order.qty_lots:
            raise BinanceError(-2038, "The new quantity must be lower than the existing quantity.")
        old_id = order.client_id
        self.exchange.amend(account, order.id, qty=params["newQty"])
        return {
            "transactTime": order.updated_ns // shapes.MS,
            "executionId": order.version,
            "amendedOrder": {
                **shapes.order_head(order),
                "origClientOrderId": old_id,
                "price": shapes.price(market, order.px_ticks),
                "qty": shapes.size(market, order.qty_lots),
                "executedQty": shapes.size(market, order.filled_lots),
                "preventedQty": shapes.size(market, order.prevented_lots),
                "quoteOrderQty": shapes.money(order.quote_qty),
                "cumulativeQuoteQty": shapes.money(order.cost),
                "status": shapes.status_of(order),
                "timeInForce": order.tif.upper(),
                "type": shapes.type_of(order),
                "side": order.side.upper(),
                "workingTime": order.created_ns // shapes.MS,
                "selfTradePreventionMode": shapes.STP[order.self_trade],
            },
        }

    # queries

    def status(self, account: int, params: Params) -> Json:
        """GET /api/v3/order, order.status."""
        market = self.market(params)
        order_id, client_id = _which(params)
        try:
            order = self.exchange.find(account, order_id, client_id)
        except Reject:
            raise NO_ORDER from None
        if order.market is not market:
            raise NO_ORDER
        return shapes.order_query(order)

    def open_orders(self, account: int, params: Params) -> list[Json]:
        """GET /api/v3/openOrders, openOrders.status."""
        symbol = self.market(params).symbol if params.get("symbol") else ""
        return [shapes.order_query(o) for o in self.exchange.open_orders(account, symbol)]

    def all_orders(self, account: int, params: Params) -> list[Json]:
        """GET /api/v3/allOrders, allOrders."""
        market = self.market(params)
        orders = self.exchange.orders(account, market.symbol)
        if "orderId" in params:
            orders = [o for o in orders if o.id >= int(params["orderId"])]
        orders = [o for o in orders if _within(o.created_ns, params)]
        return [shapes.order_query(o) for o in _page(orders, params, "orderId")]

    def my_trades(self, account: int, params: Params) -> list[Json]:
        """GET /api/v3/myTrades, myTrades."""
        market = self.market(params)
        order_id = int(params["orderId"]) if "orderId" in params else None
        fills = self.exchange.fills(account, market.symbol, order_id=order_id)
        if "fromId" in params:
            fills = [f for f in fills if f.trade_id >= int(params["fromId"])]
        fills = [f for f in fills if _within(f.ts_ns, params)]
        return [shapes.my_trade(f) for f in _page(fills, params, "fromId")]

    def account(self, account: int, params: Params) -> Json:
        """GET /api/v3/account, account.status."""
        balances = self.exchange.balances(account)
        if params.get("omitZeroBalances") == "true":
            balances = {asset: b for asset, b in balances.items() if any(b)}
        rates = self.exchange.rates(account)
        return shapes.account(balances, rates, self.exchange.clock.now_ms(), account)

    def commission(self, account: int, params: Params) -> Json:
        """GET /api/v3/account/commission, account.commission."""
        market, rates = self.market(params), self.exchange.rates(account)
        standard = {
            "maker": shapes.rate_text(rates.maker),
            "taker": shapes.rate_text(rates.taker),
            "buyer": "0.00000000",
            "seller": "0.00000000",
        }
        none = dict.fromkeys(standard, "0.00000000")
        return {
            "symbol": shapes.name_of(market),
            "standardCommission": standard,
            "specialCommission": none,
            "taxCommission": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": "0.00000000",
            },
        }

    def trade_fees(self, account: int, params: Params) -> list[Json]:
        """GET /sapi/v1/asset/tradeFee."""
        chosen = [self.market(params)] if params.get("symbol") else self.exchange.markets
        rates = self.exchange.rates(account)
        fees = {
            "makerCommission": shapes.rate_text(rates.maker),
            "takerCommission": shapes.rate_text(rates.taker),
        }
        return [{"symbol": shapes.name_of(market), **fees} for market in chosen]


def _sent(params: Params, name: str, required: bool) -> str | None:
    value = params.get(name) or None
    if value is None and required:
        raise missing(name)
    return value


def _check_extras(params: Params, kind: str) -> None:
    """Refuse what this type of order does not take; icebergs are off, as exchangeInfo says."""
    wrong = {"stopPrice", "trailingDelta"} | (set() if kind == "MARKET" else {"quoteOrderQty"})
    for name in sorted(wrong & params.keys()):
        raise BinanceError(-1106, f"Parameter '{name}' sent when not required.")
    if params.get("icebergQty"):
        raise BinanceError(-2010, "Iceberg orders are not supported for this symbol.")


def _tif(params: Params, kind: str) -> Any:
    tif = params.get("timeInForce", "")
    if kind != "LIMIT":
        if tif:
            raise BinanceError(-1106, "Parameter 'timeInForce' sent when not required.")
        return "gtc"
    if not tif:
        raise missing("timeInForce")
    if tif not in TIFS:
        raise BinanceError(-1115, "Invalid timeInForce.")
    return tif.lower()


def _mode(params: Params) -> SelfTrade | None:
    name = params.get("selfTradePreventionMode")
    if name is None:
        return None
    if name not in MODES:
        raise illegal("selfTradePreventionMode", "NONE|EXPIRE_TAKER|EXPIRE_MAKER|EXPIRE_BOTH")
    return cast(SelfTrade, MODES[name])


def _which(params: Params) -> tuple[int | None, str]:
    """Return (order id, client id) of the order that the parameters name."""
    if "orderId" in params:
        try:
            return int(params["orderId"]), ""
        except ValueError:
            raise illegal("orderId", "^[0-9]{1,20}$") from None
    client_id = params.get("origClientOrderId", "")
    if not client_id:
        raise BinanceError(
            -1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
        )
    return None, client_id


def _within(ts_ns: int, params: Params) -> bool:
    ms = ts_ns // shapes.MS
    return int(params.get("startTime", 0)) <= ms <= int(params.get("endTime", ms))


def _page(items: list[Any], params: Params, cursor: str) -> list[Any]:
    """Return one page: the oldest from a start, else the newest."""
    limit = min(int(params.get("limit", 500)), 1000)
    from_start = cursor in params or "startTime" in params
    return items[:limit] if from_start else items[max(0, len(items) - limit) :]


def _replaced(canceled: Json, placed: Json | None) -> Json:
    results = {
        "cancelResult": "FAILURE" if "code" in canceled else "SUCCESS",
        "newOrderResult": "NOT_ATTEMPTED"
        if placed is None
        else ("FAILURE" if "code" in placed else "SUCCESS"),
    }
    body = {**results, "cancelResponse": canceled, "newOrderResponse": placed}
    if results["cancelResult"] == results["newOrderResult"] == "SUCCESS":
        return body
    partly = "SUCCESS" in results.values()
    code, msg = (
        (-2021, "Order cancel-replace partially failed.")
        if partly
        else (-2022, "Order cancel-replace failed.")
    )
    return {"code": code, "msg": msg, "data": body}
