"""Questions to the whole catalog, answered by DuckDB from the Parquet itself.

The manifests say which parts exist; what they hold is read from the parts: their footers for a
listing, their columns for a breakdown by day. Nothing is loaded as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.manifest import DatasetInfo
from kimera_cli.data.parquet import layout_of
from kimera_cli.errors import DataError
from kimera_cli.layouts import EVENT, QUOTE, TRADE
from kimera_cli.records import Dataset, DatasetDay, DatasetSource
from kimera_cli.units import from_steps

_FOOTERS = """
SELECT file_name, num_rows, file_size_bytes FROM parquet_file_metadata($files)
"""

_EVENT_DAYS = """
SELECT day::VARCHAR, count(*), count(*) FILTER (flags & 1 = 1),
       count(*) FILTER (kind NOT IN ($trade, $quote)), count(*) FILTER (kind = $trade),
       count(*) FILTER (kind = $quote), min(ts_local_ns), max(ts_local_ns),
       min(px_ticks) FILTER (kind = $trade), max(px_ticks) FILTER (kind = $trade)
FROM read_parquet($files, hive_partitioning = true, hive_types_autocast = false)
GROUP BY day ORDER BY day
"""

_BAR_YEARS = """
SELECT "year"::VARCHAR, count(*), min(ts_ns), max(ts_ns),
       min(low) FILTER (NOT isnan(low)), max(high) FILTER (NOT isnan(high))
FROM read_parquet($files, hive_partitioning = true, hive_types_autocast = false)
GROUP BY "year" ORDER BY "year"
"""


def listing(catalog: Catalog) -> Iterator[Dataset]:
    """Yield one record per dataset, its rows counted in the footers of its parts.

    DataError `data.damaged_part` when a part is not what its manifest says.
    """
    datasets = catalog.datasets()
    if not datasets:
        return
    files = [str(path) for info in datasets for path in catalog.files(info)]
    found = {name: (rows, size) for name, rows, size in _ask(_FOOTERS, files=files)}
    for info in datasets:
        parts = (part for source in info.sources for part in source.parts)
        for path, part in zip(catalog.files(info), parts, strict=True):
            if found[str(path)] != (part.rows, part.bytes):
                raise _damaged(str(path), f"{part.rows} rows, {part.bytes} bytes", found[str(path)])
        yield record(info)


def record(info: DatasetInfo) -> Dataset:
    """Return what the manifest says of a dataset."""
    instrument = info.instrument
    return Dataset(
        dataset=info.dataset,
        venue=instrument.venue,
        instrument=instrument.symbol,
        kind=instrument.kind,
        family=info.family,
        rows=info.rows,
        start_ns=info.start_ns,
        end_ns=info.end_ns,
        days=info.days,
        bytes=info.bytes,
        tick=f"{instrument.tick:f}",
        lot=f"{instrument.lot:f}",
        sources=[source.hash for source in info.sources],
    )


def sources(info: DatasetInfo) -> Iterator[DatasetSource]:
    """Yield one record per recording of a dataset."""
    for source in info.sources:
        yield DatasetSource(
            dataset=info.dataset,
            file=source.files[0],
            format=source.format,
            source_hash=source.hash,
            rows=source.rows,
            start_ns=source.start_ns,
            end_ns=source.end_ns,
            min_latency_ns=source.min_latency_ns,
            backwards=source.backwards,
        )


def days(catalog: Catalog, info: DatasetInfo) -> Iterator[DatasetDay]:
    """Yield one record per day of events, or per year of bars: rows by kind, times, price range."""
    files = [str(path) for path in catalog.files(info)]
    if layout_of(info.family) != EVENT:
        for year, rows, start, end, low, high in _ask(_BAR_YEARS, files=files):
            yield DatasetDay(
                dataset=info.dataset,
                day=year,
                rows=rows,
                start_ns=start,
                end_ns=end,
                low=_number(low),
                high=_number(high),
            )
        return
    tick = info.instrument.tick
    for row in _ask(_EVENT_DAYS, files=files, trade=TRADE, quote=QUOTE):
        day, rows, messages, book, trades, quotes, start, end, low, high = row
        yield DatasetDay(
            dataset=info.dataset,
            day=day,
            rows=rows,
            messages=messages,
            book=book,
            trades=trades,
            quotes=quotes,
            start_ns=start,
            end_ns=end,
            low=None if low is None else f"{from_steps(low, tick):f}",
            high=None if high is None else f"{from_steps(high, tick):f}",
        )


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.15g}"


def _ask(query: str, **parameters: Any) -> Sequence[tuple[Any, ...]]:
    import duckdb

    try:
        with duckdb.connect() as connection:
            return connection.execute(query, parameters).fetchall()
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise _damaged("the catalog", "intact parts", str(error).splitlines()[0]) from None


def _damaged(where: str, expected: object, was: object) -> DataError:
    return DataError(
        "data.damaged_part",
        f"expected {expected} in {where}, was {was}",
        "remove the dataset (kimera fetch remove) and import its recordings again",
    )
