"""HTX's derivatives, of which there are none here: one contract of each kind, long delivered.

ccxt asks for them whenever it loads markets, and takes an empty list for a failure of the venue. A
delivered contract is listed as inactive, and nothing else is known of it.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
DELIVERED = 8
"""contract_status; 1 is a contract that trades."""


def linear() -> list[Json]:
    """Return the contracts with a margin in USDT."""
    return [
        {
            **_contract("BTC-USDT", 0.001, 0.1),
            "support_margin_mode": "all",
            "business_type": "swap",
            "pair": "BTC-USDT",
            "contract_type": "swap",
            "trade_partition": "USDT",
        }
    ]


def inverse() -> list[Json]:
    """Return the perpetual contracts with a margin in the coin."""
    return [_contract("BTC-USD", 100.0, 0.1)]


def futures() -> list[Json]:
    """Return the futures with a margin in the coin."""
    delivery = {"delivery_date": "20201225", "delivery_time": "1608883200000"}
    return [{**_contract("BTC201225", 100.0, 0.01), "contract_type": "quarter", **delivery}]


def _contract(code: str, size: float, tick: float) -> Json:
    return {
        "symbol": "BTC",
        "contract_code": code,
        "contract_size": size,
        "price_tick": tick,
        "delivery_date": "",
        "delivery_time": "",
        "create_date": "20200925",
        "contract_status": DELIVERED,
        "settlement_date": "1608883200000",
    }
