"""What a user calls a venue, a market or a timeframe, and what ccxt and the catalog call it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean, nearest
from kimera_cli.units import NS_PER_S

ALIASES = {"huobi": "htx", "coinbasepro": "coinbaseexchange"}
"""Names that ccxt had in the past."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def venue_of(typed: str, known: Iterable[str]) -> str:
    """Return ccxt's name of a venue; UsageError `usage.venue` names the nearest."""
    names = list(known)
    name = ALIASES.get(typed.lower(), typed.lower())
    if name not in names:
        near = nearest(name, [*names, *ALIASES])
        raise UsageError(
            "usage.venue",
            f"expected a venue, was '{typed}'",
            f"did you mean '{near}'?" if near else "for example binance, kraken, okx, coinbase",
        )
    return name


def market_of(typed: str, markets: Mapping[str, Any], venue: str) -> Any:
    """Return ccxt's market of `BTC/USDT`, of the venue's own name, or of the catalog's.

    UsageError `usage.symbol` names the nearest.
    """
    if typed in markets:
        return markets[typed]
    names = {symbol_of(market): market for market in reversed(list(markets.values()))}
    names |= {market["id"]: market for market in reversed(list(markets.values()))}
    upper = {name.upper(): market for name, market in [*names.items(), *markets.items()]}
    if typed.upper() in upper:
        return upper[typed.upper()]
    near = did_you_mean(typed.upper(), upper) if nearest(typed.upper(), upper) else ""
    raise UsageError(
        "usage.symbol",
        f"expected a market of {venue}, was '{typed}'",
        near or f"kimera fetch markets {venue}",
    )


def symbol_of(market: Mapping[str, Any]) -> str:
    """Return the catalog's name of a market: the venue's own, such that files can be named so.

    Kraken's are the ones of its order entry (`XBTUSD`); bybit calls spot and swap the same.
    """
    info = market.get("info") or {}
    name = str(info.get("altname") or market["id"]) if isinstance(info, Mapping) else market["id"]
    name = name.upper().replace("/", "-").replace(":", "-")
    if market.get("swap") and name == f"{market['base']}{market['quote']}".upper():
        return name + "_PERP"
    return name


def step_of(timeframe: str, known: Mapping[str, Any] | None, venue: str) -> int:
    """Return the length of a bar in ns; UsageError `usage.timeframe` lists what the venue has.

    Months have no length and are not offered.
    """
    fixed = [name for name in known or () if name[-1] in _UNITS]
    if timeframe not in fixed:
        raise UsageError(
            "usage.timeframe",
            f"expected a timeframe of {venue}, was '{timeframe}'",
            f"{venue} has {', '.join(fixed)}" if fixed else f"{venue} has no bars",
        )
    return int(timeframe[:-1]) * _UNITS[timeframe[-1]] * NS_PER_S
