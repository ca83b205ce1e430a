"""A run on a terminal: what it came to, what it assumes, plots, tables. From 80 columns on.

Returns text; who writes it is not decided here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from kimera_cli.layouts import BID, F64
from kimera_cli.report import figures
from kimera_cli.report.analysis import Analysis, Part, by_leg, longest_samples
from kimera_cli.report.assumed import assumptions
from kimera_cli.report.braille import Line, Marks, beside, paint, plot, visible
from kimera_cli.report.inventory import filled_forward
from kimera_cli.report.markout import GROUPS, HORIZONS_S, mean_markout
from kimera_cli.report.run import Rows
from kimera_cli.report.stage_times import stage_lines, stages_of
from kimera_cli.risk.drawdown import drawdown_money
from kimera_cli.risk.metrics import CURRENCY, REGISTRY, Estimate

WIDE = 120
"""From here on plots and tables stand in two columns."""
NARROWEST = 80
"""A page is drawn for at least this many columns."""
PLOT_ROWS = 9
_STATUS_STYLE = {"complete": "green", "interrupted": "yellow", "running": "yellow"}
GROUPS_SHOWN = (
    "Risk-adjusted return",
    "Significance",
    "Drawdown",
    "Execution",
    "Inventory",
)
_SPLIT = ("spread_capture", "adverse_selection", "inventory_pnl", "fees", "funding")


@dataclass(frozen=True)
class Page:
    """Where a page is drawn."""

    width: int
    colour: bool

    def heading(self, text: str) -> str:
        """Return a section heading over the whole width."""
        return paint(f"{text} ".ljust(self.width, "─"), "dim", self.colour)


def page(a: Analysis, width: int, *, colour: bool) -> str:
    """Return the whole report of one run as text, no line wider than `width`."""
    to = Page(max(width, NARROWEST), colour)
    sections = [
        head(a, to),
        _assumed(a, to),
        _notes(a, to),
        _plots(a, to),
        _split(a, to),
        _markouts(a, to),
        _metrics(a, to),
        _sleeves(a, to),
        _codes(a, to),
        _stages(a, to),
    ]
    return "\n\n".join("\n".join(s) for s in sections if s) + "\n"


def head(a: Analysis, to: Page) -> list[str]:
    """Return run, status, span and the headline numbers."""
    run = a.run
    status = paint(f"● {run.status}", _STATUS_STYLE.get(run.status, "red"), to.colour)
    lines = [_spread(paint(f"run {run.run}", "bold", to.colour), status, to.width)]
    names = f"{', '.join(run.strategies)} on {', '.join(leg.name for leg in run.legs)}"
    lines += textwrap.wrap(names, to.width)
    if a.equity.ts_ns.size:
        first, last = int(a.equity.ts_ns[0]), int(a.equity.ts_ns[-1])
        span = figures.duration(a.equity.span_s)
        lines.append(f"{figures.moment(first)} to {figures.moment(last)} UTC ({span})")
    return [*lines, "", *_headline(a, to)]


def _headline(a: Analysis, to: Page) -> list[str]:
    names = ("pnl", "max_drawdown_money", "sharpe_annual", "fill_ratio", "turnover", "markout_10s")
    cells = [(REGISTRY[n].label, _value(a.measures[n], n, a.run.currency)) for n in names]
    per_row = 3
    rows = []
    for start in range(0, len(cells), per_row):
        row, wide = cells[start : start + per_row], to.width // per_row
        rows.append("".join(_cell(paint(label, "dim", to.colour), wide) for label, _ in row))
        rows.append("".join(_cell(paint(text, "bold", to.colour), wide) for _, text in row))
    return [row.rstrip() for row in rows]


def _assumed(a: Analysis, to: Page) -> list[str]:
    lines = [to.heading("What this assumes")]
    found = assumptions(a.run)
    if not found:
        return [*lines, "The run states nothing about its fidelity: do not trust its numbers."]
    gutter = max(len(line.label) for line in found) + 2
    for label, value, words in found:
        text = f"{value} ({words})" if words else value
        body = textwrap.wrap(text, to.width - gutter) or [""]
        lines.append(paint(label.ljust(gutter), "dim", to.colour) + body[0])
        lines += [" " * gutter + rest for rest in body[1:]]
    return lines


def _notes(a: Analysis, to: Page) -> list[str]:
    lines = []
    for note in a.notes:
        body = textwrap.wrap(note, to.width - 2)
        lines += [paint("! ", "yellow", to.colour) + body[0], *(f"  {rest}" for rest in body[1:])]
    return lines


def _plots(a: Analysis, to: Page) -> list[str]:
    if a.equity.ts_ns.size < 2:
        return ["No plots: the run has fewer than two samples of equity."]
    across = 2 if to.width >= WIDE else 1
    each = (to.width - 2 * (across - 1)) // across
    moved = bool(a.equity.pnl.any())
    plots = [_equity(a, to, each), _drawdown(a, to, each)] if moved else []
    plots += _by_instrument(a, to, each)
    lines = [] if moved else ["PnL was 0 throughout: no fill moved it.", ""]
    for start in range(0, len(plots), across):
        lines += [*beside(plots[start : start + across]), ""]
    return lines[:-1]


def _equity(a: Analysis, to: Page, width: int) -> list[str]:
    title = f"PnL, {a.run.currency}"
    line = Line(a.equity.ts_ns, a.equity.pnl, "cyan")
    return plot(title, [line], width=width, height=PLOT_ROWS, colour=to.colour, zero=True)


def _drawdown(a: Analysis, to: Page, width: int) -> list[str]:
    line = Line(a.equity.ts_ns, -drawdown_money(a.equity.pnl), "red")
    title = f"Drawdown, {a.run.currency}"
    return plot(title, [line], width=width, height=PLOT_ROWS, colour=to.colour, zero=True)


def _by_instrument(a: Analysis, to: Page, width: int) -> Iterable[list[str]]:
    """Yield position and price with fills of each instrument that was sampled, all strategies."""
    for parts in by_leg(a).values():
        leg, samples = parts[0].sleeve.leg, longest_samples(parts)
        mid = filled_forward(samples["mid_ticks"])
        if samples.size < 2 or not np.isfinite(mid).all():
            continue
        lots = _held(parts, samples)
        box = partial(plot, width=width, height=PLOT_ROWS, colour=to.colour)
        if lots.any():
            held = Line(samples["ts_ns"], leg.shown_size(lots), "magenta", True)
            yield box(f"Position in {leg.name}, {leg.size_unit}", [held], zero=True)
        price = Line(samples["ts_ns"], leg.price(mid), "blue")
        marks, shown = _fill_marks(parts, width)
        title = f"{leg.name}, {leg.quote}: {shown}"
        yield box(title, [price], marks=marks)


def _held(parts: Sequence[Part], samples: Rows) -> F64:
    """Return the position of all strategies together at the times of `samples`, in lots."""
    total = np.zeros(samples.size)
    for part in parts:
        own = part.sleeve.samples
        at = np.searchsorted(own["ts_ns"], samples["ts_ns"], side="right") - 1
        total += np.where(at >= 0, own["position_lots"][np.maximum(at, 0)], 0) if own.size else 0
    return total


def _fill_marks(parts: Sequence[Part], width: int) -> tuple[list[Marks], str]:
    """Return marks for at most one fill per three columns, and words for how many there are."""
    fills = np.concatenate([p.sleeve.fills for p in parts])
    most = max(1, width // 3)
    step = -(-len(fills) // most) if len(fills) else 1
    chosen, buys = fills[::step], fills["side"][::step] == BID
    price = parts[0].sleeve.leg.price(chosen["px_ticks"])
    marks = [
        Marks(chosen["ts_ns"][buys], price[buys], "▲", "green"),
        Marks(chosen["ts_ns"][~buys], price[~buys], "▼", "red"),
    ]
    some = f" (1 in {step} shown)" if step > 1 else ""
    return marks, f"▲ buys ▼ sells, {figures.plural(len(fills), 'fill')}{some}"


def _split(a: Analysis, to: Page) -> list[str]:
    lines = [to.heading(f"Where the PnL comes from (horizon {a.horizon_s} s)")]
    if a.flow.fills == 0:
        return [*lines, "Nothing was filled, so there is no PnL to split."]
    names = [n for n in _SPLIT if a.measures[n].value is not None]
    values = [a.measures[n].value or 0.0 for n in names]
    greatest = max((abs(v) for v in values), default=0.0) or 1.0
    room = max(10, min(40, to.width - 54))
    for name, value in zip(names, values, strict=True):
        bar = "█" * round(abs(value) / greatest * room)
        style = "green" if value >= 0 else "red"
        text = _value(a.measures[name], name, a.run.currency)
        lines.append(
            f"{REGISTRY[name].label:<20}{text:>30}  {paint(bar, style, to.colour)}".rstrip()
        )
    total = _value(a.measures["pnl"], "pnl", a.run.currency)
    return [*lines, paint(f"{'PnL':<20}{total:>30}", "bold", to.colour)]


def _markouts(a: Analysis, to: Page) -> list[str]:
    if a.flow.fills == 0:
        return []
    horizons = (0, *HORIZONS_S)
    lines = [to.heading("Markouts, bps (mean ± standard error, positive is in our favour)")]
    header = "".join(f"{f'{h} s' if h else 'at fill':>15}" for h in horizons)
    lines.append(paint(f"{'':<8}{header}{'fills':>9}", "dim", to.colour))
    for group in GROUPS:
        found = [mean_markout(a.markouts, h, group) for h in horizons]
        if found[0].n:
            cells = "".join(f"{_bare(e):>15}" for e in found)
            lines.append(f"{group:<8}{cells}{figures.count(found[0].n):>9}")
    return lines


def _metrics(a: Analysis, to: Page) -> list[str]:
    across = 2 if to.width >= WIDE else 1
    each = (to.width - 4 * (across - 1)) // across
    lines: list[str] = []
    for group in GROUPS_SHOWN:
        names = [n for n in a.measures if REGISTRY[n].group == group]
        lines.append(paint(group, "bold", to.colour))
        if common := common_reason([a.measures[n] for n in names]):
            lines.append(f"  {figures.NONE} {common}")
            continue
        lines += [_metric_line(n, a.measures[n], a.run.currency, each) for n in names]
    period = f"returns per {figures.duration(a.returns.period_s)}" if a.returns.values.size else ""
    title = f"Metrics ({period})" if period else "Metrics"
    return [to.heading(title), *_columns(lines, across, each)]


def common_reason(found: Sequence[Estimate]) -> str:
    """Return the one reason for which all metrics of a group are missing; empty otherwise."""
    reasons = {e.reason for e in found}
    return reasons.pop() if len(reasons) == 1 and all(e.value is None for e in found) else ""


def _metric_line(name: str, found: Estimate, currency: str, width: int) -> str:
    label = REGISTRY[name].label
    if found.value is None:
        return f"  {label:<30}{figures.NONE} {found.reason}"[:width]
    return f"  {label:<30}{_value(found, name, currency)}"[:width]


def _sleeves(a: Analysis, to: Page) -> list[str]:
    if len(a.parts) < 2:
        return []
    lines = [to.heading("By strategy and instrument")]
    columns = ("pnl", "fees", "turnover", "fill_ratio", "markout_10s")
    wide = (to.width - 20) // len(columns)
    heads = ("PnL", "fees", "turnover", "fill ratio", "mark 10 s")
    lines.append(paint(" " * 20 + "".join(h.rjust(wide) for h in heads), "dim", to.colour))
    for part in a.parts:
        lines.append(f"{part.sleeve.strategy} in {part.sleeve.leg.name}")
        cells = (_short(part.measures[n], n, a.run.currency).rjust(wide) for n in columns)
        lines.append(f"  {figures.plural(part.flow.fills, 'fill')}".ljust(20) + "".join(cells))
    return lines


def _codes(a: Analysis, to: Page) -> list[str]:
    found = a.flow.denials + a.flow.rejects
    if not found:
        return []
    lines = [to.heading("Refused orders, by code")]
    for code, n in found.most_common():
        lines.append(f"{code:<36}{figures.count(n):>10}")
    return lines


def _stages(a: Analysis, to: Page) -> list[str]:
    stages = stages_of(a.run)
    if not stages:
        return []
    heads, *lines = stage_lines(stages)
    return [to.heading("Stages of the loop, ns"), paint(heads, "dim", to.colour), *lines]


def _value(found: Estimate, name: str, currency: str) -> str:
    """Return value, error and unit in one text."""
    return " ".join(filter(None, figures.estimate_text(found, REGISTRY[name], currency)))


def _short(found: Estimate, name: str, currency: str) -> str:
    if found.value is not None and REGISTRY[name].unit == CURRENCY:
        return figures.compact(found.value)
    value, _, unit = figures.estimate_text(found, REGISTRY[name], currency)
    return f"{value} {unit}".rstrip()


def _bare(found: Estimate) -> str:
    value, error, _ = figures.estimate_text(found, REGISTRY["markout_1s"], "")
    return f"{value} {error}".rstrip()


def _cell(text: str, width: int) -> str:
    return text + " " * max(0, width - visible(text))


def _spread(left: str, right: str, width: int) -> str:
    return left + " " * max(1, width - visible(left) - visible(right)) + right


def _columns(lines: Sequence[str], across: int, width: int) -> list[str]:
    """Return lines in columns that read downwards."""
    rows = -(-len(lines) // across)
    return [
        "    ".join(_cell(line, width) for line in lines[i::rows]).rstrip() for i in range(rows)
    ]
