"""The venues that the server speaks: name -> module; nothing is imported from here."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.venues.server.dialect import VenueDialect

MODULES = {
    name: f"{__name__}.{name}"
    for name in ("binance", "coinbase", "coinbaseexchange", "kraken", "bybit", "okx", "htx")
}
ALIASES = {"huobi": "htx", "coinbasepro": "coinbaseexchange"}
"""Names of earlier times."""


def available() -> list[str]:
    """Return the names of the dialects whose module is there, without importing any of them."""
    return [name for name, module in MODULES.items() if find_spec(module) is not None]


def load(name: str) -> type[VenueDialect]:
    """Return a venue's dialect; UsageError `usage.venue` names the nearest one."""
    known = ALIASES.get(name, name)
    if known not in available():
        raise UsageError(
            "usage.venue",
            f"expected a venue of {', '.join(available())}, was '{name}'",
            did_you_mean(name, available()),
        )
    found: type[VenueDialect] = import_module(MODULES[known]).Dialect
    return found
