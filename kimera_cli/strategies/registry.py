"""Finds strategies: built in, installed through entry points, or a path to a Python file."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.strategies.protocol import StrategyError, StrategyInfo
from kimera_cli.strategies.source import describe

BUILT_IN = (
    "avellaneda_stoikov",
    "cross_taker",
    "glft",
    "grid",
    "noop",
    "ofi_taker",
    "table_taker",
)
ENTRY_POINTS = "kimera.strategies"


class Found(NamedTuple):
    """Where a strategy is."""

    name: str
    origin: str
    path: Path
    module: str
    """Import name for built-in and installed strategies; empty for a file given by path."""


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of other packages by name; a built-in name cannot be taken over."""
    return {e.name: e for e in entry_points(group=ENTRY_POINTS) if e.name not in BUILT_IN}


def locate(name_or_path: str) -> Found:
    """Return where a strategy is; UsageError with the nearest names when there is none."""
    if name_or_path.endswith(".py") or "/" in name_or_path:
        path = Path(name_or_path).expanduser().resolve()
        return Found(path.stem, str(path), path, "")
    if name_or_path in BUILT_IN:
        path = Path(__file__).with_name(f"{name_or_path}.py")
        return Found(name_or_path, "built-in", path, f"kimera_cli.strategies.{name_or_path}")
    others = installed()
    if name_or_path in others:
        return _from_entry_point(others[name_or_path])
    raise UsageError(
        "usage.unknown_strategy",
        f"expected a strategy name or a path to a .py file, was {name_or_path!r}",
        did_you_mean(name_or_path, [*BUILT_IN, *others]),
    )


def _from_entry_point(entry: EntryPoint) -> Found:
    package = entry.dist.name if entry.dist else "unknown"
    try:
        spec = find_spec(entry.module)
    except ImportError:
        spec = None
    if spec is None or not spec.origin:
        raise StrategyError(
            "strategy.import",
            f"expected module {entry.module} for strategy {entry.name}, was not importable",
            f"install {package} again",
        )
    return Found(entry.name, f"entry point {package}", Path(spec.origin), entry.module)


def info(name_or_path: str) -> StrategyInfo:
    """Describe one strategy without running its file."""
    found = locate(name_or_path)
    return describe(found.name, found.origin, found.path)


def every() -> Iterator[StrategyInfo]:
    """Describe all named strategies, built-in first."""
    for name in (*BUILT_IN, *sorted(installed())):
        yield info(name)
