"""Charts as inline SVG: axes, lines, areas, steps, marks. No script is needed to see them.

Colours are classes (`c1` .. `c6`, `buy`, `sell`), so that one drawing serves light, dark and print.
Long series are thinned to what the pixels can show; what the pointer reads is embedded as JSON
beside the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

import msgspec
import numpy as np

from kimera_cli.layouts import F64, I64
from kimera_cli.report.scale import Axis, thin

LEFT, RIGHT, TOP, BOTTOM = 58, 8, 10, 26
BUCKET_PX = 2
"""Pixels per bucket of a thinned series."""


@dataclass
class Frame:
    """One panel with its axes; content is added, then `svg` draws all of it."""

    width: int
    height: int
    x: Axis
    y: Axis
    label: str
    """What the chart shows, for readers that cannot see it."""
    time: bool = True
    elapsed: bool = False
    """The axis is time since the start, not UTC."""
    body: list[str] = field(default_factory=list)
    read: list[dict[str, object]] = field(default_factory=list)

    @property
    def inner(self) -> tuple[int, int]:
        """Width and height of the plot area."""
        return self.width - LEFT - RIGHT, self.height - TOP - BOTTOM

    def px(self, values: F64) -> F64:
        """Return horizontal positions."""
        return LEFT + self.x.fraction(values) * self.inner[0]

    def py(self, values: F64) -> F64:
        """Return vertical positions."""
        return TOP + (1.0 - self.y.fraction(values)) * self.inner[1]

    def line(
        self, ts: I64, values: F64, css: str, name: str, *, step: bool = False, area: bool = False
    ) -> None:
        """Draw a series; `step` holds each value, `area` fills the room to zero."""
        kept, shown = thin(ts, values, self.inner[0] // BUCKET_PX)
        across, down = self.px(kept.astype(np.float64)), self.py(shown)
        path = _steps(across, down) if step else _polyline(across, down)
        if area:
            zero = float(self.py(np.array(0.0)))
            closed = f"{path}V{zero:.1f}H{across[0]:.1f}Z"
            self.body.append(f'<path class="area {css}" d="{closed}"/>')
        self.body.append(f'<path class="line {css}" d="{path}"/>')
        self._make_readable(ts, values, css, name)

    def curve(self, across: F64, values: F64, css: str, *, dots: bool = False) -> None:
        """Draw a line through points of any x, as given; `dots` marks each of them."""
        xs, ys = self.px(across), self.py(values)
        self.body.append(f'<path class="line {css}" d="{_polyline(xs, ys)}"/>')
        if dots:
            self.body += [
                f'<circle class="dot {css}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
                for x, y in zip(xs, ys, strict=True)
            ]

    def triangles(self, ts: I64, values: F64, css: str, *, up: bool) -> None:
        """Draw one triangle per point, tip at the value."""
        tip = "l-4.5 8h9z" if up else "l-4.5-8h9z"
        across, down = self.px(ts.astype(np.float64)), self.py(values)
        marks = "".join(f"M{x:.1f} {y:.1f}{tip}" for x, y in zip(across, down, strict=True))
        self.body.append(f'<path class="mark {css}" d="{marks}"/>')

    def point(self, x: float, y: float, half: float | None, css: str, title: str) -> None:
        """Draw a dot with a bar of `half` to both sides, in data units."""
        cx, cy = float(self.px(np.array(x))), float(self.py(np.array(y)))
        bar = ""
        if half:
            low, high = self.py(np.array([y - half, y + half]))
            bar = f'<path class="bar {css}" d="M{cx:.1f} {low:.1f}V{high:.1f}'
            bar += f'm-3 0h6M{cx - 3:.1f} {low:.1f}h6"/>'
        self.body.append(
            f'<g><title>{escape(title)}</title>{bar}<circle class="dot {css}" cx="{cx:.1f}" '
            f'cy="{cy:.1f}" r="3.5"/></g>'
        )

    def svg(self) -> str:
        """Return the drawing."""
        width, height = self.inner
        hover = f'<path class="cursor" d="M0 {TOP}V{TOP + height}" hidden=""/>'
        data = ""
        if self.read and self.time:
            facts = {"left": LEFT, "width": width, "low": self.x.low, "high": self.x.high}
            facts |= {"elapsed": self.elapsed}
            data = (
                f'<script type="application/json">{_json({**facts, "series": self.read})}</script>'
            )
        return (
            f'<figure class="chart"><svg viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(self.label)}">{self._grid()}{"".join(self.body)}{hover}</svg>'
            f"{data}</figure>"
        )

    def _grid(self) -> str:
        parts, width = [], self.inner[0]
        for tick, label in zip(self.y.ticks, self.y.labels, strict=True):
            y = float(self.py(np.array(tick)))
            css = "zero" if tick == 0.0 else "gl"
            parts.append(f'<path class="{css}" d="M{LEFT} {y:.1f}h{width}"/>')
            parts.append(f'<text class="y" x="{LEFT - 8}" y="{y + 4:.1f}">{escape(label)}</text>')
        base = self.height - BOTTOM
        for tick, label in zip(self.x.ticks, self.x.labels, strict=True):
            x = float(self.px(np.array(tick)))
            parts.append(f'<path class="tick" d="M{x:.1f} {base}v4"/>')
            at = min(max(x, LEFT + 14.0), self.width - RIGHT - 14.0)
            parts.append(f'<text class="x" x="{at:.1f}" y="{base + 18}">{escape(label)}</text>')
        return f'<path class="base" d="M{LEFT} {base}h{width}"/>' + "".join(parts)

    def _make_readable(self, ts: I64, values: F64, css: str, name: str) -> None:
        """Embed the last value of each bucket, in ms since the start of the axis."""
        buckets = self.inner[0] // BUCKET_PX
        edges = self.x.low + (np.arange(1, buckets + 1) / buckets) * (self.x.high - self.x.low)
        at = np.unique(np.searchsorted(ts, edges, side="right") - 1)
        at = at[at >= 0]
        self.read.append(
            {
                "name": name,
                "css": css,
                "t": ((ts[at] - self.x.low) / 1e6).round().astype(np.int64).tolist(),
                "v": [float(f"{v:.7g}") for v in values[at]],
            }
        )


def _json(facts: dict[str, object]) -> str:
    """Return JSON that may stand inside a script element."""
    return msgspec.json.encode(facts).decode().replace("<", "\\u003c")


def legend(entries: Sequence[tuple[str, str]], least: int = 2) -> str:
    """Return a legend of (class, text); nothing for fewer than `least` series."""
    if len(entries) < least:
        return ""
    items = "".join(f'<li class="{css}"><i></i>{escape(text)}</li>' for css, text in entries)
    return f'<ul class="legend">{items}</ul>'


def _polyline(across: F64, down: F64) -> str:
    points = [f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True)]
    return "M" + "L".join(points)


def _steps(across: F64, down: F64) -> str:
    parts = [f"M{across[0]:.1f} {down[0]:.1f}"]
    for x, y in zip(across[1:], down[1:], strict=True):
        parts.append(f"H{x:.1f}V{y:.1f}")
    return "".join(parts)
