"""What a run came to, from the loop's own ledgers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

import numpy as np

from kimera_cli.kernels.ledger import equity_at, to_portfolio
from kimera_cli.records import RunSummary

if TYPE_CHECKING:
    from kimera_cli.engine.runfolder import Status
    from kimera_cli.engine.session import Session


# On single records the Python functions behind the kernels are quicker than compiling for them.
_equity_at = getattr(equity_at, "py_func", equity_at)
_to_portfolio = getattr(to_portfolio, "py_func", to_portfolio)


def sleeve_values(session: Session) -> list[tuple[float, float]]:
    """Return (equity, fees) of each sleeve in portfolio currency at the last mid."""
    arrays = session.arrays
    instruments = arrays.instruments.view(np.recarray)
    views = arrays.views.view(np.recarray)
    values = []
    for s, sleeve in enumerate(arrays.sleeves):
        k = int(sleeve["stream"])
        mid = float(arrays.features[k]["mid_ticks"])
        amounts = (_equity_at(views[s], instruments[k], mid), float(sleeve["fees"]))
        equity, fees = (_to_portfolio(instruments[k], a, mid) if a else 0.0 for a in amounts)
        values.append((float(equity), float(fees)))
    return values


def summarise(session: Session, status: Status, seconds: float) -> RunSummary:
    """Return the run's summary; PnL is marked at the last mid of each instrument."""
    arrays, request = session.arrays, session.request
    loop, gate = arrays.loop[0], arrays.gate[0]
    values = sleeve_values(session)
    by_strategy: dict[str, float] = defaultdict(float)
    by_currency: dict[str, float] = defaultdict(float)
    for sleeve, (equity, _fees) in zip(arrays.sleeves, values, strict=True):
        by_strategy[request.strategies[int(sleeve["strategy"])].spec.name] += equity
        by_currency[session.instruments[int(sleeve["stream"])].settlement] += float(sleeve["fees"])
    ended: Literal["complete", "interrupted", "halted"] = (
        "halted" if status == "halted" else "interrupted" if status == "interrupted" else "complete"
    )
    loop_s = session.loop_ns / 1e9
    return RunSummary(
        run=session.folder.run,
        status=ended,
        events=session.events,
        orders=int(loop["n_intents"]),
        fills=int(arrays.sleeves["n_fills"].sum()),
        denied=int(loop["n_denied"]),
        cancels=int(loop["n_cancels"]),
        rejects=int(loop["n_rejects"]),
        maker_fills=int(loop["n_maker"]),
        pnl=sum(v[0] for v in values),
        fees=sum(v[1] for v in values),
        max_drawdown=float(gate["worst_drawdown"]),
        currency=request.profile.portfolio.currency,
        trade_hash=session.trade_hash,
        events_per_s=session.events / loop_s if loop_s > 0 else 0.0,
        seconds=seconds,
        folder=str(session.folder.path),
        fidelity=session.fidelity,
        fees_by_currency=dict(by_currency),
        pnl_by_strategy=dict(by_strategy),
    )
