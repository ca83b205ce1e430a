"""Nested tables by dotted key (`risk.max_drawdown`), and their lines in TOML text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec


def flatten(table: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested tables (or a Profile) as one dict by dotted key, in order of declaration."""
    if isinstance(table, msgspec.Struct):
        table = {k: v for k, v in msgspec.structs.asdict(table).items() if v is not None}
    flat: dict[str, Any] = {}
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict | msgspec.Struct):
            flat.update(flatten(value, f"{key}."))
        else:
            flat[key] = value
    return flat


def unflatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables of dotted keys."""
    root: dict[str, Any] = {}
    for key, value in values.items():
        *tables, last = key.split(".")
        node = root
        for table in tables:
            node = node.setdefault(table, {})
        node[last] = value
    return root


_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""^\s*((?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')(?:\s*\.\s*[A-Za-z0-9_"'-]+)*)\s*=""")


def line_numbers(text: str) -> dict[str, int]:
    """Return the 1-based line of each table header and key of TOML text, by dotted key."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _plain(header.group(1))
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(f"{table}.{_plain(key.group(1))}".lstrip("."), number)
    return lines


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


def line_of(key: str, lines: Mapping[str, int]) -> int:
    """Inline tables have no line per key: take the nearest table around it."""
    while key not in lines and "." in key:
        key = key.rpartition(".")[0]
    return lines.get(key, 1)
