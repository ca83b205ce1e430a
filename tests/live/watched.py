"""A run that is watched while it goes on, record by record."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

Found = Callable[[dict[str, Any]], bool]
Orders = list[dict[str, Any]]
WITHIN_S = 240.0
"""Only a guard against a hang; a run that says other things all the time is no sign of life."""


class Watched:
    """A run, and what it has said so far."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.records: list[dict[str, Any]] = []
        self._errors: list[bytes] = []
        self._more = threading.Condition()
        self._over = False
        self._threads = [
            threading.Thread(target=self._read),
            threading.Thread(target=lambda: self._errors.append(process.stderr.read())),
        ]
        for each in self._threads:
            each.start()

    @property
    def errors(self) -> str:
        """What it said for a person; after its end."""
        for each in self._threads:
            each.join()
        return b"".join(self._errors).decode()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._more:
                self.records.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._over = True
            self._more.notify_all()

    def until(self, found: Found, since: int = 0, times: int = 1) -> int:
        """Wait for the record, behind index `since`, that is `found`; return the index behind it.

        The test fails when the run ends before.
        """
        at, left, ends_s = since, times, time.monotonic() + WITHIN_S
        with self._more:
            while True:
                while at < len(self.records):
                    at += 1
                    left -= found(self.records[at - 1])
                    if not left:
                        return at
                assert not self._over, self._errors
                left_s = max(0.0, ends_s - time.monotonic())
                assert self._more.wait(left_s), self.records[-3:]

    def end(self) -> dict[str, Any]:
        """Interrupt it; return its summary once it has ended."""
        self.process.send_signal(2)
        at = self.until(lambda r: r["type"] == "run_summary")
        self.process.wait(WITHIN_S)
        return self.records[at - 1]

    def _every(self) -> list[psutil.Process]:
        root = psutil.Process(self.process.pid)
        return [*root.children(recursive=True), root]

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        every = self._every()
        for each in every:
            each.kill()
        psutil.wait_procs(every[:-1])
        self.process.wait()

    def kill_while_resting(
        self, resting: Callable[[], Orders], live: Callable[[bool], None]
    ) -> Orders:
        """SIGKILL to all of it at a moment when orders rest; return these.

        `live` sets the market going or lets it stand still, as it does behind the kill: nothing
        fills what rests. A run that is asked at another moment goes on until its next orders.
        """
        at = 0
        while True:
            for each in self._every():
                each.suspend()
            live(False)
            # What was under way has arrived behind the first answer.
            if resting() and (found := resting()):
                self.kill()
                return found
            live(True)
            for each in self._every():
                each.resume()
            at = self.until(lambda r: r["type"] == "order" and r["event"] == "accepted", at)

    def stop(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        for each in self._threads:
            each.join()
        self.process.wait()


def holds(instrument: str) -> Found:
    """A fill after which there is a position."""
    return lambda r: (
        r["type"] == "fill" and r["instrument"] == instrument and float(r["position"]) != 0.0
    )


def order(instrument: str, event: str = "accepted", reason: str = "") -> Found:
    return lambda r: (
        r["type"] == "order"
        and (r["instrument"], r["event"]) == (instrument, event)
        and r["reason"].startswith(reason)
    )


def notice(code: str, venue: str) -> Found:
    """A notice about a venue."""
    return lambda r: (
        r["type"] == "notice" and r["code"] == code and r["details"].get("venue") == venue
    )
