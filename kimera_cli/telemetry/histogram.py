"""Histograms that kernels filled, as HdrHistogram objects: percentiles, and the .hlog format.

Recording is kernels/histogram.py. Reading is HdrHistogram_py (PyPI `hdrhistogram`, the port of
Tene's library by its own organisation): the counts are handed over as they are, so its percentiles,
its V2 encoding and its log files are what any other HdrHistogram tool reads. Values are ns.
"""

from __future__ import annotations

import binascii
import io
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hdrh.codec import HdrCookieException, HdrLengthException
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader, HistogramLogWriter

from kimera_cli.errors import DataError
from kimera_cli.files import write_atomic
from kimera_cli.kernels.histogram import CELLS, DIGITS, HIGHEST, HISTOGRAM

DAMAGE = (ValueError, TypeError, binascii.Error, zlib.error, HdrCookieException, HdrLengthException)
"""What the library raises on bytes that are not its format."""


class Summary(NamedTuple):
    """A distribution in ns; 0 everywhere when nothing was counted."""

    n: int
    median_ns: int
    p99_ns: int
    p999_ns: int
    max_ns: int
    mean_ns: float
    under: int
    """Values below zero, in no other field: the clock went back."""
    over: int
    """Values above the range (68 s), counted here and in max_ns only."""


def new_histogram() -> Any:
    """Return an empty HISTOGRAM record."""
    return np.zeros(1, HISTOGRAM).view(np.recarray)[0]


def empty() -> HdrHistogram:
    """Return the library's histogram with our range and precision."""
    return HdrHistogram(1, HIGHEST, DIGITS)


def decode(row: Any) -> HdrHistogram:
    """Return a copy of a HISTOGRAM record as the library's object."""
    hdr = empty()
    counts = np.asarray(row.counts)
    if hdr.counts_len != CELLS or counts.shape != (CELLS,):
        raise DataError(
            "data.histogram",
            f"expected {CELLS} cells, was {hdr.counts_len} in hdrhistogram, {counts.size} here",
            "reinstall: pip install -c constraints.txt hdrhistogram",
        )
    np.frombuffer(hdr.counts, np.int64)[:] = counts
    used = np.flatnonzero(counts)
    if used.size:
        hdr.set_internal_tacking_values(int(used[0]), int(used[-1]), int(counts.sum()))
    return hdr


def summarise(row: Any) -> Summary:
    """Return the figures of one histogram. max_ns is within 0.1 % of the largest value."""
    hdr = decode(row)
    at = hdr.get_percentile_to_value_dict([50.0, 99.0, 99.9])
    largest = max(int(hdr.get_max_value()), int(row.largest_over))
    return Summary(
        n=int(hdr.get_total_count()),
        median_ns=int(at.get(50.0, 0)),
        p99_ns=int(at.get(99.0, 0)),
        p999_ns=int(at.get(99.9, 0)),
        max_ns=largest,
        mean_ns=float(hdr.get_mean_value()),
        under=int(row.under),
        over=int(row.over),
    )


def add(into: Any, row: Any) -> None:
    """Add one HISTOGRAM record to another."""
    into.counts[:] += row.counts
    into.under += row.under
    into.over += row.over
    into.largest_over = max(int(into.largest_over), int(row.largest_over))


def clear(row: Any) -> None:
    """Forget what was counted."""
    row.counts[:] = 0
    row.under = row.over = row.largest_over = 0


def write_log(path: Path, rows: Mapping[str, Any], start_ns: int, end_ns: int) -> None:
    """Write one interval of named histograms as an .hlog file (format 1.2, one tag each)."""
    text = io.StringIO()
    writer = HistogramLogWriter(text)
    writer.output_log_format_version()
    writer.output_comment("values in ns; interval maximum in ms")
    writer.output_legend()
    for name, row in rows.items():
        text.write(f"Tag={name},")
        writer.output_interval_histogram(decode(row), start_ns / 1e9, end_ns / 1e9)
    write_atomic(path, text.getvalue().encode("utf-8"))


def read_log(path: Path) -> dict[str, HdrHistogram]:
    """Return the histograms of an .hlog file by tag, intervals of one tag added up.

    DataError `data.histogram` when the file cannot be read or holds none.
    """
    found: dict[str, HdrHistogram] = {}
    try:
        for histogram in _intervals(path):
            tag = histogram.get_tag() or ""
            if tag in found:
                found[tag].add(histogram)
            else:
                found[tag] = histogram
    except (OSError, *DAMAGE) as error:
        raise _unreadable(path, str(error) or type(error).__name__) from error
    if not found:
        raise _unreadable(path, "none")
    return found


def _intervals(path: Path) -> Iterable[HdrHistogram]:
    reader = HistogramLogReader(str(path), None)
    try:
        while (histogram := reader.get_next_interval_histogram()) is not None:
            yield histogram
    finally:
        reader.close()


def _unreadable(path: Path, was: str) -> DataError:
    return DataError(
        "data.histogram",
        f"expected an HdrHistogram log (.hlog) in {path}, was {was}",
        "name a file that kimera or another HdrHistogram tool wrote",
        file=str(path),
    )
