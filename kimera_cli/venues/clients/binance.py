"""Binance spot over REST (https://developers.binance.com/docs/binance-spot-api-docs/rest-api)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.api import (
    Answer,
    Fees,
    Listing,
    Page,
    Refusal,
    VenueApi,
    fill_of,
    listings_of,
    more_of,
    order_of,
)
from kimera_cli.venues.clients.rest import Query, change, get
from kimera_cli.venues.clients.values import above_zero, dec, dec_or_none, ms_ns, plain, text
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import binance as wire

PAGE = 1000
STATUS = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PARTIALLY_FILLED": "open",
    "PENDING_CANCEL": "open",
    "FILLED": "filled",
    "CANCELED": "canceled",
    "REJECTED": "rejected",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}
KIND = {"LIMIT": "limit", "LIMIT_MAKER": "limit", "MARKET": "market"}
WEIGHT_LIMIT = 6000


class BinanceApi(VenueApi):
    """Binance spot. Open orders of all markets cost 80 units, of one 6."""

    venue = "binance"
    wire = wire.REST
    symbol_needed = True

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/api/v3/time", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Whole milliseconds."""
        return ms_ns(answer.json["serverTime"])

    def markets(self) -> Query:
        """Ask for all markets."""
        return get("/api/v3/exchangeInfo", signed=False, weight=20)

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Steps and minima are in filters."""
        return listings_of(answer.json["symbols"], _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """`{"code": -2010, "msg": ...}`."""
        body = answer.json
        if isinstance(body, dict) and "code" in body and "msg" in body:
            return Refusal(str(body["code"]), str(body["msg"]))
        return None

    def left(self, headers: Mapping[str, str]) -> dict[str, float]:
        """The venue counts what was used of this minute."""
        used = headers.get("x-mbx-used-weight-1m", "")
        return {"all 60 s": WEIGHT_LIMIT - float(used)} if used.isdigit() else {}

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """An ACK has the id alone, other answers the order."""
        body = answer.json
        return text(body.get("orderId")), self.read_order(body) if "status" in body else None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """`quoteOrderQty`."""
        return change(
            "POST",
            "/api/v3/order",
            "place",
            symbol=listing.name,
            side=intent.side.upper(),
            type="MARKET",
            quoteOrderQty=plain(intent.cost or Decimal(0)),
            newClientOrderId=intent.client_id,
            newOrderRespType="ACK",
        )

    def read_cancel(self, answer: Answer) -> str:
        """The canceled order."""
        return text(answer.json.get("orderId"))

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Per market only."""
        if listing is None:
            return None
        return change("DELETE", "/api/v3/openOrders", "cancel", symbol=listing.name)

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """A smaller quantity only, the place in the queue is kept; a price cannot be changed."""
        smaller = (
            intent.quantity is not None
            and order.quantity is not None
            and intent.quantity < order.quantity
        )
        if intent.price is not None or not smaller:
            return None
        return change(
            "PUT",
            "/api/v3/order/amend/keepPriority",
            "place",
            symbol=listing.name,
            orderId=order.venue_order_id,
            newQty=plain(intent.quantity or Decimal(0)),
        )._replace(weight=4)

    def read_amend(self, answer: Answer) -> str:
        """The amended order."""
        return text(answer.json["amendedOrder"].get("orderId"))

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """One question for open and closed orders."""
        return [get("/api/v3/order", weight=4, symbol=listing.name, origClientOrderId=client_id)]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get("/api/v3/order", weight=4, symbol=listing.name, orderId=venue_order_id)

    def open_orders(self, listing: Listing | None) -> Query:
        """All at once."""
        if listing is None:
            return get("/api/v3/openOrders", weight=80)
        return get("/api/v3/openOrders", weight=6, symbol=listing.name)

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """One order or a list."""
        body = answer.json
        return Page([self.read_order(o) for o in (body if isinstance(body, list) else [body])])

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order of a REST answer. `origClientOrderId` is there in cancels."""
        raw = o["status"]
        return order_of(
            self,
            o["symbol"],
            o["orderId"],
            STATUS[raw],
            client_id=text(o.get("origClientOrderId") or o.get("clientOrderId")),
            side=o["side"].lower(),
            kind=KIND.get(o["type"]),
            tif=tif_of(o["type"], o.get("timeInForce")),
            price=above_zero(o.get("price")),
            quantity=above_zero(o.get("origQty")),
            filled=dec_or_none(o.get("executedQty")),
            cost=dec_or_none(o.get("cummulativeQuoteQty")),
            created_ns=ms_ns(o.get("time") or o.get("transactTime")),
            updated_ns=ms_ns(o.get("updateTime") or o.get("transactTime")),
            raw_status=raw,
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Rising by trade id; per market only."""
        assert listing is not None, "symbol_needed"
        return get(
            "/api/v3/myTrades",
            weight=20,
            symbol=listing.name,
            startTime=since_ns // 1_000_000,
            limit=PAGE,
        )

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page; the next begins behind its last trade."""
        items = [self.read_fill(t) for t in answer.json]
        if len(items) < PAGE:
            return Page(items)
        return Page(items, more_of(query, startTime=None, fromId=int(answer.json[-1]["id"]) + 1))

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution."""
        return fill_of(
            self,
            t["symbol"],
            t["id"],
            venue_order_id=str(t["orderId"]),
            side="buy" if t["isBuyer"] else "sell",
            price=dec(t["price"]),
            quantity=dec(t["qty"]),
            cost=dec_or_none(t.get("quoteQty")),
            fee=dec(t["commission"]),
            fee_asset=text(t["commissionAsset"]),
            maker=bool(t["isMaker"]),
            ts_ns=ms_ns(t["time"]),
        )

    def balances(self) -> Query:
        """Ask for balances."""
        return get("/api/v3/account", weight=20, omitZeroBalances="true")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """Free and locked."""
        return [
            Balance(asset=b["asset"], free=dec(b["free"]), held=dec(b["locked"]))
            for b in answer.json["balances"]
        ]

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees in a market."""
        return get("/sapi/v1/asset/tradeFee", symbol=listing.name)

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """A list, also for one market."""
        (entry,) = [e for e in answer.json if e["symbol"] == listing.name]
        return Fees(dec(entry["makerCommission"]), dec(entry["takerCommission"]))


def tif_of(kind: str, tif: str | None) -> str | None:
    """Return the time in force of an order's type and its own."""
    if kind == "LIMIT_MAKER":
        return "post_only"
    if kind == "MARKET":
        return "ioc"
    return tif.lower() if tif in ("GTC", "IOC", "FOK") else None


def _listing(entry: Mapping[str, Any]) -> Listing:
    filters = {f["filterType"]: f for f in entry["filters"]}
    size, notional = filters["LOT_SIZE"], filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL")
    instrument = Instrument(
        venue="binance",
        symbol=entry["symbol"],
        kind="spot",
        tick=dec(filters["PRICE_FILTER"]["tickSize"]),
        lot=dec(size["stepSize"]),
        base=entry["baseAsset"],
        quote=entry["quoteAsset"],
        min_qty=dec(size["minQty"]),
        max_qty=dec(size["maxQty"]),
        min_notional=dec((notional or {}).get("minNotional", "0")),
    )
    status = entry["status"]
    if entry.get("isSpotTradingAllowed") is False:
        status += ", no spot trading"
    return Listing(instrument, entry["symbol"], status == "TRADING", status)
