"""The importers by name, loaded when they are needed, and the choice among them.

An installed package adds its own through the entry point group `kimera.importers`
(name -> Importer class).
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from kimera_cli.data.importers.base import Importer
from kimera_cli.data.streams import read_head
from kimera_cli.errors import DataError, UsageError

MODULES: tuple[str, ...] = (
    "kimera_cli.feeds.recorded:Recorded",
    "kimera_cli.data.importers.binance_raw:BinanceRaw",
    "kimera_cli.data.importers.lobster:Lobster",
    "kimera_cli.data.importers.bitstamp_l3:BitstampL3",
    "kimera_cli.data.importers.ohlcv:Ohlcv",
    "kimera_cli.data.importers.cryptofeed_kraken:Kraken",
    "kimera_cli.data.importers.cryptofeed_okx:Okx",
    "kimera_cli.data.importers.cryptofeed_coinbase:Coinbase",
    "kimera_cli.data.importers.cryptofeed_bybit:Bybit",
    "kimera_cli.data.importers.cryptofeed_huobi:Huobi",
    "kimera_cli.data.importers.cryptofeed_binance:Binance",
    "kimera_cli.data.importers.cryptofeed_bitstamp:Bitstamp",
    "kimera_cli.data.importers.cryptofeed_bitfinex:Bitfinex",
)
"""Built-in importers as `module:class`; the order in which a file is offered to them."""


def importers() -> list[Importer]:
    """Return one instance of each importer, built-in ones first."""
    classes = [_load(target) for target in MODULES]
    classes += [entry.load() for entry in entry_points(group="kimera.importers")]
    return [cls() for cls in classes]


def detect(path: Path) -> Importer:
    """Return the importer that recognises the file; DataError `data.unknown_format`: none does."""
    head = read_head(path)
    known = importers()
    for importer in known:
        if importer.matches(path, head):
            return importer
    names = ", ".join(importer.name for importer in known)
    raise DataError(
        "data.unknown_format",
        f"expected a recording of a known format in {path}, was something else",
        f"name the format with --as: {names}",
        file=str(path),
    )


def choose(path: Path, name: str | None) -> Importer:
    """Return the importer named by `--as`, or the one that recognises the file."""
    if name is None:
        return detect(path)
    known = {importer.name: importer for importer in importers()}
    if name not in known:
        raise UsageError(
            "usage.format", f"expected --as one of {', '.join(known)}, was {name}", "name a format"
        )
    return known[name]


def _load(target: str) -> type[Importer]:
    module, _, cls = target.partition(":")
    loaded: type[Importer] = getattr(import_module(module), cls)
    return loaded
