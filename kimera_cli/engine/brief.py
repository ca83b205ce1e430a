"""The end of a run on a terminal: result, plot, what it assumes, where the rest is.

Returns text, at most `width` columns wide; who writes it is not decided here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from kimera_cli.engine.holdings import TOTAL
from kimera_cli.records import RunSummary
from kimera_cli.report import figures
from kimera_cli.report.analysis import Analysis
from kimera_cli.report.assumed import assumptions
from kimera_cli.report.braille import Line, paint, plot, visible
from kimera_cli.risk.metrics import REGISTRY

NARROWEST, USUAL, ROOMY, WIDEST = 40, 60, 78, 100
PLOT_ROWS = 8
HEADLINE = ("pnl", "max_drawdown_money", "sharpe_annual", "fill_ratio", "turnover", "markout_10s")
ASSUMED = {
    "Queue position": "Queue",
    "Latency": "Latency",
    "Fees": "Fees",
    "Fills": "Sizes",
    "Market impact": "Impact",
    "Durability": "Durability",
}
"""Assumptions that a reader must not miss, and how they are called here; the report has all."""
_STATUS = {"complete": "green", "interrupted": "yellow"}
GUTTER = 12
GAP = 2


def page(summary: RunSummary, analysis: Analysis | None, width: int, *, colour: bool) -> str:
    """Return the whole text."""
    to = _Page(min(max(width, NARROWEST), WIDEST), colour)
    sections = [to.head(summary, analysis)]
    if analysis is not None:
        sections += [to.headline(analysis), to.equity(analysis)]
    sections.append(to.facts(_counts(summary)))
    if analysis is not None:
        sections.append(to.facts(_assumed(analysis)))
    sections.append(to.facts(_where(summary), wrap=False))
    return "\n" + "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


class _Page:
    def __init__(self, width: int, colour: bool) -> None:
        self.width = width
        self.colour = colour

    def head(self, summary: RunSummary, analysis: Analysis | None) -> list[str]:
        """Return run, status, who traded what, and when."""
        words = f"● {summary.status}" + (f" by {summary.halted_by}" if summary.halted_by else "")
        status = paint(words, _STATUS.get(summary.status, "red"), self.colour)
        run = paint(f"run {summary.run}", "bold", self.colour)
        room = self.width - visible(run) - visible(status)
        lines = [run + " " * room + status if room > 0 else f"{run}\n{status}"]
        if analysis is None:
            return lines
        names = ", ".join(analysis.run.strategies)
        legs = ", ".join(leg.name for leg in analysis.run.legs)
        lines += textwrap.wrap(f"{names} on {legs}", self.width)
        if analysis.equity.ts_ns.size:
            first, last = (int(analysis.equity.ts_ns[i]) for i in (0, -1))
            span = figures.duration(analysis.equity.span_s)
            when = f"{figures.moment(first)} to {figures.moment(last)} UTC ({span})"
            lines += textwrap.wrap(when, self.width)
        return lines

    def headline(self, analysis: Analysis) -> list[str]:
        """Return the numbers that matter most, with their standard errors."""
        cells = [self._cell(analysis, name) for name in HEADLINE]
        across = 1 + (self.width >= USUAL) + (self.width >= ROOMY)
        wide = self.width // across
        lines = []
        for start in range(0, len(cells), across):
            row = cells[start : start + across]
            lines.append("".join(_left(paint(c[0], "dim", self.colour), wide) for c in row))
            lines.append("".join(_left(paint(c[1], "bold", self.colour), wide) for c in row))
        return [line.rstrip() for line in lines]

    def _cell(self, analysis: Analysis, name: str) -> tuple[str, str]:
        found, definition = analysis.measures[name], REGISTRY[name]
        parts = figures.estimate_text(found, definition, analysis.run.currency)
        return definition.label, " ".join(part for part in parts if part)

    def equity(self, analysis: Analysis) -> list[str]:
        """Return the plot of PnL over time; nothing for a run that never earned or lost."""
        if analysis.equity.ts_ns.size < 2 or not analysis.equity.pnl.any():
            return []
        line = Line(analysis.equity.ts_ns, analysis.equity.pnl, "cyan")
        title = f"PnL, {analysis.run.currency}"
        return plot(
            title, [line], width=self.width, height=PLOT_ROWS, colour=self.colour, zero=True
        )

    def facts(self, facts: Iterable[tuple[str, str]], *, wrap: bool = True) -> list[str]:
        """Return `label  text` lines; long texts go on below their own column.

        What is not wrapped is for copying: where it does not fit it has a line of its own.
        """
        lines = []
        room = self.width - GUTTER - GAP
        for label, text in facts:
            body = textwrap.wrap(text, room) if wrap else [text]
            name = paint(label.ljust(GUTTER + GAP), "dim", self.colour)
            if len(body[0]) > room:
                lines += [name.rstrip(), *body]
                continue
            lines.append(name + body[0])
            lines += [" " * (GUTTER + GAP) + rest for rest in body[1:]]
        return lines


def _counts(s: RunSummary) -> list[tuple[str, str]]:
    orders = [f"{s.orders:,} sent", f"{s.cancels:,} cancelled"]
    orders += [f"{s.rejects:,} rejected"] if s.rejects else []
    orders += [f"{s.denied:,} denied by the gate"]
    taken = s.fills - s.maker_fills
    facts = [
        ("Orders", ", ".join(orders)),
        ("Fills", f"{s.fills:,}: {s.maker_fills:,} as maker, {taken:,} as taker"),
        ("Fees", _amounts(s.fees_by_currency)),
    ]
    facts += [("Held", held)] if (held := _held(s)) else []
    if len(s.pnl_by_strategy) > 1:
        facts.append(("Strategies", _amounts(s.pnl_by_strategy, signed=True)))
    loop = f"; loop alone {figures.compact(s.loop_events_per_s)}" if s.loop_events_per_s else ""
    rate = f"{figures.compact(s.events_per_s)} events/s{loop}"
    facts.append(("Speed", f"{s.events:,} events in {figures.duration(s.seconds)}: {rate}"))
    return facts


def _held(s: RunSummary) -> str:
    """Return `BTC 0.5 (25,000.00 USD) on binance/BTCUSDT 0.75, kraken/XBTUSD -0.25`; markets once.

    Nothing where the run ended flat everywhere.
    """
    words = []
    for total in (h for h in s.holdings if h.market == TOTAL):
        parts = [h for h in s.holdings if h.asset == total.asset and h.market != TOTAL]
        if any(part.qty != 0.0 for part in parts):
            where = ", ".join(f"{part.market} {_quantity(part.qty)}" for part in parts)
            value = "?" if total.value is None else figures.number(total.value, 2)
            words.append(f"{total.asset} {_quantity(total.qty)} ({value} {s.currency}): {where}")
    return "; ".join(words)


def _quantity(value: float | None) -> str:
    return "?" if value is None else f"{value:.8g}"


def _amounts(amounts: dict[str, float], *, signed: bool = False) -> str:
    """Return `1.20 USD, 0.004 BTC`, or `glft +1.20` when signed."""
    return ", ".join(
        f"{name} {figures.money(value)}"
        if signed
        else f"{figures.number(value, figures.decimals_for(value, None, money=True))} {name}"
        for name, value in amounts.items()
    )


def _assumed(analysis: Analysis) -> list[tuple[str, str]]:
    stated = {line.label: line.value for line in assumptions(analysis.run)}
    return [(short, stated[label]) for label, short in ASSUMED.items() if label in stated]


def _where(s: RunSummary) -> list[tuple[str, str]]:
    report = s.report or f"kimera report html {s.run}"
    return [("Trades", f"hash {s.trade_hash[:16]}"), ("Report", report), ("Folder", s.folder)]


def _left(text: str, width: int) -> str:
    return text + " " * max(GAP, width - visible(text))
