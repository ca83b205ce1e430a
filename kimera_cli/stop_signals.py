"""Ctrl-C and SIGTERM for the life of a process: none is lost, and none prints a traceback.

Python raises KeyboardInterrupt wherever it happens to be. Out of a function that C called (LLVM
calls some while kernels compile), a destructor or the callback of a weak reference it cannot come:
Python prints "Exception ignored" and goes on as if nobody had asked. Such a one is sent again.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from sys import UnraisableHookArgs

AGAIN_S = 0.001
"""How much later: what swallowed it has returned by then, or swallows it once more."""


def end_at_once() -> None:
    """Let both end the process without a word: nothing is written yet, or everything is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        _handle(number, signal.SIG_DFL)


class StopSignals:
    """Both raise KeyboardInterrupt from `listen` to `leave`; what is ignored stays ignored.

    SIGINT keeps Python's own handler, because asyncio puts its own only in that one's place.
    """

    def __init__(self) -> None:
        self.swallowed = False
        """Whether one was: what failed behind it may have failed because of that."""
        self._listening = False

    def listen(self) -> None:
        """Begin."""
        self._listening = True
        _handle(signal.SIGINT, signal.default_int_handler)
        _handle(signal.SIGTERM, _as_ctrl_c)
        sys.unraisablehook = self._unraisable

    def leave(self) -> None:
        """Stop: all is written, and the interpreter, which tidies up, must not be interrupted."""
        self._listening = False
        end_at_once()

    def _unraisable(self, what: UnraisableHookArgs) -> None:
        if not issubclass(what.exc_type, KeyboardInterrupt):
            sys.__unraisablehook__(what)
        elif self._listening:
            self.swallowed = True
            # No Thread object: its start waits, and the signal would come while this is waiting.
            _thread.start_new_thread(self._again, ())

    def _again(self) -> None:
        time.sleep(AGAIN_S)
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        main = threading.main_thread().ident
        if self._listening and main is not None:
            signal.pthread_kill(main, signal.SIGTERM if ignored else signal.SIGINT)


def _handle(number: signal.Signals, handler: Callable[..., object] | signal.Handlers) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:
        signal.signal(number, handler)


def _as_ctrl_c(number: int, frame: FrameType | None) -> None:
    """SIGTERM is a polite request to stop: what Ctrl-C does now, be it an event loop's."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)
