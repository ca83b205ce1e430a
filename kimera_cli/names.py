"""Nearest names: what a person probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the known name closest to `word`, or an empty string when none is close."""
    import difflib

    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint: the nearest name, or else all of them."""
    names = sorted(known)
    if match := nearest(word, names):
        return f"did you mean '{match}'?"
    return f"known: {', '.join(names)}" if names else ""
