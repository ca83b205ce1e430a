"""An intake that tells a recorder all that goes into it, before it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.reader import Payload

Note = Callable[[int, str, Payload, int], None]
"""note(local ns, what, content, instrument or -1); `what` as in feeds/recording.py."""


class TappedIntake(Intake):
    """An Intake; whatever may change what comes out of it is noted first."""

    def __init__(self, *args: Any, note: Note, now_ns: Callable[[], int]) -> None:
        super().__init__(*args)
        self._note, self._now_ns = note, now_ns
        taken = self.take

        def take(payload: Payload, ts_local_ns: int) -> int:
            note(ts_local_ns, "text", payload, -1)
            return taken(payload, ts_local_ns)

        self.take = take

    @property
    def direct(self) -> bool:
        """Each frame is noted."""
        return False

    def begin(self, ts_local_ns: int) -> None:
        """The feed begins."""
        self._note(ts_local_ns, "begin", b"", -1)
        super().begin(ts_local_ns)

    def connected(self) -> None:
        """A new connection."""
        self._note(self._now_ns(), "open", b"", -1)
        super().connected()

    def gap(self, ts_local_ns: int) -> None:
        """The connection is gone."""
        self._note(ts_local_ns, "lost", b"", -1)
        super().gap(ts_local_ns)

    def answer(self, number: int, payload: bytes, ts_local_ns: int) -> None:
        """A book was answered."""
        self._note(ts_local_ns, "book", payload, number)
        super().answer(number, payload, ts_local_ns)

    def silence(self, number: int, ts_local_ns: int) -> None:
        """A channel is silent."""
        self._note(ts_local_ns, "silent", b"", number)
        super().silence(number, ts_local_ns)

    def watch(self, number: int) -> None:
        """A comparison begins."""
        self._note(self._now_ns(), "watch", b"", number)
        super().watch(number)

    def told(self, number: int, payload: bytes, ts_local_ns: int) -> None:
        """The answer to compare with."""
        self._note(ts_local_ns, "told", payload, number)
        super().told(number, payload, ts_local_ns)

    def judge(self, number: int, ts_local_ns: int) -> None:
        """The comparison."""
        self._note(ts_local_ns, "judge", b"", number)
        super().judge(number, ts_local_ns)
