"""The only writer of stdout.

A command opens one `Output`, emits records, and leaves: the end record, the table or the bytes follow by
themselves. NaN and infinity are refused here, because JSON has no word for them.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec

from kimera_cli.diagnostics import ExitCode, exit_code_for
from kimera_cli.errors import KimeraError
from kimera_cli.records import End, Record

if TYPE_CHECKING:
    from typing import Self

Format = Literal["jsonl", "json", "table", "csv", "none"]
FORMATS: tuple[Format, ...] = ("jsonl", "json", "table", "csv", "none")


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
        self.status: Literal["ok", "partial", "error", "interrupted"] = "ok"
        self.code: int = ExitCode.OK
        self._held: list[Record] = []
        self._encoder = msgspec.json.Encoder()

    def emit(self, record: Record) -> None:
        """Write one record (jsonl) or hold it for the table, csv or json document."""
        self._refuse_non_finite(record)
        self.rows += 1
        if self.format == "jsonl":
            self.stream.write(self._encoder.encode(record) + b"\n")
            if self.flush_each:
                self.stream.flush()
        elif self.format != "none":
            self._held.append(record)

    def partial(self) -> None:
        """Say that some of the work was done and some was not: exit code 6 unless an error follows."""
        self.status, self.code = "partial", ExitCode.PARTIAL

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, BrokenPipeError):
            return
        if isinstance(error, KimeraError):
            self.status, self.code = "error", exit_code_for(error)
        elif isinstance(error, KeyboardInterrupt):
            self.status, self.code = "interrupted", ExitCode.INTERRUPTED
        elif error is not None:
            self.status, self.code = "error", ExitCode.FAILED
        self._finish()

    def _finish(self) -> None:
        end = End(status=self.status, rows=self.rows, code=int(self.code))
        if self.format == "jsonl":
            self.stream.write(self._encoder.encode(end) + b"\n")
        elif self.format == "json":
            self.stream.write(self._encoder.encode([*self._held, end]) + b"\n")
        elif self.format in ("table", "csv") and self._held:
            from kimera_cli import tables

            text = (
                tables.csv(self._held)
                if self.format == "csv"
                else tables.table(self._held, self.width, colour=self.colour)
            )
            self.stream.write(text.encode())
        self.stream.flush()

    @staticmethod
    def _refuse_non_finite(record: Record) -> None:
        for name in record.__struct_fields__:
            value: Any = getattr(record, name)
            if isinstance(value, float) and not math.isfinite(value):
                raise KimeraError(
                    "run.non_finite",
                    f"expected a finite number in {type(record).__name__}.{name}, was {value}",
                    "this is a defect of kimera: please report it",
                )
