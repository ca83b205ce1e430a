"""What the cryptofeed importers share: one venue's capture in, batches of events out.

A venue's file says how one message reads (`Dialect`) and what its REST answers tell of
instruments (`CaptureImporter.listed`); everything else is here and in `cryptofeed_rows`.
"""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import numpy as np
from msgspec.structs import replace

from kimera_cli.data.importers.base import MAX_ROWS, Batch, Importer, ImportOptions, bad_line
from kimera_cli.data.importers.cryptofeed import FORMAT, Message, companions, read_capture
from kimera_cli.data.importers.cryptofeed_rows import InstrumentRows, Update
from kimera_cli.data.importers.grid import decimals
from kimera_cli.data.streams import Progress
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.layouts import EVENT, VENUES

_UNREADABLE = (KeyError, IndexError, TypeError, ValueError, AttributeError)
_JSON = msgspec.json.Decoder(float_hook=str)


class Dialect(ABC):
    """How the messages of one venue read; one object per file, so it may remember
    subscriptions."""

    @abstractmethod
    def updates(self, message: Message, body: Any) -> Iterable[Update]:
        """Yield the updates of one received message or REST snapshot; nothing for control
        messages.

        Floats in `body` are still text. KeyError, ValueError and their kin mean: this is no
        message of the venue.
        """


class CaptureImporter(Importer):
    """A cryptofeed capture of one venue, with the REST files beside it."""

    venue: ClassVar[str]
    hosts: ClassVar[tuple[bytes, ...]]
    """Parts of the websocket address by which the capture is known."""
    nearest_lot: ClassVar[bool] = False
    """The venue sends sizes off its own lot; they go to the nearest lot and stay above zero."""

    finer_grid: ClassVar[bool] = False
    """Books hold values off the tick or lot that REST tells (orders older than its last
    change): the grid is the finer of both, which takes a first reading of the file for its
    decimals."""

    @abstractmethod
    def dialect(self) -> Dialect:
        """Return a fresh reader of messages."""

    @abstractmethod
    def listed(self, url: str, body: Any) -> Iterator[tuple[str, Instrument]]:
        """Yield (name on the wire, instrument) of one REST answer about instruments."""

    @abstractmethod
    def unlisted(self, symbol: str, tick: Decimal, lot: Decimal) -> Instrument:
        """Return an instrument that no REST answer describes; tick and lot come from the
        decimals seen."""

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the first line: `<websocket address of the venue> <-> <time>`."""
        first = head.partition(b"\n")[0]
        return b" <-> " in first and any(host in first for host in self.hosts)

    def sources(self, path: Path) -> tuple[Path, ...]:
        """Return the websocket file and the REST files beside it."""
        return (path, *companions(path, "meta"), *companions(path, "http"))

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the capture's events; reads it twice when an instrument is not described beside it.

        What comes before a line that cannot be read is handed out before the DataError.
        """
        writers: dict[str, InstrumentRows] = {}
        try:
            for _ in self._gather(path, options, writers):
                yield from _flushed(writers.values())
        except DataError:
            yield from _flushed(writers.values())
            raise
        yield from _flushed(writers.values())

    def _gather(
        self, path: Path, options: ImportOptions, writers: dict[str, InstrumentRows]
    ) -> Iterator[None]:
        """Fill the writers, one per instrument; yield whenever their rows should be taken."""
        listed = self._listed(path)
        pending = 0
        for message, update in self._updates(path, options.progress):
            writer = writers.get(update.symbol)
            if writer is None:
                if update.symbol not in listed or (self.finer_grid and not writers):
                    listed |= self._inferred(path, listed)
                writer = writers[update.symbol] = InstrumentRows(
                    options.settle(listed[update.symbol]),
                    VENUES.index(self.venue),
                    nearest=self.nearest_lot,
                    snapshots=bool(companions(path, "http")),
                )
            before = len(writer.rows)
            writer.add(message, update)
            pending += len(writer.rows) - before
            if pending >= MAX_ROWS:  # of all instruments: memory stays flat
                yield
                pending = 0

    def _listed(self, path: Path) -> dict[str, Instrument]:
        found: dict[str, Instrument] = {}
        for meta in companions(path, "meta"):
            for message in read_capture(meta):
                try:
                    found.update(self.listed(message.url, _decoded(message)))
                except _UNREADABLE as error:
                    raise self._unknown(message, error) from None
        return found

    def _updates(self, path: Path, progress: Progress | None) -> Iterator[tuple[Message, Update]]:
        dialect = self.dialect()
        files = [read_capture(companion) for companion in companions(path, "http")]
        for message in heapq.merge(*files, read_capture(path, progress), key=lambda m: m.ts_ns):
            if not message.sent:
                yield from self._read(dialect, message)

    def _read(self, dialect: Dialect, message: Message) -> Iterator[tuple[Message, Update]]:
        body = _decoded(message)
        try:
            for update in dialect.updates(message, body):
                yield message, update
        except _UNREADABLE as error:
            raise self._unknown(message, error) from None

    def _unknown(self, message: Message, error: Exception) -> Exception:
        why = f"{type(error).__name__}: {error}"
        expected = f"a message of {self.venue} ({why})"
        return bad_line(message.path, message.line, expected, message.body, FORMAT)

    def _inferred(self, path: Path, listed: Mapping[str, Instrument]) -> dict[str, Instrument]:
        """Return the instruments whose grid is not described, by the decimals in the whole file."""
        found = {}
        for symbol, (px, qty) in self._decimals(path, listed).items():
            tick, lot = Decimal(1).scaleb(-px), Decimal(1).scaleb(-qty)
            known = listed.get(symbol)
            found[symbol] = (
                replace(known, tick=min(tick, known.tick), lot=min(lot, known.lot))
                if known
                else self.unlisted(symbol, tick, lot)
            )
        return found

    def _decimals(self, path: Path, listed: Mapping[str, Instrument]) -> dict[str, tuple[int, int]]:
        most: dict[str, tuple[int, int]] = {}
        with suppress(DataError):  # the reading proper comes to the same line, and reports it
            for _, update in self._updates(path, None):
                if update.symbol not in listed or self.finer_grid:
                    px, qty = most.get(update.symbol, (0, 0))
                    for row in update.rows:
                        px = max(px, decimals(row.px) if isinstance(row.px, str) else 0)
                        qty = max(qty, decimals(row.qty) if isinstance(row.qty, str) else 0)
                    most[update.symbol] = px, qty
        return most


def _decoded(message: Message) -> Any:
    try:
        return _JSON.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        expected = f"a JSON message ({error})"
        raise bad_line(message.path, message.line, expected, message.body, FORMAT) from None


def _flushed(writers: Iterable[InstrumentRows]) -> Iterator[Batch]:
    for writer in writers:
        rows, writer.rows = writer.rows, []
        for at in range(0, len(rows), MAX_ROWS):
            yield Batch(writer.instrument, "l2", np.array(rows[at : at + MAX_ROWS], EVENT))
