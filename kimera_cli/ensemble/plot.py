"""The curve of hit rate against agreement as a drawing that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from kimera_cli.ensemble.agreement import TARGET_AGREEMENT, TARGET_HITS
from kimera_cli.records import TablePoint
from kimera_cli.report.scale import Axis
from kimera_cli.report.svg import LEFT, TOP, Frame

WIDTH, HEIGHT, HEAD, KEY = 360, 300, 52, 40
COLOURS = ("#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#b07aa1")
STYLE = """
svg{font:12px system-ui,sans-serif;color:#555;background:#fff}
text{fill:#555}text.t{fill:#222;font-weight:600}text.y{text-anchor:end}text.x{text-anchor:middle}
.gl,.zero{stroke:#ddd;fill:none}.base,.tick{stroke:#999;fill:none}
.line{fill:none;stroke-width:1.6}.target{stroke:#888;stroke-dasharray:4 3;fill:none}
.cursor{display:none}
"""
STYLE += "".join(
    f".c{k + 1}{{stroke:{c}}}.c{k + 1}.dot,.k{k + 1}{{fill:{c};stroke:none}}"
    for k, c in enumerate(COLOURS)
)


def drawing(points: Sequence[TablePoint]) -> str:
    """Return an SVG with a panel per dataset and a line per number of cells."""
    datasets = list(dict.fromkeys(p.dataset for p in points))
    sizes = sorted({p.cells for p in points})
    css = {cells: f"c{k % len(COLOURS) + 1}" for k, cells in enumerate(sizes)}
    panels = [
        f'<g transform="translate({k * WIDTH} {HEAD})">'
        f'<text class="t" x="{LEFT}" y="-6">{escape(dataset)}</text>'
        f"{_panel([p for p in points if p.dataset == dataset], css)}</g>"
        for k, dataset in enumerate(datasets)
    ]
    width, height = WIDTH * len(datasets), HEAD + HEIGHT + KEY
    title = "Decision table: agreement with a fresh computation against hit rate"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{title}"><style>{STYLE}</style>'
        f'<text class="t" x="{LEFT}" y="20" font-size="14">{title}</text>'
        f"{''.join(panels)}{_key(sizes, css, height)}</svg>\n"
    )


def _panel(points: Sequence[TablePoint], css: dict[int, str]) -> str:
    shown = [p for p in points if p.agreement is not None]
    low = min([0.97, *(p.agreement or 0.0 for p in shown)])
    low = np.floor(low * 20) / 20
    frame = Frame(WIDTH, HEIGHT, _share_axis(0.0), _share_axis(float(low)), "", time=False)
    _target(frame)
    for cells in sorted({p.cells for p in shown}):
        line = [p for p in shown if p.cells == cells]
        across = frame.px(np.array([p.hit_rate for p in line]))
        down = frame.py(np.array([p.agreement or 0.0 for p in line]))
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))
        frame.body.append(f'<path class="line {css[cells]}" d="M{path}"/>')
        for p, x, y in zip(line, across, down, strict=True):
            frame.body.append(
                f'<circle class="dot {css[cells]}" cx="{x:.1f}" cy="{y:.1f}" r="2.6">'
                f"<title>{_told(p)}</title></circle>"
            )
    figure = frame.svg()
    inner = figure[figure.index(">", figure.index("<svg")) + 1 : figure.index("</svg>")]
    return inner + f'<text class="x" x="{WIDTH / 2}" y="{HEIGHT + 10}">hit rate</text>'


def _told(p: TablePoint) -> str:
    return (
        f"{p.cells} cells, confidence {p.min_confidence:g}: hit rate {p.hit_rate:.3f}, "
        f"agreement {p.agreement:.4f}"
    )


def _target(frame: Frame) -> None:
    """Draw the corner that is aimed at: more than these hits, at least this agreement."""
    x = float(frame.px(np.array(TARGET_HITS)))
    y = float(frame.py(np.array(TARGET_AGREEMENT)))
    right = LEFT + frame.inner[0]
    frame.body.append(f'<path class="target" d="M{x:.1f} {TOP}V{y:.1f}H{right}"/>')


def _key(sizes: Sequence[int], css: dict[int, str], height: int) -> str:
    y, parts = height - 10, [f'<text x="{LEFT}" y="{height - 10}">cells:</text>']
    for k, cells in enumerate(sizes):
        x = LEFT + 48 + 78 * k
        parts.append(f'<rect class="k{css[cells][1:]}" x="{x}" y="{y - 8}" width="14" height="4"/>')
        parts.append(f'<text x="{x + 20}" y="{y}">{cells:,}</text>')
    return "".join(parts)


def _share_axis(low: float) -> Axis:
    """Return an axis of shares up to 1, with round ticks."""
    step = 0.2 if low <= 0.3 else 0.1 if low <= 0.6 else 0.05 if low < 0.9 else 0.01
    ticks = [float(t) for t in np.arange(1.0, low - 1e-9, -step)[::-1]]
    return Axis(low, 1.0 + 0.02 * (1.0 - low), ticks, [f"{t:.0%}" for t in ticks])
