"""Bybit's private websocket: the topics `order`, `execution`, `wallet`, and `dcp.spot` if wanted.

https://bybit-exchange.github.io/docs/v5/websocket/private/order. The login is signed for until a
time ahead. One subscription for all topics, one confirmation.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.venues.clients.bybit import SPOT, BybitApi
from kimera_cli.venues.clients.rest import json_text, parsed
from kimera_cli.venues.clients.signing import BybitSigner
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import dec, dec_or_none, ms_ns, text
from kimera_cli.venues.orders.outcome import (
    Balance,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
)

TOPICS = ("order", "execution", "wallet")
PROTECTION = "dcp.spot"
LOGIN_MS = 10_000
"""How far ahead the login's time lies."""


class BybitStream(StreamDialect):
    """Orders, fills and balances of one account."""

    url = "wss://stream.bybit.com/v5/private"

    def login(self, ts_ns: int) -> list[bytes]:
        """`GET/realtime` + when the login ends."""
        signer = self.session.signer
        assert isinstance(signer, BybitSigner)
        expires = ts_ns // 1_000_000 + LOGIN_MS
        sign = signer.digest(f"GET/realtime{expires}").hex()
        return [json_text({"op": "auth", "args": [signer.key, expires, sign]}).encode()]

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """All topics at once."""
        return [json_text({"op": "subscribe", "args": TOPICS}).encode()]

    def ping(self, ts_ns: int) -> bytes:
        """Asked for every 20 s."""
        return b'{"op":"ping"}'

    def protect(self, on: bool) -> bytes:
        """Disconnect protection of spot orders; the account manager allows it."""
        op = "subscribe" if on else "unsubscribe"
        return json_text({"req_id": PROTECTION, "op": op, "args": [PROTECTION]}).encode()

    def read(self, message: bytes) -> Told:
        """A confirmation or a push."""
        body = parsed(message)
        if body.get("req_id") == PROTECTION:
            return NOTHING if body.get("success") else Told(unprotected=text(body.get("ret_msg")))
        if topic := body.get("topic"):
            return Told(events=self._push(topic.split(".")[0], body))
        if body.get("success") is False:
            return Told(lost=text(body.get("ret_msg")), refused=body.get("op") == "auth")
        match body.get("op"):
            case "auth":
                return Told(logged_in=True)
            case "subscribe":
                return Told(acked=1)
        return NOTHING

    def _push(self, topic: str, body: Mapping[str, Any]) -> list[PrivateEvent]:
        api, data = self.api, body["data"]
        assert isinstance(api, BybitApi)
        spot = [entry for entry in data if entry.get("category", SPOT) == SPOT]
        match topic:
            case "order":
                return [OrderUpdate(order=api.read_order(o)) for o in spot]
            case "execution":
                trades = [t for t in spot if t.get("execType", "Trade") == "Trade"]
                return [FillUpdate(fill=api.read_fill(t)) for t in trades]
            case "wallet":
                ts_ns = ms_ns(body.get("creationTime"))
                return [self._coin(c, ts_ns) for entry in data for c in entry["coin"]]
        return []

    def _coin(self, coin: Mapping[str, Any], ts_ns: int) -> PrivateEvent:
        held = dec_or_none(coin.get("locked")) or Decimal(0)
        free = dec(coin["walletBalance"]) - held
        return self.balance(Balance(asset=coin["coin"], free=free, held=held), ts_ns)
