"""The only writer of stderr, and the exit codes.

Everything for a person goes here: notes, warnings, errors, progress. stdout stays data (`output`).
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from kimera_cli.errors import KimeraError


class ExitCode(enum.IntEnum):
    """What the shell is told. The numbers are a contract: docs/reference/exit-codes.md."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DATA = 3
    VENUE = 4
    RISK = 5
    PARTIAL = 6
    INTERRUPTED = 130
    CLOSED_PIPE = 141


_BY_FAMILY = {
    "usage": ExitCode.USAGE,
    "profile": ExitCode.USAGE,
    "data": ExitCode.DATA,
    "venue": ExitCode.VENUE,
    "risk": ExitCode.RISK,
}


def exit_code_for(error: KimeraError) -> ExitCode:
    """Return the exit code of an error from the family of its dotted code."""
    return _BY_FAMILY.get(error.code.split(".", 1)[0], ExitCode.FAILED)


class Diagnostics:
    """Writes lines for a person to one stream; `quiet` silences notes, never warnings and errors."""

    def __init__(
        self, stream: TextIO, *, quiet: bool = False, verbose: int = 0, json: bool = False
    ) -> None:
        self.stream = stream
        self.quiet = quiet
        self.verbose = verbose
        self.json = json

    def note(self, text: str) -> None:
        """Say something useful that no script needs."""
        if not self.quiet:
            self._line(text)

    def detail(self, text: str) -> None:
        """Say it only with -v."""
        if self.verbose:
            self._line(text)

    def warning(self, text: str) -> None:
        """Say what a person should look at; also with --quiet."""
        self._line(f"warning: {text}")

    def error(self, error: KimeraError) -> None:
        """Write one error: a line for a person, or one JSON record when the data format is jsonl."""
        if self.json:
            import msgspec

            from kimera_cli.records import Error

            record = Error(
                code=error.code, message=error.message, hint=error.hint, details=dict(error.details)
            )
            self._line(msgspec.json.encode(record).decode())
            return
        self._line(f"error: {error.message} [{error.code}]")
        if error.hint:
            self._line(f"  mend: {error.hint}")

    def _line(self, text: str) -> None:
        self.stream.write(text + "\n")
        self.stream.flush()
