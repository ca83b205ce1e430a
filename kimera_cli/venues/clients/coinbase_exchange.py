"""Coinbase Exchange over REST (https://docs.cdp.coinbase.com/exchange/reference).

Refusals are `{"message": ...}` with a status of 400 and above. Lists are newest first; the cursor
of the next page is in the header `CB-AFTER`.
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
from kimera_cli.venues.clients.rest import Query, change, change_json, get
from kimera_cli.venues.clients.values import (
    above_zero,
    dec,
    dec_or_none,
    iso_ns,
    plain,
    s_ns,
    text,
)
from kimera_cli.venues.orders.outcome import Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import coinbase_exchange as wire

PAGE = 100
DONE = {"filled": "filled", "canceled": "canceled"}


class CoinbaseExchangeApi(VenueApi):
    """Coinbase Exchange."""

    venue = "coinbaseexchange"
    wire = wire.REST
    symbol_needed = True

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/time", signed=False)

    def read_time(self, answer: Answer) -> int:
        """Seconds with decimals."""
        return s_ns(answer.json["epoch"])

    def markets(self) -> Query:
        """Ask for all markets."""
        return get("/products", signed=False)

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Steps and the least funds."""
        return listings_of(answer.json, _listing)

    def refusal(self, answer: Answer) -> Refusal | None:
        """The message is all there is: it is the code, too."""
        body = answer.json
        if answer.status >= 400 and isinstance(body, dict) and "message" in body:
            return Refusal("", str(body["message"]))
        return None

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """The whole order."""
        body = answer.json
        return text(body.get("id")), self.read_order(body) if "status" in body else None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """`funds`."""
        body = {
            "product_id": listing.name,
            "side": intent.side,
            "type": "market",
            "funds": plain(intent.cost or Decimal(0)),
            "client_oid": intent.client_id,
        }
        return change_json("/orders", "place", body)

    def read_cancel(self, answer: Answer) -> str:
        """The id as a JSON text; by client id it is that one's."""
        return answer.json if isinstance(answer.json, str) else ""

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Of all markets or one."""
        return change("DELETE", "/orders", "cancel", product_id=listing.name if listing else None)

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """One question for open orders and those closed lately."""
        return [get(f"/orders/client:{client_id}")]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return get(f"/orders/{venue_order_id}")

    def open_orders(self, listing: Listing | None) -> Query:
        """Newest first, in pages."""
        return get("/orders", product_id=listing.name if listing else None, limit=PAGE)

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """One order or a list."""
        body = answer.json
        if isinstance(body, dict):
            return Page([self.read_order(body)])
        items = [self.read_order(order) for order in body]
        after = answer.headers.get("cb-after")
        more = after and len(items) == PAGE
        return Page(items, more_of(query, after=after) if more else None)

    def read_order(self, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order; `done` says in `done_reason` how it ended."""
        raw = o["status"]
        status = DONE[o.get("done_reason") or "canceled"] if raw == "done" else "open"
        if raw == "rejected":
            status = "rejected"
        post_only, tif = o.get("post_only"), text(o.get("time_in_force")).lower()
        return order_of(
            self,
            o["product_id"],
            o["id"],
            status,
            client_id=text(o.get("client_oid")),
            side=o["side"],
            kind=o["type"] if o["type"] in ("limit", "market") else None,
            tif="post_only" if post_only else tif if tif in ("gtc", "ioc", "fok") else None,
            price=above_zero(o.get("price")) if o["type"] == "limit" else None,
            quantity=above_zero(o.get("size")),
            filled=dec_or_none(o.get("filled_size")),
            cost=dec_or_none(o.get("executed_value")),
            created_ns=iso_ns(o.get("created_at")),
            updated_ns=iso_ns(o.get("done_at")),
            raw_status=raw,
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, in pages, until they are older than `since_ns`."""
        assert listing is not None, "symbol_needed"
        return get("/fills", product_id=listing.name, limit=PAGE)._replace(since_ns=since_ns)

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page; older ones are not asked for."""
        items = [self.read_fill(t) for t in answer.json]
        after = answer.headers.get("cb-after")
        more = after and len(items) == PAGE and items[-1].ts_ns >= query.since_ns
        return Page(items, more_of(query, after=after) if more else None)

    def read_fill(self, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution; fees are in the quote currency."""
        return fill_of(
            self,
            t["product_id"],
            t["trade_id"],
            venue_order_id=t["order_id"],
            side=t["side"],
            price=dec(t["price"]),
            quantity=dec(t["size"]),
            fee=dec(t["fee"]),
            fee_asset=t["product_id"].rpartition("-")[2],
            maker={"M": True, "T": False}.get(t.get("liquidity", "")),
            ts_ns=iso_ns(t["created_at"]),
        )

    def balances(self) -> Query:
        """Ask for balances."""
        return get("/accounts")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """Every asset has an account."""
        return [
            Balance(asset=a["currency"], free=dec(a["available"]), held=dec(a["hold"]))
            for a in answer.json
            if dec(a["balance"])
        ]

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees: the same in all markets."""
        return get("/fees")

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Positive where they cost."""
        return Fees(dec(answer.json["maker_fee_rate"]), dec(answer.json["taker_fee_rate"]))


def _listing(entry: Mapping[str, Any]) -> Listing:
    instrument = Instrument(
        venue="coinbaseexchange",
        symbol=entry["id"],
        kind="spot",
        tick=dec(entry["quote_increment"]),
        lot=dec(entry["base_increment"]),
        base=entry["base_currency"],
        quote=entry["quote_currency"],
        min_notional=dec(entry.get("min_market_funds") or "0"),
    )
    status = closed_by(entry, entry["status"], "trading_disabled", "cancel_only")
    return Listing(instrument, entry["id"], status == "online", status)
