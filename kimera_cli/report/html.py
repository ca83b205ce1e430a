"""One run as one HTML file: all inline, nothing fetched, readable without script and in print."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np

from kimera_cli.layouts import DENIALS, R_HALT
from kimera_cli.report import charts, figures, holdings_part, live_part, tables
from kimera_cli.report.analysis import HORIZON_S, Analysis, analyse
from kimera_cli.report.run import Run, RunSource, read

FILE = "report.html"
_STATUS_WORDS = {
    "interrupted": "The run was interrupted before its time; all up to then is here.",
    "halted": "The run was halted by a risk limit.",
    "running": "The run has not ended, or was killed before it could say how it ended.",
    "failed": "The run failed.",
}


def write(source: RunSource, target: Path | None = None, horizon_s: int = HORIZON_S) -> Path:
    """Write the report to `target` (default: report.html in the run's folder); return the path."""
    run = read(source)
    path = target or run.path / FILE
    save(path, page(analyse(run, horizon_s)))
    return path


def page(a: Analysis) -> str:
    """Return the whole document."""
    sections = [
        _notes(a),
        tables.headline(a),
        tables.fidelity(a),
        charts.equity(a),
        charts.drawdown(a),
        f'<div class="two">{tables.split(a)}{tables.order_flow(a)}</div>',
        charts.markouts(a),
        charts.position(a),
        *charts.prices(a),
        tables.by_sleeve(a),
        holdings_part.holdings(a),
        live_part.feed(a),
        live_part.orders(a),
        live_part.stages(a),
        tables.metrics(a),
        tables.manifest(a),
        tables.glossary(),
    ]
    return document(f"kimera run {a.run.run}", _header(a.run, a), sections)


def document(title: str, header: str, sections: list[str]) -> str:
    """Return a complete document around sections, with style and script inside."""
    own = files("kimera_cli.report")
    style = (own / "page.css").read_text("utf-8")
    script = (own / "page.js").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body><main>"
        f'<header><div>{header}</div><button class="theme" type="button">Light / dark</button>'
        f"</header>{''.join(sections)}"
        "<footer>Made by kimera. Times are UTC. All data are in this file.</footer>"
        f"</main><script>{script}</script></body></html>\n"
    )


def save(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it into place."""
    from kimera_cli.files import write_atomic

    write_atomic(path, text.encode())


def status_badge(status: str) -> str:
    """Return the status of a run as a badge."""
    return f'<span class="status {escape(status)}">{escape(status)}</span>'


def _header(run: Run, a: Analysis) -> str:
    names = ", ".join(run.strategies) or "no strategy"
    legs = ", ".join(leg.name for leg in run.legs) or "no instrument"
    span = ""
    if a.equity.ts_ns.size:
        first, last = int(a.equity.ts_ns[0]), int(a.equity.ts_ns[-1])
        length = figures.duration(a.equity.span_s)
        span = (
            f"<p>{figures.moment(first)} to {figures.moment(last)} UTC, {length} of market time</p>"
        )
    return (
        f"<h1>Run {escape(run.run)}{status_badge(run.status)}</h1>"
        f"<p>{escape(names)} on {escape(legs)}</p>{span}"
    )


def _notes(a: Analysis) -> str:
    notes = [_STATUS_WORDS[a.run.status]] if a.run.status in _STATUS_WORDS else []
    if halts := _halts(a.run):
        notes.append(f"Halted by {halts}.")
    notes += [note[:1].upper() + note[1:] + "." for note in a.notes]
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f'<ul class="notes">{items}</ul>' if items else ""


def _halts(run: Run) -> str:
    codes = np.unique(run.orders["code"][run.orders["kind"] == R_HALT])
    return ", ".join(f"risk.{DENIALS[c]}" for c in codes if 0 < c < len(DENIALS))
