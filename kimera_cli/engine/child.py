"""A process of its own for one part of a run: it is ready, it ends with a result, or with an error.

Errors of the child are raised here as they were. A child ignores Ctrl-C (its parent stops it), and
ends by itself when the parent is gone: each side of a ring sees whether the other one lives.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from kimera_cli import errors
from kimera_cli.errors import KimeraError, RunError

READY, RESULT, ERROR, BROKEN, NOTE = "ready", "result", "error", "broken", "note"
NEWS = "news"
LONG_S = 60.0
"""A child that says nothing for so long while it starts (imports, cold caches) is given up."""


class Child:
    """`task(wire, *arguments)` in a new process; `wire` sends READY and takes words of ours.

    What `task` returns is the result. Arguments and result are pickled.
    """

    def __init__(
        self, name: str, task: Callable[..., Any], arguments: tuple[Any, ...], cores: frozenset[int]
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._results: list[Any] = []
        self.notes: list[KimeraError] = []
        """What the child met and is mending, oldest first; whoever reads them takes them."""
        self.news: list[Any] = []
        """What it has to tell beside that (NEWS, anything), oldest first; the reader takes them."""
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, cores, task, arguments), name=name, daemon=True
        )
        start_unheard(self._process)
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid or 0

    def await_ready(self, limit_s: float = LONG_S) -> None:
        """Return when the child works, or raise what stopped it.

        `limit_s`: how long it may be silent; a note of it is a sign of life.
        """
        while True:
            if not self._pipe.poll(limit_s):
                self.stop()
                raise RunError(
                    "run.child_start",
                    f"expected the {self.name} process to start in {limit_s:.0f} s, was silence",
                    "the machine may be overloaded: try again, or --shape single",
                )
            if self._receive() == READY:
                return

    def check(self) -> None:
        """Raise the child's error if it had one, or say that it is gone before its result."""
        if self._results:
            return
        if self._pipe.poll(0):
            while self._pipe.poll(0) and not self._results:
                self._receive()
        elif not self._process.is_alive():
            raise self._gone()

    def tell(self, word: Any) -> None:
        """Send a word; a child that is gone does not hear it."""
        with contextlib.suppress(OSError):
            self._pipe.send(word)

    def result(self) -> Any:
        """Wait for the result."""
        while not self._results:
            self._receive()
        self._process.join()
        return self._results[0]

    def stop(self) -> None:
        """End the child whatever it does."""
        self._process.terminate()
        self._process.join()
        self._pipe.close()

    def _receive(self) -> str:
        """Take one message of the child; return its kind, or raise the error that it is."""
        try:
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join()
            raise self._gone() from None
        if kind == ERROR:
            raise _error_of(value)
        if kind == BROKEN:
            raise RunError(
                "run.child",
                f"expected the {self.name} process to work, was {value}",
                "see where, in one process: --shape single --debug",
            )
        if kind == RESULT:
            self._results.append(value)
        elif kind == NOTE:
            self.notes.append(_error_of(value))
        elif kind == NEWS:
            self.news.append(value)
        return str(kind)

    def _gone(self) -> RunError:
        return RunError(
            "run.child_ended",
            f"expected the {self.name} process {self.pid} to live, was ended with "
            f"{self._process.exitcode}",
            "the journal keeps what had been decided: kimera journal verify RUN",
            pid=self.pid,
        )


def start_unheard(process: BaseProcess) -> None:
    """Start a process that does not hear Ctrl-C from its first moment, its imports included."""
    resource_tracker.ensure_running()  # which unblocks signals itself
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def _serve(
    pipe: Connection, cores: frozenset[int], task: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if cores and hasattr(os, "sched_setaffinity"):
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, cores)
    try:
        pipe.send((RESULT, task(pipe, *arguments)))
    except KimeraError as error:
        _send(pipe, (ERROR, _told(error)))
    except Exception as error:
        _send(pipe, (BROKEN, f"{type(error).__name__}: {error}"))


def _send(pipe: Connection, told: tuple[str, Any]) -> None:
    with contextlib.suppress(OSError):
        pipe.send(told)


def note(pipe: Connection, error: KimeraError) -> None:
    """Tell the parent what went wrong and is being mended; called in the child."""
    _send(pipe, (NOTE, _told(error)))


def _told(error: KimeraError) -> tuple[str, str, str, str, dict[str, Any]]:
    return type(error).__name__, error.code, error.message, error.hint, error.details


def _error_of(told: tuple[str, str, str, str, dict[str, Any]]) -> KimeraError:
    name, code, message, hint, details = told
    kind: type[KimeraError] = getattr(errors, name, RunError)
    return kind(code, message, hint, **details)
