"""Kraken spot over REST (https://docs.kraken.com/api/docs/rest-api/add-order).

Answers are `{"error": [...], "result": ...}` with HTTP 200. Pairs have four spellings: `XXBTZUSD`,
`XBTUSD`, `XBT/USD` and (websocket v2) `BTC/USD`; assets two and more (`XXBT`, `XBT`, `BTC`).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.instrument import Instrument, common_name
from kimera_cli.venues.clients.api import (
    Answer,
    Fees,
    Listing,
    Page,
    Refusal,
    VenueApi,
    bare,
    fill_of,
    listings_of,
    more_of,
    order_of,
)
from kimera_cli.venues.clients.rest import Query, get
from kimera_cli.venues.clients.values import (
    UnreadableError,
    above_zero,
    dec,
    dec_or_none,
    plain,
    s_ns,
    step_of,
    text,
)
from kimera_cli.venues.orders.outcome import AmendIntent, Balance, Intent, VenueFill, VenueOrder
from kimera_cli.venues.wire import kraken as wire

PAGE = 50
STATUS = {
    "pending": "open",
    "open": "open",
    "closed": "filled",
    "canceled": "canceled",
    "expired": "expired",
}
TRADING = ("online", "limit_only", "post_only")
"""States of a pair in which it takes orders; which ones, its refusals say."""
PRIVATE = "/0/private/"
PERCENT = Decimal("0.01")


class KrakenApi(VenueApi):
    """Kraken spot. The counter of calls is the key's: public questions do not add to it."""

    venue = "kraken"
    wire = wire.REST
    time_step_ns = 1_000_000_000

    def time(self) -> Query:
        """Ask for the venue's time."""
        return get("/0/public/Time", signed=False, weight=0)

    def read_time(self, answer: Answer) -> int:
        """Whole seconds."""
        return s_ns(_result(answer)["unixtime"])

    def markets(self) -> Query:
        """Ask for all pairs."""
        return get("/0/public/AssetPairs", signed=False, weight=0)

    def read_markets(self, answer: Answer) -> list[Listing]:
        """Pairs with a websocket name; the others (dark pools) cannot be traded here."""
        return listings_of(_result(answer).items(), lambda item: _listing(*item))

    def refusal(self, answer: Answer) -> Refusal | None:
        """`{"error": ["EOrder:Insufficient funds"]}`: the code is the text."""
        body = answer.json
        errors = body.get("error") if isinstance(body, dict) else None
        if isinstance(errors, list) and errors:
            return Refusal(str(errors[0]), "; ".join(map(str, errors[1:])))
        return None

    def read_place(self, answer: Answer, listing: Listing) -> tuple[str, VenueOrder | None]:
        """`txid` is a list."""
        ids = _result(answer).get("txid") or [""]
        return text(ids[0]), None

    def by_cost(self, intent: Intent, listing: Listing) -> Query:
        """The volume in the quote currency (`viqc`)."""
        return _private(
            "AddOrder",
            "place",
            pair=listing.name,
            type=intent.side,
            ordertype="market",
            oflags="viqc",
            volume=plain(intent.cost or Decimal(0)),
            cl_ord_id=intent.client_id,
        )

    def read_cancel(self, answer: Answer) -> str:
        """Only a count is told; none means that nothing was canceled."""
        if int(_result(answer)["count"]) < 1:
            raise UnreadableError("expected one order to be canceled, was none")
        return ""

    def cancel_all(self, listing: Listing | None) -> Query | None:
        """Of all pairs only."""
        return _private("CancelAll", "cancel") if listing is None else None

    def amend(self, intent: AmendIntent, listing: Listing, order: VenueOrder) -> Query | None:
        """Price and quantity, in place."""
        return _private(
            "AmendOrder",
            "place",
            txid=order.venue_order_id,
            order_qty=plain(intent.quantity) if intent.quantity else "",
            limit_price=plain(intent.price) if intent.price else "",
        )

    def read_amend(self, answer: Answer) -> str:
        """Only the amendment is named."""
        if not _result(answer).get("amend_id"):
            raise UnreadableError("expected an amendment's id, was none")
        return ""

    def find(self, client_id: str, listing: Listing, since_ns: int) -> list[Query]:
        """Open orders, then closed ones."""
        return [
            _private("OpenOrders", cl_ord_id=client_id),
            _private("ClosedOrders", cl_ord_id=client_id),
        ]

    def order(self, venue_order_id: str, listing: Listing) -> Query:
        """Ask for an order by the venue's id."""
        return _private("QueryOrders", txid=venue_order_id)

    def open_orders(self, listing: Listing | None) -> Query:
        """Of all pairs; the answer is not cut."""
        return _private("OpenOrders")

    def read_orders(self, answer: Answer, query: Query) -> Page:
        """A map by id, bare or under `open` or `closed`."""
        result = _result(answer)
        orders = result.get("open", result.get("closed", result))
        return Page([self.read_order(txid, order) for txid, order in orders.items()])

    def read_order(self, txid: str, o: Mapping[str, Any]) -> VenueOrder:
        """Return an order."""
        descr, raw, flags = o["descr"], o["status"], str(o.get("oflags", ""))
        kind = descr["ordertype"]
        return order_of(
            self,
            descr["pair"],
            txid,
            STATUS[raw],
            client_id=text(o.get("cl_ord_id")),
            side=descr["type"],
            kind=kind if kind in ("limit", "market") else None,
            tif="post_only" if "post" in flags else None,
            price=above_zero(descr.get("price")) if kind == "limit" else None,
            quantity=None if "viqc" in flags else above_zero(o.get("vol")),  # viqc: it is money
            filled=dec_or_none(o.get("vol_exec")),
            cost=dec_or_none(o.get("cost")),
            created_ns=s_ns(o.get("opentm")),
            updated_ns=s_ns(o.get("closetm")),
            raw_status=raw,
        )

    def fills(self, listing: Listing | None, since_ns: int) -> Query:
        """Newest first, of all pairs; `start` has the fraction of seconds."""
        start = Decimal(since_ns).scaleb(-9)
        return _private("TradesHistory", start=plain(start))._replace(weight=2)

    def read_fills(self, answer: Answer, query: Query) -> Page:
        """Return a page; `ofs` counts on until the venue's count."""
        result = _result(answer)
        trades = result["trades"]
        items = [self.read_fill(key, trade) for key, trade in trades.items()]
        reached = int(query.params.get("ofs", 0)) + len(items)
        more = items and reached < int(result["count"])
        return Page(items, more_of(query, ofs=reached) if more else None)

    def read_fill(self, key: str, t: Mapping[str, Any]) -> VenueFill:
        """Return one execution; the fee's asset is not told: it is the quote, unless asked."""
        symbol = self.symbol(t["pair"])
        listing = self.listings.get(symbol)
        return fill_of(
            self,
            t["pair"],
            key,
            venue_order_id=t["ordertxid"],
            side=t["type"],
            price=dec(t["price"]),
            quantity=dec(t["vol"]),
            cost=dec_or_none(t.get("cost")),
            fee=dec(t["fee"]),
            fee_asset=asset(listing.instrument.quote) if listing else "",
            maker=t.get("maker"),
            ts_ns=s_ns(t["time"]),
        )

    def balances(self) -> Query:
        """Ask for balances with what is held."""
        return _private("BalanceEx")

    def read_balances(self, answer: Answer) -> list[Balance]:
        """`balance` is all of it."""
        found = []
        for name, entry in _result(answer).items():
            held = dec(entry.get("hold_trade", "0"))
            found.append(Balance(asset=asset(name), free=dec(entry["balance"]) - held, held=held))
        return found

    def fees(self, listing: Listing) -> Query:
        """Ask for the account's fees in a pair."""
        return _private("TradeVolume", pair=listing.name)

    def read_fees(self, answer: Answer, listing: Listing) -> Fees:
        """Percent, by the pair's long name; makers may pay as takers do."""
        result = _result(answer)
        taker = next(iter(result["fees"].values()))
        maker = next(iter((result.get("fees_maker") or result["fees"]).values()))
        return Fees(dec(maker["fee"]) * PERCENT, dec(taker["fee"]) * PERCENT)

    def dead_man(self, seconds: int) -> Query | None:
        """Cancels everything of the account when it is not called again in time."""
        return _private("CancelAllOrdersAfter", "cancel", timeout=seconds)

    def unlisted(self, name: str) -> str:
        """Websocket v2 names a pair by common names."""
        wanted = bare("".join(asset(part) for part in name.split("/")))
        for symbol, listing in self.listings.items():
            instrument = listing.instrument
            if wanted == bare(asset(instrument.base) + asset(instrument.quote)):
                return symbol
        return bare(name)


def asset(name: str) -> str:
    """Return an asset's common name: `XXBT` and `XBT` are BTC, `ZUSD` is USD."""
    if len(name) == 4 and name[0] in "XZ":
        name = name[1:]
    return common_name(name)


def _private(call: str, kind: str = "query", **params: object) -> Query:
    query = get(f"{PRIVATE}{call}", **params)  # type: ignore[arg-type]
    return query._replace(method="POST", kind=kind, safe=kind == "query")  # type: ignore[arg-type]


def _result(answer: Answer) -> Any:
    return answer.json["result"]


def _listing(key: str, pair: Mapping[str, Any]) -> Listing:
    base, quote = pair["wsname"].split("/")
    tick = dec(pair["tick_size"]) if pair.get("tick_size") else step_of(pair["pair_decimals"])
    instrument = Instrument(
        venue="kraken",
        symbol=base + quote,
        kind="spot",
        tick=tick,
        lot=step_of(pair["lot_decimals"]),
        base=base,
        quote=quote,
        min_qty=dec(pair.get("ordermin", "0")),
        min_notional=dec(pair.get("costmin", "0")),
    )
    common = f"{asset(base)}/{asset(quote)}"
    names = (key, pair["wsname"], common, bare(common))
    status = pair.get("status", "online")
    return Listing(instrument, pair["altname"], status in TRADING, status, {}, names)
