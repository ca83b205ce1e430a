"""Bybit v5 spot over REST (https://bybit-exchange.github.io/docs/v5/order/create-order).

Answers are `{"retCode": 0, "retMsg": "OK", "result": {...}}` with HTTP 200. All values are text.
"""

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
from kimera_cli.venues.clients.rest import Query, change_json, get
from kimera_cli.venues.clients.values import above_zero, dec, dec_or_none, ms_ns, plain, text
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import bybit as wire

SPOT = "spot"
STATUS = {
    "New": "open",
    "PartiallyFilled": "open",
    "Untriggered": "open",
    "Created": "open",
    "PendingCancel": "open",
    "Filled": "filled",
    "Cancelled": "canceled",
    "PartiallyFilledCanceled": "canceled",
    "Deactivated": "canceled",
    "Rejected": "rejected",
}
TIF = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "PostOnly": "post_only"}
WEEK_NS = 7 * 86_400 * 1_000_000_000


class BybitApi(VenueApi):
    """Bybit spot, unified account."""

    venue = "bybit"
    wire = wire.REST

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/v5/market/time", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Nanoseconds; the venue's own ms stand outside of the result."""
        return int(answer.json["result"]["timeNano"])

    def markets(self) -> Query:
        """Ask for all spot markets."""
        return get("/v5/market/instruments-info", signed=False, category=SPOT)

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Spot comes in one page."""
        return listings_of(answer.json["result"]["list"], _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """Everything but a `retCode` of 0."""
        body = answer.json
        if not isinstance(body, dict) or "retCode" not in body or body["retCode"] == 0:
            return None
        return Refusal(str(body["retCode"]), text(body.get("retMsg")))

    def left(self, headers: Mapping[str, str]) -> dict[str, float]:
        """What is left of this second for this kind of request."""
        left, limit = headers.get("x-bapi-limit-status", ""), headers.get("x-bapi-limit", "")
        return {"orders 1 s": float(left)} if left.isdigit() and limit.isdigit() else {}

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """Only ids are told."""
        return _of_order(answer), None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """`marketUnit=quoteCoin`."""
        body = {
            "category": SPOT,
            "symbol": listing.name,
            "side": intent.side.capitalize(),
            "orderType": "Market",
            "marketUnit": "quoteCoin",
            "qty": plain(intent.cost or Decimal(0)),
            "orderLinkId": intent.client_id,
        }
        return change_json("/v5/order/create", "place", body)

    def read_cancel(self, answer: Answer) -> str:
        """The order's id."""
        return _of_order(answer)

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Of all spot markets or one."""
        body = {"category": SPOT}
        if listing is not None:
            body["symbol"] = listing.name
        return change_json("/v5/order/cancel-all", "cancel", body)

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """Price and quantity."""
        body = {"category": SPOT, "symbol": listing.name, "orderId": order.venue_order_id}
        if intent.price is not None:
            body["price"] = plain(intent.price)
        if intent.quantity is not None:
            body["qty"] = plain(intent.quantity)
        return change_json("/v5/order/amend", "place", body)

    def read_amend(self, answer: Answer) -> str:
        """The order's id."""
        return _of_order(answer)

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """Open and recently closed orders, then history."""
        known = {"category": SPOT, "symbol": listing.name, "orderLinkId": client_id}
        return [get("/v5/order/realtime", **known), get("/v5/order/history", **known)]  # type: ignore[arg-type]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get("/v5/order/realtime", category=SPOT, symbol=listing.name, orderId=venue_order_id)

    def open_orders(self, listing: Listing | None) -> Query:
        """In pages."""
        return get(
            "/v5/order/realtime",
            category=SPOT,
            symbol=listing.name if listing else None,
            openOnly=0,
            limit=50,
        )

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """`nextPageCursor` is empty at the end."""
        result = answer.json["result"]
        items = [self.read_order(order) for order in result["list"]]
        return Page(items, _next(query, result, items))

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order of an answer or of the private stream."""
        kind = o["orderType"].lower()
        by_cost = o.get("marketUnit") == "quoteCoin"
        return order_of(
            self,
            o["symbol"],
            o["orderId"],
            STATUS[o["orderStatus"]],
            client_id=text(o.get("orderLinkId")),
            side=o["side"].lower(),
            kind=kind if kind in ("limit", "market") else None,
            tif="ioc" if kind == "market" else TIF.get(o["timeInForce"]),
            price=above_zero(o.get("price")) if kind == "limit" else None,
            quantity=None if by_cost else above_zero(o.get("qty")),
            filled=dec_or_none(o.get("cumExecQty")),
            cost=dec_or_none(o.get("cumExecValue")),
            created_ns=ms_ns(o.get("createdTime")),
            updated_ns=ms_ns(o.get("updatedTime")),
            raw_status=o["orderStatus"],
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, in pages; a request spans seven days at most (see `read_fills`)."""
        return get(
            "/v5/execution/list",
            category=SPOT,
            symbol=listing.name if listing else None,
            startTime=since_ns // 1_000_000,
            limit=100,
        )

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page, then the next seven days as long as these lie before the venue's now."""
        result = answer.json["result"]
        items = [self.read_fill(t) for t in result["list"] if t.get("execType", "Trade") == "Trade"]
        more = _next(query, result, result["list"])
        start = int(query.params["startTime"]) + WEEK_NS // 1_000_000
        if more is None and start < int(answer.json["time"]):
            more = more_of(query, startTime=start, cursor=None)
        return Page(items, more)

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution of an answer or of the private stream."""
        return fill_of(
            self,
            t["symbol"],
            t["execId"],
            venue_order_id=t["orderId"],
            client_id=text(t.get("orderLinkId")),
            side=t["side"].lower(),
            price=dec(t["execPrice"]),
            quantity=dec(t["execQty"]),
            cost=dec_or_none(t.get("execValue")),
            fee=dec_or_none(t["execFee"]) or Decimal(0),
            fee_asset=text(t.get("feeCurrency")) or self._received(t),
            maker=bool(t["isMaker"]),
            ts_ns=ms_ns(t["execTime"]),
        )

    def _received(self, t: Mapping[str, Any]) -> str:
        """Return the asset that a trade brought in: it pays the fee where none is named."""
        listing = self.listings.get(self.symbol(t["symbol"]))
        if listing is None:
            return ""
        return listing.instrument.base if t["side"] == "Buy" else listing.instrument.quote

    def balances(self) -> Query:
        """Ask for balances."""
        return get("/v5/account/wallet-balance", accountType="UNIFIED")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """`walletBalance` is all of it, `locked` what is bound."""
        found = []
        for entry in answer.json["result"]["list"][0]["coin"]:
            held = dec_or_none(entry.get("locked")) or Decimal(0)
            free = dec(entry["walletBalance"]) - held
            found.append(Balance(asset=entry["coin"], free=free, held=held))
        return found

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees in a market."""
        return get("/v5/account/fee-rate", category=SPOT, symbol=listing.name)

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Positive where they cost."""
        entry = answer.json["result"]["list"][0]
        return Fees(dec(entry["makerFeeRate"]), dec(entry["takerFeeRate"]))

    def dead_man(self, seconds: int) -> Query | None:
        """Set the window of the switch that is tied to the private stream's `dcp` topic."""
        body = {"product": "SPOT", "timeWindow": seconds}
        return change_json("/v5/order/disconnected-cancel-all", "cancel", body)


def _of_order(answer: Answer) -> str:
    return text(answer.json["result"].get("orderId"))


def _next(query: Query, result: Mapping[str, Any], items: list[Any]) -> Query | None:
    cursor = result.get("nextPageCursor")
    return more_of(query, cursor=cursor) if cursor and items else None


def _listing(entry: Mapping[str, Any]) -> Listing:
    size = entry["lotSizeFilter"]
    instrument = Instrument(
        venue="bybit",
        symbol=entry["symbol"],
        kind="spot",
        tick=dec(entry["priceFilter"]["tickSize"]),
        lot=dec(size["basePrecision"]),
        base=entry["baseCoin"],
        quote=entry["quoteCoin"],
        min_qty=dec(size["minOrderQty"]),
        max_qty=dec_or_none(size.get("maxOrderQty")) or Decimal(0),
        min_notional=dec(size["minOrderAmt"]),
    )
    return Listing(instrument, entry["symbol"], entry["status"] == "Trading", entry["status"])
