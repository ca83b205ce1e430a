"""Raw Binance recordings: `<local ns> <combined-stream JSON>` a line; spot, USD-M and COIN-M.

Depth diffs, bookTicker, trade and aggTrade streams and REST depth snapshots. The market of each
instrument is told by the content of its frames, the grid by the digits of its prices and sizes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from kimera_cli.data.importers.base import MAX_ROWS, Batch, Importer, ImportOptions, bad_line
from kimera_cli.data.importers.binance_feed import Feed
from kimera_cli.data.importers.binance_frames import (
    Acknowledgement,
    AggTrade,
    Depth,
    Frame,
    Other,
    Snapshot,
    Ticker,
    Trade,
    parse,
)
from kimera_cli.data.importers.binance_grid import Key, grids
from kimera_cli.data.importers.binance_market import instrument_of
from kimera_cli.data.importers.messages import Messages
from kimera_cli.data.streams import open_lines
from kimera_cli.errors import DataError

_FIRST_LINE = re.compile(rb'\d{16,20} \{ ?"(stream|lastUpdateId|result)"')


class BinanceRaw(Importer):
    """Recorder lines of Binance's public streams."""

    name = "binance"
    summary = "raw Binance recordings: local ns + combined-stream JSON (spot, USD-M, COIN-M)"

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the first line."""
        return _FIRST_LINE.match(head) is not None

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the events of each instrument in the order of the file."""
        reader = _Reader(path, options)
        for number, line in open_lines(path, options.progress):
            try:
                ts_local_ns, frame = parse(line)
            except (msgspec.MsgspecError, ValueError):
                expected = "`<local ns> <Binance frame>`"
                raise bad_line(path, number, expected, line) from None
            feed = reader.take(ts_local_ns, number, frame)
            if feed is not None and feed.messages.rows >= MAX_ROWS // 2:
                yield from feed.messages.take()
        if not reader.feeds:
            raise DataError("data.empty_file", f"expected market data in {path}, was none")
        for feed in reader.feeds.values():
            yield from feed.messages.take()


class _Reader:
    """Routes frames to the feed of their instrument; feeds are made as instruments appear."""

    def __init__(self, path: Path, options: ImportOptions) -> None:
        self.path = path
        self.options = options
        self.grids = grids(path)
        self.feeds: dict[Key, Feed] = {}

    def take(self, ts_local_ns: int, line: int, frame: Frame) -> Feed | None:
        """Put one frame into its feed and return that; None for what is no market data."""
        match frame:
            case Ticker():
                feed = self._feed((frame.s, frame.T > 0), line)
                feed.ticker(ts_local_ns, line, frame)
            case Depth():
                feed = self._feed((frame.s, frame.pu >= 0), line)
                feed.depth(ts_local_ns, line, frame)
            case Trade() | AggTrade():
                feed = self._feed((frame.s, frame.M is None), line)
                feed.trade(ts_local_ns, line, frame)
            case Snapshot():
                feed = self._feed_of_snapshot(line, frame)
                feed.snapshot(ts_local_ns, line, frame)
            case Other():
                return self._other(ts_local_ns, line, frame)
            case Acknowledgement():
                return None
        return feed

    def _other(self, ts_local_ns: int, line: int, frame: Other) -> Feed | None:
        """Keep the frame with the instrument that it names, else with the first of the file."""
        keys = [key for key in self.grids if key[0] == frame.symbol] or list(self.grids)
        if not keys:
            return None
        feed = self._feed(keys[0], line)
        feed.other(ts_local_ns, line)
        return feed

    def _feed(self, key: Key, line: int) -> Feed:
        feed = self.feeds.get(key)
        if feed is None:
            if key not in self.grids:
                self.grids.update(grids(self.path, line))
            instrument = instrument_of(*key, *self.grids[key].steps())
            feed = Feed(Messages(self.path, self.options.settle(instrument)))
            self.feeds[key] = feed
        return feed

    def _feed_of_snapshot(self, line: int, frame: Snapshot) -> Feed:
        if frame.symbol:
            return self._feed((frame.symbol, True), line)
        keys = [key for key in self.grids if key[1] == (frame.T > 0)]
        if len(keys) == 1:
            return self._feed(keys[0], line)
        names = ", ".join(symbol for symbol, _ in keys) or "none"
        raise DataError(
            "data.mixed_instruments",
            f"expected one instrument for the snapshot in {self.path} line {line}, was {names}",
            "record each instrument's REST snapshots into a file of its own",
            file=str(self.path),
            line=line,
        )
