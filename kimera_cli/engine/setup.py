"""From a request to the loop's arrays: limits, latencies, sleeves."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kimera_cli.data.source import EventSource
from kimera_cli.engine.arrays import LoopArrays, Zeros, allocate
from kimera_cli.engine.feed import LATENCY_MODELS
from kimera_cli.engine.paces import set_paces
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.instrument import KINDS, Instrument, common_name
from kimera_cli.kernels.call import strategy_address
from kimera_cli.kernels.state import QUEUE_L3, QUEUE_LOG, QUEUE_POWER, QUEUE_RISK_AVERSE
from kimera_cli.layouts import MAX_INSTRUMENTS, MAX_STRATEGIES, aligned_zeros
from kimera_cli.settings import Fees, Profile
from kimera_cli.strategies.params import row

QUEUE_MODELS = {
    "risk_averse": QUEUE_RISK_AVERSE,
    "power": QUEUE_POWER,
    "log": QUEUE_LOG,
    "l3": QUEUE_L3,
}


def with_fees(instrument: Instrument, fees: Fees) -> Instrument:
    """Return the instrument with the profile's fee overrides, if there are any."""
    maker = instrument.maker_fee if fees.maker is None else fees.maker
    taker = instrument.taker_fee if fees.taker is None else fees.taker
    return msgspec.structs.replace(instrument, maker_fee=maker, taker_fee=taker)


def settle_rate(instrument: Instrument, profile: Profile) -> float:
    """Return portfolio currency per unit of the instrument's quote currency."""
    rates = {profile.portfolio.currency: 1.0, **profile.portfolio.rates}
    if instrument.quote not in rates:
        known = ", ".join(sorted(rates))
        raise ProfileError(
            "profile.rate",
            f"expected a rate from {instrument.quote or '?'} ({instrument.name}) to "
            f"{profile.portfolio.currency}, was none (known: {known})",
            f"add it: --set portfolio.rates.{instrument.quote}=...",
        )
    return rates[instrument.quote]


def groups(instruments: Sequence[Instrument]) -> list[list[int]]:
    """Return for each instrument which ones are the same thing on all venues, itself among them.

    These have one base asset and one kind; an inverse contract is alone (kernels/group.py).
    """

    def same(a: Instrument, b: Instrument) -> bool:
        base = common_name(a.base)
        return bool(base) and base == common_name(b.base) and a.kind == b.kind != "inverse"

    return [
        [m for m, other in enumerate(instruments) if m == k or same(one, other)]
        for k, one in enumerate(instruments)
    ]


def check_size(sources: Sequence[EventSource], strategies: Sequence[Sleeved]) -> None:
    """Refuse what the loop has no room for."""
    for what, n, most in (
        ("instruments", len(sources), MAX_INSTRUMENTS),
        ("strategies", len(strategies), MAX_STRATEGIES),
    ):
        if not 1 <= n <= most:
            raise UsageError(f"usage.{what}", f"expected 1 to {most} {what} in one run, was {n}")


def build(request: RunRequest, zeros: Zeros = aligned_zeros) -> tuple[LoopArrays, list[Instrument]]:
    """Return the arrays of a run, made by `zeros`, and its instruments with the fees that apply."""
    check_size(request.sources, request.strategies)
    profile = request.profile
    instruments = [with_fees(s.instrument, profile.fees) for s in request.sources]
    rows = [i.row(settle_rate(i, profile)) for i in instruments]
    n_sleeves = len(instruments) * len(request.strategies)
    arrays = allocate(rows, len(request.strategies), n_sleeves, zeros)
    _set_loop(arrays, request)
    _set_gate(arrays, profile)
    assets = [common_name(i.base) for i in instruments]
    for k, members in enumerate(groups(instruments)):
        arrays.streams[k]["asset"] = assets.index(assets[k])
        arrays.streams[k]["group"] = sum(1 << m for m in members)
        arrays.streams[k]["rng"] = request.seed * 1_000_003 + k + 1
    set_paces(arrays, request.profile.risk, instruments)
    _set_sleeves(arrays, request.strategies, instruments)
    return arrays, instruments


def _set_loop(arrays: LoopArrays, request: RunRequest) -> None:
    profile = request.profile
    latency = profile.latency
    values = {
        "n_streams": len(request.sources),
        "n_strategies": len(request.strategies),
        "n_sleeves": len(arrays.sleeves),
        "event_driven": sum(s.spec.interval_ns == 0 for s in request.strategies),
        "grouped": int(any(s.spec.grouped for s in request.strategies)),
        "features_on": int(any(s.spec.features for s in request.strategies)),
        "sample_ns": profile.run.sample_interval_ns,
        "duration_ns": request.duration_ns,
        "max_events": request.max_events,
        "rng": request.seed,
        "entry_model": LATENCY_MODELS[latency.entry],
        "entry_ns": latency.entry_ns,
        "response_model": LATENCY_MODELS[latency.response],
        "response_ns": latency.response_ns,
        "sigma": latency.sigma,
        "queue_model": QUEUE_MODELS[profile.queue.model],
        "queue_exponent": profile.queue.exponent,
        "partial_fills": int(profile.queue.partial_fills),
        "stp_cancel_resting": int(profile.risk.self_trade == "cancel_resting"),
    }
    for name, value in values.items():
        arrays.loop[name] = value


def _set_gate(arrays: LoopArrays, profile: Profile) -> None:
    risk = profile.risk
    cash = profile.portfolio.cash
    values = {
        "trading": 1,
        "max_open_orders": risk.max_open_orders,
        "stale_ns": risk.stale_after_ns,
        "tokens": risk.order_burst,
        "token_rate": risk.max_orders_per_s,
        "token_burst": risk.order_burst,
        "max_order": risk.max_order_fraction,
        "max_position": risk.max_position_fraction,
        "max_asset": risk.max_asset_fraction,
        "collar": risk.collar_bps / 10_000,
        "max_drawdown": risk.max_drawdown,
        "max_daily_loss": risk.max_daily_loss,
        "spot_short": int(risk.spot_short),
        "cash": cash,
        "peak": cash,
        "day": -1,
        "day_start": cash,
    }
    for name, value in values.items():
        arrays.gate[name] = value


def _set_sleeves(
    arrays: LoopArrays, strategies: Sequence[Sleeved], instruments: Sequence[Instrument]
) -> None:
    s = 0
    for j, strategy in enumerate(strategies):
        arrays.strategies[j]["interval_ns"] = strategy.spec.interval_ns
        arrays.strategies[j]["grouped"] = int(strategy.spec.grouped)
        arrays.strategies[j]["python"] = int(strategy.spec.compiled is None)
        if strategy.spec.compiled is not None:
            arrays.strategies[j]["address"] = strategy_address(strategy.spec.compiled)
        for k, instrument in enumerate(instruments):
            arrays.sleeves[s]["strategy"] = j
            arrays.sleeves[s]["stream"] = k
            _set_view(arrays, s, j, k, instrument, strategy)
            arrays.views[s]["spot_short"] = arrays.gate[0]["spot_short"]
            s += 1


def _set_view(
    arrays: LoopArrays, s: int, j: int, k: int, instrument: Instrument, strategy: Sleeved
) -> None:
    view = arrays.views[s]
    view["strategy"] = j
    view["instrument"] = k
    view["kind"] = KINDS.index(instrument.kind)
    view["group_size"] = int(arrays.streams[k]["group"]).bit_count()
    view["params"] = row(strategy.params)
    for name in (
        "tick",
        "lot",
        "contract_size",
        "maker_fee",
        "taker_fee",
        "settle_rate",
        "min_lots",
        "min_notional",
    ):
        view[name] = arrays.instruments[k][name]


__all__ = ["build", "check_size", "settle_rate", "with_fees"]
