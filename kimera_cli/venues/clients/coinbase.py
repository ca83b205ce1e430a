"""Coinbase Advanced over REST (https://docs.cdp.coinbase.com/advanced-trade/docs/rest-api-overview).

A refused order is HTTP 200 with `success: false` and its reason in `error_response`. Orders are
canceled by the venue's id only, and found by ours only in lists. `fills` of the user channel are
cumulative, so fills always come from here.
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
    closed_by,
    fill_of,
    listings_of,
    more_of,
    order_of,
)
from kimera_cli.venues.clients.rest import Query, change_json, get
from kimera_cli.venues.clients.signing import iso_ms
from kimera_cli.venues.clients.values import (
    UnreadableError,
    above_zero,
    dec,
    dec_or_none,
    iso_ns,
    ms_ns,
    plain,
    text,
)
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import coinbase as wire

ROOT = "/api/v3/brokerage"
PAGE = 100
EARLIER_NS = 60_000_000_000
"""How much earlier lists begin than an order was meant: the clocks may differ."""
STATUS = {
    "PENDING": "open",
    "OPEN": "open",
    "QUEUED": "open",
    "CANCEL_QUEUED": "open",
    "EDIT_QUEUED": "open",
    "FILLED": "filled",
    "CANCELLED": "canceled",
    "EXPIRED": "expired",
    "FAILED": "rejected",
}
CONFIGURATION = {
    "limit_limit_gtc": ("limit", "gtc"),
    "sor_limit_ioc": ("limit", "ioc"),
    "limit_limit_fok": ("limit", "fok"),
    "market_market_ioc": ("market", "ioc"),
}


class CoinbaseApi(VenueApi):
    """Coinbase Advanced, spot."""

    venue = "coinbase"
    wire = wire.REST

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get(f"{ROOT}/time", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Milliseconds, as text."""
        return ms_ns(answer.json["epochMillis"])

    def markets(self) -> Query:
        """Ask for all spot markets."""
        return get(f"{ROOT}/market/products", signed=False, product_type="SPOT")

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Steps and the least funds."""
        return listings_of(answer.json["products"], _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """Of an order, of a cancel, of an amendment, or of a request."""
        body = answer.json
        if not isinstance(body, dict):
            return None
        if answer.status >= 400 and ("error" in body or "message" in body):
            words = body.get("error_details") or body.get("message")
            return Refusal(text(body.get("error")), text(words))
        if body.get("success") is False:
            return _refused(body)
        for result in body.get("results") or ():
            if isinstance(result, dict) and result.get("success") is False:
                return Refusal(text(result.get("failure_reason")), "")
        return None

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """Only ids are told."""
        if answer.json.get("success") is not True:
            return "", None
        return text((answer.json.get("success_response") or {}).get("order_id")), None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """`quote_size`, for buys."""
        body = {
            "client_order_id": intent.client_id,
            "product_id": listing.name,
            "side": intent.side.upper(),
            "order_configuration": {
                "market_market_ioc": {"quote_size": plain(intent.cost or Decimal(0))}
            },
        }
        return change_json(f"{ROOT}/orders", "place", body)

    def read_cancel(self, answer: Answer) -> str:
        """One result per id."""
        (result,) = answer.json["results"]
        if result["success"] is not True:
            raise UnreadableError("expected success, was neither success nor a reason")
        return text(result.get("order_id"))

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """Price and size; both must be given."""
        price, quantity = intent.price or order.price, intent.quantity or order.quantity
        if price is None or quantity is None:
            return None
        body = {
            "order_id": order.venue_order_id,
            "price": plain(price),
            "size": plain(quantity),
        }
        return change_json(f"{ROOT}/orders/edit", "place", body)

    def read_amend(self, answer: Answer) -> str:
        """Success without an id."""
        if answer.json["success"] is not True:
            raise UnreadableError("expected success, was neither success nor a reason")
        return ""

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """Lists only: open orders, then all of that time, newest first."""
        path, known = f"{ROOT}/orders/historical/batch", {"product_ids": listing.name}
        start = iso_ms(max(0, since_ns - EARLIER_NS))
        return [
            get(path, order_status="OPEN", limit=PAGE, **known),  # type: ignore[arg-type]
            get(path, start_date=start, limit=PAGE, **known),  # type: ignore[arg-type]
        ]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get(f"{ROOT}/orders/historical/{venue_order_id}")

    def open_orders(self, listing: Listing | None) -> Query:
        """In pages."""
        return get(
            f"{ROOT}/orders/historical/batch",
            order_status="OPEN",
            product_ids=listing.name if listing else None,
            limit=PAGE,
        )

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """One order or a list."""
        body = answer.json
        if "order" in body:
            return Page([self.read_order(body["order"])])
        items = [self.read_order(order) for order in body["orders"]]
        cursor = body.get("cursor")
        more = cursor and body.get("has_next")
        return Page(items, more_of(query, cursor=cursor) if more else None)

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order."""
        (name, terms), *_ = (o.get("order_configuration") or {"": {}}).items()
        kind, tif = CONFIGURATION.get(name, (None, None))
        return order_of(
            self,
            o["product_id"],
            o["order_id"],
            STATUS[o["status"]],
            client_id=text(o.get("client_order_id")),
            side=o["side"].lower(),
            kind=kind,
            tif="post_only" if terms.get("post_only") else tif,
            price=above_zero(terms.get("limit_price")),
            quantity=above_zero(terms.get("base_size")),
            filled=dec_or_none(o.get("filled_size")),
            cost=dec_or_none(o.get("filled_value")),
            created_ns=iso_ns(o.get("created_time")),
            updated_ns=iso_ns(o.get("last_fill_time")),
            raw_status=o["status"],
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, in pages."""
        return get(
            f"{ROOT}/orders/historical/fills",
            product_ids=listing.name if listing else None,
            start_sequence_timestamp=iso_ms(since_ns),
            limit=PAGE,
        )

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """`cursor` is empty at the end."""
        items = [self.read_fill(t) for t in answer.json["fills"]]
        cursor = answer.json.get("cursor")
        return Page(items, more_of(query, cursor=cursor) if cursor and items else None)

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution; a size in the quote currency becomes one in the base."""
        price, size = dec(t["price"]), dec(t["size"])
        in_quote = bool(t.get("size_in_quote"))
        return fill_of(
            self,
            t["product_id"],
            t["trade_id"],
            venue_order_id=t["order_id"],
            side=t["side"].lower(),
            price=price,
            quantity=size / price if in_quote else size,
            cost=size if in_quote else None,
            fee=dec(t["commission"]),
            fee_asset=t["product_id"].rpartition("-")[2],
            maker={"MAKER": True, "TAKER": False}.get(t.get("liquidity_indicator", "")),
            ts_ns=iso_ns(t["trade_time"]),
        )

    def balances(self) -> Query:
        """Ask for balances."""
        return get(f"{ROOT}/accounts", limit=250)

    def read_balances(self, answer: Answer) -> list[Balance]:
        """Available and held."""
        found = []
        for account in answer.json["accounts"]:
            free, held = dec(account["available_balance"]["value"]), dec(account["hold"]["value"])
            if free or held:
                found.append(Balance(asset=account["currency"], free=free, held=held))
        return found

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees: the same in all markets."""
        return get(f"{ROOT}/transaction_summary", product_type="SPOT")

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Of the account's tier."""
        tier = answer.json["fee_tier"]
        return Fees(dec(tier["maker_fee_rate"]), dec(tier["taker_fee_rate"]))


def _refused(body: Mapping[str, Any]) -> Refusal:
    """The reason of an order stands in `error_response`, that of an amendment in `errors`."""
    said = body.get("error_response") or {}
    code = said.get("error") or said.get("preview_failure_reason")
    if not code and body.get("errors"):
        first = body["errors"][0]
        code = first.get("edit_failure_reason") or first.get("preview_failure_reason")
    return Refusal(text(code or body.get("failure_reason")), text(said.get("message")))


def _listing(entry: Mapping[str, Any]) -> Listing:
    instrument = Instrument(
        venue="coinbase",
        symbol=entry["product_id"],
        kind="spot",
        tick=dec(entry.get("price_increment") or entry["quote_increment"]),
        lot=dec(entry["base_increment"]),
        base=entry["base_currency_id"],
        quote=entry["quote_currency_id"],
        min_qty=dec(entry["base_min_size"]),
        max_qty=dec_or_none(entry.get("base_max_size")) or Decimal(0),
        min_notional=dec_or_none(entry.get("quote_min_size")) or Decimal(0),
    )
    flags = ("is_disabled", "trading_disabled", "cancel_only", "view_only")
    status = closed_by(entry, text(entry.get("status")) or "online", *flags)
    return Listing(instrument, entry["product_id"], status == "online", status)
