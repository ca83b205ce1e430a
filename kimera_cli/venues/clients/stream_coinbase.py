"""Coinbase Advanced: the channels `user` and `heartbeats`.

https://docs.cdp.coinbase.com/advanced-trade/docs/ws-channels: a token per subscription. `user`
tells orders with cumulative sums and no executions, so fills are asked for whenever a sum grew.
`sequence_num` counts all messages of the connection: a gap ends it, a repetition is nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_cli.venues.clients.api import average_cost, order_of
from kimera_cli.venues.clients.coinbase import STATUS
from kimera_cli.venues.clients.rest import json_text, parsed
from kimera_cli.venues.clients.signing import CoinbaseSigner
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import dec_or_none, iso_ns, text
from kimera_cli.venues.orders.outcome import OrderUpdate, VenueOrder

CHANNELS = ("heartbeats", "user")


class CoinbaseStream(StreamDialect):
    """Orders of one account."""

    url = "wss://advanced-trade-ws-user.coinbase.com"
    subscriptions = len(CHANNELS)

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """One message per channel, each with a token of its own; no products: all of them."""
        signer = self.session.signer
        assert isinstance(signer, CoinbaseSigner)
        self._next = 0
        messages: list[dict[str, object]] = [
            {"type": "subscribe", "channel": channel, "jwt": signer.token(ts_ns).decode()}
            for channel in CHANNELS
        ]
        if self.symbols:
            messages[-1]["product_ids"] = [self.session.listing(s).name for s in self.symbols]
        return [json_text(message).encode() for message in messages]

    def read(self, message: bytes) -> Told:
        """A confirmation, an error, or a push."""
        body = parsed(message)
        if body.get("type") == "error":
            said = text(body.get("message"))
            return Told(lost=said, refused="auth" in said.lower())
        if (number := body.get("sequence_num")) is not None:
            if number < self._next:
                return NOTHING  # told already
            if number > self._next:
                return Told(lost=f"message {number} where {self._next} was next")
            self._next += 1
        match body.get("channel"):
            case "subscriptions":
                return Told(acked=1)
            case "user":
                return self._user(body)
        return NOTHING

    def _user(self, body: Mapping[str, Any]) -> Told:
        orders = [
            self._order(order, body["timestamp"])
            for event in body["events"]
            for order in event.get("orders") or ()
        ]
        filled = any(order.filled for order in orders)
        return Told(events=[OrderUpdate(order=order) for order in orders], ask_fills=filled)

    def _order(self, o: Mapping[str, Any], told: str) -> VenueOrder:
        filled, left = dec_or_none(o["cumulative_quantity"]), dec_or_none(o.get("leaves_quantity"))
        open_ = STATUS[o["status"]] == "open"
        kind = text(o.get("order_type")).lower()
        whole = filled + left if filled is not None and left is not None and open_ else None
        return order_of(
            self.api,
            o["product_id"],
            o["order_id"],
            STATUS[o["status"]],
            client_id=text(o.get("client_order_id")),
            side=o["order_side"].lower(),
            kind=kind if kind in ("limit", "market") else None,
            quantity=whole,
            filled=filled,
            cost=average_cost(filled, dec_or_none(o.get("avg_price"))),
            created_ns=iso_ns(o.get("creation_time")),
            updated_ns=iso_ns(told),
            raw_status=o["status"],
        )
