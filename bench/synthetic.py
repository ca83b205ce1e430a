"""The synthetic market: seeded order flow through the matching engine, out as events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from kimera_cli.records import Bench
from kimera_cli.settings import Market
from kimera_cli.sim.synthetic import BLOCK, SyntheticMarket

from .harness import Case, Watch
from .request import Request, row

EVENTS = 1_000_000
SEED = 1
MODELS: tuple[Literal["hawkes", "poisson"], ...] = ("hawkes", "poisson")


def rows(request: Request) -> Iterator[Bench]:
    """Time both models with the settings of the demo."""
    n = request.size(EVENTS)
    timings = request.measure([_case(model, n) for model in MODELS])
    for model in MODELS:
        yield row(
            request,
            f"synthetic.{model}",
            timings[model],
            kind=f"blocks of {BLOCK} events, matching included",
            seed=SEED,
        )


def _case(model: Literal["hawkes", "poisson"], n: int) -> Case:
    def prepare() -> Iterator[Any]:
        return SyntheticMarket(Market(model=model), SEED).chunks(BLOCK)

    def run(chunks: Iterator[Any], watch: Watch) -> None:
        next(chunks)  # the opening book, and the memory behind it
        made = 0
        watch.start()
        while made < n:
            made += len(chunk := next(chunks))
            watch.lap(len(chunk))

    return Case(model, prepare, run)
