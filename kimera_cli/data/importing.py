"""What `kimera fetch import` says of many paths: one record per dataset and recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file
from kimera_cli.errors import DataError, KimeraError, UsageError
from kimera_cli.records import Imported


def import_all(
    paths: Sequence[Path],
    catalog: Catalog,
    options: ImportOptions,
    format_name: str | None,
    now_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
) -> Iterator[Imported | KimeraError]:
    """Yield what became of each path: records, or the error of one that could not be imported.

    One bad recording does not keep the others out. Raises when nothing could be imported.
    """
    failed = 0
    for path in paths:
        started = monotonic_ns()
        try:
            result = import_file(path, catalog, options, now_ns(), format_name)
        except KimeraError as error:
            if len(paths) == 1 or isinstance(error, UsageError):
                raise
            failed += 1
            yield error
            continue
        seconds = (monotonic_ns() - started) / 1e9
        for info in result.datasets:
            yield Imported(
                source=str(path),
                format=result.format,
                dataset=info.dataset,
                rows=info.rows,
                added=result.added,
                source_hash=result.source_hash,
                seconds=seconds,
            )
    if failed == len(paths):
        raise DataError("data.import", f"expected one recording of {failed} to be good, was none")


def total_bytes(paths: Sequence[Path]) -> int:
    """Return the stored size of the files that are there."""
    return sum(path.stat().st_size for path in paths if path.is_file())


def parse_step(name: str, text: str | None) -> Decimal | None:
    """Return the value of --tick or --lot; UsageError `usage.step` unless it is above zero."""
    if text is None:
        return None
    try:
        step = Decimal(text)
    except InvalidOperation:
        step = Decimal(0)
    if not step.is_finite() or step <= 0:
        raise UsageError("usage.step", f"expected --{name} above zero, was '{text}'")
    return step
