"""Times of bars in the units and spellings that tables use, as ns since the Unix epoch, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kimera_cli.data.importers.base import bad_line
from kimera_cli.layouts import F64, I64
from kimera_cli.units import NS_PER_MS, NS_PER_S, NS_PER_US

_UNITS = ((1e11, NS_PER_S), (1e14, NS_PER_MS), (1e17, NS_PER_US), (np.inf, 1))
"""Largest value, ns per unit: seconds until the year 5138, then ms, us, ns."""

_FORMATS = ("%Y-%m-%d %I-%p", "%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M", "%Y-%m-%d")


def numbers_to_ns(values: F64) -> I64:
    """Return ns of epoch times; each value's unit is told by its size, mixed units are fine.

    Values are float64: exact for whole seconds, ms and us. NaN gives 0.
    """
    clean = np.nan_to_num(np.asarray(values, np.float64))
    result = np.zeros(len(clean), np.int64)
    low = -np.inf
    for high, unit in _UNITS:
        here = (clean >= low) & (clean < high)
        whole = np.floor(clean[here])
        part = np.rint((clean[here] - whole) * unit).astype(np.int64)
        result[here] = whole.astype(np.int64) * unit + part
        low = high
    return result


def texts_to_ns(path: Path, texts: Sequence[str], lines: Sequence[int]) -> I64:
    """Return ns of times as text: epoch numbers or dates, mixed; DataError `data.time`.

    Dates without an offset are UTC.
    """
    try:
        return numbers_to_ns(np.array(texts, np.float64))
    except ValueError:
        pass
    result = np.zeros(len(texts), np.int64)
    for index, text in enumerate(texts):
        result[index] = _text_to_ns(path, text.strip().strip('"'), lines[index])
    return result


def _text_to_ns(path: Path, text: str, line: int) -> int:
    try:
        return int(numbers_to_ns(np.array([float(text)]))[0])
    except ValueError:
        pass
    when = _parse(text)
    if when is None:
        raise bad_line(path, line, "a time", text, "data.time")
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * NS_PER_US


def _parse(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for pattern in _FORMATS:
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    return None
