"""An instrument: what it trades, in which steps, and how money comes out of a fill.

Money rules (known answers in tests/unit/test_instrument.py):
spot and linear perpetual settle in the quote currency: pnl = size * contract_size * (exit - entry);
inverse perpetual settles in the base currency:
pnl = contracts * contract_size * (1/entry - 1/exit).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import msgspec

from kimera_cli.errors import DataError

if TYPE_CHECKING:
    from kimera_cli.layouts import Events

Kind = Literal["spot", "linear", "inverse"]
KINDS: tuple[Kind, ...] = ("spot", "linear", "inverse")


RENAMED = {"XBT": "BTC", "XDG": "DOGE"}
"""What Kraken, and old recordings, call otherwise than everybody else."""


def common_name(asset: str) -> str:
    """Return the name under which an asset of all venues is added up."""
    return RENAMED.get(asset, asset)


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable instrument of one venue. Decimals are exact; `row()` is what kernels read."""

    venue: str
    symbol: str
    kind: Kind
    tick: Decimal
    lot: Decimal
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: Decimal = Decimal(1)
    min_qty: Decimal = Decimal(0)
    max_qty: Decimal = Decimal(0)
    min_notional: Decimal = Decimal(0)
    maker_fee: float = 0.0
    taker_fee: float = 0.0

    def __post_init__(self) -> None:
        if self.tick <= 0 or self.lot <= 0 or self.contract_size <= 0:
            raise DataError(
                "data.instrument",
                f"expected tick, lot and contract size above zero for {self.name}, "
                f"was {self.tick}, {self.lot}, {self.contract_size}",
            )

    @property
    def name(self) -> str:
        """`venue/symbol`, the name under which the catalog and reports know it."""
        return f"{self.venue}/{self.symbol}"

    @property
    def settlement(self) -> str:
        """Currency in which PnL, fees and funding come out."""
        return self.settle or (self.base if self.kind == "inverse" else self.quote)

    def row(self, settle_rate: float = 1.0) -> Events:
        """Return the hot row, shape (1,) of dtype INSTRUMENT.

        `settle_rate` is the portfolio currency per unit of settlement currency.
        """
        import numpy as np

        from kimera_cli.layouts import INSTRUMENT

        row = np.zeros(1, INSTRUMENT)
        values = {
            "kind": KINDS.index(self.kind),
            "tick": float(self.tick),
            "lot": float(self.lot),
            "contract_size": float(self.contract_size),
            "maker_fee": self.maker_fee,
            "taker_fee": self.taker_fee,
            "min_lots": max(1, -int(-self.min_qty // self.lot)),
            "max_lots": int(self.max_qty // self.lot),
            "min_notional": float(self.min_notional),
            "settle_rate": settle_rate,
        }
        for field, value in values.items():
            row[field] = value
        return row
