"""OKX v5 spot over REST (https://www.okx.com/docs-v5/en/#order-book-trading-trade).

Answers are `{"code": "0", "msg": "", "data": [...]}`; requests about orders answer per order with
`sCode` under a code of 1 or 2. All values are text.
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
    average_cost,
    fill_of,
    listings_of,
    more_of,
    order_of,
)
from kimera_cli.venues.clients.rest import Query, change_json, get
from kimera_cli.venues.clients.values import (
    above_zero,
    dec,
    dec_or_none,
    ms_ns,
    plain,
    text,
)
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import okx as wire

PAGE = 100
STATUS = {
    "live": "open",
    "partially_filled": "open",
    "filled": "filled",
    "canceled": "canceled",
    "mmp_canceled": "canceled",
}
KIND = {
    "limit": ("limit", "gtc"),
    "post_only": ("limit", "post_only"),
    "ioc": ("limit", "ioc"),
    "fok": ("limit", "fok"),
    "market": ("market", "ioc"),
}


class OkxApi(VenueApi):
    """OKX spot, cash mode."""

    venue = "okx"
    wire = wire.REST

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/api/v5/public/time", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Whole milliseconds, as text."""
        return ms_ns(answer.json["data"][0]["ts"])

    def markets(self) -> Query:
        """Ask for all spot markets."""
        return get("/api/v5/public/instruments", signed=False, instType="SPOT")

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Markets before their opening have no steps yet: they are not listed."""
        return listings_of(answer.json["data"], _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """The order's own code says more than the request's."""
        body = answer.json
        if not isinstance(body, dict) or "code" not in body or str(body["code"]) == "0":
            return None
        data = body.get("data")
        if isinstance(data, list) and data and isinstance(data[0], dict) and data[0].get("sCode"):
            return Refusal(str(data[0]["sCode"]), text(data[0].get("sMsg")))
        return Refusal(str(body["code"]), text(body.get("msg")))

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """Only ids are told."""
        return _of_order(answer), None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """`tgtCcy=quote_ccy`."""
        body = {
            "instId": listing.name,
            "tdMode": "cash",
            "side": intent.side,
            "ordType": "market",
            "tgtCcy": "quote_ccy",
            "sz": plain(intent.cost or Decimal(0)),
            "clOrdId": intent.client_id,
        }
        return change_json("/api/v5/trade/order", "place", body)

    def read_cancel(self, answer: Answer) -> str:
        """The order's id."""
        return _of_order(answer)

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """Price and quantity (the whole, not what is left)."""
        body = {"instId": listing.name, "ordId": order.venue_order_id}
        if intent.price is not None:
            body["newPx"] = plain(intent.price)
        if intent.quantity is not None:
            body["newSz"] = plain(intent.quantity)
        return change_json("/api/v5/trade/amend-order", "place", body)

    def read_amend(self, answer: Answer) -> str:
        """The order's id; that the request was taken is told, its success on the stream."""
        return _of_order(answer)

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """One question for open and closed orders."""
        return [get("/api/v5/trade/order", instId=listing.name, clOrdId=client_id)]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get("/api/v5/trade/order", instId=listing.name, ordId=venue_order_id)

    def open_orders(self, listing: Listing | None) -> Query:
        """Newest first, in pages."""
        return get(
            "/api/v5/trade/orders-pending",
            instType="SPOT",
            instId=listing.name if listing else None,
            limit=PAGE,
        )

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """`after` is the id of the last order of the page before."""
        items = [self.read_order(order) for order in answer.json["data"]]
        if len(items) < PAGE:
            return Page(items)
        return Page(items, more_of(query, after=items[-1].venue_order_id))

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order of an answer or of the private stream."""
        kind, tif = KIND.get(o["ordType"], (None, None))
        filled = dec_or_none(o.get("accFillSz"))
        # A market buy by cost has its size in the quote currency.
        by_cost = kind == "market" and o.get("tgtCcy") == "quote_ccy"
        return order_of(
            self,
            o["instId"],
            o["ordId"],
            STATUS[o["state"]],
            client_id=text(o.get("clOrdId")),
            side=o["side"],
            kind=kind,
            tif=tif,
            price=above_zero(o.get("px")),
            quantity=None if by_cost else above_zero(o.get("sz")),
            filled=filled,
            cost=Decimal(0) if filled == 0 else average_cost(filled, above_zero(o.get("avgPx"))),
            created_ns=ms_ns(o.get("cTime")),
            updated_ns=ms_ns(o.get("uTime")),
            raw_status=o["state"],
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, in pages; the last three months."""
        return get(
            "/api/v5/trade/fills-history",
            instType="SPOT",
            instId=listing.name if listing else None,
            begin=since_ns // 1_000_000,
            limit=PAGE,
        )

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """`after` is the bill of the last execution of the page before."""
        data = answer.json["data"]
        items = [self.read_fill(entry) for entry in data]
        if len(items) < PAGE:
            return Page(items)
        return Page(items, more_of(query, after=data[-1]["billId"]))

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution; fees are negative where they cost."""
        return fill_of(
            self,
            t["instId"],
            t["tradeId"],
            venue_order_id=t["ordId"],
            client_id=text(t.get("clOrdId")),
            side=t["side"],
            price=dec(t["fillPx"]),
            quantity=dec(t["fillSz"]),
            fee=-(dec_or_none(t["fee"]) or Decimal(0)),
            fee_asset=text(t["feeCcy"]),
            maker={"M": True, "T": False}.get(t.get("execType", "")),
            ts_ns=ms_ns(t.get("fillTime") or t["ts"]),
        )

    def balances(self) -> Query:
        """Ask for balances of the trading account."""
        return get("/api/v5/account/balance")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """`cashBal` is all of it, `frozenBal` what is bound."""
        found = []
        for entry in answer.json["data"][0]["details"]:
            held = dec_or_none(entry.get("frozenBal")) or Decimal(0)
            found.append(Balance(asset=entry["ccy"], free=dec(entry["cashBal"]) - held, held=held))
        return found

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees in a market."""
        return get("/api/v5/account/trade-fee", instType="SPOT", instId=listing.name)

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Negative where they cost."""
        entry = answer.json["data"][0]
        return Fees(-dec(entry["maker"]), -dec(entry["taker"]))

    def dead_man(self, seconds: int) -> Query | None:
        """Cancels everything of the account when it is not called again in time."""
        body = {"timeOut": str(seconds)}
        return change_json("/api/v5/trade/cancel-all-after", "cancel", body)


def _of_order(answer: Answer) -> str:
    return text(answer.json["data"][0].get("ordId"))


def _listing(entry: Mapping[str, Any]) -> Listing:
    instrument = Instrument(
        venue="okx",
        symbol=entry["instId"],
        kind="spot",
        tick=dec(entry["tickSz"]),
        lot=dec(entry["lotSz"]),
        base=entry["baseCcy"],
        quote=entry["quoteCcy"],
        min_qty=dec(entry["minSz"]),
        max_qty=dec_or_none(entry.get("maxLmtSz")) or Decimal(0),
    )
    code = text(entry.get("instIdCode"))
    options = {"inst_id_code": code} if code else {}
    return Listing(instrument, entry["instId"], entry["state"] == "live", entry["state"], options)
