"""The only writer of stderr, and the exit codes.

Everything for a person goes here: notes, warnings, errors, progress. stdout stays data (`output`).
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from kimera_cli.plain_text import plain
from kimera_cli.progress import SILENT, ElapsedProgress, Progress, TerminalProgress

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
    """Writes lines for a person to one stream; `quiet` silences notes, never warnings and errors.

    `terminal` says that a person is looking: only then is there progress and colour.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        quiet: bool = False,
        verbose: int = 0,
        json: bool = False,
        terminal: bool = False,
        colour: bool = False,
        width: int = 100,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.stream = stream
        self.quiet = quiet
        self.verbose = verbose
        self.json = json
        self.terminal = terminal
        self.colour = colour
        self.width = width
        self.clock_ns = clock_ns
        self._bar: Progress = SILENT

    def note(self, text: str) -> None:
        """Say something useful that no script needs."""
        if not self.quiet:
            self._line(plain(text))

    def detail(self, text: str) -> None:
        """Say it only with -v."""
        if self.verbose and not self.quiet:
            self._line(plain(text))

    def warning(self, text: str) -> None:
        """Say what a person should look at; also with --quiet."""
        self._line(f"{self._paint('warning:', 33)} {plain(text)}")

    def ask(self, text: str) -> None:
        """Put a question; also with --quiet, because somebody has to answer it."""
        self._bar.clear()
        self.stream.write(plain(text))
        self.stream.flush()

    def error(self, error: KimeraError) -> None:
        """Write one error: lines for a person, or one JSON record when a program reads."""
        if self.json:
            import msgspec

            from kimera_cli.records import Error

            record = Error(
                code=error.code, message=error.message, hint=error.hint, details=dict(error.details)
            )
            self._line(msgspec.json.encode(record).decode())
            return
        self._line(f"{self._paint('error:', 31)} {plain(error.message)} [{error.code}]")
        if error.hint:
            self._line(f"  mend: {plain(error.hint)}")

    def traceback(self, error: BaseException) -> None:
        """Write where an error came from (--debug)."""
        import traceback

        self._line(plain("".join(traceback.format_exception(error)).rstrip()))

    def progress(self, label: str, total: int | None = None, unit: str = "") -> Progress:
        """Return a progress bar: `with diagnostics.progress("import", n) as bar: bar.advance(k)`.

        On anything but a terminal, and with --quiet, it does nothing and costs nothing.
        """
        if self.quiet or not self.terminal:
            return SILENT
        self._bar = TerminalProgress(self.stream, label, total, unit, self.clock_ns, self.width)
        return self._bar

    def elapsed(self, label: str) -> Progress:
        """Return a running clock for work of unknown length; a note where nobody looks."""
        if self.quiet or not self.terminal:
            self.note(label)
            return SILENT
        self._bar = ElapsedProgress(self.stream, label, self.clock_ns, self.width)
        return self._bar

    def _paint(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour else text

    def _line(self, text: str) -> None:
        self._bar.clear()
        self.stream.write(text + "\n")
        self.stream.flush()
