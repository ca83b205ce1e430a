"""The built-in glft again, as a class with plain Python objects: it must say the same."""

from __future__ import annotations

import math

from kimera_cli.kernels import quoting
from kimera_cli.kernels.quoting import QUOTE_TAG
from kimera_cli.strategies import Market, Strategy

PARAMS: dict[str, float] = {
    "gamma": 0.05,
    "k": 1.0,
    "intensity": 1.0,
    "order_notional": 1000.0,
    "max_units": 10.0,
    "tolerance_bps": 0.25,
    "vol_window": 1.0,
    "cover_fees": 1.0,
}

INTERVAL_NS = 100_000_000


class GlftTwin(Strategy):
    """Quote both sides at the stationary distances."""

    def on_wake(self, market: Market) -> None:
        if not market.has_market:
            if market.orders:
                market.cancel_all()
            return
        p = self.params
        sigma = (market.vol_fast, market.vol_mid, market.vol_slow)[int(p["vol_window"])]
        unit = market.mid_ticks * 1e-4
        size = market.size_for(p["order_notional"])
        if not sigma > 0.0:
            return
        held = market.position / size
        args = (held, p["gamma"], sigma / unit, p["k"], p["intensity"])
        fee = market.maker_fee * 1e4 * p["cover_fees"]
        bid = math.floor(market.mid_ticks - unit * (quoting.glft_bid_delta(*args) + fee))
        ask = math.ceil(market.mid_ticks + unit * (quoting.glft_ask_delta(*args) + fee))
        room = p["max_units"] * size + 1e-9
        bid = min(bid, market.best_ask_ticks - 1)
        ask = max(ask, market.best_bid_ticks + 1)
        bid_size = size if market.position + size <= room else 0.0
        ask_size = market.sellable(size) if size - market.position <= room else 0.0
        self.keep(market, "buy", bid, bid_size, unit)
        self.keep(market, "sell", ask, ask_size, unit)

    def keep(self, market, side, ticks, size, unit):
        mine = [o for o in market.orders if o.side == side and o.tag == QUOTE_TAG]
        px = ticks * market.tick
        if not mine and size > 0.0 and ticks > 0:
            (market.buy if side == "buy" else market.sell)(px, size, "post_only", QUOTE_TAG)
        if not mine or mine[0].state != "open":
            return
        if size == 0.0 or ticks <= 0:
            market.cancel(mine[0])
        elif abs(mine[0].px_ticks - ticks) > self.params["tolerance_bps"] * unit:
            market.amend(mine[0], px, size)
