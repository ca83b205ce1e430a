"""What order bytes are measured against: plain Python as one writes it for speed, and ccxt.

The plain versions keep what can be kept (an hmac object that knows its key, the constant text) and
come to the same bytes as the kernel: a test holds them to that. ccxt makes its request of the order
and signs it, without `fetch`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from .order import Entry

Write = Callable[[str, str, str, int], bytes]
"""Price, size, client id and ms since the epoch to the bytes of a request."""


def require(name: str) -> Any:
    """Import a peer; UsageError `usage.peer_absent` when it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            "usage.peer_absent",
            f"expected the peer {name} to be installed, was: {error}",
            f"pip install {name}",
        ) from None


def sign_with_hashlib(secret: bytes, n: int) -> Callable[[], str]:
    """Return the quickest way of the standard library to sign n bytes: a copied context."""
    ready, message = hmac.new(secret, digestmod=hashlib.sha256), bytes(n)

    def sign() -> str:
        context = ready.copy()
        context.update(message)
        return context.hexdigest()

    return sign


class Plain:
    """Requests of the six venues in plain Python."""

    def __init__(self, key: str, secret: bytes, passphrase: str) -> None:
        self.key, self.passphrase = key, passphrase
        self.dumps = require("orjson").dumps
        self.text = hmac.new(secret, digestmod=hashlib.sha256)
        self.decoded = hmac.new(base64.b64decode(secret), digestmod=hashlib.sha256)
        self.long = hmac.new(base64.b64decode(secret), digestmod=hashlib.sha512)

    def _mac(self, ready: hmac.HMAC, message: bytes) -> bytes:
        context = ready.copy()
        context.update(message)
        return context.digest()

    def _post(self, host: str, target: str, headers: str, kind: str, body: bytes) -> bytes:
        head = (
            f"POST {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kimera\r\n{headers}"
            f"Content-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def binance(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """One form, signed."""
        text = (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&newOrderRespType=ACK&recvWindow=5000"
            f"&quantity={qty}&price={px}&newClientOrderId={client_id}&timestamp={ms}"
        )
        body = f"{text}&signature={self._mac(self.text, text.encode()).hex()}".encode()
        headers = f"X-MBX-APIKEY: {self.key}\r\n"
        kind = "x-www-form-urlencoded"
        return self._post("api.binance.com", "/api/v3/order", headers, kind, body)

    def bybit(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """Time, key, window and body are signed."""
        order = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
        order |= {"timeInForce": "GTC", "price": px, "qty": qty, "orderLinkId": client_id}
        body = self.dumps(order)
        sign = self._mac(self.text, f"{ms}{self.key}5000".encode() + body).hex()
        headers = (
            f"X-BAPI-API-KEY: {self.key}\r\nX-BAPI-TIMESTAMP: {ms}\r\n"
            f"X-BAPI-RECV-WINDOW: 5000\r\nX-BAPI-SIGN: {sign}\r\n"
        )
        return self._post("api.bybit.com", "/v5/order/create", headers, "json", body)

    def okx(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """Time as text, method, path and body are signed."""
        order = {"instId": "BTC-USDT", "tdMode": "cash", "side": "buy", "ordType": "limit"}
        order |= {"px": px, "sz": qty, "clOrdId": client_id}
        body = self.dumps(order)
        time = f"{_date(ms)}.{ms % 1000:03d}Z"
        raw = self._mac(self.text, f"{time}POST/api/v5/trade/order".encode() + body)
        headers = (
            f"OK-ACCESS-KEY: {self.key}\r\nOK-ACCESS-SIGN: {base64.b64encode(raw).decode()}\r\n"
            f"OK-ACCESS-TIMESTAMP: {time}\r\nOK-ACCESS-PASSPHRASE: {self.passphrase}\r\n"
            f"expTime: {ms + GOOD_FOR_MS}\r\n"
        )
        return self._post("www.okx.com", "/api/v5/trade/order", headers, "json", body)

    def kraken(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """Path and hash of nonce and body are signed, by SHA-512."""
        body = (
            f"nonce={ms}&pair=XXBTZUSD&type=buy&ordertype=limit&price={px}&volume={qty}"
            f"&cl_ord_id={client_id}&deadline={quote(_date(ms + GOOD_FOR_MS), safe='')}Z"
        ).encode()
        hashed = hashlib.sha256(str(ms).encode() + body).digest()
        sign = base64.b64encode(self._mac(self.long, b"/0/private/AddOrder" + hashed)).decode()
        headers = f"API-Key: {self.key}\r\nAPI-Sign: {sign}\r\n"
        kind = "x-www-form-urlencoded"
        return self._post("api.kraken.com", "/0/private/AddOrder", headers, kind, body)

    def htx(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """The query is signed."""
        order = {"account-id": "77", "symbol": "btcusdt", "type": "buy-limit", "amount": qty}
        order |= {"price": px, "source": "spot-api", "client-order-id": client_id}
        query = (
            f"AccessKeyId={self.key}&SignatureMethod=HmacSHA256&SignatureVersion=2"
            f"&Timestamp={_date(ms).replace(':', '%3A')}"
        )
        path = "/v1/order/orders/place"
        raw = self._mac(self.text, f"POST\napi.huobi.pro\n{path}\n{query}".encode())
        sign = quote(base64.b64encode(raw), safe="")
        target = f"{path}?{query}&Signature={sign}"
        return self._post("api.huobi.pro", target, "", "json", self.dumps(order))

    def coinbaseexchange(self, px: str, qty: str, client_id: str, ms: int) -> bytes:
        """Time, method, path and body are signed."""
        order = {"product_id": "BTC-USD", "side": "buy", "type": "limit", "time_in_force": "GTC"}
        order |= {"price": px, "size": qty, "client_oid": client_id}
        body = self.dumps(order)
        raw = self._mac(self.decoded, f"{ms // 1000}POST/orders".encode() + body)
        headers = (
            f"CB-ACCESS-KEY: {self.key}\r\nCB-ACCESS-SIGN: {base64.b64encode(raw).decode()}\r\n"
            f"CB-ACCESS-TIMESTAMP: {ms // 1000}\r\nCB-ACCESS-PASSPHRASE: {self.passphrase}\r\n"
        )
        return self._post("api.exchange.coinbase.com", "/orders", headers, "json", body)


GOOD_FOR_MS = 5_000
"""How long an order may be executed."""


def _date(ms: int) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000))


def write_in_python(entry: Entry) -> Callable[[], bytes]:
    """Return a call that writes the next order: price and time change as in the kernel's loop."""
    from .order import KEY, PASSPHRASE, PX_TICKS, QTY_LOTS, SECRET, TS_NS

    write: Write = getattr(Plain(KEY, SECRET, PASSPHRASE), entry.dialect.way.venue)
    client_id, count = entry.client_id.decode(), itertools.count()

    def call() -> bytes:
        i = next(count)
        px, qty = f"{(PX_TICKS + 2 * (i % 50)) / 100:.2f}", f"{QTY_LOTS / 100_000:.5f}"
        return write(px, qty, client_id, TS_NS // 1_000_000 + i)

    return call
