"""Order bytes: from ticks and lots to the signed request of each venue, ready for a socket.

`order.hmac` signs 120 bytes and writes the signature in hex. `order.VENUE.WAY` builds a whole limit
order: the HTTP/1.1 request, or the websocket's message. Both are called from a compiled loop, as
the engine calls them; `detail.from_python_ns` is one call from Python. The peers do the same with
the same inputs: plain Python (f-string, hmac, orjson) comes to the very same bytes, ccxt makes its
request of the order and signs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from kimera_cli.instrument import Instrument
from kimera_cli.kernels import order_bytes
from kimera_cli.kernels._jit import kernel
from kimera_cli.kernels.encode import put_hex
from kimera_cli.kernels.hmac_sha import PADDING, hmac256_in_place
from kimera_cli.kernels.order_bytes import build_order
from kimera_cli.kernels.sha256 import PATH
from kimera_cli.layouts import BID, GTC, LIMIT
from kimera_cli.records import Bench
from kimera_cli.venues.wire import binance, binance_ws, bybit, coinbase_exchange, htx, kraken, okx
from kimera_cli.venues.wire.account import Account
from kimera_cli.venues.wire.dialect import Dialect
from kimera_cli.venues.wire.order_wire import OrderWire

from . import targets
from .harness import Case, Timing, Watch
from .machine import package
from .request import Peer, Request, row

ORDERS = 20_000
CALLS = 2_000
BATCH = 1_000
PEER_BATCH = 100
MESSAGE = 120
GOAL_NS = {"sha256": 500.0, "sha512": 1_000.0, "token": 500.0}
"""Two blocks of SHA-512 alone are 430 ns here (OpenSSL: 340 ns)."""
TIMES_PYTHON, TIMES_CCXT = 3.5, 50.0
PX_TICKS, QTY_LOTS, TS_NS = 5_000_001, 123, 1_700_000_000_123_000_000
KEY, PASSPHRASE = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A", "passphrase"
SECRET = b"a2ltZXJhIGJlbmNobWFyayBzZWNyZXQsIG5vYm9keSdz"
"""Base64, so that it does for every venue."""

WIRES: tuple[tuple[Dialect, str, dict[str, str]], ...] = (
    (binance.REST, "BTCUSDT", {}),
    (binance_ws.WEBSOCKET, "BTCUSDT", {}),
    (bybit.REST, "BTCUSDT", {}),
    (bybit.WEBSOCKET, "BTCUSDT", {}),
    (okx.REST, "BTC-USDT", {}),
    (okx.WEBSOCKET, "BTC-USDT", {"inst_id_code": "123"}),
    (kraken.REST, "XXBTZUSD", {}),
    (kraken.WEBSOCKET, "BTC/USD", {}),
    (htx.REST, "btcusdt", {"account_id": "77"}),
    (coinbase_exchange.REST, "BTC-USD", {}),
)


@kernel
def sign_all(key, out, n):  # type: ignore[no-untyped-def]
    """Sign MESSAGE bytes n times, a number in them changing, and write the hex behind them."""
    for i in range(n):
        out[0] = i & 255
        hmac256_in_place(key, key.inner256, out, 0, MESSAGE, 64)  # type: ignore[no-untyped-call]
        put_hex(out, MESSAGE, key.digest, 32)  # type: ignore[no-untyped-call]


@kernel
def build_all(program, key, order, n):  # type: ignore[no-untyped-def]
    """Build n orders, price and time changing; return the sum of their lengths."""
    total = np.int64(0)
    for i in range(n):
        order.px_ticks = PX_TICKS + 2 * (i % 50)
        order.ts_ns += 1_000_000
        total += build_order(program, key, order)  # type: ignore[no-untyped-call]
    return total


@dataclass(frozen=True)
class Entry:
    """One way into one venue, ready to build."""

    dialect: Dialect
    wire: OrderWire

    @property
    def name(self) -> str:
        """`binance.rest`."""
        return f"{self.dialect.way.venue}.{self.dialect.way.way}"

    @property
    def client_id(self) -> bytes:
        """An id that the venue takes."""
        uuid = b"0b1c2d3e-0000-4000-8000-000000000001"
        return uuid if self.dialect.way.venue == "coinbaseexchange" else b"kim0000000000000a1"

    def build(self, px_ticks: int = PX_TICKS, ts_ns: int = TS_NS) -> bytes:
        """Return one request by the checked way."""
        order = (px_ticks, QTY_LOTS, self.client_id, ts_ns, 1)
        return bytes(self.wire.place(BID, LIMIT, GTC, *order))


def entries() -> list[Entry]:
    """Return every wire, with credentials that open nothing."""
    instrument = Instrument(
        venue="synthetic", symbol="BTC", kind="spot", tick=Decimal("0.01"), lot=Decimal("0.00001")
    )
    found = []
    for dialect, symbol, options in WIRES:
        account = Account(dialect.signing, KEY, SECRET, PASSPHRASE)
        account.set_token(b"a-session-token-of-forty-three-characters-x")
        wire = OrderWire(dialect, instrument, account, symbol=symbol, options=options)
        found.append(Entry(dialect, wire))
    return found


def rows(request: Request) -> Iterator[Bench]:
    """Time the signature alone, then the orders of every wire."""
    yield _hmac_row(request)
    for entry in entries():
        yield _order_row(request, entry)


def _hmac_row(request: Request) -> Bench:
    account = Account(binance.SIGNING, KEY, SECRET)
    key, n = account.state.view(np.recarray)[0], request.size(ORDERS)

    def ours(out: Any, watch: Watch) -> None:
        _in_batches(watch, n, BATCH, lambda count: sign_all(key, out, count))

    cases = [Case("ours", lambda: np.zeros(MESSAGE + PADDING, np.uint8), ours)]
    if request.peers:
        from .order_peers import sign_with_hashlib

        cases.append(_python_case("hashlib", sign_with_hashlib(SECRET, MESSAGE), n))
    timings = request.measure(cases)
    library = timings.get("hashlib")
    return row(
        request,
        "order.hmac",
        timings["ours"],
        kind=f"batches of {BATCH} signatures of {MESSAGE} bytes",
        peer=Peer("hashlib", library) if library else None,
        path=PATH,
    )


def _order_row(request: Request, entry: Entry) -> Bench:
    n = request.size(ORDERS)
    length = len(entry.build())
    cases = [_compiled(entry, n), _called(entry, n)]
    if request.peers and entry.dialect.way.way == "rest":
        from .order_ccxt import ask_ccxt
        from .order_peers import write_in_python

        cases.append(_python_case("python", write_in_python(entry), n))
        cases.append(_python_case("ccxt", ask_ccxt(entry), n))
    timings = request.measure(cases)
    ours, plain, ccxt = timings["ours"], timings.get("python"), timings.get("ccxt")
    goals = [targets.quantile(ours, "p50", GOAL_NS[entry.dialect.signing.hash])]
    if entry.dialect.way.way == "rest":
        goals.append(targets.faster(ours, plain, TIMES_PYTHON, "plain Python"))
        goals.append(targets.faster(ours, ccxt, TIMES_CCXT, "ccxt"))
    return row(
        request,
        f"order.{entry.name}",
        ours,
        kind=f"batches of {BATCH} limit orders",
        peer=Peer("f-string + hmac + orjson", plain) if plain else None,
        others=[Peer(f"ccxt {package('ccxt')}", ccxt)] if ccxt else [],
        goals=goals,
        from_python_ns=_rounded(timings["call"]),
        bytes=length,
    )


def _rounded(timing: Timing) -> float:
    return round(timing.median_ns, 1)


def _compiled(entry: Entry, n: int) -> Case:
    def prepare() -> tuple[Any, ...]:
        entry.build()
        wire = entry.wire
        place = 2 * GTC + BID
        rows_ = (wire.programs[place : place + 1], wire.account.state, wire.order)
        return tuple(array.view(np.recarray)[0] for array in rows_)

    def run(state: tuple[Any, ...], watch: Watch) -> None:
        _in_batches(watch, n, BATCH, lambda count: build_all(*state, count))

    return Case("ours", prepare, run)


def _called(entry: Entry, n: int) -> Case:
    wire = entry.wire
    arrays = (wire.table, wire.programs, wire.account.state, wire.order)

    def call() -> int:
        return order_bytes.build(*arrays)

    def prepare() -> Callable[[], int]:
        entry.build()
        return call

    return Case("call", prepare, lambda built, watch: _loop(built, watch, min(n, CALLS)))


def _python_case(name: str, call: Callable[[], object], n: int) -> Case:
    return Case(name, lambda: call, lambda built, watch: _loop(built, watch, min(n, CALLS)))


def _loop(call: Callable[[], object], watch: Watch, n: int) -> None:
    def batch(count: int) -> None:
        for _ in range(count):
            call()

    _in_batches(watch, n, PEER_BATCH, batch)


def _in_batches(watch: Watch, n: int, size: int, batch: Callable[[int], object]) -> None:
    watch.start()
    for begin in range(0, n, size):
        count = min(size, n - begin)
        batch(count)
        watch.lap(count)
