"""Binance's three markets and their instruments, told apart by what a frame holds."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from kimera_cli.instrument import Instrument, Kind

QUOTES = (
    *("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD1", "DAI", "USD", "EUR", "TRY", "BRL", "JPY"),
    *("GBP", "AUD", "ARS", "MXN", "PLN", "ZAR", "BTC", "ETH", "BNB"),
)
"""Quote currencies by which a symbol is cut in two; the longest that fits counts."""


class Market(NamedTuple):
    """One of the three: venue name, kind of its instruments, and the fees of its lowest tier."""

    venue: str
    kind: Kind
    maker_fee: float
    taker_fee: float


SPOT = Market("binance", "spot", 0.001, 0.001)
USD_M = Market("binanceusdm", "linear", 0.0002, 0.0005)
COIN_M = Market("binancecoinm", "inverse", 0.0002, 0.0005)


def market_of(symbol: str, futures: bool) -> Market:
    """Return the market of a symbol; COIN-M symbols are quoted in USD and name their contract."""
    if not futures:
        return SPOT
    pair, _, contract = symbol.partition("_")
    return COIN_M if contract and pair.endswith("USD") else USD_M


def instrument_of(symbol: str, futures: bool, tick: Decimal, lot: Decimal) -> Instrument:
    """Return the instrument; COIN-M contracts are 100 USD for BTC and 10 USD for other coins."""
    market = market_of(symbol, futures)
    base, quote = split(symbol.partition("_")[0])
    size = Decimal(1)
    if market is COIN_M:
        size = Decimal(100 if base == "BTC" else 10)
    return Instrument(
        venue=market.venue,
        symbol=symbol,
        kind=market.kind,
        tick=tick,
        lot=lot,
        base=base,
        quote=quote,
        contract_size=size,
        maker_fee=market.maker_fee,
        taker_fee=market.taker_fee,
    )


def split(pair: str) -> tuple[str, str]:
    """Return (base, quote) of a pair without a separator; quote is empty when none is known."""
    fitting = [q for q in QUOTES if pair.endswith(q) and len(pair) > len(q)]
    quote = max(fitting, key=len, default="")
    return pair.removesuffix(quote), quote
