"""How Bybit writes names, numbers and times, and the codes of its refusals.

https://bybit-exchange.github.io/docs/v5/error: every answer has retCode and retMsg; HTTP says 200.
Codes that begin with 17 are those of spot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.model import Market, Reject

NS_PER_MS = 1_000_000
_TEXTS: Mapping[str, tuple[int, str]] = {
    "bad_symbol": (170121, "Invalid symbol."),
    "bad_request": (170130, "Data sent for parameter is not valid."),
    "client_id": (170130, "Data sent for parameter 'orderLinkId' is not valid."),
    "dup_client_id": (170141, "Duplicate clientOrderId."),
    "tick": (170134, "Order price has too many decimals."),
    "lot": (170137, "Order quantity has too many decimals."),
    "min_qty": (170136, "Order quantity exceeded lower limit."),
    "max_qty": (170135, "Order quantity exceeded upper limit."),
    "min_notional": (170140, "Order value exceeded lower limit."),
    "post_only": (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    "fok": (170149, "Failed to create order."),
    "funds": (170131, "Insufficient balance."),
    "not_found": (170213, "Order does not exist."),
    "self_trade": (170149, "Failed to create order."),
    "halted": (170151, "This trading pair is not available for API trading."),
    "cancel_only": (170151, "This trading pair is not available for API trading."),
    "price_band": (170132, "Order price exceeded upper or lower limit."),
    "no_liquidity": (170149, "Failed to create order."),
    "book_full": (170149, "Failed to create order."),
    "too_many_orders": (170810, "Cannot exceed maximum of 500 active orders."),
}


class BybitError(Exception):
    """A request is refused."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def error_of(reject: Reject) -> BybitError:
    """Return Bybit's words for a refusal of the exchange."""
    return BybitError(*_TEXTS[reject.reason])


def wrong(name: str) -> BybitError:
    """Return the refusal of a parameter."""
    return BybitError(10001, f"params error: {name} invalid")


def invalid(name: str) -> BybitError:
    """Return the refusal of an order's parameter."""
    return BybitError(170130, f"Data sent for parameter '{name}' is not valid.")


def name_of(market: Market) -> str:
    """Return a market's symbol, such as BTCUSDT."""
    return market.base + market.quote


class Names:
    """Finds markets by Bybit's symbol."""

    def __init__(self, markets: list[Market]) -> None:
        self._by_name = {name_of(market): market for market in markets}

    def get(self, name: object) -> Market | None:
        """Return the market of a symbol, None when there is none."""
        return self._by_name.get(str(name))

    def listed(self, name: object) -> Market:
        """Return the market of a public request's symbol."""
        found = self.get(name)
        if found is None:
            raise BybitError(10001, "Not supported symbols")
        return found

    def traded(self, name: object) -> Market:
        """Return the market of an order's symbol."""
        found = self.get(name)
        if found is None:
            raise BybitError(*_TEXTS["bad_symbol"])
        return found


def ms(ts_ns: int) -> str:
    """Return a time as text of milliseconds."""
    return str(ts_ns // NS_PER_MS)


def size(market: Market, lots: int) -> str:
    """Return a size without trailing zeros."""
    return amounts.text(lots * market.lot_atoms)


def money(atoms: int) -> str:
    """Return an amount of quote without trailing zeros, cut off to eight decimals."""
    return amounts.text(amounts.truncated(atoms))


def check_category(parameters: Mapping[str, Any]) -> bool:
    """Whether a request is about spot; BybitError for a category that does not exist."""
    category = parameters.get("category")
    if category not in ("spot", "linear", "inverse", "option"):
        raise BybitError(10001, "params error: Category is invalid")
    return bool(category == "spot")


def spot_only(parameters: Mapping[str, Any]) -> None:
    """Refuse other categories."""
    if not check_category(parameters):
        raise BybitError(10001, "params error: only spot is traded here")
