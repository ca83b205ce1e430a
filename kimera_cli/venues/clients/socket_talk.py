"""How four venues take orders over a websocket: login, answers, pings; the bytes are the wire's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from kimera_cli.venues.clients.api import Answer, Listing
from kimera_cli.venues.clients.kraken import PRIVATE
from kimera_cli.venues.clients.rest import Query
from kimera_cli.venues.clients.session import Session
from kimera_cli.venues.clients.stream_bybit import BybitStream
from kimera_cli.venues.clients.stream_okx import OkxStream
from kimera_cli.venues.clients.values import text
from kimera_cli.venues.wire import binance_ws, bybit, kraken, okx
from kimera_cli.venues.wire.dialect import Dialect


class Heard(NamedTuple):
    """What one message means."""

    number: int = 0
    """The request that it answers; 0: none."""
    answer: Answer = Answer(0, None, {})
    """In the shape of a REST answer, so that refusals read the same."""
    name: str = ""
    """The venue's id of the order; empty where the message has none."""
    logged_in: bool = False
    refused: str = ""
    """Why the venue will not talk to this account."""


class Talk(ABC):
    """Order entry over a websocket at one venue. Fresh for each connection."""

    url: str
    dialect: Dialect
    ping_every_s = 15.0
    token_s = 0.0
    """How long a token may be used; 0: there is none."""
    token = ""
    """The one that requests carry."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def prepare(self) -> None:
        """Get what orders need by REST (a token)."""
        return

    def can(self, listing: Listing) -> bool:
        """Whether orders of a market can go this way."""
        return True

    def options(self, listing: Listing) -> dict[str, str]:
        """Return what the wire wants to know of the market."""
        return {}

    def login(self, ts_ns: int) -> list[bytes]:
        """Return what proves who talks; empty: each request does."""
        return []

    def ping(self) -> bytes:
        """Return the venue's own ping; empty: the protocol's is used."""
        return b""

    @abstractmethod
    def hear(self, body: Mapping[str, Any]) -> Heard:
        """Return what a message means."""


class BinanceTalk(Talk):
    """Each request is signed."""

    url = "wss://ws-api.binance.com:443/ws-api/v3"
    dialect = binance_ws.WEBSOCKET

    def hear(self, body: Mapping[str, Any]) -> Heard:
        """`result`, or `error` with the codes of REST."""
        if "id" not in body:
            return Heard()
        told = body.get("result") or body.get("error")
        name = text((body.get("result") or {}).get("orderId"))
        return Heard(_number(body["id"]), Answer(int(body["status"]), told, {}), name)


class KrakenTalk(Talk):
    """Each request carries the token of REST."""

    url = "wss://ws-auth.kraken.com/v2"
    dialect = kraken.WEBSOCKET
    token_s = 600.0

    async def prepare(self) -> None:
        """A token is documented to be good for 15 minutes."""
        query = Query("POST", f"{PRIVATE}GetWebSocketsToken")
        self.token = await self.session.ask(query, lambda a: str(a.json["result"]["token"]))
        signer = self.session.signer
        assert signer is not None
        signer.account.set_token(self.token.encode())

    def ping(self) -> bytes:
        """The venue's own ping."""
        return b'{"method":"ping"}'

    def hear(self, body: Mapping[str, Any]) -> Heard:
        """`success` with `result`, or `error` in the words of REST."""
        if body.get("method") not in ("add_order", "cancel_order"):
            return Heard()
        if not body["success"]:
            told: dict[str, Any] = {"error": [text(body.get("error"))]}
            return Heard(_number(body["req_id"]), Answer(200, told, {}))
        result = body["result"]
        return Heard(
            _number(body["req_id"]), Answer(200, {"error": []}, {}), text(result.get("order_id"))
        )


class OkxTalk(Talk):
    """The login holds for the connection; orders name the market by its number."""

    url = OkxStream.url
    dialect = okx.WEBSOCKET

    def can(self, listing: Listing) -> bool:
        """Only markets whose number the venue has told."""
        return bool(listing.options)

    def options(self, listing: Listing) -> dict[str, str]:
        """`instIdCode` of the market's listing."""
        return dict(listing.options)

    def login(self, ts_ns: int) -> list[bytes]:
        """The one of the private stream."""
        return OkxStream(self.session, "", ()).login(ts_ns)

    def ping(self) -> bytes:
        """A connection without traffic for 30 s is closed."""
        return b"ping"

    def hear(self, body: Mapping[str, Any]) -> Heard:
        """The shape of REST."""
        if body.get("event") == "login":
            return Heard(logged_in=True)
        if body.get("event") == "error":
            return Heard(refused=f"{body.get('code', '')} {body.get('msg', '')}".strip())
        if "id" not in body:
            return Heard()
        data = body.get("data") or [{}]
        return Heard(_number(body["id"]), Answer(200, body, {}), text(data[0].get("ordId")))


class BybitTalk(Talk):
    """The login holds for the connection."""

    url = "wss://stream.bybit.com/v5/trade"
    dialect = bybit.WEBSOCKET

    def login(self, ts_ns: int) -> list[bytes]:
        """The one of the private stream."""
        return BybitStream(self.session, "", ()).login(ts_ns)

    def ping(self) -> bytes:
        """Asked for every 20 s."""
        return b'{"op":"ping"}'

    def hear(self, body: Mapping[str, Any]) -> Heard:
        """The codes of REST; the order stands in `data`."""
        if body.get("op") == "auth":
            if body.get("retCode") == 0 or body.get("success"):
                return Heard(logged_in=True)
            return Heard(refused=f"{body.get('retCode', '')} {body.get('retMsg', '')}".strip())
        if not body.get("reqId"):
            return Heard()
        name = text((body.get("data") or {}).get("orderId"))
        return Heard(_number(body["reqId"]), Answer(200, body, {}), name)


TALKS: dict[str, type[Talk]] = {
    "binance": BinanceTalk,
    "bybit": BybitTalk,
    "kraken": KrakenTalk,
    "okx": OkxTalk,
}


def _number(value: Any) -> int:
    return int(value) if str(value).isdigit() else 0
