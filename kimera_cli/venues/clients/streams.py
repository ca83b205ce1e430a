"""The private streams by venue."""

from __future__ import annotations

from importlib import import_module

from kimera_cli.venues.clients.catch_up import Interest
from kimera_cli.venues.clients.stream import Make, Patience, PrivateStream
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.clients.world import World

STREAMS = {
    "binance": ("stream_binance", "BinanceStream"),
    "bybit": ("stream_bybit", "BybitStream"),
    "coinbase": ("stream_coinbase", "CoinbaseStream"),
    "coinbaseexchange": ("stream_coinbase_exchange", "CoinbaseExchangeStream"),
    "htx": ("stream_htx", "HtxStream"),
    "kraken": ("stream_kraken", "KrakenStream"),
    "okx": ("stream_okx", "OkxStream"),
}


def stream_for(
    client: VenueClient, interest: Interest, world: World, patience: Patience | None = None
) -> PrivateStream:
    """Return the private stream of a client's account; `run` starts it."""
    module, name = STREAMS[client.venue]
    make: Make = getattr(import_module(f"kimera_cli.venues.clients.{module}"), name)
    return PrivateStream(client, make, interest, world, patience)
