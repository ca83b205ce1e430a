"""LOBSTER samples: a message file and an orderbook file, one row each per event of NASDAQ's book.

The message file tells what happened to one order, the orderbook file what N levels look like
afterwards. Orders from before the first row, and levels that come into the N visible ones from
beyond, are in no message: they are told as orders without a name (`lobster_book`), so that a book
of these L3 events always shows what the orderbook file shows. After each message whose best prices
changed, two QUOTE events repeat the file's own best prices, to check against.

Times are NASDAQ's, with no time of a recorder: both times are the same and F_NO_EXCH_TIME says that
their difference means nothing. The day is in the file's name; times are after midnight in New York.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path

from kimera_cli.data.importers.base import MAX_ROWS, Batch, Importer, ImportOptions, bad_line
from kimera_cli.data.importers.lobster_book import LobsterBook, Message, Row
from kimera_cli.data.importers.new_york import midnight_ns
from kimera_cli.data.streams import open_lines
from kimera_cli.errors import DataError
from kimera_cli.instrument import Instrument
from kimera_cli.units import NS_PER_S

_NAME = re.compile(
    r"(?P<symbol>[A-Za-z.]+)_(?P<date>\d{4}-\d{2}-\d{2})_(?P<rest>.*)(?P<which>message|orderbook)_"
    r"(?P<levels>\d+)\.csv"
)
_ROW = re.compile(rb"\d+(\.\d+)?,[1-7],-?\d+,\d+,-?\d+,(-1|1)\r?\n")
_BOOK_ROW = re.compile(rb"(-?\d+,\d+,-?\d+,\d+,?)+\r?\n")


class Lobster(Importer):
    """Pairs of message and orderbook files; either of the two names both."""

    name = "lobster"
    summary = "LOBSTER message + orderbook files (NASDAQ, L3)"

    def matches(self, path: Path, head: bytes) -> bool:
        """Tell by the file's name and its first row."""
        named = _NAME.match(path.name)
        if named is None:
            return False
        row = _ROW if named["which"] == "message" else _BOOK_ROW
        return row.match(head) is not None

    def sources(self, path: Path) -> tuple[Path, ...]:
        """Return (message file, orderbook file); DataError when one of them is missing."""
        named = _NAME.match(path.name)
        if named is None:
            raise DataError(
                "data.file_name",
                f"expected a name such as AMZN_2012-06-21_..._message_10.csv, was {path.name}",
                "give the files the names that LOBSTER gave them",
                file=str(path),
            )
        return _partner(path, named["which"], "message"), _partner(
            path, named["which"], "orderbook"
        )

    def read(self, path: Path, options: ImportOptions) -> Iterator[Batch]:
        """Yield the events of one day."""
        messages, books = self.sources(path)
        named = _NAME.match(messages.name)
        assert named is not None  # sources() has just said so
        midnight = midnight_ns(options.date or named["date"])
        instrument = options.settle(_instrument(options.symbol or named["symbol"]))
        book = LobsterBook(messages, instrument)
        rows = zip_longest(open_lines(messages, options.progress), open_lines(books))
        for number, (left, right) in enumerate(rows, 1):
            if left is None or right is None:
                raise _uneven(messages, books, number, left is None)
            message = _message(messages, left[0], left[1], midnight)
            book.apply(message, _row(books, *right))
            if book.rows >= MAX_ROWS - 1_024:
                yield book.take()
        if book.rows:
            yield book.take()


def _partner(path: Path, which: str, wanted: str) -> Path:
    """Return the file of the pair that is wanted; it may be packed in another way."""
    if which == wanted:
        return path
    name = path.name.replace(f"_{which}_", f"_{wanted}_")
    plain = name.partition(".csv")[0] + ".csv"
    for ending in ("", ".gz", ".xz", ".zst"):
        other = path.with_name(plain + ending)
        if other.exists():
            return other
    raise DataError(
        "data.missing_file",
        f"expected {plain} beside {path}, was nothing",
        "LOBSTER files come in pairs: put the message and the orderbook file into one folder",
        file=str(path.with_name(plain)),
    )


def _instrument(symbol: str) -> Instrument:
    return Instrument(
        venue="nasdaq",
        symbol=symbol,
        kind="spot",
        tick=Decimal("0.01"),
        lot=Decimal(1),
        base=symbol,
        quote="USD",
    )


def _message(path: Path, line: int, text: bytes, midnight_ns: int) -> Message:
    try:
        time, kind, order, size, price, direction = text.split(b",")
        seconds, _, fraction = time.partition(b".")
        ts_ns = midnight_ns + int(seconds) * NS_PER_S + int(fraction.ljust(9, b"0")[:9] or b"0")
        message = Message(
            line, ts_ns, int(kind), int(order), int(size), int(price), int(direction) == 1
        )
    except ValueError:
        raise bad_line(path, line, "time,type,order,size,price,direction", text) from None
    if not 1 <= message.kind <= 7:
        raise bad_line(path, line, "a type from 1 to 7", message.kind)
    if message.kind != 7 and (message.price <= 0 or message.size < 0):
        raise bad_line(path, line, "a price above zero and a size", text, "data.price")
    return message


def _row(path: Path, line: int, text: bytes) -> Row:
    try:
        numbers = list(map(int, text.rstrip(b",").split(b",")))
    except ValueError:
        raise bad_line(path, line, "ask price,size,bid price,size,...", text) from None
    if not numbers or len(numbers) % 4:
        raise bad_line(path, line, "four numbers per level", text)
    return Row(line, numbers)


def _uneven(messages: Path, books: Path, line: int, message_short: bool) -> DataError:
    short, long = (messages, books) if message_short else (books, messages)
    return DataError(
        "data.uneven_pair",
        f"expected as many rows in {short} as in {long}, was its end before line {line}",
        "one of the two files is cut off: fetch the pair again",
        file=str(short),
        line=line,
    )
