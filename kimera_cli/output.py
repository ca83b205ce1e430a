"""The only writer of stdout.

A command opens one `Output`, emits records, and leaves: the end record or the table follows by
itself. NaN and infinity are refused here, because JSON has no word for them. Whatever the
format, memory stays flat: jsonl, json and csv are written as they come, tables in blocks.
"""

from __future__ import annotations

import contextlib
import math
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, get_type_hints

import msgspec

from kimera_cli.diagnostics import ExitCode, exit_code_for
from kimera_cli.errors import KimeraError
from kimera_cli.records import End, Record

if TYPE_CHECKING:
    from typing import Self

Format = Literal["jsonl", "json", "table", "csv", "none"]
FORMATS: tuple[Format, ...] = ("jsonl", "json", "table", "csv", "none")
Status = Literal["ok", "partial", "error", "interrupted"]

TABLE_BLOCK = 1_000
"""Records held before a table is drawn; a longer stream becomes several tables."""


class Output:
    """A stream of records in one format; a context manager that writes the end record."""

    def __init__(
        self,
        stream: BinaryIO,
        fmt: Format,
        *,
        flush_each: bool = False,
        colour: bool = False,
        width: int = 100,
    ) -> None:
        self.stream = stream
        self.format = fmt
        self.flush_each = flush_each
        self.colour = colour
        self.width = width
        self.rows = 0
        self.status: Status = "ok"
        self.code: int = ExitCode.OK
        self.ended = False
        """Whether nothing more belongs to the stream: it has its end record, or is a document."""
        self._held: list[Record] = []
        self._header: type[Record] | None = None
        self._encoder = msgspec.json.Encoder(enc_hook=_encode_other)

    def emit(self, record: Record) -> None:
        """Write one record, or hold it until its table is drawn."""
        _refuse_non_finite(record)
        if self.format == "jsonl":
            self.stream.write(self._encoder.encode(record) + b"\n")
        elif self.format == "json":
            self.stream.write((b",\n" if self.rows else b"[\n") + self._encoder.encode(record))
        elif self.format == "csv":
            self._emit_csv(record)
        elif self.format == "table":
            self._held.append(record)
            if len(self._held) == TABLE_BLOCK:
                self._draw_table()
        self.rows += 1
        if self.flush_each:
            self.stream.flush()

    def document(self, text: str) -> None:
        """Write text that is a document rather than records (a schema, a completion script)."""
        self.ended = True  # no end record shall follow
        self.stream.write(text.encode())
        self.stream.flush()

    def partial(self) -> None:
        """Say that only some of the work was done: exit code 6 unless an error follows."""
        self.status, self.code = "partial", ExitCode.PARTIAL

    def failed(self, code: ExitCode = ExitCode.FAILED) -> None:
        """Say that the records themselves tell of failure: the command ends with this exit code."""
        self.status, self.code = "error", code

    def flush(self) -> None:
        """Hand what was written to the reader now (a live stream in a pipe)."""
        self.stream.flush()

    def show(self) -> None:
        """Let the reader see what was emitted so far, a table too; the rest is another table."""
        if self.format == "table":
            self._draw_table()
        self.stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        elif not isinstance(error, BrokenPipeError):
            self._take_status(error)
            # The error on its way out says more than a reader who has left.
            with contextlib.suppress(OSError):
                self.finish()

    def _take_status(self, error: BaseException) -> None:
        if isinstance(error, KimeraError):
            self.failed(exit_code_for(error))
        elif isinstance(error, KeyboardInterrupt):
            self.status, self.code = "interrupted", ExitCode.INTERRUPTED
        else:
            self.failed()

    def finish(self) -> None:
        """Write what is held and the end record."""
        end = End(status=self.status, rows=self.rows, code=int(self.code))
        if self.format == "jsonl":
            self.stream.write(self._encoder.encode(end) + b"\n")
        elif self.format == "json":
            self.stream.write((b",\n" if self.rows else b"[\n") + self._encoder.encode(end))
            self.stream.write(b"\n]\n")
        elif self.format == "table":
            self._draw_table()
        self.ended = True
        self.stream.flush()

    def _emit_csv(self, record: Record) -> None:
        from kimera_cli import tables

        if type(record) is not self._header:
            self._header = type(record)
            self.stream.write(tables.csv_header(record).encode())
        self.stream.write(tables.csv_row(record).encode())

    def _draw_table(self) -> None:
        if self._held:
            from kimera_cli import tables

            text = tables.table(self._held, self.width, colour=self.colour)
            self.stream.write(text.encode())
            self.stream.flush()
            self._held.clear()


@cache
def _may_be_non_finite(kind: type[Record]) -> tuple[str, ...]:
    """Names of the fields that can hold a float; the others need no look."""
    safe = (int, str, bool, list[str], int | None)
    hints = get_type_hints(kind)
    return tuple(
        name
        for name in kind.__struct_fields__
        if hints[name] not in safe and getattr(hints[name], "__origin__", None) is not Literal
    )


def _refuse_non_finite(record: Record) -> None:
    for name in _may_be_non_finite(type(record)):
        if not _finite(getattr(record, name)):
            raise KimeraError(
                "internal.non_finite",
                f"expected a finite number in {type(record).__name__}.{name}, was "
                f"{getattr(record, name)}",
                "this is a defect of kimera: please report it with the command that you ran",
            )


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(_finite(v) for v in value.values())
    if isinstance(value, list | tuple):
        return all(_finite(v) for v in value)
    return True


def _encode_other(value: Any) -> Any:
    """Numpy scalars and arrays become Python values; paths become text."""
    for method in ("tolist", "__fspath__"):
        if convert := getattr(value, method, None):
            return convert()
    raise NotImplementedError(f"expected a JSON value, was {type(value).__name__}")
