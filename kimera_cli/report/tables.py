"""The tables of one run as HTML: headline, fidelity, PnL split, orders, metrics, manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from kimera_cli.report import figures
from kimera_cli.report.analysis import GROUPS, Analysis
from kimera_cli.report.assumed import assumptions
from kimera_cli.report.charts import card, sleeve_name, words
from kimera_cli.risk.metrics import CURRENCY, OWN, REGISTRY, Estimate

HEADLINE = (
    "pnl",
    "max_drawdown_money",
    "sharpe_annual",
    "pnl_per_turnover",
    "fill_ratio",
    "markout_10s",
)
SPLIT = ("spread_capture", "adverse_selection", "inventory_pnl", "fees", "funding")
SLEEVE_COLUMNS = (
    "pnl",
    "spread_capture",
    "adverse_selection",
    "inventory_pnl",
    "fees",
    "turnover",
    "fill_ratio",
    "maker_share",
    "markout_10s",
)


def term(name: str) -> str:
    """Return a metric's label that shows its definition when pointed at or focused."""
    found = REGISTRY[name]
    source = "" if found.source == OWN else f" Source: {found.source}."
    tip = escape(found.definition + source)
    return f'<span class="term" tabindex="0" data-tip="{tip}">{escape(found.label)}</span>'


def value(found: Estimate, name: str, currency: str) -> str:
    """Return a value with its error and unit as HTML; a missing one with its reason."""
    if found.value is None:
        return f'<span class="none">{escape(found.reason)}</span>'
    text, error, unit = figures.estimate_text(found, REGISTRY[name], currency)
    se = f' <span class="se">{escape(error)}</span>' if error else ""
    suffix = f' <span class="unit">{escape(unit)}</span>' if unit else ""
    return f"<b>{escape(text)}</b>{se}{suffix}"


def headline(a: Analysis) -> str:
    """Return the figures that a reader looks for first."""
    tiles = []
    for name in HEADLINE:
        found = a.measures[name]
        css = _sign(found.value) if name in ("pnl", "pnl_per_turnover", "markout_10s") else ""
        text, error, unit = figures.estimate_text(found, REGISTRY[name], a.run.currency)
        shown = f'{escape(text)} <span class="unit">{escape(unit)}</span>'
        tiles.append(
            f'<div class="tile {css}"><dt>{term(name)}</dt>'
            f"<dd>{shown}<small>{escape(error or found.reason)}</small></dd></div>"
        )
    return f'<dl class="tiles">{"".join(tiles)}</dl>'


def fidelity(a: Analysis) -> str:
    """Return what the result assumes, prominently."""
    found = assumptions(a.run)
    if not found:
        text = "The run states nothing about its fidelity: do not trust its numbers."
        return card("What this result assumes", words(text), css="assumed")
    rows = "".join(
        f"<div><dt>{escape(line.label)}</dt><dd>{escape(line.value)}"
        f"{f'<small>{escape(line.words)}</small>' if line.words else ''}</dd></div>"
        for line in found
    )
    return card("What this result assumes", f'<dl class="facts">{rows}</dl>', css="assumed")


def split(a: Analysis) -> str:
    """Return the PnL split as bars that add up to the total."""
    title, note = (
        "Where the PnL comes from",
        f"adverse selection up to {a.horizon_s} s after a fill",
    )
    if a.flow.fills == 0:
        return card(title, words("Nothing was filled, so there is no PnL to split."))
    names = [n for n in SPLIT if a.measures[n].value is not None]
    values = [a.measures[n].value or 0.0 for n in names]
    ends = [0.0]
    for v in values:
        ends.append(ends[-1] + v)
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    rows = [
        _bar_row(a, name, min(start, end), max(start, end), low, span)
        for name, start, end in zip(names, ends, ends[1:], strict=False)
    ]
    total = ends[-1]
    rows.append(_bar_row(a, "pnl", min(0.0, total), max(0.0, total), low, span, css="total"))
    return card(title, f'<table class="bars">{"".join(rows)}</table>', note=note)


def _bar_row(
    a: Analysis, name: str, start: float, end: float, low: float, span: float, css: str = ""
) -> str:
    left, width = (start - low) / span * 100, max((end - start) / span * 100, 0.3)
    sign = _sign(a.measures[name].value)
    bar = f'<i class="{sign}" style="left:{left:.2f}%;width:{width:.2f}%"></i>'
    zero = f'<u style="left:{-low / span * 100:.2f}%"></u>'
    return (
        f'<tr class="{css}"><th scope="row">{term(name)}</th>'
        f'<td class="num">{value(a.measures[name], name, a.run.currency)}</td>'
        f'<td class="track"><div>{zero}{bar}</div></td></tr>'
    )


def order_flow(a: Analysis) -> str:
    """Return what became of the orders, and denials and rejects by code."""
    f = a.flow
    denied, rejected = f.denials.total(), f.rejects.total()
    rows = [
        ("Wanted by the strategies", f.sent + denied, ""),
        ("Denied by the risk gate", denied, "neg"),
        ("Sent to the venue", f.sent, ""),
        ("Rejected by the venue", rejected, "neg"),
        ("Cancelled", f.cancelled, ""),
        ("Filled at least in part", f.filled, "pos"),
    ]
    if f.sent + denied == 0:
        return card("What became of the orders", words("The strategies wanted no order."))
    body = _counts(rows, f.sent + denied)
    if refused := (f.denials + f.rejects).most_common():
        body += "<h3>Refused, by code</h3>"
        body += _counts([(code, n, "neg") for code, n in refused], max(n for _, n in refused))
    return card("What became of the orders", body)


def _counts(rows: Sequence[tuple[str, int, str]], most: int) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td class="num"><b>{n:,}</b></td>'
        f'<td class="track"><div><i class="{css or "ink"}" style="left:0;'
        f'width:{n / most * 100:.2f}%"></i></div></td></tr>'
        for label, n, css in rows
    )
    return f'<table class="bars">{lines}</table>'


def metrics(a: Analysis) -> str:
    """Return all metrics of the portfolio, group by group."""
    blocks = []
    for group in GROUPS:
        names = [n for n in a.measures if REGISTRY[n].group == group]
        if not names or group == "PnL split":
            continue
        block = f"<section><h3>{escape(group)}</h3>{_group(a, names)}</section>"
        blocks.append((len(names) + 2, block))
    note = ""
    if a.returns.values.size:
        period = figures.duration(a.returns.period_s)
        note = f"value ± standard error; returns per {period}, {a.returns.values.size:,} of them"
    return card("Metrics", f'<div class="columns">{_two_columns(blocks)}</div>', note=note)


def _two_columns(blocks: Sequence[tuple[int, str]]) -> str:
    """Return blocks in two columns of about equal length, in their order."""
    half, so_far, columns = sum(n for n, _ in blocks) / 2, 0, ["", ""]
    for n, block in blocks:
        columns[so_far + n / 2 > half] += block
        so_far += n
    return "".join(f"<div>{column}</div>" for column in columns)


def _group(a: Analysis, names: Sequence[str]) -> str:
    reasons = {a.measures[n].reason for n in names}
    if len(names) > 1 and len(reasons) == 1 and all(a.measures[n].value is None for n in names):
        return words(f"{reasons.pop()[:1].upper()}{a.measures[names[0]].reason[1:]}.")
    rows = "".join(
        f'<tr><th scope="row">{term(n)}</th>'
        f'<td class="num">{value(a.measures[n], n, a.run.currency)}</td></tr>'
        for n in names
    )
    return f'<table class="metrics">{rows}</table>'


def by_sleeve(a: Analysis) -> str:
    """Return one row per strategy and instrument."""
    if len(a.parts) < 2:
        return ""
    heads = "".join(f'<th scope="col" class="num">{term(n)}</th>' for n in SLEEVE_COLUMNS)
    columns = [_column([p.measures[n] for p in a.parts], n, a.run.currency) for n in SLEEVE_COLUMNS]
    rows = []
    for part, cells in zip(a.parts, zip(*columns, strict=True), strict=True):
        name, fills = escape(sleeve_name(part)), figures.plural(part.flow.fills, "fill")
        tail = "".join(f'<td class="num">{cell}</td>' for cell in cells)
        rows.append(f'<tr><th scope="row">{name}<small>{fills}</small></th>{tail}</tr>')
    table = f"<thead><tr><th></th>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    note = f"amounts in {a.run.currency}"
    body = f'<div class="scroll"><table class="grid">{table}</table></div>'
    return card("By strategy and instrument", body, note=note)


def _column(found: Sequence[Estimate], name: str, currency: str) -> list[str]:
    """Return the cells of one metric; amounts share their decimals."""
    greatest = max((abs(e.value) for e in found if e.value is not None), default=0.0)
    decimals = 0 if greatest >= 100_000.0 else 4 if 0.0 < greatest < 1.0 else 2
    return [_cell(e, name, currency, decimals) for e in found]


def _cell(found: Estimate, name: str, currency: str, decimals: int) -> str:
    text, error, unit = figures.estimate_text(found, REGISTRY[name], currency)
    if found.value is None:
        return f'<span class="none" title="{escape(found.reason)}">{figures.NONE}</span>'
    if REGISTRY[name].unit == CURRENCY:
        text, unit = figures.number(found.value, decimals), ""
    return f'<b title="{escape(error)}">{escape(text)}</b> <span class="unit">{escape(unit)}</span>'


def manifest(a: Analysis) -> str:
    """Return what is needed to run it again, folded."""
    stated = a.run.manifest
    wanted = ("run", "kimera", "command", "seed", "sources", "strategies", "profile")
    keys = [k for k in wanted if k in stated]
    keys += [k for k in ("fidelity", "host", "versions", "files", "journal") if k in stated]
    blocks = "".join(
        f"<details{' open' if k in ('run', 'command') else ''}><summary>{escape(k)}</summary>"
        f"{_facts(_shown(k, stated[k]))}</details>"
        for k in keys
    )
    body = f'<div class="manifest">{blocks}</div>'
    return card("Run manifest", body, note="what is needed to run it again")


def glossary() -> str:
    """Return all definitions, for print."""
    rows = "".join(
        f"<div><dt>{escape(d.label)}</dt><dd>{escape(d.definition)} <cite>{escape(d.source)}</cite>"
        "</dd></div>"
        for d in REGISTRY.values()
    )
    return f'<section class="card glossary"><h2>Definitions</h2><dl>{rows}</dl></section>'


def _shown(key: str, stated: Any) -> Any:
    return " ".join(map(str, stated)) if key == "command" and isinstance(stated, list) else stated


def _facts(stated: Any) -> str:
    if isinstance(stated, Mapping):
        rows = "".join(
            f"<tr><th>{escape(str(k))}</th><td>{_facts(v)}</td></tr>" for k, v in stated.items()
        )
        return f"<table>{rows}</table>"
    if isinstance(stated, list) and any(isinstance(v, Mapping | list) for v in stated):
        return "".join(_facts(v) for v in stated)
    if isinstance(stated, list):
        return escape(", ".join(map(str, stated)))
    return f"<code>{escape(str(stated))}</code>"


def _sign(number: float | None) -> str:
    return "" if not number else "pos" if number > 0 else "neg"
