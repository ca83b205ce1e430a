"""Parameter values: defaults, what the user set, and the row that the kernel reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.strategies.protocol import StrategyInfo
from kimera_cli.strategies.source import MAX_PARAMS, is_finite_number

if TYPE_CHECKING:
    from kimera_cli.layouts import F64


def resolve(info: StrategyInfo, given: Mapping[str, object]) -> dict[str, float]:
    """Return all parameters in order; UsageError for an unknown name or a non-finite value."""
    values = dict(info.params)
    for name, value in given.items():
        if name not in values:
            raise UsageError(
                "usage.unknown_param",
                f"expected a parameter of strategy {info.name}, was {name!r}",
                did_you_mean(name, values) or "it has no parameters",
                strategy=info.name,
                key=name,
            )
        if not is_finite_number(value):
            raise UsageError(
                "usage.param_value",
                f"expected a finite number for {info.name}.{name}, was {value!r}",
                f"its default is {values[name]:g}",
                strategy=info.name,
                key=name,
            )
        values[name] = float(value)  # type: ignore[arg-type]
    return values


def row(values: Mapping[str, float]) -> F64:
    """Return the values as view.params, shape (MAX_PARAMS,), zero beyond the last."""
    import numpy as np

    out = np.zeros(MAX_PARAMS, np.float64)
    out[: len(values)] = list(values.values())
    return out
