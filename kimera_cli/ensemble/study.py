"""Fills a table on the past of a recording and judges it on what came after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kimera_cli import __version__
from kimera_cli.data.source import EventSource
from kimera_cli.ensemble.agreement import serve, use_record
from kimera_cli.ensemble.fill import Stamp, fill
from kimera_cli.ensemble.next_move import EDGE, LEAST_SUPPORT
from kimera_cli.ensemble.next_move import learn as learn_member
from kimera_cli.ensemble.quality import quality
from kimera_cli.ensemble.quantiser import DEFAULT_AXES, parse_axes
from kimera_cli.ensemble.quantiser import learn as learn_thresholds
from kimera_cli.ensemble.states import States, states_of
from kimera_cli.ensemble.table_file import Learnt, TableFile, pack
from kimera_cli.errors import DataError, UsageError
from kimera_cli.layouts import TABLE_STATUSES
from kimera_cli.records import TablePoint, TableQuality, TableUse
from kimera_cli.units import NS_PER_DAY, parse_duration_ns

MIN_CONFIDENCE = 0.95
TRAIN = 0.6
CONFIDENCES = (0.0, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
BINS = (4, 8, 16, 32, 64)
OK = TABLE_STATUSES.index("ok")


@dataclass(frozen=True)
class Recipe:
    """How a table is learnt. `train` is the share of the recording's time that is the past."""

    axes: str = DEFAULT_AXES
    train: float = TRAIN
    edge: float = EDGE
    least_support: float = LEAST_SUPPORT
    min_confidence: float = MIN_CONFIDENCE
    expires_ns: int = NS_PER_DAY
    version: int = 1
    kimera: str = ""


def recipe_of(expires: str = "1d", version: int = 1, **given: Any) -> Recipe:
    """Return how to learn; what was not typed (None) keeps its default.

    UsageError `usage.expires` for a duration that is none.
    """
    try:
        expires_ns = parse_duration_ns(expires)
    except ValueError as error:
        raise UsageError("usage.expires", f"--expires: {error}") from None
    chosen = {name: value for name, value in given.items() if value is not None}
    return Recipe(**chosen, expires_ns=expires_ns, version=version, kimera=__version__)


def cut_of(source: EventSource, recipe: Recipe) -> int:
    """Return where the past ends."""
    return source.start_ns + round(recipe.train * (source.end_ns - source.start_ns))


def learn_table(source: EventSource, states: States, recipe: Recipe) -> TableFile:
    """Return a table learnt on the past of a recording: states whose next move came before its end.

    UsageError `usage.axes`, DataError `data.table_states` when there is too little to learn from.
    """
    axes, cut = parse_axes(recipe.axes), cut_of(source, recipe)
    past = states.part(states.resolved & states.book & (states.resolved_ns < cut))
    member = learn_member(
        past, [axis for axis, _ in axes], edge=recipe.edge, least_support=recipe.least_support
    )
    quantiser = learn_thresholds(past.x, axes)
    stamp = Stamp(recipe.version, cut, cut + recipe.expires_ns)
    learnt = Learnt(
        dataset=source.dataset,
        source_hash=source.source_hash,
        start_ns=source.start_ns,
        end_ns=cut,
        states=len(past),
        moves=len(np.unique(past.resolved_ns)),
        mean_ticks=float(past.next_move.mean()),
    )
    return pack(
        fill(member, quantiser, past, stamp),
        quantiser,
        member,
        learnt,
        expires_ns=stamp.expires_ns,
        min_confidence=recipe.min_confidence,
        kimera=recipe.kimera,
    )


def judge(
    table: TableFile, dataset: str, states: States, min_confidence: float | None = None
) -> tuple[TableUse, list[TableQuality]]:
    """Return how a table serves and forecasts on states after all that it was learnt on."""
    confidence = table.min_confidence if min_confidence is None else min_confidence
    test = after(table, dataset, states)
    answers, tally = serve(table, test, confidence)
    member = table.member()
    means, supports = member.expect(test.x)
    fresh = member.decide(means, supports)
    use = use_record(
        dataset, table, confidence, tally, (test.ts_ns, answers[:, 0], answers[:, 1], fresh)
    )
    hit = answers[:, 0] == OK
    told = np.where(hit, table.side()["entries"]["expected_ticks"][0][answers[:, 2]], np.nan)
    return use, [
        quality(dataset, "table", table, test, told),
        quality(dataset, "member", table, test, means),
    ]


def after(table: TableFile, dataset: str, states: States) -> States:
    """Return the states that the table has not learnt from; DataError when there is none."""
    test = states.part(states.ts_ns > table.learnt.end_ns)
    if not len(test):
        raise DataError(
            "data.table_test",
            f"expected states of {dataset} after {np.datetime64(table.learnt.end_ns, 'ns')}, the "
            "end of what the table was learnt on, was none",
            "a table is never tested on its own past: name a later recording",
        )
    return test


def curve(
    sources: Sequence[EventSource], recipe: Recipe, bins: Sequence[int] = BINS
) -> Iterator[TablePoint]:
    """Yield hit rate and agreement for tables of several sizes, at several confidences.

    Each recording has its own tables, learnt on its past and used after it; every axis of the
    recipe gets the same number of bins.
    """
    names = [part.partition(":")[0] for part in recipe.axes.split(",")]
    for source in sources:
        states = states_of(source)
        for count in bins:
            sized = ",".join(f"{name}:{count}" for name in names)
            table = learn_table(source, states, _with_axes(recipe, sized))
            yield from _points(table, source.dataset, states)


def _with_axes(recipe: Recipe, axes: str) -> Recipe:
    return Recipe(**{**vars(recipe), "axes": axes})


def _points(table: TableFile, dataset: str, states: States) -> Iterator[TablePoint]:
    test = after(table, dataset, states)
    member = table.member()
    fresh = member.decide(*member.expect(test.x))
    for confidence in CONFIDENCES:
        answers, tally = serve(table, test, confidence)
        use = use_record(
            dataset, table, confidence, tally, (test.ts_ns, answers[:, 0], answers[:, 1], fresh)
        )
        yield TablePoint(
            dataset=dataset,
            cells=table.quantiser().cells,
            min_confidence=confidence,
            lookups=use.lookups,
            hit_rate=use.hit_rate,
            hit_rate_se=use.hit_rate_se,
            agreement=use.agreement,
            agreement_se=use.agreement_se,
        )
