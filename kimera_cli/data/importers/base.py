"""What an importer is: bytes of one recording format in, batches of events out.

One importer per file in this folder, registered in `__init__`. An importer is a class with a
`name`, a `matches` that recognises its format from the first bytes, and a `read` that yields
batches. It streams: a batch holds at most MAX_ROWS rows and nothing else may grow with the file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument

Rows = NDArray[np.void]
"""Structured array of dtype EVENT or OHLCV, shape (n,)."""

MAX_ROWS = 65_536
"""Rows of one batch at most."""


class Batch(NamedTuple):
    """Consecutive rows of one dataset.

    `events` is of dtype layouts.EVENT in recording order (family `l2`, `l3`), or of dtype
    layouts.OHLCV (family `ohlcv-1h`, `mark-1h`, `funding-8h`). A file that holds several
    instruments yields batches of all of them, in turn; rows of one dataset keep the order of the
    file. The instrument of a dataset must be the same in each of its batches.
    """

    instrument: Instrument
    family: str
    events: Rows


class ImportOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may say about a file, and what the surroundings know.

    `tick` and `lot` replace what would be inferred; `venue`, `symbol` and `date` (YYYY-MM-DD) name
    what a file does not say. `known` are the catalog's instruments by `venue/symbol`: a recording
    of one of them is read on the same grid. `progress` is told of the stored bytes read; pass it to
    `streams.open_lines`.
    """

    tick: Decimal | None = None
    lot: Decimal | None = None
    venue: str | None = None
    symbol: str | None = None
    date: str | None = None
    known: Mapping[str, Instrument] = {}
    progress: Callable[[int], None] | None = None

    def settle(self, instrument: Instrument) -> Instrument:
        """Return the instrument to use: the catalog's, else this one with the user's overrides.

        DataError `data.grid` when the user asks for another grid than the catalog's.
        """
        asked = {k: v for k, v in (("tick", self.tick), ("lot", self.lot)) if v is not None}
        known = self.known.get(instrument.name)
        if known is None:
            return msgspec.structs.replace(instrument, **asked)
        for key, value in asked.items():
            have = getattr(known, key)
            if have != value:
                raise DataError(
                    "data.grid",
                    f"expected {key} {have} as the catalog has {known.name}, was {value}",
                    f"remove what is on the other grid: kimera fetch remove {known.name}/FAMILY",
                )
        return known


class Importer(ABC):
    """One recording format. Subclasses are stateless: one instance serves all files."""

    name: ClassVar[str]
    """Short name, as in `kimera fetch import --as NAME`."""
    summary: ClassVar[str]
    """One line for `--help` and the docs."""

    @abstractmethod
    def matches(self, path: Path, head: bytes) -> bool:
        """Tell whether the file is of this format; `head` is its first 64 KiB, unpacked."""

    @abstractmethod
    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the file's rows; DataError names file and line of what cannot be read."""

    def sources(self, path: Path) -> tuple[Path, ...]:
        """Return all files that are read when `path` is imported, the main one first.

        Formats of several files (messages and book, messages and REST snapshots) override this;
        naming any one of the files must give the same answer.
        """
        return (path,)


def bad_line(
    path: Path, line: int, expected: str, was: object, code: str = "data.bad_line"
) -> DataError:
    """Return the error of one line: expected so, was so, in this file and line."""
    return DataError(
        code,
        f"expected {expected} in {path} line {line}, was {_short(was)}",
        "run `kimera fetch check` on the file, or record it again",
        file=str(path),
        line=line,
    )


def off_grid(path: Path, line: int, what: str, value: object, step: Decimal) -> DataError:
    """Return the error `data.step`: a price or quantity that is no whole number of steps."""
    option = "--tick" if what == "price" else "--lot"
    return DataError(
        "data.step",
        f"expected {what} as a multiple of {step} in {path} line {line}, was {value}",
        f"give the instrument's real step with {option}",
        file=str(path),
        line=line,
    )


def _short(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
