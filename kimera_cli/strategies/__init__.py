"""Strategies: the protocol, the built-in ones, and how a user's own are found and compiled.

Public names are imported on first use, because listing strategies must not start numba.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kimera_cli.strategies.calibration import calibrate_intensity
    from kimera_cli.strategies.loader import load
    from kimera_cli.strategies.params import resolve, row
    from kimera_cli.strategies.protocol import StrategyError, StrategyInfo, StrategySpec
    from kimera_cli.strategies.python import Market, Order, PythonStrategy, Strategy
    from kimera_cli.strategies.registry import every, info

_HOMES = {
    "Market": "python",
    "Order": "python",
    "PythonStrategy": "python",
    "Strategy": "python",
    "StrategyError": "protocol",
    "StrategyInfo": "protocol",
    "StrategySpec": "protocol",
    "calibrate_intensity": "calibration",
    "every": "registry",
    "info": "registry",
    "load": "loader",
    "resolve": "params",
    "row": "params",
}

__all__ = [
    "Market",
    "Order",
    "PythonStrategy",
    "Strategy",
    "StrategyError",
    "StrategyInfo",
    "StrategySpec",
    "calibrate_intensity",
    "every",
    "info",
    "load",
    "resolve",
    "row",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
