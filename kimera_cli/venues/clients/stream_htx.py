"""HTX's websocket v2: the channels `orders`, `trade.clearing` and `accounts.update`.

https://www.htx.com/en-us/opend/newApiPages/?id=7ec4a4da-7773-11ed-9966-0242ac110003: a login signed
as REST is, version 2.1. Only `trade.clearing` tells fees, so fills are taken from there. The venue
pings and wants the same time back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from kimera_cli.venues.clients.api import fill_of, order_of
from kimera_cli.venues.clients.htx import STATUS, TYPES
from kimera_cli.venues.clients.rest import json_text, parsed
from kimera_cli.venues.clients.signing import HtxSigner, iso_s
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import above_zero, dec, dec_or_none, ms_ns, text
from kimera_cli.venues.orders.outcome import (
    Balance,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
)

PATH = "/ws/v2"
CHANNELS = ("orders#*", "trade.clearing#*#0", "accounts.update#2")
LOGIN_REFUSED = frozenset({2002, 2003})


class HtxStream(StreamDialect):
    """Orders, fills and balances of one account."""

    url = f"wss://api.huobi.pro{PATH}"
    subscriptions = len(CHANNELS)

    def login(self, ts_ns: int) -> list[bytes]:
        """Method, host, path and sorted parameters, a line each."""
        signer = self.session.signer
        assert isinstance(signer, HtxSigner)
        params = {
            "accessKey": signer.key,
            "signatureMethod": "HmacSHA256",
            "signatureVersion": "2.1",
            "timestamp": iso_s(ts_ns),
        }
        signed = "\n".join(("GET", signer.host, PATH, urlencode(sorted(params.items()))))
        login = {"authType": "api", **params, "signature": signer.base64(signed)}
        return [json_text({"action": "req", "ch": "auth", "params": login}).encode()]

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """One message per channel; each is confirmed."""
        return [json_text({"action": "sub", "ch": channel}).encode() for channel in CHANNELS]

    def read(self, message: bytes) -> Told:
        """A ping, a confirmation or a push."""
        body = parsed(message)
        match body["action"]:
            case "ping":
                pong = {"action": "pong", "data": body["data"]}
                return Told(reply=json_text(pong).encode())
            case "req" | "sub":
                return _confirmed(body)
            case "push":
                return self._push(body["ch"].split("#")[0], body.get("data") or {})
        return NOTHING

    def _push(self, channel: str, data: Mapping[str, Any]) -> Told:
        match channel:
            case "orders":
                return Told(events=self._order(data))
            case "trade.clearing":
                return Told(events=self._trade(data))
            case "accounts.update":
                return Told(events=self._account(data))
        return NOTHING

    def _order(self, d: Mapping[str, Any]) -> list[PrivateEvent]:
        """Orders that were refused before they had an id (`errCode`) are told in the answer."""
        if "orderId" not in d:
            return []
        side, _, name = text(d.get("type")).partition("-")
        kind, tif = TYPES.get(name, (None, None))
        order = order_of(
            self.api,
            d["symbol"],
            d["orderId"],
            STATUS[d["orderStatus"]],
            client_id=text(d.get("clientOrderId")),
            side=side or None,
            kind=kind,
            tif=tif,
            price=above_zero(d.get("orderPrice")),
            quantity=above_zero(d.get("orderSize")),
            filled=dec_or_none(d.get("execAmt")),
            created_ns=ms_ns(d.get("orderCreateTime")),
            updated_ns=ms_ns(d.get("lastActTime") or d.get("tradeTime")),
            raw_status=d["orderStatus"],
        )
        return [OrderUpdate(order=order)]

    def _trade(self, d: Mapping[str, Any]) -> list[PrivateEvent]:
        if d.get("eventType") != "trade":
            return []
        fill = fill_of(
            self.api,
            d["symbol"],
            d["tradeId"],
            venue_order_id=str(d["orderId"]),
            client_id=text(d.get("clientOrderId")),
            side=d["orderSide"],
            price=dec(d["tradePrice"]),
            quantity=dec(d["tradeVolume"]),
            fee=dec(d["transactFee"]),
            fee_asset=text(d.get("feeCurrency")).upper(),
            maker=not d["aggressor"],
            ts_ns=ms_ns(d["tradeTime"]),
        )
        return [FillUpdate(fill=fill)]

    def _account(self, d: Mapping[str, Any]) -> list[PrivateEvent]:
        if d.get("accountType") != "trade" or d.get("available") in (None, ""):
            return []
        free, total = dec(d["available"]), dec(d["balance"])
        balance = Balance(asset=d["currency"].upper(), free=free, held=total - free)
        return [self.balance(balance, ms_ns(d.get("changeTime")))]


def _confirmed(body: Mapping[str, Any]) -> Told:
    if body["code"] != 200:
        said = f"{body['code']} {text(body.get('message'))}".strip()
        return Told(lost=said, refused=body["ch"] == "auth" or body["code"] in LOGIN_REFUSED)
    return Told(logged_in=True) if body["ch"] == "auth" else Told(acked=1)
