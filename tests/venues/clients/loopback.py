"""Real venue dialects on the loopback, in this process, and clients that reach them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kimera_cli.errors import KimeraError
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.credentials import Credentials
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.client_id import IntentKey, client_id
from kimera_cli.venues.orders.outcome import Intent
from kimera_cli.venues.server import dialects
from kimera_cli.venues.server.clock import Clock
from kimera_cli.venues.server.dialect import Options
from kimera_cli.venues.server.exchange import Exchange
from kimera_cli.venues.server.faults import Faults, Rule
from kimera_cli.venues.server.host import Host, Venue
from kimera_cli.venues.server.keys import Key, KeyStore
from kimera_cli.venues.server.listen import Listener
from kimera_cli.venues.server.model import OrderRequest

VENUES = tuple(dialects.available())
SYMBOLS = {
    "binance": "BTCUSDT",
    "bybit": "BTCUSDT",
    "okx": "BTC-USDT",
    "htx": "BTCUSDT",
    "kraken": "XBTUSD",
    "coinbase": "BTC-USD",
    "coinbaseexchange": "BTC-USD",
}
PASSPHRASE = "pass-phrase-7"
NUMBERS = itertools.count(1)


def secret_of(venue: str) -> str:
    """A secret as the venue gives it."""
    if venue == "coinbase":
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        return pem.decode()
    if venue in ("kraken", "coinbaseexchange"):
        return base64.b64encode(venue.encode() * 4).decode()
    return f"secret-of-{venue}"


@dataclass
class At:
    """One venue of the rig."""

    venue: Venue
    exchange: Exchange
    credentials: Credentials
    me: int
    maker: int
    symbol: str

    @property
    def market(self) -> Any:
        """The BTC market."""
        return self.exchange.markets[0]

    def make(self, side: str, qty: str, price: str) -> Any:
        """Place an order of somebody else."""
        request = OrderRequest(
            symbol=self.market.symbol, side=side, kind="limit", qty=Decimal(qty),
            price=Decimal(price),
        )  # fmt: skip
        return self.exchange.place(self.maker, request)

    def mine(self) -> list[Any]:
        """Every order that the account ever had."""
        account = self.exchange.ledger.accounts[self.me]
        return [*account.closed, *account.open.values()]


@dataclass
class Rig:
    """Venues on one loopback port."""

    listener: Listener
    faults: Faults
    clock: Clock
    at: dict[str, At]
    reported: list[KimeraError] = field(default_factory=list)

    @property
    def world(self) -> World:
        """Real clocks, seeded chance."""
        return World(
            now_ns=time.time_ns,
            monotonic_ns=time.perf_counter_ns,
            random_bytes=random.Random(1).randbytes,
            report=self.reported.append,
        )

    def transport(self, **options: Any) -> Transport:
        """A transport that reaches this rig and nothing else."""
        hosts = frozenset(self.listener.host.by_host)
        # The server compiles its kernels in this very loop when their cache is cold.
        return Transport(
            Server(self.listener.port, None, hosts), self.world, **{"answer_s": 120.0, **options}
        )

    async def client(self, venue: str, **options: Any) -> VenueClient:
        """A client that has started."""
        client = client_for(
            venue, self.at[venue].credentials, self.transport(**options), self.world
        )
        client.session.budget = Budget(venue, (), self.world)  # venues' limits are slow
        await client.session.start()
        return client

    def fault(self, hook: Any, action: Any, match: str = "", **more: Any) -> None:
        """Put a fault in force."""
        self.faults.add(Rule(hook=hook, action=action, match=match, **more))


def _venue(name: str, clock: Clock, faults: Faults, problems: list[Any]) -> At:
    dialect = dialects.load(name)
    exchange = Exchange(name, dialect.default_markets(), clock, 7, dialect.rules)
    base, quote = exchange.markets[0].base, exchange.markets[0].quote
    funds = {base: "10", quote: "1000000"}
    me = exchange.open_account("me", funds).id
    maker = exchange.open_account("maker", funds).id
    secret = secret_of(name)
    public = secret
    key = f"key-of-{name}" if name != "coinbase" else "organizations/o/apiKeys/k"
    keys = KeyStore([Key(name, key, public, PASSPHRASE, me)])
    made = dialect(exchange, keys, Options(limits=False, cadence_ns_wanted=0))
    venue = Venue(name, exchange, made, keys, faults, lambda *bug: problems.append(bug))
    credentials = Credentials(name, key, secret, PASSPHRASE)
    return At(venue, exchange, credentials, me, maker, SYMBOLS[name])


@asynccontextmanager
async def serving(*names: str) -> AsyncIterator[Rig]:
    """Serve these venues until the block ends; a bug of the server fails the test."""
    clock, faults = Clock(time.time_ns), Faults()
    problems: list[Any] = []
    at = {name: _venue(name, clock, faults, problems) for name in names}
    listener = Listener(Host([each.venue for each in at.values()], faults))
    await listener.start()
    try:
        yield Rig(listener, faults, clock, at)
    finally:
        await listener.stop()
    assert not problems, problems


def intent(venue: str, side: str = "buy", **terms: Any) -> Intent:
    """An order of ours; prices and quantities are text."""
    number = next(NUMBERS)
    found: dict[str, Any] = {"kind": "limit", "tif": "gtc", **terms}
    for name in ("price", "quantity", "cost"):
        if name in found:
            found[name] = Decimal(found[name])
    return Intent(
        number=number,
        client_id=client_id(venue, IntentKey(9, number)),
        venue=venue,
        account="main",
        symbol=SYMBOLS[venue],
        side=side,  # type: ignore[arg-type]
        created_ns=time.time_ns(),
        **found,
    )


def run(work: Any) -> None:
    """Run a coroutine to its end."""
    asyncio.run(work)
