"""Plots of text: two by four dots per character, with axes, for any width; no colour needed.

A plot is a list of lines, all of one visible width, so that plots can stand side by side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.report.scale import Axis, number_axis, thin, time_axis

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34}
_STYLES |= {"magenta": 35, "cyan": 36}


class Line(NamedTuple):
    """One series: times, values, colour, and whether it holds its value until the next point."""

    ts_ns: I64
    values: F64
    style: str = "cyan"
    step: bool = False


class Marks(NamedTuple):
    """Single points, each drawn as one character."""

    ts_ns: I64
    values: F64
    glyph: str
    style: str


def paint(text: str, style: str, colour: bool) -> str:
    """Return text in a style (`bold`, `green`), unchanged without colour."""
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if colour and style and text else text


def visible(text: str) -> int:
    """Return how many columns a text takes."""
    return len(_ANSI.sub("", text))


def plot(
    title: str,
    lines: Sequence[Line],
    *,
    width: int,
    height: int,
    colour: bool,
    marks: Sequence[Marks] = (),
    zero: bool = False,
) -> list[str]:
    """Return title, `height` rows of dots with their axis, and a row of times."""
    y = number_axis(
        np.concatenate([series.values for series in lines]), max(2, height // 2), zero=zero
    )
    x = _x_axis(lines, width)
    gutter = max((len(label) for label in y.labels), default=0)
    columns = width - gutter - 2
    cells = np.zeros((height, columns), np.int64)
    styles = np.full((height, columns), "", dtype="U8")
    for series in lines:
        _draw(series, x, y, cells, styles)
    rows = [[chr(0x2800 + c) if c else " " for c in row] for row in cells]
    for group in marks:
        _mark(group, x, y, rows, styles)
    texts = ["".join(_runs(row, style, colour)) for row, style in zip(rows, styles, strict=True)]
    left = _left(y, gutter, height, colour)
    return [
        _padded(paint(title, "bold", colour), width),
        *(side + text for side, text in zip(left, texts, strict=True)),
        _bottom(x, gutter, columns, colour),
    ]


def beside(blocks: Sequence[list[str]], gap: int = 2) -> list[str]:
    """Return blocks of equal height side by side."""
    return [(" " * gap).join(parts) for parts in zip(*blocks, strict=True)]


def _x_axis(lines: Sequence[Line], width: int) -> Axis:
    first = min(int(series.ts_ns[0]) for series in lines)
    last = max(int(series.ts_ns[-1]) for series in lines)
    return time_axis(first, last, max(2, width // 13))


def _draw(series: Line, x: Axis, y: Axis, cells: I64, styles: np.ndarray) -> None:  # type: ignore[type-arg]
    height, columns = cells.shape
    ts, values = thin(series.ts_ns, series.values, 2 * columns)
    across = np.clip(x.fraction(ts.astype(np.float64)) * (2 * columns - 1), 0, 2 * columns - 1)
    down = np.clip((1.0 - y.fraction(values)) * (4 * height - 1), 0, 4 * height - 1)
    cols, rows = across.round().astype(int), down.round().astype(int)
    for i in range(max(cols.size - 1, 1)):
        j = min(i + 1, cols.size - 1)
        for col, row in _segment(cols[i], rows[i], cols[j], rows[j], series.step):
            cells[row // 4, col // 2] |= _DOTS[row % 4, col % 2]
            styles[row // 4, col // 2] = series.style


def _segment(c0: int, r0: int, c1: int, r1: int, step: bool) -> list[tuple[int, int]]:
    """Return the dots of a line between two dots; a step goes across first, then down."""
    if step:
        low, high = min(r0, r1), max(r0, r1)
        return [(c, r0) for c in range(c0, c1 + 1)] + [(c1, r) for r in range(low, high + 1)]
    n = max(abs(c1 - c0), abs(r1 - r0), 1)
    return [(round(c0 + (c1 - c0) * k / n), round(r0 + (r1 - r0) * k / n)) for k in range(n + 1)]


def _mark(group: Marks, x: Axis, y: Axis, rows: list[list[str]], styles: np.ndarray) -> None:  # type: ignore[type-arg]
    height, columns = len(rows), len(rows[0])
    across = x.fraction(group.ts_ns.astype(np.float64)) * (columns - 1)
    down = (1.0 - y.fraction(group.values)) * (height - 1)
    for col, row in zip(across.round().astype(int), down.round().astype(int), strict=True):
        if 0 <= col < columns and 0 <= row < height:
            rows[row][col] = group.glyph
            styles[row, col] = group.style


def _runs(row: list[str], styles: np.ndarray, colour: bool) -> list[str]:  # type: ignore[type-arg]
    """Return pieces of a row, each painted once."""
    pieces, start = [], 0
    for i in range(1, len(row) + 1):
        if i == len(row) or styles[i] != styles[start]:
            pieces.append(paint("".join(row[start:i]), str(styles[start]), colour))
            start = i
    return pieces


def _left(y: Axis, gutter: int, height: int, colour: bool) -> list[str]:
    labels = [""] * height
    for tick, label in zip(y.ticks, y.labels, strict=True):
        row = round((1.0 - float(y.fraction(np.array(tick)))) * (height - 1))
        labels[row] = label
    return [
        paint(label.rjust(gutter) + (" ┤" if label else " │"), "dim", colour) for label in labels
    ]


def _bottom(x: Axis, gutter: int, columns: int, colour: bool) -> str:
    row = [" "] * (gutter + 2 + columns)
    for tick, label in zip(x.ticks, x.labels, strict=True):
        centre = gutter + 2 + round(float(x.fraction(np.array(tick))) * (columns - 1))
        start = centre - len(label) // 2
        if start < gutter + 2 or start + len(label) > len(row) or row[start - 1] != " ":
            continue
        row[start : start + len(label)] = label
    return paint("".join(row), "dim", colour)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - visible(text))
