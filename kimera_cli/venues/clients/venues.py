"""The venues that orders can be sent to, and a client of one account at one of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.api import VenueApi
from kimera_cli.venues.clients.credentials import Credentials, Redactor
from kimera_cli.venues.clients.order_entry import OrderEntry
from kimera_cli.venues.clients.queries import Queries
from kimera_cli.venues.clients.session import Session
from kimera_cli.venues.clients.signing import signer_for
from kimera_cli.venues.clients.socket_entry import SocketEntry, has_socket
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.rules import canonical

APIS = {
    "binance": ("binance", "BinanceApi"),
    "bybit": ("bybit", "BybitApi"),
    "coinbase": ("coinbase", "CoinbaseApi"),
    "coinbaseexchange": ("coinbase_exchange", "CoinbaseExchangeApi"),
    "htx": ("htx", "HtxApi"),
    "kraken": ("kraken", "KrakenApi"),
    "okx": ("okx", "OkxApi"),
}


def api_for(venue: str) -> VenueApi:
    """Return a venue's interface; UsageError `usage.venue` names the nearest."""
    module, name = APIS[canonical(venue)]
    made: VenueApi = getattr(import_module(f"kimera_cli.venues.clients.{module}"), name)()
    return made


@dataclass(frozen=True)
class VenueClient:
    """One account at one venue."""

    account: str
    session: Session
    entry: OrderEntry
    queries: Queries

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.session.api.venue

    def check_clock(self) -> None:
        """VenueError `venue.clock` when nothing new may be sent because of the clocks."""
        self.session.clock.check()


def client_for(
    venue: str,
    credentials: Credentials | None,
    transport: Transport,
    world: World,
    account: str = "main",
    *,
    by_socket: bool = False,
) -> VenueClient:
    """Return a client; without credentials it can ask for what is public.

    `by_socket`: orders go over a websocket where the venue takes them so, as soon as somebody runs
    `entry.run()` (SocketEntry).
    """
    api = api_for(venue)
    if credentials is not None and credentials.venue != api.venue:
        raise VenueError(
            "venue.credentials",
            f"expected credentials of {api.venue}, was those of {credentials.venue}",
        )
    signer = signer_for(credentials, world.random_bytes) if credentials else None
    session = Session(api, transport, world, signer)
    if credentials is not None:
        session.redactor = Redactor(credentials.secrets())
    made = SocketEntry if by_socket and has_socket(api.venue) else OrderEntry
    return VenueClient(account, session, made(session), Queries(session))
