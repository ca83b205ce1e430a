"""The kill latch: a file that stops new risk in every process, until somebody arms again.

It is there or it is not, so that whoever looks sees it at once and a crash cannot leave half of it;
a file that cannot be read or looked for counts as there. What it holds says why, when and by whom.
Every kill and arm is kept, a line each, in the file's history beside it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from kimera_cli.errors import KimeraError, RiskError
from kimera_cli.files import write_atomic, write_error

FILE = "kill"
"""Name of the latch in kimera's home folder."""


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """Why trading is stopped."""

    reason: str
    ts_ns: int
    by: str
    """What stopped it: a command, a run, a limit."""


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    reason: str
    ts_ns: int
    by: str


class Latch:
    """The latch of one kimera home; looking at it costs one system call."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = path.with_name(f"{path.name}.log")

    def is_killed(self) -> bool:
        """Return whether new risk is forbidden; cancels and reductions never are."""
        try:
            self.path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def read(self) -> Killed | None:
        """Return why trading is stopped; None when it is not."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=Killed)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError):
            # `touch kill` by hand is as good as the command.
            return Killed(reason="no reason given", ts_ns=0, by="unknown")

    def kill(self, reason: str, now_ns: int, by: str) -> Killed:
        """Forbid new risk; the first kill's reason stays. When this returns, everybody sees it.

        RunError `run.disk_full`, `run.folder`: look whether it is set; only its reason may be lost.
        """
        if (before := self.read()) is not None:
            return before
        killed = Killed(reason=reason, ts_ns=now_ns, by=by)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_atomic(self.path, msgspec.json.encode(killed))
            except KimeraError:
                self.path.touch(mode=0o600)  # a full disk often has room for a name: that is enough
                raise
            _keep_name(self.path.parent)
        except OSError as error:
            raise write_error(self.path, error) from error
        self._note("kill", reason, now_ns, by)
        return killed

    def arm(self, reason: str, now_ns: int, by: str) -> Killed | None:
        """Allow new risk again; return what had been stopped, None when nothing was."""
        before = self.read()
        if before is None:
            return None
        self._note("arm", reason, now_ns, by)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise write_error(self.path, error) from error
        _keep_name(self.path.parent)
        return before

    def refuse(self) -> None:
        """Raise RiskError `risk.kill_switch` while new risk is forbidden."""
        if (killed := self.read()) is None:
            return
        raise RiskError(
            "risk.kill_switch",
            f"expected trading to be armed, was killed by {killed.by}: {killed.reason}",
            "when it is safe to trade again: kimera trade arm",
            file=str(self.path),
            killed_ns=killed.ts_ns,
        )

    def _note(self, event: str, reason: str, now_ns: int, by: str) -> None:
        line = msgspec.json.encode(_Event(event=event, reason=reason, ts_ns=now_ns, by=by)) + b"\n"
        try:
            descriptor = os.open(self.history, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise write_error(self.history, error) from error


def _keep_name(folder: Path) -> None:
    """Make a name that came or went in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
