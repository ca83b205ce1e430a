"""What a run came to, from the loop's own ledgers."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kimera_cli.engine.holdings import holdings
from kimera_cli.kernels.ledger import equity_at, to_portfolio
from kimera_cli.layouts import R_FILL, R_SAMPLE
from kimera_cli.records import RunSummary
from kimera_cli.units import NS_PER_S

if TYPE_CHECKING:
    from kimera_cli.engine.runfolder import Status
    from kimera_cli.engine.session import Session


# On single records the Python functions behind the kernels are quicker than compiling for them.
_equity_at = getattr(equity_at, "py_func", equity_at)
_to_portfolio = getattr(to_portfolio, "py_func", to_portfolio)

Ended = Literal["complete", "interrupted", "halted"]


class Marks:
    """The price that values each instrument at the end: the newest mid that was seen.

    A book may be empty on one side when a run ends. Then the newest mid among samples and fills
    counts, or else the price of the last fill: the rule of the report.
    """

    def __init__(self, n: int) -> None:
        self._seen = np.full(n, np.nan)
        self._paid = np.full(n, np.nan)

    def update(self, rows: Any) -> None:
        """Take the next rows of dtype RECORD."""
        told = rows[(rows["kind"] == R_SAMPLE) | (rows["kind"] == R_FILL)]
        for k in np.unique(told["instrument"]):
            own = told[told["instrument"] == k]
            mids = own["mid_ticks"][np.isfinite(own["mid_ticks"])]
            if mids.size:
                self._seen[k] = mids[-1]
            fills = own[own["kind"] == R_FILL]
            if fills.size:
                self._paid[k] = fills["px_ticks"][-1]

    def price_ticks(self, k: int, mid_ticks: float) -> float:
        """Return `mid_ticks` if there is one, else what was seen last; NaN when nothing was."""
        known = (float(p) for p in (mid_ticks, self._seen[k], self._paid[k]) if np.isfinite(p))
        return next(known, float("nan"))


def sleeve_values(session: Session) -> list[tuple[float, float]]:
    """Return (equity, fees) of each sleeve in portfolio currency at the last known price."""
    arrays = session.arrays
    instruments = arrays.instruments.view(np.recarray)
    views = arrays.views.view(np.recarray)
    values = []
    for s, sleeve in enumerate(arrays.sleeves):
        k = int(sleeve["stream"])
        mid = session.marks.price_ticks(k, float(arrays.features[k]["mid_ticks"]))
        amounts = (_equity_at(views[s], instruments[k], mid), float(sleeve["fees"]))
        equity, fees = (_to_portfolio(instruments[k], a, mid) if a else 0.0 for a in amounts)
        values.append((float(equity), float(fees)))
    return values


def summarise(session: Session, status: Status, seconds: float, trade_hash: str) -> RunSummary:
    """Return the run's summary; `seconds` is the wall time that it took."""
    arrays, request = session.arrays, session.request
    loop = arrays.loop[0]
    values = sleeve_values(session)
    loop_s = session.loop_ns / NS_PER_S
    return RunSummary(
        run=session.folder.run,
        status=_ended(status),
        events=session.events,
        orders=int(loop["n_intents"]),
        fills=int(arrays.sleeves["n_fills"].sum()),
        denied=int(loop["n_denied"]),
        cancels=int(loop["n_cancels"]),
        rejects=int(loop["n_rejects"]),
        maker_fills=int(loop["n_maker"]),
        pnl=sum(equity for equity, _ in values),
        fees=sum(fees for _, fees in values),
        max_drawdown=float(arrays.gate[0]["worst_drawdown"]),
        currency=request.profile.portfolio.currency,
        trade_hash=trade_hash,
        events_per_s=session.events / seconds if seconds > 0 else 0.0,
        loop_events_per_s=session.events / loop_s if loop_s > 0 else None,
        seconds=seconds,
        market_seconds=session.market_ns / NS_PER_S,
        folder=str(session.folder.path),
        fidelity=session.fidelity,
        halted_by=session.halted_by,
        durability=request.profile.run.durability,
        feed=session.feed,
        holdings=holdings(session),
        pnl_by_strategy=_pnl_by_strategy(session, values),
        fees_by_currency=_fees_by_currency(session),
    )


def _pnl_by_strategy(session: Session, values: list[tuple[float, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for sleeve, (equity, _) in zip(session.arrays.sleeves, values, strict=True):
        total[session.request.strategies[int(sleeve["strategy"])].spec.name] += equity
    return dict(total)


def _fees_by_currency(session: Session) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for sleeve in session.arrays.sleeves:
        total[session.instruments[int(sleeve["stream"])].settlement] += float(sleeve["fees"])
    return dict(total)


def _ended(status: Status) -> Ended:
    return status if status in ("halted", "interrupted") else "complete"
