"""In words, how a venue's answer differs from the venue server's."""

from __future__ import annotations

from typing import Literal

from kimera_cli.venues.json_shapes import Shape, apart

SHOWN = 6
"""Paths that are named of each kind."""
Told = tuple[Literal["ok", "warning"], str, str]


def shape_found(answer: Shape, known: Shape) -> Told | None:
    """Return status, what was found and what to do; None where the shapes are the same.

    New names are told and harm nobody. Other types and missing names may be what kimera reads.
    """
    found = apart(answer, known)
    words = [
        f"{what} {_some(paths)}"
        for what, paths in (
            ("other types:", found.other),
            ("without", found.missing),
            ("also", found.new),
        )
        if paths
    ]
    if not words:
        return None
    if found.other or found.missing:
        advice = "the venue server says otherwise: tell the makers of kimera, and test small"
        return "warning", "; ".join(words), advice
    return "ok", "; ".join(words), ""


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more
