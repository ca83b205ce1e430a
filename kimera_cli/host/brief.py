"""The same records for a person at a terminal: fewer columns, like changes on one line.

Only tables are shortened, and only without -v; formats for programs carry every record whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from kimera_cli.host.sysctls import key_of
from kimera_cli.records import HostChange, HostItem, HostResult, Record

_NUMBERS = re.compile(r"\d+")
WIDE = 120
"""From this many columns on there is room for the reasons and the files."""


def shortened(records: Iterable[Record], width: int) -> list[Record]:
    """Return what fits a terminal of this width, in order."""
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        groups.setdefault(_likeness(record), []).append(record)
    return [_one(group, width) for group in groups.values()]


def _likeness(record: Record) -> tuple[object, ...]:
    """Return what lines must have in common to become one."""
    if isinstance(record, HostResult | HostChange):
        how = record.status if isinstance(record, HostResult) else record.how
        alike = _NUMBERS.sub("*", record.path)
        return (record.item, alike, record.old, record.new, how, record.reason)
    return (id(record),)


def _one(group: list[Record], width: int) -> Record:
    first = group[0]
    if isinstance(first, HostItem):
        return _item(first, width)
    if isinstance(first, HostChange):
        return _change(first, len(group), width)
    if isinstance(first, HostResult):
        return _result(first, len(group), width)
    return first


def _item(item: HostItem, width: int) -> HostItem:
    short = replace(item, profile="", paths=[], effect="", area="")
    return short if width >= WIDE else replace(short, why="", settable="", reason="")


def _change(change: HostChange, count: int, width: int) -> HostChange:
    needs = change.needs if change.how == "write" else ""  # the others give it as their reason
    short = replace(change, path=_path(change.path, count), command="", needs=needs)
    return short if width >= WIDE else replace(short, path="")


def _result(result: HostResult, count: int, width: int) -> HostResult:
    settled = result.found in (result.old, result.new)
    short = replace(
        result,
        action="",
        path=_path(result.path, count),
        found="" if settled else result.found,
    )
    return short if width >= WIDE else replace(short, path="")


def _path(path: str, count: int) -> str:
    if count > 1:
        return f"{count} of {_NUMBERS.sub('*', path)}"
    return key_of(path) if path.startswith("/proc/sys/") else path
