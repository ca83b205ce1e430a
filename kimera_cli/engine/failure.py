"""Errors of a run that goes on no longer: what the loop or a strategy in it came to."""

from __future__ import annotations

from kimera_cli.errors import RiskError, RunError
from kimera_cli.kernels.state import HEAP_FULL
from kimera_cli.records import RunSummary
from kimera_cli.strategies.protocol import StrategyError, StrategySpec


def raised(spec: StrategySpec, instrument: str, error: Exception) -> StrategyError:
    """Return the error for a compiled strategy that raised; machine code tells no line."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return StrategyError(
        "strategy.raised",
        f"expected strategy {spec.name} to decide on {instrument}, was {text} in {spec.path}",
        f"find the line: NUMBA_DISABLE_JIT=1 kimera run --strategy {_callable_name(spec)} --debug",
        strategy=spec.name,
        file=str(spec.path),
    )


def _callable_name(spec: StrategySpec) -> str:
    return str(spec.path) if spec.origin.endswith(".py") else spec.name


def halted(summary: RunSummary) -> RiskError:
    """Return the error for a run that met a limit; its code is the limit's, its exit code 5."""
    hint = f"kimera report show {summary.run}; kimera journal show {summary.run} --kind halt"
    return RiskError(
        summary.halted_by,
        f"expected run {summary.run} to stay within its limits, was halted by {summary.halted_by}",
        hint,
        run=summary.run,
    )


def no_room(status: int, instrument: str) -> RunError:
    """Return the error for a loop that has no room for what came."""
    if status == HEAP_FULL:
        return RunError(
            "run.flood",
            "expected fewer answers on their way, was more than the loop holds",
            "a strategy floods the venue: lower risk.max_orders_per_s or risk.max_open_orders",
        )
    return RunError(
        "run.book",
        f"expected the book of {instrument} to fit, was more levels far from the touch than it "
        "holds",
        "give the instrument's real tick when importing: kimera fetch import --tick",
        instrument=instrument,
    )
