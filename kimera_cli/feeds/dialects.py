"""The venues by name, each loaded when it is needed."""

from __future__ import annotations

from importlib import import_module

from kimera_cli.errors import UsageError
from kimera_cli.feeds.dialect import Dialect
from kimera_cli.names import did_you_mean

_DIALECTS = {
    "binance": "binance:BINANCE",
    "binanceusdm": "binance:BINANCE_USDM",
    "binancecoinm": "binance:BINANCE_COINM",
    "bybit": "bybit:BYBIT",
    "coinbase": "coinbase:COINBASE",
    "coinbaseexchange": "coinbaseexchange:COINBASE_EXCHANGE",
    "htx": "htx:HTX",
    "kraken": "kraken:KRAKEN",
    "okx": "okx:OKX",
}
VENUES: tuple[str, ...] = tuple(_DIALECTS)
"""Venues whose market data can be read live."""


def dialect_of(venue: str) -> Dialect:
    """Return a venue's dialect; UsageError `usage.venue`: there is none."""
    if venue not in _DIALECTS:
        raise UsageError(
            "usage.venue",
            f"expected one of {', '.join(VENUES)}, was {venue}",
            did_you_mean(venue, VENUES),
            venue=venue,
        )
    module, _, name = _DIALECTS[venue].partition(":")
    found: Dialect = getattr(import_module(f"kimera_cli.feeds.{module}"), name)
    return found
