"""Coinbase Exchange: the channels `user` and `heartbeat` of the feed, authenticated.

https://docs.cdp.coinbase.com/exchange/websocket-feed/channels: `match` messages name both orders
and tell no fee, so fills are asked for. Products must be named.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.venues.clients.api import order_of
from kimera_cli.venues.clients.coinbase_exchange import DONE
from kimera_cli.venues.clients.rest import Query, json_text, parsed
from kimera_cli.venues.clients.signing import CoinbaseExchangeSigner
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import above_zero, dec_or_none, iso_ns, text
from kimera_cli.venues.orders.outcome import OrderUpdate, VenueOrder

VERIFY = Query("GET", "/users/self/verify")
HEADERS = {
    "CB-ACCESS-KEY": "key",
    "CB-ACCESS-SIGN": "signature",
    "CB-ACCESS-TIMESTAMP": "timestamp",
    "CB-ACCESS-PASSPHRASE": "passphrase",
}


class CoinbaseExchangeStream(StreamDialect):
    """Orders of one account."""

    url = "wss://ws-feed.exchange.coinbase.com"

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """Signed as a request of /users/self/verify."""
        signer = self.session.signer
        assert isinstance(signer, CoinbaseExchangeSigner)
        proof = signer.headers(str(ts_ns // 1_000_000_000), VERIFY, VERIFY.path)
        symbols = self.symbols or tuple(self.api.listings)
        message = {
            "type": "subscribe",
            "product_ids": [self.session.listing(s).name for s in symbols],
            "channels": ["user", "heartbeat"],
            **{HEADERS[name]: value for name, value in proof},
        }
        return [json_text(message).encode()]

    def read(self, message: bytes) -> Told:
        """A confirmation, an error, or a step of an order."""
        body = parsed(message)
        match body["type"]:
            case "subscriptions":
                return Told(acked=1)
            case "error":
                said = f"{text(body.get('message'))} {text(body.get('reason'))}".strip()
                return Told(lost=said, refused="auth" in said.lower())
            case "received" | "open":
                return Told(events=[OrderUpdate(order=self._order(body, "open"))])
            case "match":
                return Told(ask_fills=True)
            case "done":
                status = DONE[body["reason"]]
                return Told(
                    events=[OrderUpdate(order=self._order(body, status))],
                    ask_fills=status == "filled",
                )
        return NOTHING

    def _order(self, m: Mapping[str, Any], status: str) -> VenueOrder:
        kind = m.get("order_type")
        size = dec_or_none(m.get("size"))
        left = dec_or_none(m.get("remaining_size"))
        filled = Decimal(0) if m["type"] == "received" else None
        if size is not None and left is not None:
            filled = size - left
        return order_of(
            self.api,
            m["product_id"],
            m["order_id"],
            status,
            client_id=text(m.get("client_oid")),
            side=m["side"],
            kind=kind if kind in ("limit", "market") else None,
            price=above_zero(m.get("price")),
            quantity=size or None,
            filled=filled,
            updated_ns=iso_ns(m.get("time")),
            raw_status=text(m["type"]),
        )
