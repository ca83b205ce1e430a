"""Ctrl-C while a run works: it stops between two slices of the loop, so that nothing is torn."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any


class Interrupts:
    """A context manager over SIGINT and SIGTERM.

    The first signal sets `asked`: whoever works looks at it between two whole pieces of work. The
    second raises KeyboardInterrupt at once (a strategy hangs, a reader does not read), except while
    the run is being closed. A signal that the process ignores stays ignored.
    """

    def __init__(self) -> None:
        self.asked = False
        self._closing = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextmanager
    def closing(self) -> Iterator[None]:
        """Let what is inside finish whatever is asked: journal, files and manifest are one."""
        self._closing = True
        try:
            yield
        finally:
            self._closing = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked and not self._closing:
            raise KeyboardInterrupt
        self.asked = True
