"""What is checked: one dataset, read from one source file after the other."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kimera_cli.instrument import Instrument


@dataclass
class Subject:
    """One dataset under check. `sources` are the files of the source that is being read now.

    The first is the one that rows without a minus in `aux` come from; a negative `aux` is a
    line of the second kind of file (the REST snapshots beside a capture).
    """

    dataset: str
    instrument: Instrument
    family: str
    now_ns: int
    sources: tuple[Path, ...] = ()

    def place(self, aux: int) -> tuple[str, int | None]:
        """Return (file, line) of a row; line None when the row has none."""
        if not self.sources:
            return "", abs(aux) or None
        companions = [path for path in self.sources[1:] if ".http." in path.name]
        file = companions[0] if aux < 0 and companions else self.sources[0]
        return str(file), abs(aux) or None
