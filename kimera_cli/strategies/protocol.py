"""What a strategy is to the rest of kimera: a name, parameters, and something that decides.

A strategy file holds a docstring (its first line is the summary), `PARAMS` (name to default, in
the order of `view.params`), `INTERVAL_NS` (0: called after every venue message that changed the
book or traded; else by timer), optionally `FEATURES = False` (only best prices are read),
`GROUP = True` (called also when the same asset changed on another venue) and `ERRORS` (meaning of
negative return codes), and one of: a function `decide(view)`, compiled and called inside the loop,
or a class derived from `Strategy`, called with plain Python objects and slower by far
(docs/how-to/write-a-strategy.md has figures).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.errors import RunError

if TYPE_CHECKING:
    from kimera_cli.strategies.python import PythonStrategy, Strategy


class StrategyError(RunError):
    """A strategy file is wrong, or a strategy failed while it ran; code `strategy.*`."""


@dataclass(frozen=True)
class StrategyInfo:
    """What can be said of a strategy without running its file."""

    name: str
    origin: str
    """`built-in`, `entry point DISTRIBUTION` or the path of the file."""
    path: Path
    summary: str
    params: dict[str, float]
    interval_ns: int
    source_hash: str
    """SHA-256 of the file, hex."""
    protocol: str
    """`compiled` or `python`."""
    features: bool = True
    """False (`FEATURES = False`): only best prices and mid are kept, which is faster."""
    grouped: bool = False
    """True (`GROUP = True`): what comes of one venue calls it for the asset on all of them."""
    errors: dict[int, str] = field(default_factory=dict)
    description: str = ""
    """The docstring between its first line and its Parameters section."""
    docs: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Parameter to (unit, meaning), from the docstring's Parameters section."""


@dataclass(frozen=True)
class StrategySpec(StrategyInfo):
    """A strategy that is ready to run; exactly one of `compiled` and `python_class` is set."""

    compiled: Callable[[Any], int] | None = None
    """Numba dispatcher of STRATEGY_SIG (the plain function with NUMBA_DISABLE_JIT=1)."""
    python_class: type[Strategy] | None = None

    def python(self, params: dict[str, float]) -> PythonStrategy:
        """Return the object whose `decide(view)` the loop calls for a Python strategy."""
        from kimera_cli.strategies.python import PythonStrategy

        if self.python_class is None:
            raise TypeError(f"{self.name} is compiled: call spec.compiled")
        return PythonStrategy(self.name, self.path, self.python_class, params)

    def failure(self, code: int, instrument: str = "") -> RunError:
        """Return the error `run.strategy` for a decide that returned `code` < 0."""
        where = f" on {instrument}" if instrument else ""
        meaning = self.errors.get(code, "")
        return RunError(
            "run.strategy",
            f"expected strategy {self.name} to return 0 or more{where}, was {code}"
            + (f" ({meaning})" if meaning else ""),
            f"see ERRORS in {self.path}, and `kimera strategies show {self.name}`",
            strategy=self.name,
            returned=code,
        )
