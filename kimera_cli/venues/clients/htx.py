"""HTX spot over REST (https://www.htx.com/en-us/opend/newApiPages/).

v1 answers are `{"status": "ok", "data": ...}`, v2 answers `{"code": 200, "data": ...}`. Orders name
the account by its number, which is asked for first. Names are in small letters.
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
from kimera_cli.venues.clients.values import (
    UnreadableError,
    above_zero,
    dec,
    dec_or_none,
    ms_ns,
    plain,
    step_of,
    text,
)
from kimera_cli.venues.orders.outcome import Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import htx as wire

PAGE = 100
STATUS = {
    "created": "open",
    "pre-submitted": "open",
    "submitted": "open",
    "partial-filled": "open",
    "canceling": "open",
    "filled": "filled",
    "canceled": "canceled",
    "partial-canceled": "canceled",
    "rejected": "rejected",
}
TYPES = {
    "limit": ("limit", "gtc"),
    "limit-maker": ("limit", "post_only"),
    "ioc": ("limit", "ioc"),
    "limit-fok": ("limit", "fok"),
    "market": ("market", "ioc"),
}
TWO_DAYS_MS = 2 * 86_400_000
ENDED = "filled,partial-canceled,canceled"
MADE_EARLIER_MS, MADE_LATER_MS = 60_000, 600_000
"""When an order can have been made of which we know when it was meant: clocks differ, and a signed
request is taken for five minutes.
"""


class HtxApi(VenueApi):
    """HTX spot."""

    venue = "htx"
    wire = wire.REST
    symbol_needed = True

    def __init__(self) -> None:
        super().__init__()
        self.account_id = ""

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/v1/common/timestamp", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Whole milliseconds."""
        return ms_ns(answer.json["data"])

    def account(self) -> Query | None:
        """The number of the spot account."""
        return get("/v1/account/accounts")

    def read_account(self, answer: Answer) -> None:
        """Take the first spot account that works."""
        for account in answer.json["data"]:
            if account["type"] == "spot" and account["state"] == "working":
                self.account_id = str(account["id"])
                return
        raise UnreadableError("expected a spot account that works, was none")

    def wire_options(self, listing: Listing) -> dict[str, str]:
        """Orders name the account."""
        return {"account_id": self.account_id}

    def markets(self) -> Query:
        """Ask for all markets."""
        return get("/v1/common/symbols", signed=False)

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Steps are numbers of decimals."""
        return listings_of(answer.json["data"], _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """`err-code` in v1, a code that is not 200 in v2."""
        body = answer.json
        if not isinstance(body, dict):
            return None
        if body.get("status") == "error":
            return Refusal(text(body.get("err-code")), text(body.get("err-msg")))
        if "code" in body and body["code"] != 200:
            return Refusal(str(body["code"]), text(body.get("message")))
        return None

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """The id alone."""
        return text(answer.json["data"]), None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """A market buy is always sized so; a market sell cannot be."""
        body = {
            "account-id": self.account_id,
            "symbol": listing.name,
            "type": f"{intent.side}-market",
            "amount": plain(intent.cost or Decimal(0)),
            "source": "spot-api",
            "client-order-id": intent.client_id,
        }
        return change_json("/v1/order/orders/place", "place", body)

    def read_cancel(self, answer: Answer) -> str:
        """The id; by client id the answer is a code, and 10 or 7 say that it is over already."""
        data = answer.json["data"]
        return "" if isinstance(data, int) else text(data)

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Up to a hundred at a time."""
        body = {"account-id": self.account_id}
        if listing is not None:
            body["symbol"] = listing.name
        return change_json("/v1/order/orders/batchCancelOpenOrders", "cancel", body)

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """One question for open orders and those closed in the last two hours, then a list.

        The list is of orders made around `since_ns`, of the last 180 days, without those that were
        canceled without a fill more than two hours ago.
        """
        lately = get("/v1/order/orders/getClientOrder", clientOrderId=client_id)
        ended = get("/v1/order/orders", symbol=listing.name, states=ENDED, size=100)
        made_ms = since_ns // 1_000_000
        span = {"start-time": made_ms - MADE_EARLIER_MS, "end-time": made_ms + MADE_LATER_MS}
        return [lately, more_of(ended, **span)]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get(f"/v1/order/orders/{venue_order_id}")

    def open_orders(self, listing: Listing | None) -> Query:
        """Newest first, in pages."""
        query = get("/v1/order/openOrders", size=500)
        params = {"account-id": self.account_id, "symbol": listing.name if listing else None}
        return more_of(query, **params)

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """One order or a list."""
        data = answer.json["data"]
        if isinstance(data, dict):
            return Page([self.read_order(data)])
        items = [self.read_order(order) for order in data]
        if len(items) < int(query.params.get("size", 500)):
            return Page(items)
        return Page(items, more_of(query, **{"from": items[-1].venue_order_id, "direct": "next"}))

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order; open orders call what was filled `filled-`, others `field-`."""
        side, _, name = o["type"].partition("-")
        kind, tif = TYPES.get(name, (None, None))
        filled = o.get("field-amount", o.get("filled-amount"))
        cost = o.get("field-cash-amount", o.get("filled-cash-amount"))
        by_cost = o["type"] == "buy-market"
        return order_of(
            self,
            o["symbol"],
            o["id"],
            STATUS[o["state"]],
            client_id=text(o.get("client-order-id")),
            side=side,
            kind=kind,
            tif=tif,
            price=above_zero(o.get("price")) if kind == "limit" else None,
            quantity=None if by_cost else above_zero(o.get("amount")),
            filled=dec_or_none(filled),
            cost=dec_or_none(cost),
            created_ns=ms_ns(o.get("created-at")),
            updated_ns=ms_ns(o.get("canceled-at") or o.get("finished-at") or o.get("updated-at")),
            raw_status=o["state"],
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, in pages; a request spans two days (see `read_fills`)."""
        assert listing is not None, "symbol_needed"
        start = since_ns // 1_000_000
        query = get("/v1/order/matchresults", symbol=listing.name, size=PAGE)
        return more_of(query, **{"start-time": start, "end-time": start + TWO_DAYS_MS})

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page, then the next two days as long as these lie before the venue's now."""
        data = answer.json["data"]
        items = [self.read_fill(t) for t in data]
        # `from` is told again on the next page; alone there, it ends the span.
        if len(items) == PAGE:
            return Page(items, more_of(query, **{"from": data[-1]["id"], "direct": "next"}))
        end = int(query.params["end-time"])
        now = answer.json.get("ts")
        if now is None or end >= int(now):
            return Page(items)
        span = {"start-time": end, "end-time": end + TWO_DAYS_MS, "from": None, "direct": None}
        return Page(items, more_of(query, **span))

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution."""
        return fill_of(
            self,
            t["symbol"],
            t["trade-id"],
            venue_order_id=str(t["order-id"]),
            side=t["type"].partition("-")[0],
            price=dec(t["price"]),
            quantity=dec(t["filled-amount"]),
            fee=dec_or_none(t.get("filled-fees")) or Decimal(0),
            fee_asset=text(t.get("fee-currency")).upper(),
            maker={"maker": True, "taker": False}.get(t.get("role", "")),
            ts_ns=ms_ns(t["created-at"]),
        )

    def balances(self) -> Query:
        """Ask for balances of the spot account."""
        return get(f"/v1/account/accounts/{self.account_id}/balance")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """Two entries per asset, `trade` and `frozen`."""
        free: dict[str, Decimal] = {}
        held: dict[str, Decimal] = {}
        for entry in answer.json["data"]["list"]:
            side = {"trade": free, "frozen": held}.get(entry["type"])
            if side is not None:
                side[entry["currency"].upper()] = dec(entry["balance"])
        zero = Decimal(0)
        return [
            Balance(asset=name, free=free.get(name, zero), held=held.get(name, zero))
            for name in sorted(free.keys() | held.keys())
            if free.get(name) or held.get(name)
        ]

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees in a market."""
        return get("/v2/reference/transact-fee-rate", symbols=listing.name)

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """What is paid now, with discounts."""
        entry = answer.json["data"][0]
        return Fees(dec(entry["actualMakerRate"]), dec(entry["actualTakerRate"]))

    def dead_man(self, seconds: int) -> Query | None:
        """Cancels everything of the account when it is not called again in time."""
        return change_json("/v2/algo-orders/cancel-all-after", "cancel", {"timeout": seconds})

    def unlisted(self, name: str) -> str:
        """Names are in small letters."""
        return name.upper()


def _listing(entry: Mapping[str, Any]) -> Listing:
    least = entry.get("limit-order-min-order-amt", entry.get("min-order-amt", "0"))
    most = entry.get("limit-order-max-order-amt", entry.get("max-order-amt", "0"))
    instrument = Instrument(
        venue="htx",
        symbol=entry["symbol"].upper(),
        kind="spot",
        tick=step_of(entry["price-precision"]),
        lot=step_of(entry["amount-precision"]),
        base=entry["base-currency"].upper(),
        quote=entry["quote-currency"].upper(),
        min_qty=dec(least),
        max_qty=dec(most),
        min_notional=dec(entry["min-order-value"]),
    )
    status = entry["state"]
    if (by_api := entry.get("api-trading", "enabled")) != "enabled":
        status += f", api-trading {by_api}"
    return Listing(instrument, entry["symbol"], status == "online", status)
