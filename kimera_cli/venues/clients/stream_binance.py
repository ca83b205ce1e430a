"""Binance's user data over the websocket API.

https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream: subscribed by a signed
request (all parameters sorted by name); there is no listen key for spot any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_cli.venues.clients.api import fill_of, order_of
from kimera_cli.venues.clients.binance import KIND, STATUS, tif_of
from kimera_cli.venues.clients.rest import json_text, parsed
from kimera_cli.venues.clients.signing import BinanceSigner
from kimera_cli.venues.clients.stream_dialect import NOTHING, StreamDialect, Told
from kimera_cli.venues.clients.values import above_zero, dec, dec_or_none, ms_ns, text
from kimera_cli.venues.orders.outcome import (
    Balance,
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
)

SUBSCRIBE = 1
"""Id of the one request that is made."""
ENDED = frozenset({"eventStreamTerminated", "listenKeyExpired", "serverShutdown"})


class BinanceStream(StreamDialect):
    """Orders, fills and balances of one account."""

    url = "wss://ws-api.binance.com:443/ws-api/v3"

    def subscribe(self, ts_ns: int) -> list[bytes]:
        """One request; its signature is over `name=value` sorted by name."""
        signer = self.session.signer
        assert isinstance(signer, BinanceSigner)
        params: dict[str, object] = {"apiKey": signer.key, "timestamp": ts_ns // 1_000_000}
        signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
        params["signature"] = signer.digest(signed).hex()
        request = {"id": SUBSCRIBE, "method": "userDataStream.subscribe.signature"}
        return [json_text({**request, "params": params}).encode()]

    def read(self, message: bytes) -> Told:
        """An answer to the request, or an event."""
        body = parsed(message)
        if "event" in body:
            return self._event(body["event"])
        if "status" in body and body["status"] != 200:
            error = body.get("error") or {}
            said = f"{error.get('code', '')} {error.get('msg', '')}".strip()
            return Told(lost=said or str(body["status"]), refused=_is_auth(error.get("code")))
        return Told(acked=1)

    def _event(self, e: Mapping[str, Any]) -> Told:
        kind = e["e"]
        if kind == "executionReport":
            return Told(events=self._report(e))
        if kind == "outboundAccountPosition":
            ts_ns = ms_ns(e["u"])
            return Told(
                events=[
                    self.balance(Balance(asset=b["a"], free=dec(b["f"]), held=dec(b["l"])), ts_ns)
                    for b in e["B"]
                ]
            )
        return Told(lost=kind) if kind in ENDED else NOTHING

    def _report(self, e: Mapping[str, Any]) -> list[PrivateEvent]:
        # A cancel has its own client id in `c`; `C` is that of the order.
        client_id = text(e.get("C") or e["c"])
        order = order_of(
            self.api,
            e["s"],
            e["i"],
            STATUS[e["X"]],
            client_id=client_id,
            side=e["S"].lower(),
            kind=KIND.get(e["o"]),
            tif=tif_of(e["o"], e.get("f")),
            price=above_zero(e.get("p")),
            quantity=above_zero(e.get("q")),
            filled=dec_or_none(e.get("z")),
            cost=dec_or_none(e.get("Z")),
            created_ns=ms_ns(e.get("O")),
            updated_ns=ms_ns(e.get("T")),
            raw_status=e["X"],
        )
        events: list[PrivateEvent] = [OrderUpdate(order=order)]
        if e["x"] == "TRADE":
            fill = fill_of(
                self.api,
                e["s"],
                e["t"],
                venue_order_id=str(e["i"]),
                client_id=client_id,
                side=e["S"].lower(),
                price=dec(e["L"]),
                quantity=dec(e["l"]),
                cost=dec_or_none(e.get("Y")),
                fee=dec(e["n"]),
                fee_asset=text(e["N"]),
                maker=bool(e["m"]),
                ts_ns=ms_ns(e["T"]),
            )
            events.insert(0, FillUpdate(fill=fill))
        return events


def _is_auth(code: object) -> bool:
    return code in (-1022, -2008, -2014, -2015)
