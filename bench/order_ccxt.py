"""ccxt as a peer of order bytes: its request of one order, and its signature, without `fetch`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .order_peers import require

if TYPE_CHECKING:
    from .order import Entry


def ask_ccxt(entry: Entry) -> Callable[[], Any]:
    """Return a call that makes and signs the next order: price changes as in the kernel's loop."""
    from .order import KEY, PASSPHRASE, PX_TICKS, QTY_LOTS, SECRET, TS_NS

    venue = entry.dialect.way.venue
    keys = {"apiKey": KEY, "secret": SECRET.decode(), "password": PASSPHRASE}
    exchange = getattr(require("ccxt"), venue)(keys)
    exchange.enableRateLimit = False  # it would sleep before each order
    exchange.milliseconds = lambda: TS_NS // 1_000_000
    symbol = one_market(exchange, entry)
    more = {"clientOrderId": entry.client_id.decode()}
    make, count = make_order(venue), itertools.count()

    def call() -> Any:
        price = (PX_TICKS + 2 * (next(count) % 50)) / 100
        return make(exchange, symbol, QTY_LOTS / 100_000, price, more)

    return call


def make_order(venue: str) -> Callable[..., Any]:
    """Return `make(exchange, symbol, size, price, params)`: the request of a bid, signed."""
    return _MAKERS[venue]


def one_market(exchange: Any, entry: Entry) -> str:
    """Give the exchange one spot market; return its symbol."""
    quote = "USD" if entry.dialect.way.venue in ("kraken", "coinbaseexchange") else "USDT"
    from .order import WIRES

    market_id = next(symbol for dialect, symbol, _ in WIRES if dialect is entry.dialect)
    market = exchange.safe_market_structure()
    market.update(id=market_id, symbol=f"BTC/{quote}", base="BTC", quote=quote, type="spot")
    market.update(baseId="BTC", quoteId=quote, spot=True, active=True, settle=None)
    market.update(dict.fromkeys(("swap", "future", "option", "margin", "contract"), False))
    market["precision"] = {"amount": 1e-05, "price": 0.01}
    market["info"] = {"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"]}
    coins = {code: {"id": code, "code": code, "precision": 1e-8} for code in ("BTC", quote)}
    exchange.set_markets([market], coins)
    exchange.options["defaultType"] = "spot"
    exchange.accounts = [{"id": "77", "type": "spot", "code": None}]
    exchange.accountsById = {"77": exchange.accounts[0]}
    return f"BTC/{quote}"


def _made_by_request(path: str, api: list[str]) -> Callable[..., Any]:
    def make(exchange: Any, symbol: str, qty: float, price: float, more: dict[str, str]) -> Any:
        params = exchange.create_order_request(symbol, "limit", "buy", qty, price, more)
        return exchange.sign(path, api, "POST", params)

    return make


def _kraken(exchange: Any, symbol: str, qty: float, price: float, more: dict[str, str]) -> Any:
    params = {
        "pair": exchange.market(symbol)["id"],
        "type": "buy",
        "ordertype": "limit",
        "volume": exchange.amount_to_precision(symbol, qty),
    }
    made = exchange.order_request("createOrder", symbol, "limit", params, qty, price, more)
    return exchange.sign("AddOrder", ["private"], "POST", exchange.extend(*made))


def _htx(exchange: Any, symbol: str, qty: float, price: float, more: dict[str, str]) -> Any:
    params = exchange.create_spot_order_request(symbol, "limit", "buy", qty, price, more)
    return exchange.sign("v1/order/orders/place", ["spot", "private"], "POST", params)


class _SignedError(Exception):
    """Ends create_order where it would fetch."""


def _coinbase_exchange(
    exchange: Any, symbol: str, qty: float, price: float, more: dict[str, str]
) -> Any:
    """This class makes its request inside create_order: it is left where it would fetch."""

    def fetch(*signed: Any) -> Any:
        raise _SignedError(*signed)

    exchange.fetch = fetch
    try:
        exchange.create_order(symbol, "limit", "buy", qty, price, more)
    except _SignedError as signed:
        return signed.args
    raise AssertionError("create_order came back without fetching")


_MAKERS = {
    "binance": _made_by_request("order", ["private"]),
    "bybit": _made_by_request("v5/order/create", ["private"]),
    "okx": _made_by_request("trade/order", ["private"]),
    "kraken": _kraken,
    "htx": _htx,
    "coinbaseexchange": _coinbase_exchange,
}
