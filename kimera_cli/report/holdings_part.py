"""What a run held at its end: per market, and per asset over all markets."""

from __future__ import annotations

from html import escape

from kimera_cli.records import Holding
from kimera_cli.report import figures
from kimera_cli.report.analysis import Analysis
from kimera_cli.report.charts import card

TOTAL = "total"
NUM = ' class="num"'


def holdings(a: Analysis) -> str:
    """Return the table; nothing for a run without a fill, or of before there were totals."""
    found = a.run.summary.holdings if a.run.summary is not None else []
    if not found:
        return ""
    rows = "".join(_row(each) for each in found)
    heads = (("", "market"), ("", "asset"), (NUM, "quantity"), (NUM, f"value, {a.run.currency}"))
    top = "".join(f'<th scope="col"{css}>{escape(head)}</th>' for css, head in heads)
    table = f"<thead><tr>{top}</tr></thead><tbody>{rows}</tbody>"
    note = "base units; at the last known price"
    return card(
        "Positions at the end",
        f'<div class="scroll"><table class="grid">{table}</table></div>',
        note=note,
    )


def _row(held: Holding) -> str:
    name = "all markets" if held.market == TOTAL else held.market
    quantity = "" if held.qty is None else f"{held.qty:.8g}"
    value = "" if held.value is None else figures.number(held.value, 2)
    return (
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(held.asset)}</td>'
        f'<td class="num">{quantity}</td><td class="num">{value}</td></tr>'
    )
