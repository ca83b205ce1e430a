"""Waiting for another process: a few tries at once, then short sleeps."""

from __future__ import annotations

import time

TRIES = 64
SLEEP_S = 50e-6
LOOK_EVERY = 200
"""Sleeps (10 ms) after which it is worth asking whether the other side lives."""


class Pause:
    """`take` waits a moment, longer after a while, and says when to look after the other side."""

    def __init__(self) -> None:
        self._tries = 0

    def take(self) -> bool:
        """Wait; return True when it has been long enough to look whether anybody is there."""
        self._tries += 1
        if self._tries <= TRIES:
            return False
        time.sleep(SLEEP_S)
        return (self._tries - TRIES) % LOOK_EVERY == 0

    def end(self) -> None:
        """Something came: the next wait begins anew."""
        self._tries = 0
