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

    Within `held()` the first signal only sets `asked`; a second one, and any outside of it, raises
    KeyboardInterrupt at once. A signal that the process ignores stays ignored.
    """

    def __init__(self) -> None:
        self.asked = False
        self._holding = False
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
    def held(self) -> Iterator[None]:
        """Let what is inside finish before the first signal is obeyed."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked or not self._holding:
            raise KeyboardInterrupt
        self.asked = True
