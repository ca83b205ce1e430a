"""What a run measured of itself: latency by stage, live books and events, orders at venues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from kimera_cli.layouts import R_BREAKER
from kimera_cli.report import figures
from kimera_cli.report.analysis import Analysis
from kimera_cli.report.charts import card
from kimera_cli.report.run import Run
from kimera_cli.report.stage_times import stages_of

TROUBLE = ("gaps", "restarts", "crossed", "checksums", "wrong", "silences", "stale", "dropped")
"""Counts of a book that are nought when all went well."""


def stages(a: Analysis) -> str:
    """Return the latency of each stage; nothing when it was not measured."""
    found = stages_of(a.run)
    if not found:
        return ""
    rows = [
        (
            s.stage.replace("_", " "),
            *_times(s.p50_ns, s.p99_ns, s.p999_ns, s.max_ns),
            f"{s.count:,}",
        )
        for s in found
    ]
    heads = ("", "p50", "p99", "p99.9", "max", "count")
    return card("Latency by stage", _table(heads, rows), note="measured inside the run")


def feed(a: Analysis) -> str:
    """Return how live books and events fared; nothing for a run whose feed waited for it."""
    told = a.run.summary.feed if a.run.summary is not None else {}
    if "books" not in told:
        return ""
    rows = [
        (name, "good" if book["good"] else book["reason"], str(book["synced"]), _trouble(book))
        for name, book in told["books"].items()
    ]
    body = _table(("", "at the end", "in step", "trouble"), rows)
    counts = told.get("events", {})
    parts = [f"{counts[k]:,} {k}" for k in ("taken", "merged", "delayed") if k in counts]
    opened = breaker_openings(a.run)
    parts.append(
        f"overload breaker opened {opened} times" if opened != 1 else "overload breaker opened once"
    )
    return card("Live feed", body, note=f"events: {', '.join(parts)}")


def orders(a: Analysis) -> str:
    """Return how orders at venues fared; nothing for a simulated venue."""
    told = a.run.summary.feed.get("orders", {}) if a.run.summary is not None else {}
    venues = {name: each for name, each in told.items() if isinstance(each, Mapping)}
    if not venues:
        return ""
    rows = [
        (
            name,
            f"{each['sent']:,}",
            f"{each.get('by_websocket', 0):,}",
            _listed(each["stays"]),
            _listed(each["in_doubt"]),
            *_times(*(each["gate_to_bytes_ns"][k] for k in ("p50", "p99", "max"))),
        )
        for name, each in venues.items()
    ]
    heads = (
        "",
        "sent",
        "requests by websocket",
        "still open",
        "in doubt",
        "gate to bytes p50",
        "p99",
        "max",
    )
    return card("Orders at venues", _table(heads, rows))


def breaker_openings(run: Run) -> int:
    """Return how often the overload breaker opened."""
    rows = run.orders[run.orders["kind"] == R_BREAKER]
    return int(np.count_nonzero(rows["code"]))


def _trouble(book: Mapping[str, Any]) -> str:
    found = [f"{book[name]} {name}" for name in TROUBLE if book.get(name)]
    return ", ".join(found) or "none"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _times(*values_ns: float) -> list[str]:
    return [figures.duration(value / 1e9) for value in values_ns]


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col" class="num">{escape(head)}</th>' for head in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="num">{escape(cell)}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    table = f"<thead><tr>{top}</tr></thead><tbody>{lines}</tbody>"
    return f'<div class="scroll"><table class="grid">{table}</table></div>'
