"""A comparison as a terminal page and as one HTML file."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

import numpy as np

from kimera_cli.layouts import I64
from kimera_cli.report import figures
from kimera_cli.report.analysis import GROUPS, Analysis
from kimera_cli.report.assumed import assumptions
from kimera_cli.report.braille import Line, paint, plot
from kimera_cli.report.charts import WIDE, card, colour, words
from kimera_cli.report.compare import Compared, Difference
from kimera_cli.report.html import document, status_badge
from kimera_cli.report.scale import number_axis, time_axis
from kimera_cli.report.svg import Frame, legend
from kimera_cli.report.tables import term, value
from kimera_cli.report.terminal import NARROWEST, PLOT_ROWS
from kimera_cli.risk.metrics import CURRENCY, REGISTRY, Estimate

_STYLES = ("cyan", "yellow", "magenta", "green", "blue", "red")


def verdict(d: Difference) -> str:
    """Return `noise`, `better`, `worse`, `differs`, or nothing where no error is defined."""
    if d.noise is None or d.difference.value is None:
        return ""
    if d.noise:
        return "noise"
    better = REGISTRY[d.name].better
    if not better:
        return "differs"
    return "better" if (d.difference.value > 0) == (better == "higher") else "worse"


def page(found: Sequence[Compared], width: int, *, colour: bool) -> str:
    """Return the comparison as text: one table per run against the base."""
    width = max(width, NARROWEST)
    runs = [found[0].base, *(c.other for c in found)]
    lines = _runs(runs, colour)
    lines += ["", *_curves(runs, width, colour), ""]
    for c in found:
        lines += [*_table(c, width, colour), ""]
    return "\n".join(lines[:-1]) + "\n"


def _runs(runs: Sequence[Analysis], tinted: bool) -> list[str]:
    lines = []
    for i, a in enumerate(runs):
        mark = paint("━━", _STYLES[i % len(_STYLES)], tinted)
        names = ", ".join(a.run.strategies)
        lines.append(f"{chr(65 + i)} {mark} {a.run.run} ({a.run.status}), {names}"[:200])
    return lines


def _curves(runs: Sequence[Analysis], width: int, tinted: bool) -> list[str]:
    drawn, elapsed = on_one_axis(runs)
    lines = [Line(ts, runs[i].equity.pnl, _STYLES[i % len(_STYLES)]) for i, ts in drawn]
    if not lines:
        return ["No plot: no run has two samples of equity."]
    title = f"PnL, {runs[0].run.currency}{' over time since the start' if elapsed else ''}"
    return plot(title, lines, width=width, height=PLOT_ROWS, colour=tinted, zero=True)


def _table(c: Compared, width: int, tinted: bool) -> list[str]:
    lines = [paint(f"{c.other.run.run} against {c.base.run.run}", "bold", tinted)]
    lines += [line for note in notes(c) for line in textwrap.wrap(note, width)]
    head = f"{'':<25}{'base':>11}{'run':>11}{'difference':>24}"
    lines.append(paint(head, "dim", tinted))
    styles = {"better": "green", "worse": "red", "noise": "dim"}
    for d in c.differences:
        if d.base.value is None and d.other.value is None:
            continue
        word = verdict(d)
        shown = paint(word, styles.get(word, ""), tinted) if word in styles else word
        lines.append(f"{_row(d, c.base.run.currency)} {shown}".rstrip())
    return lines


def _row(d: Difference, currency: str) -> str:
    label = REGISTRY[d.name].label
    one, two = (_brief(e, d.name, currency, error=False) for e in (d.base, d.other))
    gap = _brief(d.difference, d.name, currency, error=True)
    return f"{label[:24]:<25}{one:>11}{two:>11}{gap:>24}"


def _brief(found: Estimate, name: str, currency: str, *, error: bool) -> str:
    """Return a value (with its error) short enough for a column; amounts lose their unit."""
    entry = REGISTRY[name]
    if found.value is not None and entry.unit == CURRENCY:
        se = f" ± {figures.compact(found.se)}" if error and found.se else ""
        return figures.compact(found.value) + se
    value, se, unit = figures.estimate_text(found, entry, currency)
    return " ".join(
        filter(None, (value, se, unit if unit in ("%", "bps") else "") if error else (value,))
    )


def notes(c: Compared) -> list[str]:
    """Return what a reader must know before comparing these two."""
    found = []
    if c.same_trades:
        found.append("Both runs made exactly the same trades (equal trade hash).")
    if c.base.run.currency != c.other.run.currency:
        found.append("The runs are in different currencies: amounts cannot be compared.")
    one, two = ({a.label: a.value for a in assumptions(x.run)} for x in (c.base, c.other))
    differ = [k for k in {**one, **two} if one.get(k) != two.get(k)]
    if differ:
        found.append(f"They assume different things: {', '.join(differ)}.")
    found.append(
        "Same market: the error of the PnL difference is that of the paired series."
        if c.paired
        else "Different market times: errors are those of independent runs."
    )
    return found


def html(found: Sequence[Compared]) -> str:
    """Return the comparison as one HTML document."""
    runs = [found[0].base, *(c.other for c in found)]
    names = "".join(
        f"<p>{chr(65 + i)}: {escape(a.run.run)}{status_badge(a.run.status)}</p>"
        for i, a in enumerate(runs)
    )
    header = f"<h1>{len(runs)} runs compared</h1>{names}"
    sections = [_chart(runs), *(_card(c) for c in found)]
    return document("kimera: runs compared", header, sections)


def _chart(runs: Sequence[Analysis]) -> str:
    drawn, elapsed = on_one_axis(runs)
    title = f"PnL, {runs[0].run.currency}"
    if not drawn:
        return card(title, words("No run has two samples of equity: there is no curve to draw."))
    first, last = min(int(ts[0]) for _, ts in drawn), max(int(ts[-1]) for _, ts in drawn)
    y = number_axis(np.concatenate([runs[i].equity.pnl for i, _ in drawn]), zero=True)
    x = time_axis(first, last, 8)
    frame = Frame(WIDE, 300, x, y, "PnL of all runs", elapsed=elapsed)
    entries = []
    for i, ts in drawn:
        name = f"{chr(65 + i)}: {runs[i].run.run}"
        frame.line(ts, runs[i].equity.pnl, colour(i), name)
        entries.append((colour(i), name))
    note = "over time since each run's start" if elapsed else "after fees, at the mid"
    return card(title, legend(entries, least=1) + frame.svg(), note=note)


def on_one_axis(runs: Sequence[Analysis]) -> tuple[list[tuple[int, I64]], bool]:
    """Return (index, times) of each run with a curve, and whether times count from its start.

    Runs over other market times are laid over each other from their starts.
    """
    drawn = [(i, a.equity.ts_ns) for i, a in enumerate(runs) if a.equity.ts_ns.size > 1]
    starts, ends = [int(ts[0]) for _, ts in drawn], [int(ts[-1]) for _, ts in drawn]
    apart = bool(drawn) and max(starts) >= min(ends)
    return [(i, ts - ts[0] if apart else ts) for i, ts in drawn], apart


def _card(c: Compared) -> str:
    rows = []
    for group in GROUPS:
        chosen = [d for d in c.differences if REGISTRY[d.name].group == group]
        known = [d for d in chosen if d.base.value is not None or d.other.value is not None]
        rows += [_html_row(d, c.base.run.currency) for d in known]
    heads = ("", "base", "run", "difference", "verdict")
    head = "".join(f'<th class="{"num" if h else ""}">{h}</th>' for h in heads)
    body = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    table = f'<table class="grid">{body}</table>'
    text = "".join(words(note) for note in notes(c))
    title = f"{c.other.run.run} against {c.base.run.run}"
    return card(title, f'{text}<div class="scroll">{table}</div>')


def _html_row(d: Difference, currency: str) -> str:
    word = verdict(d)
    css = {"better": "pos", "worse": "neg"}.get(word, "none")
    cells = "".join(
        f'<td class="num">{value(e, d.name, currency)}</td>'
        for e in (d.base, d.other, d.difference)
    )
    return (
        f'<tr><th scope="row">{term(d.name)}</th>{cells}'
        f'<td class="num verdict {css}">{word}</td></tr>'
    )
