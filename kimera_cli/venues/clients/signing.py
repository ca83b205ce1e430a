"""Signatures of requests that are not the hot path: queries, cancel-all, amendments, logins.

Orders and cancels are built and signed by `venues/wire`; these are the same schemes over any
method, path and body, in plain Python. Both share one `Account`, whose nonce rises over all of a
venue's requests. Sources are named in the wire's file of each venue.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote, urlencode

from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.rest import (
    FORM,
    JSON,
    Headers,
    Query,
    encoded,
    json_text,
    message,
    target,
)
from kimera_cli.venues.orders.lookup import expiry_ns
from kimera_cli.venues.orders.rules import rules_of
from kimera_cli.venues.wire import (
    binance,
    bybit,
    coinbase,
    coinbase_exchange,
    htx,
    kraken,
    okx,
)
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import Dialect

_MS, _S = 1_000_000, 1_000_000_000


class Signer(Protocol):
    """Signs one account's requests at one venue."""

    account: Account

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request's bytes; `ts_ns` is UTC as the venue's clock has it."""
        ...


class _Hmac(ABC):
    """What signers with a shared secret have."""

    dialect: Dialect

    @abstractmethod
    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request's bytes."""

    def __init__(self, credentials: Credentials) -> None:
        self.account = credentials.account(self.dialect.signing)
        self.key, self.passphrase = credentials.key, credentials.passphrase
        self._mac = credentials.mac(self.dialect.signing)

    @property
    def host(self) -> str:
        return self.dialect.way.host

    def digest(self, text: str | bytes) -> bytes:
        """Return the MAC of a text."""
        mac: hmac.HMAC = self._mac.copy()
        mac.update(text.encode() if isinstance(text, str) else text)
        return mac.digest()

    def base64(self, text: str | bytes) -> str:
        return b64encode(self.digest(text)).decode()


class BinanceSigner(_Hmac):
    """Parameters as they stand, hex, in the parameters."""

    dialect = binance.REST
    window_ms = rules_of("binance").window.default_ns // _MS

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request; everything is in the query, also of POST and PUT."""
        timed = {**query.params, "recvWindow": str(self.window_ms), "timestamp": str(ts_ns // _MS)}
        text = encoded(timed)
        text += f"&signature={self.digest(text).hex()}"
        headers = [("X-MBX-APIKEY", self.key)]
        if query.method in ("POST", "PUT"):
            return message(query.method, self.host, query.path, [*headers, FORM], text)
        return message(query.method, self.host, f"{query.path}?{text}", headers)


class KrakenSigner(_Hmac):
    """Path + SHA-256(nonce + body); every private request is a POST with a rising nonce."""

    dialect = kraken.REST

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request and raise the account's nonce."""
        state = self.account.state
        nonce = max(int(state["nonce"][0]) + 1, ts_ns // _MS)
        state["nonce"][0] = nonce
        params = dict(query.params)
        if query.kind == "place":
            params["deadline"] = f"{iso_s(expiry_ns('kraken', ts_ns))}Z"
        body = encoded({"nonce": str(nonce), **params})
        inner = sha256(f"{nonce}{body}".encode()).digest()
        sign = self.base64(query.path.encode() + inner)
        return message(
            "POST", self.host, query.path, [("API-Key", self.key), ("API-Sign", sign), FORM], body
        )


class OkxSigner(_Hmac):
    """Time + method + path with query + body, base64."""

    dialect = okx.REST

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request."""
        time, body, path = iso_ms(ts_ns), json_text(query.body), target(query)
        headers = [
            ("OK-ACCESS-KEY", self.key),
            ("OK-ACCESS-SIGN", self.base64(f"{time}{query.method}{path}{body}")),
            ("OK-ACCESS-TIMESTAMP", time),
            ("OK-ACCESS-PASSPHRASE", self.passphrase),
            JSON,
        ]
        if query.kind == "place":
            headers.append(("expTime", str(expiry_ns("okx", ts_ns) // _MS)))
        return message(query.method, self.host, path, headers, body)


class BybitSigner(_Hmac):
    """Time + key + window + (query or body), hex."""

    dialect = bybit.REST
    window_ms = rules_of("bybit").window.default_ns // _MS

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request."""
        time, body, asked = str(ts_ns // _MS), json_text(query.body), encoded(query.params)
        signed = f"{time}{self.key}{self.window_ms}{body if query.method == 'POST' else asked}"
        headers = [
            ("X-BAPI-API-KEY", self.key),
            ("X-BAPI-TIMESTAMP", time),
            ("X-BAPI-RECV-WINDOW", str(self.window_ms)),
            ("X-BAPI-SIGN", self.digest(signed).hex()),
            JSON,
        ]
        return message(query.method, self.host, target(query), headers, body)


class HtxSigner(_Hmac):
    """Method, host, path and sorted query, a line each; base64 in the query."""

    dialect = htx.REST

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request."""
        parameters = {
            **query.params,
            "AccessKeyId": self.key,
            "SignatureMethod": "HmacSHA256",
            "SignatureVersion": "2",
            "Timestamp": iso_s(ts_ns),
        }
        asked = urlencode(sorted(parameters.items()), quote_via=quote, safe="")
        sign = self.base64("\n".join((query.method, self.host, query.path, asked)))
        path = f"{query.path}?{asked}&Signature={quote(sign, safe='')}"
        return message(query.method, self.host, path, [JSON], json_text(query.body))


class CoinbaseExchangeSigner(_Hmac):
    """Seconds + method + path with query + body, base64."""

    dialect = coinbase_exchange.REST

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request."""
        time, path, body = str(ts_ns // _S), target(query), json_text(query.body)
        return message(
            query.method, self.host, path, [*self.headers(time, query, path), JSON], body
        )

    def headers(self, time: str, query: Query, path: str) -> Headers:
        """Return what proves who asks."""
        signed = f"{time}{query.method}{path}{json_text(query.body)}"
        return [
            ("CB-ACCESS-KEY", self.key),
            ("CB-ACCESS-SIGN", self.base64(signed)),
            ("CB-ACCESS-TIMESTAMP", time),
            ("CB-ACCESS-PASSPHRASE", self.passphrase),
        ]


class CoinbaseSigner:
    """A token (ES256) over method and path per request."""

    dialect = coinbase.REST

    def __init__(self, credentials: Credentials, random_bytes: Callable[[int], bytes]) -> None:
        self.account = credentials.account(self.dialect.signing)
        self.key = credentials.key
        self.tokens = coinbase.TokenMaker(credentials.key, credentials.pem())
        self._random_bytes = random_bytes

    @property
    def host(self) -> str:
        """The venue's REST host."""
        return self.dialect.way.host

    def token(self, ts_ns: int, method: str = "", path: str = "") -> bytes:
        """Return a new token; without a path, the one of a websocket."""
        nonce = self._random_bytes(coinbase.NONCE_BYTES)
        return self.tokens.token(path, ts_ns // _S, nonce, method=method)

    def authorize(self, path: str, ts_ns: int) -> None:
        """Give the wire's account a token for its next request."""
        self.account.set_token(self.token(ts_ns, "POST", path))

    def sign(self, query: Query, ts_ns: int) -> bytes:
        """Return the request."""
        bearer = f"Bearer {self.token(ts_ns, query.method, query.path).decode()}"
        headers = [("Authorization", bearer), JSON]
        return message(query.method, self.host, target(query), headers, json_text(query.body))


_SIGNERS: dict[str, type[_Hmac]] = {
    "binance": BinanceSigner,
    "kraken": KrakenSigner,
    "okx": OkxSigner,
    "bybit": BybitSigner,
    "htx": HtxSigner,
    "coinbaseexchange": CoinbaseExchangeSigner,
}


def signer_for(credentials: Credentials, random_bytes: Callable[[int], bytes]) -> Signer:
    """Return what signs for a venue's account; VenueError `venue.credentials` when it cannot."""
    if credentials.venue == "coinbase":
        return CoinbaseSigner(credentials, random_bytes)
    return _SIGNERS[credentials.venue](credentials)


def iso_ms(ts_ns: int) -> str:
    """Return RFC 3339 with milliseconds and Z."""
    seconds, rest = divmod(ts_ns, _S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // _MS:03d}Z"


def iso_s(ts_ns: int) -> str:
    """Return the time without zone, in whole seconds."""
    return f"{datetime.fromtimestamp(ts_ns // _S, UTC):%Y-%m-%dT%H:%M:%S}"
