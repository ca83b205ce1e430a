"""Compares the shape of two answers: names and JSON types, not values.

`unlike` and `lacking` compare one answer with one that was recorded. `shape_of` and `apart` compare
what two venues say of different accounts and markets: elements of a list may differ from each
other, and a list may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

NUMBERS = (int, float, Decimal)
NAMES = {"str": "text", "dict": "object", "NoneType": "null"}
_CODE = re.compile(r"[A-Z0-9][A-Z0-9./_-]+")
"""Names that are no field but an asset or a market: BTC, XXBTZUSD, BTC/USD."""
Shape = dict[str, set[str]]
"""JSON types by path: `$.symbols[].filters[].tickSize` is text."""


def kind(value: Any) -> str:
    """Return a value's JSON type."""
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, NUMBERS) else type(value).__name__


def unlike(ours: Any, theirs: Any, path: str = "$") -> list[str]:
    """Return where our answer says what the recorded one does not; null may stand for anything.

    Elements of a list are all compared with the first recorded one.
    """
    if ours is None or theirs is None:
        return []
    if kind(ours) != kind(theirs):
        return [f"{path}: {kind(ours)}, recorded {kind(theirs)}"]
    if isinstance(ours, dict):
        extra = [f"{path}.{name}: not recorded" for name in ours if name not in theirs]
        return extra + [
            difference
            for name in ours
            if name in theirs
            for difference in unlike(ours[name], theirs[name], f"{path}.{name}")
        ]
    if isinstance(ours, list) and theirs:
        found = [d for each in ours for d in unlike(each, theirs[0], f"{path}[]")]
        return sorted(set(found))
    return []


def lacking(ours: Any, theirs: Any, path: str = "$") -> list[str]:
    """Return names that the recorded answer has and ours has not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        missing = [f"{path}.{name}" for name in theirs if name not in ours]
        return missing + [
            each
            for name in ours
            for each in lacking(ours[name], theirs.get(name), f"{path}.{name}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and ours and theirs:
        return lacking(ours[0], theirs[0], f"{path}[]")
    return []


class Apart(NamedTuple):
    """How the shape of an answer differs from a known one."""

    other: list[str]
    """Paths with another JSON type, and which."""
    missing: list[str]
    """Paths that only the known one has."""
    new: list[str]
    """Paths that only the answer has; they harm nobody."""


def shape_of(value: Any) -> Shape:
    """Return the types of an answer by path; elements of a list, and values by code, are one."""
    found: Shape = {}
    for path, name in _walk(value, "$"):
        found.setdefault(path, set()).add(name)
    return found


def apart(answer: Shape, known: Shape) -> Apart:
    """Return where an answer differs from a known one; null may stand for anything.

    What an empty list, or an object that is not there, could have held is not missing.
    """
    other = [
        f"{path}: {_or(answer[path])}, expected {_or(known[path])}"
        for path in sorted(answer.keys() & known.keys())
        if not (answer[path] & known[path]) and "null" not in answer[path] | known[path]
    ]
    return Apart(other, _only_in(known, answer), _only_in(answer, known))


def _only_in(one: Shape, other: Shape) -> list[str]:
    return sorted(
        path
        for path in one.keys() - other.keys()
        if not path.endswith("{}") and "object" in other.get(_up(path), ())
    )


def _walk(value: Any, path: str) -> Iterator[tuple[str, str]]:
    name = kind(value)
    yield path, NAMES.get(name, name)
    if isinstance(value, dict):
        for key, each in value.items():
            step = "{}" if _CODE.fullmatch(key) else f".{key}"
            yield from _walk(each, path + step)
    elif isinstance(value, list):
        for each in value:
            yield from _walk(each, f"{path}[]")


def _up(path: str) -> str:
    """Return the path of what holds a value."""
    cut = max(path.rfind("."), path.rfind("["), path.rfind("{"))
    return path[:cut]


def _or(kinds: set[str]) -> str:
    return " or ".join(sorted(kinds))
