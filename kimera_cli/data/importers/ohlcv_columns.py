"""Names that tables of bars give their columns, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence

TIME, SYMBOL = "time", "symbol"
PRICES = ("open", "high", "low", "close")
REQUIRED = frozenset((TIME, *PRICES, "volume"))

_TIMES = (
    *("ts_ns", "unix", "timestamp", "open_time", "open time", "opentime", "time", "ts"),
    *("datetime", "date"),
)
"""Spellings of the time, the most exact first: of `unix` and `date` the first is read."""

_SPELLINGS = {
    "volume": ("volume", "vol", "base_volume", "base volume"),
    "quote_volume": ("quote_volume", "quote volume", "quote_asset_volume", "quote asset volume"),
    "trades": (
        *("trades", "tradecount", "trade_count", "number_of_trades", "number of trades"),
        "count",
    ),
    SYMBOL: ("symbol", "pair"),
    **{name: (name,) for name in PRICES},
}

KRAKEN = (TIME, *PRICES, "volume", "trades")
"""Columns of Kraken's downloadable history, which has no header."""


def assign(header: Sequence[str]) -> dict[int, str]:
    """Return column index -> field for the columns that are understood.

    `Volume BTC`, `Volume USDT` (CryptoDataDownload): the first is in the base, the second in the
    quote currency.
    """
    names = [name.strip().strip('"').lower() for name in header]
    found: dict[int, str] = {}
    for field, spellings in ((TIME, _TIMES), *_SPELLINGS.items()):
        index = next((names.index(each) for each in spellings if each in names), None)
        if index is not None:
            found[index] = field
    with_currency = [i for i, name in enumerate(names) if name.startswith("volume ")]
    for index, field in zip(with_currency, ("volume", "quote_volume"), strict=False):
        if field not in found.values():
            found[index] = field
    return found
