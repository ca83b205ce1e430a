"""Plots of saved bench records: SVG files that stand alone, light and dark, no script, no font."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from kimera_cli.layouts import F64
from kimera_cli.records import Bench
from kimera_cli.report.scale import Axis, number_axis
from kimera_cli.report.svg import LEFT, Frame

WIDTH, HEIGHT, HEAD = 760, 300, 70
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
PERCENTILES = ((0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"))
NS = (
    *((1.0, "1 ns"), (1e1, "10 ns"), (1e2, "100 ns"), (1e3, "1 us"), (1e4, "10 us")),
    *((1e5, "100 us"), (1e6, "1 ms"), (1e7, "10 ms"), (1e8, "100 ms")),
)
STYLE = """
svg { --ink: #17191c; --muted: #666b72; --line: #d5d5cf; --grid: #e7e7e2; --bg: #fff;
  --c1: #2357d8; --c2: #b4590b; --c3: #7a3fc0; --c4: #0b7f8f; --c5: #a3296b; --c6: #5c6b13;
  --c7: #666b72; }
@media (prefers-color-scheme: dark) { svg { --ink: #e9eaeb; --muted: #9aa0a8; --line: #3a3e44;
  --grid: #2a2d31; --bg: #17191c; --c1: #82a8ff; --c2: #f0a25a; --c3: #c49bff; --c4: #5cc9d8;
  --c5: #f08abf; --c6: #b6c75e; --c7: #9aa0a8; } }
text { font: 11.5px system-ui, sans-serif; fill: var(--muted); }
text.y { text-anchor: end; } text.x { text-anchor: middle; }
text.title { font-size: 14px; font-weight: 600; fill: var(--ink); }
path { fill: none; } .gl { stroke: var(--grid); } .zero, .base, .tick { stroke: var(--line); }
.line { stroke: var(--s); stroke-width: 1.6; stroke-linejoin: round; }
.dot, .key { fill: var(--s); } .back { fill: var(--bg); }
.c1 { --s: var(--c1); } .c2 { --s: var(--c2); } .c3 { --s: var(--c3); } .c4 { --s: var(--c4); }
.c5 { --s: var(--c5); } .c6 { --s: var(--c6); } .c7 { --s: var(--c7); }
"""


class Series(NamedTuple):
    """One line: its name, and points in data units."""

    name: str
    x: F64
    y: F64


class Plot(NamedTuple):
    """One file: its name, title, and drawing."""

    name: str
    title: str
    svg: str


def plots(rows: Sequence[Bench]) -> list[Plot]:
    """Return every plot that the records hold data for."""
    made = [
        _latency(rows),
        _frames(rows),
        _growth(rows, "throughput-instruments", ("instruments", "loop"), "instruments", 2),
        _growth(rows, "throughput-depth", ("depth", "wide"), "levels a side", 10),
    ]
    return [plot for plot in made if plot is not None]


# --- latency -----------------------------------------------------------------------------------
def _latency(rows: Sequence[Bench]) -> Plot | None:
    """Draw the distributions of the stages of one tape and of the whole, on a scale of nines."""
    known = [row for row in rows if row.detail.get("cdf")]
    stages = [row for row in known if row.name.startswith("latency.stage.")]
    tape = stages[0].name.split(".", 3)[3] if stages else ""
    found = [row for row in stages if row.name.endswith(f".{tape}")]
    found += [row for row in known if row.name in (f"latency.tick.{tape}", f"tick.{tape}")]
    others = [row for row in known if not row.name.startswith(FRAMES)]
    title = f"Latency by stage and percentile ({tape or 'single chains'})"
    return _distributions("latency-stages", title, found or others)


def _frames(rows: Sequence[Bench]) -> Plot | None:
    """Draw the stages of a frame's way to an order, of the first tape, and the whole of it."""
    known = [row for row in rows if row.detail.get("cdf") and row.name.startswith(FRAMES)]
    tape = known[0].name.split(".")[-1] if known else ""
    found = [row for row in known if row.name.endswith(f".{tape}")]
    found.sort(key=lambda row: row.name.startswith(FRAMES[0]))  # stages in their order, then all
    return _distributions("latency-frame", f"From a frame to an order, by stage ({tape})", found)


FRAMES = ("latency.frame_to_order.", "latency.frame_stage.")


def _distributions(name: str, title: str, rows: Sequence[Bench]) -> Plot | None:
    series = [_distribution(row) for row in rows[: len(COLOURS)]]
    if not series:
        return None
    high = max(float(s.x.max()) for s in series)
    x = _marked(PERCENTILES, _nines, 0.0, high)
    every = np.concatenate([s.y for s in series])
    y = _marked(NS, math.log10, float(every.min()), float(every.max()))
    return Plot(name, title, _draw(title, series, x, y))


def _distribution(row: Bench) -> Series:
    points = np.array(row.detail["cdf"], np.float64)
    nines = np.array([_nines(share) for share in points[:, 0]])
    name = row.name.removeprefix("latency.stage.").removeprefix("latency.frame_stage.")
    name = name.rpartition(".")[0] or row.name
    words = STAGES.get(name, name.replace("_", " "))
    return Series(words, nines, np.log10(np.maximum(points[:, 1], 1.0)))


STAGES = {
    "total": "total of the stages",
    "latency.tick": "due event to order (open loop)",
    "latency.frame_to_order": "due frame to order (open loop)",
    "tick": "kernels alone",
}


def _nines(share: float) -> float:
    """Return how many nines a share has: 0.9 is 1, 0.99 is 2."""
    return -math.log10(1.0 - share)


# --- throughput --------------------------------------------------------------------------------
WORDS = {
    "instruments": "book and features",
    "loop": "whole loop",
    "depth": "levels one tick apart",
    "wide": "levels ten ticks apart",
}


def _growth(
    rows: Sequence[Bench], name: str, series: tuple[str, ...], what: str, base: int
) -> Plot | None:
    """Draw million events a second over the number of instruments or levels."""
    lines = []
    for key in series:
        points = sorted(
            (int(row.detail["at"]), row.rate_per_s / 1e6)
            for row in rows
            if row.detail.get("series") == key
        )
        if points:
            at, rate = np.array(points, np.float64).T
            lines.append(Series(WORDS[key], np.log(at) / math.log(base), rate))
    if not lines:
        return None
    ticks = sorted({round(base**value) for line in lines for value in line.x})
    marks = [(float(tick), f"{tick:,}") for tick in ticks]
    x = _marked(marks, lambda value: math.log(value, base), *_ends(lines))
    y = number_axis(np.concatenate([line.y for line in lines]), zero=True)
    title = f"Million events a second by number of {what}"
    return Plot(name, title, _draw(title, lines, x, y, dots=True))


def _ends(lines: Sequence[Series]) -> tuple[float, float]:
    every = np.concatenate([line.x for line in lines])
    room = 0.03 * max(float(np.ptp(every)), 1.0)
    return float(every.min()) - room, float(every.max()) + room


# --- drawing -----------------------------------------------------------------------------------
def _marked(
    marks: Sequence[tuple[float, str]], place: Callable[[float], float], low: float, high: float
) -> Axis:
    """Return an axis in placed units with those marks that lie on it."""
    placed = [(place(value), label) for value, label in marks]
    inside = [(at, label) for at, label in placed if low <= at <= high]
    return Axis(low, high, [at for at, _ in inside], [label for _, label in inside])


def _draw(title: str, series: Sequence[Series], x: Axis, y: Axis, *, dots: bool = False) -> str:
    """Return a whole SVG document: title, legend, chart."""
    frame = Frame(WIDTH, HEIGHT, x, y, title, time=False)
    for css, line in zip(COLOURS, series, strict=False):
        frame.curve(line.x, line.y, css, dots=dots)
    drawn = re.search(r"<svg[^>]*>(.*)</svg>", frame.svg(), re.DOTALL)
    assert drawn is not None
    head = [f'<text class="title" x="{LEFT}" y="24">{escape(title)}</text>', *_legend(series)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + HEAD}" '
        f'width="{WIDTH}" height="{HEIGHT + HEAD}" role="img" aria-label="{escape(title)}">'
        f'<style>{STYLE}</style><rect class="back" width="100%" height="100%"/>{"".join(head)}'
        f'<g transform="translate(0 {HEAD})">{drawn[1]}</g></svg>\n'
    )


def _legend(series: Sequence[Series]) -> list[str]:
    """Return the key of each line, as many in a row as there is room for."""
    parts, x, y = [], float(LEFT), 44
    for css, line in zip(COLOURS, series, strict=False):
        wide = 38 + 6.3 * len(line.name)
        if x + wide > WIDTH and x > LEFT:
            x, y = float(LEFT), y + 17
        parts.append(f'<rect class="key {css}" x="{x:.0f}" y="{y - 5}" width="14" height="3"/>')
        parts.append(f'<text x="{x + 20:.0f}" y="{y}">{escape(line.name)}</text>')
        x += wide
    return parts
