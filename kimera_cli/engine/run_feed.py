"""Entries of a run as they come, for `kimera journal show` and `--follow`."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from kimera_cli.engine.runfolder import RunFolder
from kimera_cli.errors import UsageError
from kimera_cli.journal.chain import BULK_KINDS
from kimera_cli.journal.decode import KINDS, Decoder
from kimera_cli.journal.journal import BULK, JOURNAL
from kimera_cli.journal.lease import is_written
from kimera_cli.journal.reader import JournalReader
from kimera_cli.names import did_you_mean
from kimera_cli.records import JournalEntry
from kimera_cli.units import NS_PER_S

POLL_S = 0.2


class Query(NamedTuple):
    """Which entries are wanted."""

    kinds: tuple[int, ...] = ()
    since_ns: int = 0
    file: str = JOURNAL
    follow: bool = False

    @classmethod
    def parse(
        cls, kinds: Sequence[str], since: str | None, *, bulk: bool = False, follow: bool = False
    ) -> Query:
        """Return the query of the options as typed; UsageError names what is accepted."""
        numbers = tuple(_kind(name) for name in kinds)
        bulk = bulk or bool(set(numbers) & set(BULK_KINDS))
        since_ns = 0 if since is None else parse_time_ns(since)
        return cls(numbers, since_ns, BULK if bulk else JOURNAL, follow)


def entries(run: str, runs: Path, query: Query) -> Iterator[JournalEntry]:
    """Yield the run's entries in seq order; with `follow`, until its writer is gone."""
    folder = RunFolder.open(run, runs)
    decoder, last, goes_on = Decoder.of_run(folder.manifest), 0, True
    while goes_on:
        goes_on = query.follow and is_written(folder.path)  # asked first: nothing is left behind
        with JournalReader(folder.path / query.file) as reader:
            for entry in reader.entries(after_seq=last, since_ns=query.since_ns, kinds=query.kinds):
                last = entry.seq
                yield decoder.entry(entry)
        if goes_on:
            threading.Event().wait(POLL_S)


def parse_time_ns(text: str) -> int:
    """Return UTC ns of an ISO 8601 time (UTC unless it says otherwise) or of plain ns."""
    if text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            "usage.time",
            f"expected a UTC time such as 2024-08-08T12:00:00 or nanoseconds, was '{text}'",
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * NS_PER_S + moment.microsecond * 1000


def _kind(name: str) -> int:
    for number, known in KINDS.items():
        if known == name:
            return number
    names = tuple(KINDS.values())
    raise UsageError(
        "usage.kind",
        f"expected --kind as one of {', '.join(names)}, was '{name}'",
        did_you_mean(name, names),
    )
