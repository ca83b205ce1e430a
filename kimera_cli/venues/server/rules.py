"""How a venue's matching differs from its neighbours', as data: one value per exchange."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from kimera_cli.venues.server.model import FeeTier, SelfTrade

DEFAULT_TIERS = (
    FeeTier(Decimal(0), Decimal("0.001"), Decimal("0.001")),
    FeeTier(Decimal(1_000_000), Decimal("0.0009"), Decimal("0.001")),
    FeeTier(Decimal(10_000_000), Decimal("0.0006"), Decimal("0.0008")),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Where venues differ. Defaults are those of most."""

    fee_asset: Literal["received", "quote"] = "received"
    """received: a buyer pays in base, a seller in quote; quote: both in quote (held with it)."""
    tiers: tuple[FeeTier, ...] = DEFAULT_TIERS
    """By the account's traded volume, ascending; makers pay no more than takers, nobody is paid."""
    fee_digits: int = 8
    """Decimals that fees are cut off to."""
    self_trade: SelfTrade = "cancel_newest"
    post_only_cross: Literal["reject", "cancel"] = "reject"
    """A post-only order that would trade: refused, or accepted and then cancelled."""
    fok_unfilled: Literal["reject", "expire"] = "expire"
    client_id_unique: Literal["open", "kept", "never"] = "open"
    """Among open orders only, among all that client_id_window_ns keeps, or not checked at all (the
    newest order answers to the id)."""
    client_id_window_ns: int = 0
    """How long a used id stays taken under "kept"; 0: as long as the exchange knows the order."""
    cost_includes_fee: bool = False
    """The cost of a market order by cost is what leaves the account, fee included."""
    max_open_orders: int = 10_000
    """Per account and market."""
    kept_orders: int = 200_000
    """Closed orders and fills that an account remembers."""
