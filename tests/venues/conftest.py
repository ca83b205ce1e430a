"""Wires of every venue, an independent reader of their bytes, and ccxt as it is, offline."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from decimal import Decimal
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

import pytest

from kimera_cli.instrument import Instrument
from kimera_cli.layouts import ASK, BID, FOK, GTC, IOC, LIMIT, MARKET, POST_ONLY
from kimera_cli.venues.wire import (
    binance,
    binance_ws,
    bybit,
    coinbase_exchange,
    htx,
    kraken,
    okx,
)
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import Dialect
from kimera_cli.venues.wire.order_wire import OrderWire

NOW_NS = 1_700_000_000_123_456_789
NOW_MS = NOW_NS // 1_000_000
KEY, PASSPHRASE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", 'pa"ss word'
SECRETS = {
    "text": b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP",
    "base64": base64.b64encode(bytes(range(64))),
}
CLIENT_ID = {"coinbaseexchange": b"0b1c2d3e-0000-4000-8000-000000000001"}
SYMBOLS = {
    ("binance", "rest"): "BTCUSDT",
    ("binance", "websocket"): "BTCUSDT",
    ("bybit", "rest"): "BTCUSDT",
    ("bybit", "websocket"): "BTCUSDT",
    ("okx", "rest"): "BTC-USDT",
    ("okx", "websocket"): "BTC-USDT",
    ("kraken", "rest"): "XXBTZUSD",
    ("kraken", "websocket"): "BTC/USD",
    ("htx", "rest"): "btcusdt",
    ("coinbaseexchange", "rest"): "BTC-USD",
}
OPTIONS = {("htx", "rest"): {"account_id": "77"}, ("okx", "websocket"): {"inst_id_code": "123"}}
DIALECTS: dict[tuple[str, str], Dialect] = {
    (d.way.venue, d.way.way): d
    for d in (
        binance.REST,
        binance_ws.WEBSOCKET,
        bybit.REST,
        bybit.WEBSOCKET,
        okx.REST,
        okx.WEBSOCKET,
        kraken.REST,
        kraken.WEBSOCKET,
        htx.REST,
        coinbase_exchange.REST,
    )
}
KINDS = {
    "gtc": (LIMIT, GTC),
    "ioc": (LIMIT, IOC),
    "fok": (LIMIT, FOK),
    "post_only": (LIMIT, POST_ONLY),
    "market": (MARKET, GTC),
}
SIDES = {"buy": BID, "sell": ASK}


class Http(NamedTuple):
    """A request as the standard library's server reads it."""

    method: str
    target: str
    headers: dict[str, str]
    body: str

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, strict_parsing=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body, strict_parsing=True))

    @property
    def json(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)


class _Reader(BaseHTTPRequestHandler):
    def __init__(self, data: bytes) -> None:
        self.rfile = io.BytesIO(data)
        self.raw_requestline = self.rfile.readline()
        self.error: tuple[Any, ...] = ()
        assert self.parse_request(), self.error

    def send_error(self, *args: Any, **_: Any) -> None:
        self.error = args


def parse_http(data: bytes) -> Http:
    """Read one request; every byte of it must belong to it."""
    reader = _Reader(data)
    assert reader.request_version == "HTTP/1.1"
    names = [name.lower() for name in reader.headers]
    assert len(names) == len(set(names)), "a header is there twice"
    assert names[0] == "host"
    body = reader.rfile.read()
    assert len(body) == int(reader.headers.get("Content-Length", 0))
    assert not data.replace(b"\r\n", b"").count(b"\r")
    return Http(reader.command, reader.path, dict(reader.headers.items()), body.decode())


class CapturedError(Exception):
    """What ccxt was about to send."""


def _markets(exchange: Any, symbol: str, market_id: str) -> None:
    base, quote = symbol.split("/")
    market = exchange.safe_market_structure()
    market.update(id=market_id, symbol=symbol, base=base, quote=quote, baseId=base, quoteId=quote)
    market.update(type="spot", spot=True, active=True, settle=None, instIdCode=123)
    market["precision"] = {"amount": 1e-05, "price": 0.01}
    market["info"] = {"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"]}
    for name in ("swap", "future", "option", "margin", "contract"):
        market[name] = False
    coins = {code: {"id": code, "code": code, "precision": 1e-8} for code in (base, quote)}
    exchange.set_markets([market], coins)


def new_ccxt(venue: str) -> Any:
    """ccxt's class for the venue, unmodified: only its clock stands and it does not fetch."""
    ccxt = pytest.importorskip("ccxt")
    dialect = DIALECTS[venue, "rest"]
    exchange = getattr(ccxt, venue)(
        {
            "apiKey": KEY,
            "secret": SECRETS[dialect.signing.secret].decode(),
            "password": PASSPHRASE,
        }
    )
    exchange.milliseconds = lambda: NOW_MS
    if venue == "coinbaseexchange":
        exchange.nonce = lambda: NOW_MS // 1000

    def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> None:
        raise CapturedError(url, method, headers, body)

    exchange.fetch = fetch
    if venue == "bybit":
        exchange.options |= {"enableUnifiedMargin": False, "enableUnifiedAccount": True}
        exchange.options["defaultType"] = "spot"
    if venue == "binance":
        exchange.options["recvWindow"] = 5000
    if venue == "htx":
        exchange.accounts = [{"id": "77", "type": "spot", "code": None}]
        exchange.accountsById = {"77": exchange.accounts[0]}
    symbol = "BTC/USD" if venue in ("kraken", "coinbaseexchange") else "BTC/USDT"
    _markets(exchange, symbol, SYMBOLS[venue, "rest"])
    return exchange


def ask_ccxt(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Http:
    """What ccxt would have sent."""
    with pytest.raises(CapturedError) as caught:
        call(*args, **kwargs)
    url, method, headers, body = caught.value.args
    split = urlsplit(url)
    target = split.path + (f"?{split.query}" if split.query else "")
    return Http(method, target, dict(headers or {}), body or "")


class Desk:
    """What a test needs, under one name, because test modules cannot import each other."""

    dialects = DIALECTS
    kinds = KINDS
    sides = SIDES
    now_ns = NOW_NS
    key = KEY
    passphrase = PASSPHRASE

    def instrument(self, tick: str = "0.01", lot: str = "0.00001") -> Instrument:
        return Instrument(
            venue="synthetic", symbol="BTC", kind="spot", tick=Decimal(tick), lot=Decimal(lot)
        )

    def secret(self, dialect: Dialect) -> bytes:
        """The secret as the venue shows it."""
        return SECRETS[dialect.signing.secret]

    def raw_secret(self, dialect: Dialect) -> bytes:
        """The secret as it signs."""
        text = self.secret(dialect)
        return base64.b64decode(text) if dialect.signing.secret == "base64" else text

    def account(self, dialect: Dialect) -> Account:
        return Account(dialect.signing, KEY, self.secret(dialect), PASSPHRASE)

    def wire(self, venue: str, way: str = "rest", **steps: str) -> OrderWire:
        dialect = DIALECTS[venue, way]
        account = self.account(dialect)
        account.set_token(b"TOKEN-of-the-session")
        return OrderWire(
            dialect,
            self.instrument(**steps),
            account,
            symbol=SYMBOLS[venue, way],
            options=OPTIONS.get((venue, way)),
        )

    def client_id(self, venue: str) -> bytes:
        return CLIENT_ID.get(venue, b"kim0000000000000a1")

    def http(self, data: memoryview | bytes) -> Http:
        return parse_http(bytes(data))

    def orders(self, dialect: Dialect) -> list[tuple[str, str]]:
        """Kinds and sides of new orders that the dialect has."""
        return [
            (kind, side)
            for kind in KINDS
            for side in SIDES
            if dialect.values(kind, SIDES[side]) is not None
        ]

    def place(
        self, wire: OrderWire, kind: str, side: str, px: int = 5_000_012, qty: int = 100
    ) -> bytes:
        """A new order: 0.001 at 50000.12 with the default steps, and 7 as its request id."""
        client_id = self.client_id(wire.dialect.way.venue)
        return bytes(wire.place(SIDES[side], *KINDS[kind], px, qty, client_id, NOW_NS, 7))

    def ccxt(self, venue: str) -> Any:
        return new_ccxt(venue)

    def ask_ccxt(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Http:
        return ask_ccxt(call, *args, **kwargs)


@pytest.fixture(scope="session")
def desk() -> Desk:
    """Wires, reader and oracle."""
    return Desk()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every dialect to tests that ask for `venue` and `way`, every REST one for `venue`."""
    if {"venue", "way"} <= set(metafunc.fixturenames):
        metafunc.parametrize(("venue", "way"), list(DIALECTS), ids="-".join)
    elif "venue" in metafunc.fixturenames:
        metafunc.parametrize("venue", [v for v, way in DIALECTS if way == "rest"])
