"""Compares the shape of an answer with a recorded one: names and JSON types, not values."""

from __future__ import annotations

from typing import Any

NUMBERS = (int, float)


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
