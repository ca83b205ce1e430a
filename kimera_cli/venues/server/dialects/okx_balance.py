"""Balances of an OKX account, as REST and the account channel have them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.dialects.okx_text import ms
from kimera_cli.venues.server.exchange import Exchange

_EMPTY = (
    "accAvgPx", "borrowFroz", "clSpotInUseAmt", "crossLiab", "interest", "isoLiab", "liab",
    "maxLoan", "maxSpotInUseAmt", "mgnRatio", "notionalLever", "openAvgPx", "spotBal", "spotUpl",
    "spotUplRatio", "totalPnl", "totalPnlRatio", "uplLiab",
)  # fmt: skip
_ZERO = (
    "fixedBal", "imr", "isoEq", "isoUpl", "mmr", "rewardBal", "smtSyncEq", "spotCopyTradingEq",
    "spotIsoBal", "stgyEq", "twap", "upl",
)  # fmt: skip
_ACCOUNT_EMPTY = (
    "adjEq", "borrowFroz", "imr", "mgnRatio", "mmr", "notionalUsd", "notionalUsdForBorrow",
    "notionalUsdForFutures", "notionalUsdForOption", "notionalUsdForSwap", "ordFroz", "upl",
)  # fmt: skip
_DOLLARS = ("USD", "USDT", "USDC")


class Balances:
    """Reads accounts of one exchange."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def account(self, account: int, wanted: frozenset[str] | None = None) -> dict[str, Any]:
        """Return an account with the details of its assets (of those wanted, in use or not)."""
        held = self._exchange.balances(account)
        total = sum((self._worth(a, f + h) for a, (f, h) in held.items()), Decimal(0))
        return {
            **dict.fromkeys(_ACCOUNT_EMPTY, ""),
            "details": [
                self._detail(asset, free, hold)
                for asset, (free, hold) in held.items()
                if (free + hold if wanted is None else asset in wanted)
            ],
            "isoEq": "0",
            "totalEq": _text(total),
            "uTime": ms(self._exchange.clock.now_ns()),
        }

    def _detail(self, asset: str, free: int, hold: int) -> dict[str, Any]:
        total = free + hold
        return {
            **dict.fromkeys(_EMPTY, ""),
            **dict.fromkeys(_ZERO, "0"),
            "availBal": amounts.text(free),
            "availEq": amounts.text(free),
            "cashBal": amounts.text(total),
            "ccy": asset,
            "coinUsdPrice": _text(self._price(asset)),
            "collateralEnabled": False,
            "disEq": "0",
            "eq": amounts.text(total),
            "eqUsd": _text(self._worth(asset, total)),
            "frozenBal": amounts.text(hold),
            "ordFrozen": amounts.text(hold),
            "spotInUseAmt": "",
            "uTime": ms(self._exchange.clock.now_ns()),
        }

    def _worth(self, asset: str, atoms: int) -> Decimal:
        return amounts.decimal_of(atoms) * self._price(asset)

    def _price(self, asset: str) -> Decimal:
        """Return what an asset is worth in dollars by its last trade, 0 when none tells it."""
        if asset in _DOLLARS:
            return Decimal(1)
        for market in self._exchange.markets:
            if market.base == asset and market.quote in _DOLLARS:
                return market.price(market.last_px)
        return Decimal(0)


def _text(value: Decimal) -> str:
    return f"{value.normalize():f}"
