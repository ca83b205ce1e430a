"""What Kraken calls things: assets (XXBT, ZUSD), pairs (XXBTZUSD, XBTUSD, XBT/USD), transactions.

https://docs.kraken.com/api-reference/market-data/get-tradable-asset-pairs: a pair of two assets
with the old prefixes X and Z has a key of both (XXBTZUSD), any other pair its alternative name
(XBTUSDT). Websocket v2 has the common names (BTC/USD).
"""

from __future__ import annotations

from kimera_cli.venues.server.model import Market, Reject

_PREFIXED = {
    "BTC": "XXBT", "DOGE": "XXDG", "ETC": "XETC", "ETH": "XETH", "LTC": "XLTC", "XLM": "XXLM",
    "XMR": "XXMR", "XRP": "XXRP", "ZEC": "XZEC",
    "AUD": "ZAUD", "CAD": "ZCAD", "EUR": "ZEUR", "GBP": "ZGBP", "JPY": "ZJPY", "USD": "ZUSD",
}  # fmt: skip
_CASH = ("AUD", "CAD", "EUR", "GBP", "JPY", "USD")
_DIGITS = "0123456789ABCDEFGHJKLMNPQRSTUVWX"
_BITS = 80
_SPREAD = 0x9E37_79B9_7F4A_7C15_F39D
"""Odd, so that multiplying modulo 2^80 loses nothing: neighbouring ids look unlike."""
_UNSPREAD = pow(_SPREAD, -1, 1 << _BITS)


def asset(name: str) -> str:
    """Return Kraken's name of an asset, such as XXBT."""
    return _PREFIXED.get(name, name)


def alternative(name: str) -> str:
    """Return an asset's alternative name, such as XBT."""
    known = _PREFIXED.get(name)
    return known[1:] if known else name


def is_cash(name: str) -> bool:
    """Whether an asset is issued by a state."""
    return name in _CASH


def altname(market: Market) -> str:
    """Return a pair's alternative name, such as XBTUSD."""
    return alternative(market.base) + alternative(market.quote)


def wsname(market: Market) -> str:
    """Return a pair's name in websocket v1, such as XBT/USD."""
    return f"{alternative(market.base)}/{alternative(market.quote)}"


def key(market: Market) -> str:
    """Return the key of a pair in answers, such as XXBTZUSD."""
    both = market.base in _PREFIXED and market.quote in _PREFIXED
    return asset(market.base) + asset(market.quote) if both else altname(market)


class Pairs:
    """Finds markets by any of their names."""

    def __init__(self, markets: list[Market]) -> None:
        self._by_name = {
            name: market
            for market in markets
            for name in (key(market), altname(market), wsname(market), market.symbol)
        }

    def find(self, name: str) -> Market:
        """Return the market of a name; Reject bad_symbol when there is none."""
        found = self._by_name.get(name)
        if found is None:
            raise Reject("bad_symbol", name)
        return found

    def find_v2(self, symbol: str) -> Market:
        """Return the market of a name as websocket v2 has it."""
        found = self._by_name.get(symbol)
        if found is None or found.symbol != symbol:
            raise Reject("bad_symbol", symbol)
        return found


def transaction(kind: str, number: int) -> str:
    """Return an id such as OUF4EM-FRGI2-MQMWZD: `kind` is O (order), T (trade), L (ledger)."""
    spread = number * _SPREAD % (1 << _BITS)
    text = "".join(_DIGITS[spread >> shift & 31] for shift in range(_BITS - 5, -1, -5))
    return f"{kind}{text[:5]}-{text[5:10]}-{text[10:]}"


def number_of(transaction_id: str) -> int | None:
    """Return the number behind an id, None when it is no id of this venue."""
    text = transaction_id[1:].replace("-", "")
    if len(text) != _BITS // 5 or any(letter not in _DIGITS for letter in text):
        return None
    spread = 0
    for letter in text:
        spread = spread << 5 | _DIGITS.index(letter)
    return spread * _UNSPREAD % (1 << _BITS)
