"""docs/reference/metrics.md, made from the registry; a test compares the two."""

from __future__ import annotations

from kimera_cli.report import analysis
from kimera_cli.risk.metrics import REGISTRY, Definition

_HEAD = """# Metrics

Every number of `kimera report` with its definition. Standard errors stand beside a value where one
is defined; a metric without enough data has no value and says why. The record is
`kimera schema metric`. This page is written by `kimera_cli.report.reference.markdown()`.
"""
_TABLE = "| metric | unit | what it is | source |\n| --- | --- | --- | --- |\n"
_UNITS = {
    "currency": "portfolio currency",
    "fraction": "fraction (shown in %)",
    "s": "seconds",
    "x own size": "multiple of own size",
}


def markdown() -> str:
    """Return the page."""
    parts = [_HEAD]
    for group in analysis.GROUPS:
        rows = [_row(d) for d in REGISTRY.values() if d.group == group]
        parts += [f"\n## {group}\n\n", _TABLE, *rows]
    return "".join(parts)


def _row(d: Definition) -> str:
    unit = _UNITS.get(d.unit, d.unit)
    return f"| **{d.label}** `{d.name}` | {unit} | {d.definition} | {d.source} |\n"
