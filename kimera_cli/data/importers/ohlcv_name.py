"""What a table of bars is of: venue, symbol and interval, from its name, rows, and the user.

freqtrade's names (`BTC_USDT-1h.feather`, `BTC_USDT_USDT-1h-futures.feather`, `-mark`,
`-funding_rate`) and CryptoDataDownload's (`Binance_BTCUSDT_1h.csv`) are understood. Names that
start with no venue give the venue `other`, unless --venue says better.
"""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import numpy as np

from kimera_cli.data.importers.base import ImportOptions, Rows
from kimera_cli.data.importers.binance_market import QUOTES, split
from kimera_cli.data.importers.grid import decimals
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import VENUES
from kimera_cli.units import NS_PER_S

OTHER = "other"
_HEAD = 2_000
_QUOTE = "|".join(sorted(QUOTES, key=len, reverse=True))
_PAIR = re.compile(rf"(?P<base>[A-Z0-9]+?)[-_/]?(?P<quote>{_QUOTE})(?P<perp>[_:](USDT|USDC|USD))?$")
_UNITS = (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def describe(path: Path, options: ImportOptions, symbol: str | None, bars: Rows) -> Instrument:
    """Return the instrument of bars; its tick is the finest decimal seen."""
    words = re.split(r"[-_.]", path.name)
    named = next((v for v in VENUES if v == words[0].lower()), None)
    text = options.symbol or symbol or _symbol_in(path.name.partition(".")[0], named)
    if text is None:
        raise DataError(
            "data.symbol",
            f"expected a symbol in the name or a column of {path}, was none",
            "give it with --symbol, such as --symbol BTC/USDT",
            file=str(path),
        )
    pair = _PAIR.match(text.upper())
    base, quote = (pair["base"], pair["quote"]) if pair else split(text.upper())
    perpetual = pair is not None and pair["perp"] is not None
    venue = options.venue or named or OTHER
    if perpetual and venue == "binance":
        venue = "binanceusdm"
    return Instrument(
        venue=venue,
        symbol=base + quote + ("_PERP" if perpetual and venue == OTHER else ""),
        kind="linear" if perpetual else "spot",
        tick=options.tick or _tick(bars),
        lot=options.lot or Decimal("0.00000001"),
        base=base,
        quote=quote,
    )


def family_of(path: Path, bars: Rows) -> str:
    """Return `ohlcv-1h`, `mark-1h` or `funding-8h`: the interval is the commonest step in time."""
    name = path.name.lower()
    what = "funding" if "funding_rate" in name else "mark" if "-mark" in name else "ohlcv"
    steps = np.diff(np.unique(bars["ts_ns"]))
    if not len(steps):
        raise DataError(
            "data.interval",
            f"expected bars of two times or more in {path}, was {len(bars)} rows",
            "import a longer table",
            file=str(path),
        )
    values, counts = np.unique(steps, return_counts=True)
    seconds = int(values[np.argmax(counts)]) // NS_PER_S
    unit, size = next((u, s) for u, s in _UNITS if seconds % s == 0)
    return f"{what}-{seconds // size}{unit}"


def _symbol_in(name: str, venue: str | None) -> str | None:
    """Return the pair in a file's name: its first words that end in a known quote currency."""
    words = [word for word in re.split(r"[-.]", name) if word]
    parts = words[0].split("_") if words else []
    if venue is not None:
        parts = parts[1:] or (words[1].split("_") if len(words) > 1 else [])
    for count in (3, 2, 1):
        text = "_".join(parts[:count]).upper()
        if len(parts) >= count and _PAIR.fullmatch(text):
            return text
    return None


def _tick(bars: Rows) -> Decimal:
    prices = np.concatenate([bars["open"][:_HEAD], bars["close"][:_HEAD]])
    places = max((decimals(repr(float(px))) for px in prices if np.isfinite(px)), default=0)
    return Decimal(1).scaleb(-min(places, 12))
