"""Runs the checks of a data set of the catalog, or of a recording that is not in it.

Rows are streamed through all families of checks at once; memory stays flat. A recording that
cannot be read to its end is a result as well: `readable` says where it broke, and the other
checks tell of what came before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.checks.bar_table import BarTableChecks
from kimera_cli.data.checks.bars import BarChecks
from kimera_cli.data.checks.book import BookChecks
from kimera_cli.data.checks.checker import Checker
from kimera_cli.data.checks.histogram import Histogram
from kimera_cli.data.checks.latency import results as latency_quantiles
from kimera_cli.data.checks.numbers import NumberChecks
from kimera_cli.data.checks.orders import OrderChecks
from kimera_cli.data.checks.subject import Subject
from kimera_cli.data.checks.tally import merged
from kimera_cli.data.checks.times import TimeChecks
from kimera_cli.data.checks.values import ValueChecks
from kimera_cli.data.importers import choose
from kimera_cli.data.importers.base import Batch, ImportOptions
from kimera_cli.errors import DataError
from kimera_cli.records import Check

FAMILIES: dict[str, tuple[type[Checker], ...]] = {
    "l2": (NumberChecks, BookChecks, TimeChecks, ValueChecks),
    "l3": (OrderChecks, TimeChecks, ValueChecks),
    "trades": (NumberChecks, TimeChecks, ValueChecks),
}
"""Checks by family of data; any other family is one of bars."""


class Suite:
    """All checks of one dataset."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.rows = 0
        kinds = FAMILIES.get(subject.family, (BarChecks, BarTableChecks))
        self.checkers = [kind(subject) for kind in kinds]

    def start(self, sources: tuple[Path, ...]) -> None:
        """Begin with the next source."""
        self.subject.sources = sources
        for checker in self.checkers:
            checker.start()

    def see(self, batch: Batch) -> None:
        """Take the next rows."""
        if len(batch.events):
            self.rows += len(batch.events)
            for checker in self.checkers:
                checker.see(batch.events)


def run(
    target: str,
    catalog: Catalog,
    options: ImportOptions,
    *,
    now_ns: int,
    format_name: str | None = None,
) -> Iterator[Check]:
    """Yield one record per check of a dataset (by name) or a recording (by path).

    A recording of several instruments is counted as a whole; the first failure names its dataset.
    Counts, names and the meaning of `ok` are in docs/reference/checks.md. DataError when there is
    nothing to check: no such file or dataset, an empty file, an unknown format.
    """
    path = Path(target)
    if not path.exists() and (catalog.holds(target) or _is_name(target)):
        yield from _run_dataset(target, catalog, now_ns)
    else:
        yield from _run_path(path, options, now_ns, format_name)


def _is_name(target: str) -> bool:
    return target.count("/") == 2 and "." not in target


def _run_dataset(name: str, catalog: Catalog, now_ns: int) -> Iterator[Check]:
    info = catalog.get(name)
    suite = Suite(Subject(name, info.instrument, info.family, now_ns))
    for source in info.sources:
        suite.start(tuple(map(Path, source.files)))
        for rows in catalog.open(name, source.hash).chunks():
            suite.see(Batch(info.instrument, info.family, rows))
    yield from _results({name: suite}, name, None)


def _run_path(
    path: Path, options: ImportOptions, now_ns: int, format_name: str | None
) -> Iterator[Check]:
    importer = choose(path, format_name)
    sources = importer.sources(path)
    suites: dict[str, Suite] = {}
    broken: DataError | None = None
    try:
        for batch in importer.read(path, options):
            name = f"{batch.instrument.name}/{batch.family}"
            if name not in suites:
                suites[name] = Suite(Subject(name, batch.instrument, batch.family, now_ns))
                suites[name].start(sources)
            suites[name].see(batch)
    except DataError as error:
        if "line" not in error.details and not suites:
            raise
        broken = error
    yield from _results(suites, str(path), broken)


def _results(suites: dict[str, Suite], target: str, broken: DataError | None) -> Iterator[Check]:
    rows = sum(suite.rows for suite in suites.values())
    name = next(iter(suites)) if len(suites) == 1 else target
    details = broken.details if broken else {}
    line = details.get("line")
    yield Check(
        check="readable",
        dataset=name,
        passed=rows,
        total=rows + (broken is not None),
        ok=broken is None,
        detail=f"{broken.message} [{broken.code}]" if broken else "",
        file=str(details.get("file", "")),
        line=int(line) if line is not None else None,
    )
    latency = Histogram()
    found: dict[str, list[Check]] = {}
    for suite in suites.values():
        for checker in suite.checkers:
            for record in checker.results():
                found.setdefault(record.check, []).append(record)
            if isinstance(checker, TimeChecks):
                latency.merge(checker.latency)
    for records in found.values():
        yield merged(records, name)
    yield from latency_quantiles(latency, name)
