"""Records as tables and CSV; imported only when one of them is asked for."""

from __future__ import annotations

import csv as _csv
import io
from collections.abc import Sequence
from typing import Any

from kimera_cli.records import Record


def table(records: Sequence[Record], width: int, *, colour: bool) -> str:
    """Return one table per run of equal record types."""
    lines: list[str] = []
    for group in _groups(records):
        columns = list(group[0].__struct_fields__)
        rows = [[_cell(getattr(r, c)) for c in columns] for r in group]
        widths = [max(len(c), *(len(row[i]) for row in rows)) for i, c in enumerate(columns)]
        lines.append("  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)).rstrip())
        lines += [
            "  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
    return "\n".join(lines) + "\n"


def csv(records: Sequence[Record]) -> str:
    """Return RFC 4180 text with a header per run of equal record types."""
    buffer = io.StringIO()
    writer = _csv.writer(buffer, lineterminator="\n")
    for group in _groups(records):
        columns = list(group[0].__struct_fields__)
        writer.writerow(columns)
        writer.writerows([[_cell(getattr(r, c)) for c in columns] for r in group])
    return buffer.getvalue()


def _groups(records: Sequence[Record]) -> list[list[Record]]:
    groups: list[list[Record]] = []
    for record in records:
        if groups and type(groups[-1][0]) is type(record):
            groups[-1].append(record)
        else:
            groups.append([record])
    return groups


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
