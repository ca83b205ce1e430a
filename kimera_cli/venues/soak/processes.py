"""Processes of a soak: each a group of its own, so that a kill or an end reaches all of it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

TURN_S = 0.1
END_S = 60.0
"""How long an end may take that was asked for politely."""


class Group:
    """A kimera command and every process that it begins.

    Its stdout is `NAME.jsonl` in the folder, its stderr `NAME.txt`. It has a session of its own:
    a Ctrl-C at the terminal is not for it, but for the soak, which ends it.
    """

    def __init__(
        self, name: str, words: Sequence[str], folder: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.out, self.err = folder / f"{name}.jsonl", folder / f"{name}.txt"
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "kimera_cli", *words, "--format", "jsonl"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=dict(env),
                cwd=folder,
                start_new_session=True,
            )

    @property
    def code(self) -> int | None:
        """How the first process ended; None while it lives."""
        return self._process.poll()

    def members(self) -> list[int]:
        """Return the processes of the group that live, the first one first."""
        self._process.poll()  # so that it is no zombie
        found = []
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, psutil.Error):
                alive = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
                if alive and os.getpgid(pid) == self._process.pid:
                    found.append(pid)
        return sorted(found, key=lambda pid: (pid != self._process.pid, pid))

    def kill(self, what: str, chance: random.Random) -> None:
        """SIGKILL: `kill_all`, `kill_main` (the first process), `kill_part` (one of the others)."""
        if what == "kill_all":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            return
        first, *others = self.members() or [self._process.pid]
        others = [pid for pid in others if _works(pid)]
        chosen = chance.choice(others) if what == "kill_part" and others else first
        with contextlib.suppress(ProcessLookupError):
            os.kill(chosen, signal.SIGKILL)

    def stop(self) -> None:
        """Ask its first process to end, which tells the others.

        By SIGTERM, which ends kimera like Ctrl-C: in the background shells have SIGINT ignored.
        """
        if self.code is None:
            self._process.terminate()

    def gone(self, seconds: float = END_S) -> bool:
        """Wait until no process of the group is left; return whether that came about."""
        return wait_for(lambda: not self.members(), seconds)

    def end(self) -> None:
        """Leave nothing of it, politely where that works."""
        self.stop()
        if not self.gone(END_S / 2):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self.gone()

    def last_words(self, most: int = 300) -> str:
        """Return the end of its stderr."""
        return self.err.read_bytes()[-most:].decode("utf-8", "replace").strip()


def wait_for(true: Callable[[], object], seconds: float) -> bool:
    """Wait until something is so; return whether it came about in so many real seconds."""
    for _ in range(int(seconds / TURN_S)):
        if true():
            return True
        time.sleep(TURN_S)
    return bool(true())


def _works(pid: int) -> bool:
    """Whether a process is one of kimera's, not Python's own that clears up behind the others."""
    try:
        return not any("resource_tracker" in word for word in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
