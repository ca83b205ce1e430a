"""One deliberate mistake: where it stands, how the text reads with it, and who must notice."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Mutant(NamedTuple):
    """`text` stands exactly once in `file`; with `broken` in its place `tests` must fail.

    `tests` are arguments of pytest, relative to tests/: files, node ids, `-k` and its words.
    """

    name: str
    file: str
    text: str
    broken: str
    tests: str

    def applied(self, root: Path) -> str:
        """Return the file of a checkout with the mistake in it; ValueError: not there once."""
        source = (root / self.file).read_text(encoding="utf-8")
        found = source.count(self.text)
        if found != 1:
            raise ValueError(f"{self.name}: expected the text once in {self.file}, was {found}")
        return source.replace(self.text, self.broken)
