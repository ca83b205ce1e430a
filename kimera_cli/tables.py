"""Records as tables and CSV; imported only when one of them is asked for.

A table is for a person: columns without any value are left out, times are local, and what does not
fit the width is folded into `name  value` blocks. CSV is data: every field, UTC ns, RFC 4180.
"""

from __future__ import annotations

import csv as _csv
import io
import textwrap
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from kimera_cli.plain_text import plain
from kimera_cli.records import Record

GAP = "  "
NARROWEST = 16
"""A text column is wrapped down to this width before the table is folded."""
_TIMES = frozenset(("ts_ns", "ts_exch_ns", "ts_local_ns", "start_ns", "end_ns", "started_ns"))
_TIMES |= {"ended_ns", "since_ns", "expires_ns", "recorded_until_ns"}
_COLOURS = {"ok": 32, "yes": 32, "complete": 32, "warning": 33, "partial": 33}
_COLOURS |= {"interrupted": 33, "halted": 33, "failed": 31, "error": 31, "no": 31}
_NAMES = frozenset(("port", "tls_port", "control_port", "seed"))
"""Integers that are not counts: no separators, they are typed into something else."""
_LINES = frozenset(("request",))
"""Texts whose own lines are shown as such; those of any other could pass for rows."""
_FROM_ONE = frozenset(("line",))
"""Integers that count from 1: 0 is none."""


def table(records: Sequence[Record], width: int, *, colour: bool) -> str:
    """Return one table per record type, in order of first appearance, at most `width` wide."""
    groups: dict[type[Record], list[Record]] = {}
    for record in records:
        groups.setdefault(type(record), []).append(record)
    return "\n".join(_draw(group, width, colour) for group in groups.values())


def _draw(group: Sequence[Record], width: int, colour: bool) -> str:
    names = [n for n in group[0].__struct_fields__ if any(_cell(n, getattr(r, n)) for r in group)]
    rows = [[_cell(name, getattr(record, name)) for name in names] for record in group]
    numeric = [all(_is_number(getattr(r, n)) for r in group) for n in names]
    heads = [_heading(name) for name in names]
    widths = [max(map(_widest, column)) for column in zip(heads, *rows, strict=True)]
    if not _squeeze(widths, numeric, heads, width):
        return _folded(heads, rows, width, colour)
    head = GAP.join(_pad(h, w, n) for h, w, n in zip(heads, widths, numeric, strict=True))
    lines = [_paint(head.rstrip(), 1, colour)]
    for row in rows:
        lines += _lines(row, widths, numeric, colour)
    return "\n".join(lines) + "\n"


def _squeeze(widths: list[int], numeric: list[bool], heads: list[str], width: int) -> bool:
    """Narrow the widest text columns in place until the row fits; False when it cannot."""
    while sum(widths) + len(GAP) * (len(widths) - 1) > width:
        least = [max(NARROWEST, len(head)) for head in heads]
        room = [0 if numeric[i] or w <= least[i] else w for i, w in enumerate(widths)]
        widest = max(range(len(room)), key=room.__getitem__)
        if not room[widest]:
            return False
        widths[widest] -= 1
    return True


def _lines(
    row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], colour: bool
) -> list[str]:
    """Return the lines of one row: long texts continue below their own column."""
    cells = [_wrap(text, w) for text, w in zip(row, widths, strict=True)]
    lines = []
    for k in range(max(len(cell) for cell in cells)):
        parts = [
            _status(_pad(cell[k] if k < len(cell) else "", w, n), colour)
            for cell, w, n in zip(cells, widths, numeric, strict=True)
        ]
        lines.append(GAP.join(parts).rstrip())
    return lines


def _folded(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, colour: bool) -> str:
    """Return each record as a block of `name  value` lines."""
    label = max(len(head) for head in heads)
    room = max(width - label - len(GAP), NARROWEST)
    blocks = []
    for row in rows:
        lines = []
        for head, text in zip(heads, row, strict=True):
            first, *more = _wrap(text, room)
            if text:
                lines.append(_paint(head.ljust(label), 1, colour) + GAP + _status(first, colour))
                lines += [" " * label + GAP + line for line in more]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def _widest(text: str) -> int:
    return max(map(len, text.split("\n")))


def _wrap(text: str, width: int) -> list[str]:
    """Return the lines of a text; those that it has stay."""
    if "\n" in text:
        return [part for line in text.split("\n") for part in _wrap(line, width)]
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False) or [""]


def _heading(name: str) -> str:
    return name.removesuffix("_ns") if name in _TIMES else name


def _cell(name: str, value: Any) -> str:
    """Return a value for a person; an absent one is empty."""
    if value is None or value == "" or value == {} or value == []:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in _TIMES and isinstance(value, int):
        return local_time(value)
    if isinstance(value, int):
        if name in _NAMES:
            return str(value)
        return "" if name in _FROM_ONE and not value else f"{value:,}"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, dict):
        return ", ".join(f"{k}={_cell(k, v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        if isinstance(value[0], list | tuple):
            return _rows(value)
        return ", ".join(_cell("", v) for v in value)
    text = plain(str(value).replace("\r\n", "\n"))
    return text.rstrip() if name in _LINES else text.replace("\n", " ")


def _rows(rows: Sequence[Sequence[Any]]) -> str:
    """Return rows, such as the levels of a book, one below the other with aligned columns."""
    cells = [[_cell("", value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [GAP.join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return "\n".join(lines)


def local_time(ts_ns: int) -> str:
    """Return ns since the epoch as local time with milliseconds and zone; 0 is no time."""
    if not ts_ns:
        return ""
    moment = datetime.fromtimestamp(ts_ns // 1_000_000_000, UTC).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ts_ns // 1_000_000 % 1000:03} {moment:%Z}".rstrip()


def _number(value: float) -> str:
    size = abs(value)
    if value == int(value) and size < 1e15:
        return f"{value:,.0f}"
    if size >= 1000:
        return f"{value:,.2f}"
    return f"{value:.6g}"


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _is_decimal(value)
    return value is None or (isinstance(value, int | float | Decimal) and value is not True)


def _is_decimal(text: str) -> bool:
    """Prices and sizes are exact decimals, which records carry as text."""
    return text == "" or text.removeprefix("-").replace(".", "", 1).isdigit()


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _status(text: str, colour: bool) -> str:
    return _paint(text, _COLOURS.get(text.strip(), 0), colour)


def _paint(text: str, code: int, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text


# --- CSV -----------------------------------------------------------------------------------------


def csv_header(record: Record) -> str:
    """Return the header line of a record's type; `type` comes first, as types may mix."""
    return _csv_line(["type", *record.__struct_fields__])


def csv_row(record: Record) -> str:
    """Return one record as a CSV line: empty for absent, JSON for nested values."""
    kind = record.__struct_config__.tag
    return _csv_line([kind, *(_csv_cell(getattr(record, n)) for n in record.__struct_fields__)])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return msgspec.json.encode(value).decode()
    return value


def _csv_line(cells: Sequence[Any]) -> str:
    buffer = io.StringIO()
    _csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()
