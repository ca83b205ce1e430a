"""Kraken's websocket v2: the channel `executions`.

https://docs.kraken.com/api/docs/websocket-v2/executions: a token by REST for each connection; one
message holds several steps of one or more orders, each of which is read by itself. Later steps of
an order do not repeat what was told before. `balances` tells totals without what is held, so
balances are asked for instead (catch_up.py). Heartbeats come every second.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.venues.clients.api import fill_of, order_of
from kimera_cli.venues.clients.kraken import PRIVATE, asset
from kimera_cli.venues.clients.rest import Query, json_text, parsed
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import (
    above_zero,
    dec,
    dec_or_none,
    iso_ns,
    text,
)
from kimera_cli.venues.orders.outcome import (
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
    VenueFill,
    VenueOrder,
)

STATUS = {
    "pending_new": "open",
    "new": "open",
    "partially_filled": "open",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
}
TIF = {"gtc": "gtc", "ioc": "ioc", "fok": "fok"}


class KrakenStream(StreamDialect):
    """Orders and fills of one account."""

    url = "wss://ws-auth.kraken.com/v2"

    async def prepare(self) -> None:
        """A token is good for 15 minutes before the subscription, and for its whole life after."""
        query = Query("POST", f"{PRIVATE}GetWebSocketsToken")
        self._pairs: dict[str, str] = {}
        self.token = await self.session.ask(query, lambda a: str(a.json["result"]["token"]))

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """Open orders come first; what was executed before is asked for."""
        params = {
            "channel": "executions",
            "token": self.token,
            "snap_orders": True,
            "snap_trades": False,
        }
        return [json_text({"method": "subscribe", "params": params}).encode()]

    def ping(self, ts_ns: int) -> bytes:
        """The venue's own ping."""
        return b'{"method":"ping"}'

    def read(self, message: bytes) -> Told:
        """A confirmation, a push, or a heartbeat."""
        body = parsed(message)
        if body.get("method") == "subscribe":
            if body.get("success"):
                return Told(acked=1)
            return Told(lost=text(body.get("error")), refused="oken" in text(body.get("error")))
        if body.get("channel") == "executions":
            return Told(events=[event for step in body["data"] for event in self._step(step)])
        return NOTHING

    def _step(self, step: Mapping[str, Any]) -> list[PrivateEvent]:
        events: list[PrivateEvent] = []
        if step["exec_type"] == "trade":
            events.append(FillUpdate(fill=self._fill(step)))
        # Only the first step of an order tells its pair; open orders begin with a snapshot.
        name = self._pairs.setdefault(step["order_id"], step.get("symbol", ""))
        if "order_status" in step and name:
            events.append(OrderUpdate(order=self._order(step, name)))
        return events

    def _order(self, step: Mapping[str, Any], name: str) -> VenueOrder:
        kind, tif = step.get("order_type"), text(step.get("time_in_force")).lower()
        return order_of(
            self.api,
            name,
            step["order_id"],
            STATUS[step["order_status"]],
            client_id=text(step.get("cl_ord_id")),
            side=step.get("side"),
            kind=kind if kind in ("limit", "market") else None,
            tif="post_only" if step.get("post_only") else TIF.get(tif),
            price=above_zero(step.get("limit_price")),
            quantity=above_zero(step.get("order_qty")),
            filled=dec_or_none(step.get("cum_qty")),
            cost=dec_or_none(step.get("cum_cost")),
            updated_ns=iso_ns(step.get("timestamp")),
            raw_status=step["order_status"],
        )

    def _fill(self, step: Mapping[str, Any]) -> VenueFill:
        fees = step.get("fees") or []
        return fill_of(
            self.api,
            step["symbol"],
            step["exec_id"],
            venue_order_id=step["order_id"],
            client_id=text(step.get("cl_ord_id")),
            side=step["side"],
            price=dec(step["last_price"]),
            quantity=dec(step["last_qty"]),
            cost=dec_or_none(step.get("cost")),
            fee=sum((dec(fee["qty"]) for fee in fees), Decimal(0)),
            fee_asset=asset(fees[0]["asset"]) if fees else "",
            maker={"m": True, "t": False}.get(step.get("liquidity_ind", "")),
            ts_ns=iso_ns(step["timestamp"]),
        )
