"""What `kimera trade` says: requests, outcomes, and what accounts hold. Money is decimal text."""

from __future__ import annotations

from typing import Literal

from kimera_cli.records.base import Record


class TradeOrder(Record, frozen=True):
    """One order as it stands after what was asked. `line` is that of the input, from 1."""

    venue: str
    account: str
    symbol: str
    phase: str
    """new, sent, unknown, open, partial, filled, canceled, expired, rejected, withheld, absent."""
    side: Literal["buy", "sell", ""] = ""
    order_type: str = ""
    tif: str = ""
    client_id: str = ""
    venue_order_id: str = ""
    px: str = ""
    qty: str = ""
    cost: str = ""
    filled: str = "0"
    average: str = ""
    reason: str = ""
    raw: str = ""
    ours: bool = True
    ts_ns: int = 0
    line: int = 0
    resends: str = ""
    """Client id of the order that never arrived and that this one stands for (`--resend`)."""


class TradeRequest(Record, frozen=True):
    """The exact request that would be sent, secrets taken out (`--dry-run`)."""

    venue: str
    host: str
    request: str
    client_id: str = ""
    symbol: str = ""
    line: int = 0


class TradeFill(Record, frozen=True):
    """One execution of an account."""

    venue: str
    account: str
    symbol: str
    trade_id: str
    venue_order_id: str
    side: Literal["buy", "sell"]
    px: str
    qty: str
    fee: str
    fee_currency: str
    ts_ns: int
    maker: bool | None = None
    client_id: str = ""
    ours: bool = False


class TradeBalance(Record, frozen=True):
    """What an account has of one asset."""

    venue: str
    account: str
    asset: str
    free: str
    held: str
    total: str


class TradePosition(Record, frozen=True):
    """What fills came to in one market; `venue` is `total` in the sum over venues of an asset."""

    venue: str
    account: str
    symbol: str
    asset: str
    qty: str
    """Bought less sold, fees in the asset taken off."""
    bought: str = ""
    sold: str = ""
    cost: str = ""
    """Quote spent less received, fees in it included."""
    fees: dict[str, str] = {}
    fills: int = 0
    quote: str = ""
    """Currency of `cost`."""
    value: str = ""
    """With `--value`: at the market's own price now, in `currency`; empty: no price is known."""
    currency: str = ""


class TradeFees(Record, frozen=True):
    """What an account pays in a market, as fractions of the value, and the market's steps."""

    venue: str
    account: str
    symbol: str
    maker: str
    taker: str
    tick: str
    lot: str
    min_qty: str
    min_notional: str
    trading: bool


class KillSwitch(Record, frozen=True):
    """State of the latch that stops all new risk of this user's processes."""

    killed: bool
    file: str
    why: str = ""
    by: str = ""
    since_ns: int = 0
