"""The world as a command sees it: streams, clock, seed, environment, folders.

This is the only module that reads the environment, the clock and randomness; everything else
receives them, so that a test (or a replay) can give its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from kimera_cli.diagnostics import Diagnostics
from kimera_cli.output import Format, Output

if TYPE_CHECKING:
    from kimera_cli.profile import Resolved


@dataclass
class Context:
    """Global options and surroundings of one invocation; commands reach it as `ctx.obj`."""

    stdin: TextIO
    stdout: BinaryIO
    stderr: TextIO
    env: Mapping[str, str]
    now_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.perf_counter_ns
    random_bytes: Callable[[int], bytes] = os.urandom
    format: Format | None = None
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    profile: str | None = None
    lock: str | None = None
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    width: int = 100
    opened: Output | None = None
    """The stream of records of this command, once it has one."""
    _diagnostics: Diagnostics | None = None
    _held: list[TextIO] = field(default_factory=list)

    def choose(self, option: str, value: Any) -> None:
        """Set a global option that the user typed; `verbose` adds up."""
        setattr(self, option, self.verbose + value if option == "verbose" else value)
        self._diagnostics = None

    @property
    def effective_format(self) -> Format:
        """The format asked for; by default a table on a terminal, JSON lines in a pipe.

        `--quiet` alone is for cron, which mails whatever is said: no data unless asked for.
        """
        if self.format:
            return self.format
        if self.quiet:
            return "none"
        return "table" if self.stdout_is_terminal else "jsonl"

    @property
    def home(self) -> Path:
        """Data folder: KIMERA_HOME, else the platform's user data folder."""
        if value := self.env.get("KIMERA_HOME"):
            return Path(value)
        import platformdirs

        return Path(platformdirs.user_data_dir("kimera", appauthor=False))

    @property
    def cache(self) -> Path:
        """Folder of what can be made anew: KIMERA_CACHE, XDG_CACHE_HOME or ~/.cache, kimera's part.

        Compiled kernels lie in there too (kernels/_jit.py, which may not import this module).
        """
        named = self.env.get("KIMERA_CACHE") or self.env.get("XDG_CACHE_HOME")
        return (Path(named) if named else Path.home() / ".cache") / "kimera"

    def load_profile(self, overrides: Mapping[str, Any] | None = None) -> Resolved:
        """Return the profile of this invocation; `overrides` are flags by dotted key."""
        from kimera_cli.profile import load

        return load(self.profile, self.env, overrides)

    def output(self) -> Output:
        """Open the stream of records of this command."""
        self.opened = Output(
            self.stdout,
            self.effective_format,
            flush_each=self.stdout_is_terminal,
            colour=self.stdout_is_terminal and not self.env.get("NO_COLOR"),
            width=self.width,
        )
        return self.opened

    @property
    def diagnostics(self) -> Diagnostics:
        """The writer of stderr."""
        if self._diagnostics is None:
            self._diagnostics = Diagnostics(
                self.stderr,
                quiet=self.quiet,
                verbose=self.verbose,
                json=self._errors_are_records(),
                terminal=self.stderr_is_terminal,
                colour=self.stderr_is_terminal and not self.env.get("NO_COLOR"),
                width=self.width,
                clock_ns=self.monotonic_ns,
            )
        return self._diagnostics

    def _errors_are_records(self) -> bool:
        """A program reads stderr when JSON was asked for, or when nothing here is a terminal."""
        if self.format:
            return self.format in ("jsonl", "json")
        return self.effective_format == "jsonl" and not self.stderr_is_terminal

    def take_lock(self) -> None:
        """Hold the lock named with --lock until the process ends."""
        if self.lock:
            from kimera_cli.lock import hold

            self._held.append(hold(self.home / "locks", self.lock))


STDOUT_BLOCK = 1 << 16


def from_process() -> Context:
    """Build the context of the running process."""
    # Not sys.stdout.buffer: under PYTHONUNBUFFERED that is a raw file, one system call per record.
    stdout = open(sys.stdout.fileno(), "wb", STDOUT_BLOCK, closefd=False)  # noqa: SIM115
    return Context(
        stdin=sys.stdin,
        stdout=stdout,
        stderr=sys.stderr,
        env=os.environ,
        stdout_is_terminal=sys.stdout.isatty(),
        stderr_is_terminal=sys.stderr.isatty(),
        width=_terminal_width(),
    )


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns
