"""Wallets of Bybit's unified accounts, as REST and the wallet topic have them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from kimera_cli.venues.server import amounts
from kimera_cli.venues.server.exchange import Exchange

_DOLLARS = ("USD", "USDT", "USDC")


class Wallets:
    """Reads accounts of one exchange as unified wallets."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def wallet(self, account: int, coins: frozenset[str] | None = None) -> dict[str, Any]:
        """Return a wallet with some of its coins, or all that it has."""
        held = self._exchange.balances(account)
        worth = {asset: self._worth(asset, free + hold) for asset, (free, hold) in held.items()}
        total = f"{sum(worth.values(), Decimal(0)):.8f}"
        zero = dict.fromkeys(
            ("accountIMRate", "accountMMRate", "accountLTV", "totalPerpUPL", "totalInitialMargin",
             "totalMaintenanceMargin", "accountIMRateByMp", "accountMMRateByMp",
             "totalInitialMarginByMp", "totalMaintenanceMarginByMp"), "0",
        )  # fmt: skip
        return {
            **zero,
            "accountType": "UNIFIED",
            "totalEquity": total,
            "totalWalletBalance": total,
            "totalMarginBalance": total,
            "totalAvailableBalance": total,
            "coin": [
                _coin(asset, free, hold, worth[asset])
                for asset, (free, hold) in held.items()
                if (free + hold if coins is None else asset in coins)
            ],
        }

    def _worth(self, asset: str, atoms: int) -> Decimal:
        units = amounts.decimal_of(atoms)
        if asset in _DOLLARS:
            return units
        for market in self._exchange.markets:
            if market.base == asset and market.quote in _DOLLARS:
                return units * market.price(market.last_px)
        return Decimal(0)


def _coin(asset: str, free: int, hold: int, worth: Decimal) -> dict[str, Any]:
    zero = dict.fromkeys(
        ("borrowAmount", "accruedInterest", "totalOrderIM", "totalPositionIM", "totalPositionMM",
         "unrealisedPnl", "cumRealisedPnl", "bonus", "spotHedgingQty", "spotBorrow"), "0",
    )  # fmt: skip
    return {
        **zero,
        "coin": asset,
        "equity": amounts.text(free + hold),
        "usdValue": f"{worth:.8f}",
        "walletBalance": amounts.text(free + hold),
        "locked": amounts.text(hold),
        "free": "",
        "availableToWithdraw": "",
        "availableToBorrow": "",
        "marginCollateral": True,
        "collateralSwitch": False,
    }
