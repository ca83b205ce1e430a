"""OKX's private websocket: the channels `orders` and `account`.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel: a login signed for once;
an order's message is the order, with its last execution in it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kimera_cli.venues.clients.api import fill_of
from kimera_cli.venues.clients.okx import OkxApi
from kimera_cli.venues.clients.rest import json_text, parsed
from kimera_cli.venues.clients.signing import OkxSigner
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import dec, dec_or_none, ms_ns, text
from kimera_cli.venues.orders.outcome import (
    Balance,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
    VenueFill,
)

CHANNELS = ({"channel": "orders", "instType": "SPOT"}, {"channel": "account"})
VERIFY = "GET/users/self/verify"


class OkxStream(StreamDialect):
    """Orders with fills, and balances, of one account."""

    url = "wss://ws.okx.com:8443/ws/v5/private"
    subscriptions = len(CHANNELS)

    def login(self, ts_ns: int) -> list[bytes]:
        """Seconds + a fixed path."""
        signer = self.session.signer
        assert isinstance(signer, OkxSigner)
        time = str(ts_ns // 1_000_000_000)
        argument = {
            "apiKey": signer.key,
            "passphrase": signer.passphrase,
            "timestamp": time,
            "sign": b64encode(signer.digest(f"{time}{VERIFY}")).decode(),
        }
        return [json_text({"op": "login", "args": [argument]}).encode()]

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """Both channels at once; each is confirmed."""
        return [json_text({"op": "subscribe", "args": CHANNELS}).encode()]

    def ping(self, ts_ns: int) -> bytes:
        """A connection without traffic for 30 s is closed."""
        return b"ping"

    def read(self, message: bytes) -> Told:
        """A confirmation, an error, or a push."""
        if message == b"pong":
            return NOTHING
        body = parsed(message)
        match body.get("event"):
            case "login":
                return Told(logged_in=True)
            case "subscribe":
                return Told(acked=1)
            case "error":
                said = f"{body.get('code', '')} {body.get('msg', '')}".strip()
                return Told(lost=said, refused=str(body.get("code", "")).startswith("600"))
            case "notice":
                return Told(lost=text(body.get("msg")))
            case None:
                return self._push(body)
        return NOTHING

    def _push(self, body: Mapping[str, Any]) -> Told:
        channel = body["arg"]["channel"]
        if channel == "orders":
            return Told(events=[e for o in body["data"] for e in self._order(o)])
        return Told(events=[e for entry in body["data"] for e in self._account(entry)])

    def _order(self, o: Mapping[str, Any]) -> list[PrivateEvent]:
        api = self.api
        assert isinstance(api, OkxApi)
        events: list[PrivateEvent] = [OrderUpdate(order=api.read_order(o))]
        if o.get("tradeId") and dec_or_none(o.get("fillSz")):
            events.insert(0, FillUpdate(fill=self._fill(o)))
        return events

    def _fill(self, o: Mapping[str, Any]) -> VenueFill:
        return fill_of(
            self.api,
            o["instId"],
            o["tradeId"],
            venue_order_id=o["ordId"],
            client_id=text(o.get("clOrdId")),
            side=o["side"],
            price=dec(o["fillPx"]),
            quantity=dec(o["fillSz"]),
            fee=-(dec_or_none(o.get("fillFee")) or Decimal(0)),
            fee_asset=text(o.get("fillFeeCcy") or o.get("feeCcy")),
            maker={"M": True, "T": False}.get(o.get("execType", "")),
            ts_ns=ms_ns(o.get("fillTime")),
        )

    def _account(self, entry: Mapping[str, Any]) -> list[PrivateEvent]:
        events: list[PrivateEvent] = []
        for detail in entry["details"]:
            held = dec_or_none(detail.get("frozenBal")) or Decimal(0)
            free = dec(detail["cashBal"]) - held
            balance = Balance(asset=detail["ccy"], free=free, held=held)
            events.append(self.balance(balance, ms_ns(detail.get("uTime") or entry["uTime"])))
        return events
