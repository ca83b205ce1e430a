"""What the catalog knows of a dataset without opening its Parquet: one manifest.json per dataset.

The manifest is the commit: a part file that it does not name does not exist for any reader. It is
replaced as a whole, so that a reader sees an import entirely or not at all.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

import msgspec

from kimera_cli.errors import DataError, UsageError
from kimera_cli.instrument import Instrument
from kimera_cli.units import NS_PER_DAY

FILE = "manifest.json"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file: rows of one source and one day (bars: year), in recording order."""

    file: str
    partition: str
    rows: int
    bytes: int
    start_ns: int
    end_ns: int


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One imported recording: what it was called, its hash, and the parts that hold its rows.

    `datasets` are all datasets of the recording. `min_latency_ns` is the least of local minus
    exchange time. `backwards` counts rows whose local time is before their predecessor's.
    """

    hash: str
    format: str
    files: list[str]
    datasets: list[str]
    rows: int
    start_ns: int
    end_ns: int
    parts: list[Part]
    min_latency_ns: int | None = None
    backwards: int = 0
    backwards_line: int | None = None


class DatasetInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One dataset: its instrument, its family, and its sources in the order of their first row."""

    dataset: str
    family: str
    instrument: Instrument
    sources: list[Source]
    version: int = 1

    @property
    def rows(self) -> int:
        """Rows of all sources."""
        return sum(source.rows for source in self.sources)

    @property
    def bytes(self) -> int:
        """Stored bytes of all parts."""
        return sum(part.bytes for source in self.sources for part in source.parts)

    @property
    def days(self) -> int:
        """How many UTC days hold events; of bars: how many days they span."""
        if "-" in self.family:
            return self.end_ns // NS_PER_DAY - self.start_ns // NS_PER_DAY + 1
        return len({part.partition for source in self.sources for part in source.parts})

    @property
    def start_ns(self) -> int:
        """First local time."""
        return min(source.start_ns for source in self.sources)

    @property
    def end_ns(self) -> int:
        """Last local time."""
        return max(source.end_ns for source in self.sources)

    @property
    def min_latency_ns(self) -> int | None:
        """Least local minus exchange time; None when no row has a venue's time."""
        known = [s.min_latency_ns for s in self.sources if s.min_latency_ns is not None]
        return min(known, default=None)

    @property
    def source_hash(self) -> str:
        """Hash of the source; of several sources: of their hex digests in order."""
        if len(self.sources) == 1:
            return self.sources[0].hash
        return hashlib.sha256("".join(s.hash for s in self.sources).encode()).hexdigest()

    def only(self, source_hash: str) -> DatasetInfo:
        """Return the dataset with one of its sources; DataError `data.unknown_source`."""
        kept = [source for source in self.sources if source.hash.startswith(source_hash)]
        if len(kept) != 1:
            held = ", ".join(source.hash[:12] for source in self.sources)
            raise DataError(
                "data.unknown_source",
                f"expected one of the sources {held} of {self.dataset}, was {source_hash[:12]}",
                f"see `kimera fetch show {self.dataset}`",
            )
        return msgspec.structs.replace(self, sources=kept)


def folder(root: Path, dataset: str) -> Path:
    """Return the folder of `venue/symbol/family`; UsageError when it is no such name."""
    names = dataset.split("/")
    if len(names) != 3 or not all(map(_PART.match, names)):
        raise UsageError(
            "usage.dataset",
            f"expected a dataset as venue/symbol/family, was {dataset!r}",
            "see `kimera fetch list`",
        )
    venue, symbol, family = names
    return root / f"venue={venue}" / f"instrument={symbol}" / f"family={family}"


def load(path: Path) -> DatasetInfo | None:
    """Return the manifest in a dataset's folder; None when there is none."""
    try:
        return msgspec.json.decode((path / FILE).read_bytes(), type=DatasetInfo)
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise DataError(
            "data.damaged_manifest",
            f"expected a dataset manifest in {path / FILE}, was: {error}",
            "delete the folder and import its recordings again",
            file=str(path / FILE),
        ) from None


def store(path: Path, info: DatasetInfo) -> None:
    """Replace the manifest as a whole, on disk before it is seen."""
    temporary = path / f".{FILE}.new"
    with temporary.open("wb") as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(info), indent=1))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path / FILE)
