"""The charts of one run, each a card with its SVG; plain words where there is nothing to draw."""

from __future__ import annotations

from html import escape

import numpy as np

from kimera_cli.layouts import BID, F64
from kimera_cli.report import figures
from kimera_cli.report.analysis import Analysis, Part, by_leg, longest_samples
from kimera_cli.report.inventory import filled_forward
from kimera_cli.report.markout import HORIZONS_S, mean_markout
from kimera_cli.report.scale import Axis, number_axis, time_axis
from kimera_cli.report.svg import Frame, legend
from kimera_cli.risk.drawdown import deepest, drawdown_money
from kimera_cli.risk.metrics import REGISTRY, Estimate

WIDE, HALF = 1100, 540
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")
MOST_MARKS = 800
MOST_LINES = 6
"""Sleeves drawn one by one; the tables have all of them."""


def card(title: str, body: str, *, note: str = "", css: str = "") -> str:
    """Return one titled card."""
    aside = f'<span class="note">{escape(note)}</span>' if note else ""
    return f'<section class="card {css}"><h2>{escape(title)}{aside}</h2>{body}</section>'


def words(text: str) -> str:
    """Return a plain sentence in the place of a chart."""
    return f'<p class="words">{escape(text)}</p>'


def colour(index: int) -> str:
    """Return the colour class of the series with this index."""
    return COLOURS[index % len(COLOURS)]


def equity(a: Analysis) -> str:
    """Return PnL over time, with a line per sleeve when there are several."""
    title, e = f"PnL, {a.run.currency}", a.equity
    if e.ts_ns.size < 2:
        return card(title, words(no_samples(a)))
    if not e.pnl.any():
        return card(title, words("PnL was 0 throughout: no fill moved it."))
    several = 1 < len(a.parts) <= MOST_LINES
    shown = [e.pnl, *(e.by_sleeve if several else [])]
    y = number_axis(np.concatenate(shown), zero=True)
    x = time_axis(int(e.ts_ns[0]), int(e.ts_ns[-1]), 8)
    frame = Frame(WIDE, 280, x, y, "PnL over time")
    entries = [("ink", "Total")]
    if several:
        for i, (part, values) in enumerate(zip(a.parts, e.by_sleeve, strict=True)):
            frame.line(e.ts_ns, values, f"{colour(i)} thin", sleeve_name(part))
            entries.append((colour(i), sleeve_name(part)))
    frame.line(e.ts_ns, e.pnl, "ink" if several else "c1", "PnL", area=not several)
    return card(title, legend(entries) + frame.svg(), note="after fees, at the mid")


def drawdown(a: Analysis) -> str:
    """Return how far PnL was below its highest value so far."""
    title, e = f"Drawdown, {a.run.currency}", a.equity
    if e.ts_ns.size < 2:
        return card(title, words(no_samples(a)))
    depth = drawdown_money(e.pnl)
    if not depth.any():
        return card(title, words("Equity never fell below an earlier value."))
    y = number_axis(-depth, 4, zero=True)
    x = time_axis(int(e.ts_ns[0]), int(e.ts_ns[-1]), 8)
    frame = Frame(WIDE, 170, x, y, "Drawdown over time")
    frame.line(e.ts_ns, -depth, "neg", "Drawdown", area=True)
    at = deepest(depth, e.pnl)
    back = figures.moment(int(e.ts_ns[at.recovered])) if at.recovered >= 0 else "not made good"
    when = figures.moment(int(e.ts_ns[at.trough]))
    note = f"deepest {figures.money(-float(depth.max()))} at {when}, back: {back}"
    return card(title, frame.svg(), note=note)


def position(a: Analysis) -> str:
    """Return the value held over time, a line per sleeve."""
    title, e = f"Inventory, {a.run.currency}", a.equity
    if e.ts_ns.size < 2:
        return card(title, words(no_samples(a)))
    if not any(values.any() for values in e.inventory):
        return card(title, words("Nothing was ever held."))
    many = len(a.parts) > MOST_LINES
    shown = [np.sum(e.inventory, axis=0)] if many else e.inventory
    names = ["All positions"] if many else [sleeve_name(p) for p in a.parts]
    x = time_axis(int(e.ts_ns[0]), int(e.ts_ns[-1]), 8)
    frame = Frame(WIDE, 220, x, number_axis(np.concatenate(shown), 4, zero=True), "Inventory")
    for i, (name, values) in enumerate(zip(names, shown, strict=True)):
        frame.line(e.ts_ns, values, colour(i), name, step=True, area=len(shown) == 1)
    entries = [(colour(i), name) for i, name in enumerate(names)]
    return card(title, legend(entries) + frame.svg(), note="signed value of positions")


def prices(a: Analysis) -> list[str]:
    """Return a card per instrument: its mid, with the fills of all strategies."""
    return [_price(name, parts) for name, parts in by_leg(a).items()]


def _price(name: str, parts: list[Part]) -> str:
    leg = parts[0].sleeve.leg
    title = f"{name}: price and fills, {leg.quote}"
    samples = longest_samples(parts)
    mid = leg.price(filled_forward(samples["mid_ticks"]))
    if len(samples) < 2 or not np.isfinite(mid).all():
        return card(title, words("No mid price was sampled: the book never had both sides."))
    fills = np.concatenate([p.sleeve.fills for p in parts])
    chosen = fills[_thinned(len(fills))]
    price = leg.price(chosen["px_ticks"])
    x = time_axis(int(samples["ts_ns"][0]), int(samples["ts_ns"][-1]), 8)
    frame = Frame(WIDE, 280, x, number_axis(np.concatenate((mid, price))), title)
    for side, css, up in ((True, "buy", True), (False, "sell", False)):
        at = (chosen["side"] == BID) == side
        frame.triangles(chosen["ts_ns"][at], price[at], css, up=up)
    frame.line(samples["ts_ns"], mid, "ink thin", "Mid")
    buys = int((fills["side"] == BID).sum())
    entries = [
        ("ink", "Mid"),
        ("buy up", figures.plural(buys, "buy")),
        ("sell down", figures.plural(len(fills) - buys, "sell")),
    ]
    some = f"{len(chosen):,} of {len(fills):,} fills drawn" if len(chosen) < len(fills) else ""
    if len(fills) == 0:
        some = "nothing was filled"
    return card(title, legend(entries) + frame.svg(), note=some)


def markouts(a: Analysis) -> str:
    """Return the mean markout by horizon, for makers and takers, buys and sells."""
    title = "Markouts, bps"
    if a.flow.fills == 0:
        return card(title, words("Nothing was filled, so there is nothing to mark out."))
    panels = [
        _markout_panel(a, (("maker", "c1"), ("taker", "c2"))),
        _markout_panel(a, (("buy", "buy"), ("sell", "sell"))),
    ]
    note = "mean ± 2 standard errors; above zero is in our favour"
    return card(title, f'<div class="two">{"".join(panels)}</div>', note=note)


def _markout_panel(a: Analysis, groups: tuple[tuple[str, str], ...]) -> str:
    horizons = (0, *HORIZONS_S)
    found = {
        g: [(i, mean_markout(a.markouts, h, g)) for i, h in enumerate(horizons)] for g, _ in groups
    }
    ends: list[float] = []
    for estimates in found.values():
        for _, e in estimates:
            if e.value is not None:
                ends += [e.value - 2 * (e.se or 0.0), e.value + 2 * (e.se or 0.0)]
    labels = ["at fill", *(f"{h} s" for h in HORIZONS_S)]
    x = Axis(-0.3, len(horizons) - 0.7, [float(i) for i in range(len(horizons))], labels)
    frame = Frame(HALF, 240, x, number_axis(np.array(ends), zero=True), "Markouts", time=False)
    entries = []
    for shift, (group, css) in zip((-0.04, 0.04), groups, strict=True):
        known = [(i + shift, e) for i, e in found[group] if e.value is not None]
        if not known:
            continue
        entries.append((css, f"{group} ({figures.plural(known[0][1].n, 'fill')})"))
        _curve(frame, known, css, group)
    return f"<div>{legend(entries, least=1)}{frame.svg()}</div>"


def _curve(frame: Frame, known: list[tuple[float, Estimate]], css: str, group: str) -> None:
    across = frame.px(np.array([i for i, _ in known]))
    down = frame.py(np.array([e.value for _, e in known], dtype=np.float64))
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))
    frame.body.append(f'<path class="line {css}" d="M{path}"/>')
    for i, e in known:
        text = " ".join(figures.estimate_text(e, REGISTRY["markout_1s"], "")).strip()
        frame.point(i, e.value or 0.0, 2 * e.se if e.se else None, css, f"{group}: {text}")


def sleeve_name(part: Part) -> str:
    """Return the strategy and the instrument of a part."""
    return f"{part.sleeve.strategy} in {part.sleeve.leg.name}"


def no_samples(a: Analysis) -> str:
    """Return why there is no curve."""
    if a.run.ended_cleanly:
        return "The run ended before its second sample: there is no curve to draw."
    return "The run has written no samples yet: there is no curve to draw."


def _thinned(n: int) -> F64:
    """Return indices of at most MOST_MARKS rows, evenly spread."""
    return np.unique(np.linspace(0, max(n - 1, 0), min(n, MOST_MARKS)).round().astype(np.int64))
