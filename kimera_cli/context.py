"""The world as a command sees it: streams, clock, seed, environment, folders.

This is the only module that reads the environment, the clock and randomness; everything else receives
them, so that a test (or a replay) can give its own.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from kimera_cli.diagnostics import Diagnostics
from kimera_cli.output import Format, Output


@dataclass
class Context:
    """Global options and injected surroundings of one invocation; commands reach it as `ctx.obj`."""

    stdin: TextIO
    stdout: BinaryIO
    stderr: TextIO
    env: Mapping[str, str]
    now_ns: Callable[[], int] = time.time_ns
    monotonic_ns: Callable[[], int] = time.perf_counter_ns
    format: Format | None = None
    quiet: bool = False
    verbose: int = 0
    debug: bool = False
    profile: str | None = None
    stdout_is_terminal: bool = False
    stderr_is_terminal: bool = False
    width: int = 100
    settings: dict[str, object] = field(default_factory=dict)

    @property
    def effective_format(self) -> Format:
        """The format asked for; by default a table on a terminal and JSON lines in a pipe."""
        return self.format or ("table" if self.stdout_is_terminal else "jsonl")

    @property
    def home(self) -> Path:
        """Data folder: KIMERA_HOME, else the platform's user data folder."""
        if value := self.env.get("KIMERA_HOME"):
            return Path(value)
        import platformdirs

        return Path(platformdirs.user_data_dir("kimera", appauthor=False))

    def output(self) -> Output:
        """Open the stream of records of this command."""
        colour = self.stdout_is_terminal and not self.env.get("NO_COLOR")
        return Output(
            self.stdout,
            self.effective_format,
            flush_each=self.stdout_is_terminal,
            colour=colour,
            width=self.width,
        )

    @property
    def diagnostics(self) -> Diagnostics:
        """The writer of stderr."""
        return Diagnostics(
            self.stderr,
            quiet=self.quiet,
            verbose=self.verbose,
            json=self.effective_format == "jsonl",
        )


def from_process() -> Context:
    """Build the context of the running process."""
    return Context(
        stdin=sys.stdin,
        stdout=cast(BinaryIO, sys.stdout.buffer),
        stderr=sys.stderr,
        env=os.environ,
        stdout_is_terminal=sys.stdout.isatty(),
        stderr_is_terminal=sys.stderr.isatty(),
        width=_terminal_width(),
    )


def _terminal_width() -> int:
    import shutil

    return shutil.get_terminal_size((100, 24)).columns
