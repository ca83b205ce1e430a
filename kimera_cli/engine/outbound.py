"""Orders that leave the loop, and answers that come back: the engine's side of the executor.

The executor is a process of its own (kimera_cli/live/orders.py). Requests go to it through one
ring, after the run's journal has them; its answers come through another, in the order in which the
venue's news reached it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kimera_cli.engine.child import Child
from kimera_cli.engine.live import STOP
from kimera_cli.errors import KimeraError, RunError
from kimera_cli.kernels.outside import ASKED, TOLD
from kimera_cli.kernels.state import EXECUTOR_VENUE
from kimera_cli.layouts import R_FILL
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import Clocks

if TYPE_CHECKING:  # the executor's process reads this file, too, and has no loop
    from kimera_cli.engine.arrays import LoopArrays

SLOTS = 1 << 12
FIELDS = ("kind", "id", "sleeve", "slot", "side", "type", "tif", "px_ticks", "qty_lots")
CLOSED = 0
"""`kind` of the executor's last answer: nothing of the run is at a venue any more."""


class Outbound:
    """Takes requests out of the loop's tables, brings answers in."""

    def __init__(
        self,
        task: Callable[..., Any],
        arguments: Any,
        folder: Path,
        clocks: Clocks,
        cores: frozenset[int],
    ) -> None:
        paths = (folder / "asked.ring", folder / "told.ring")
        self._asked = Producer(paths[0], ring_shape(ASKED, SLOTS), clocks)
        self._told = Consumer(paths[1], ring_shape(TOLD, SLOTS), clocks)
        self.child = Child("order entry", task, (arguments, paths, clocks), cores)
        self.closed = self._closing = False
        self._arrays: LoopArrays | None = None

    def attach(self, arrays: LoopArrays) -> None:
        """Let the loop send; the executor has recovered by now."""
        self._arrays = arrays
        loop = arrays.loop[0]
        loop["executor"] = EXECUTOR_VENUE
        loop["entry_ns"] = loop["response_ns"] = 0
        loop["entry_model"] = loop["response_model"] = 0

    def send(self) -> None:
        """Hand the requests of all streams over. RunError `run.orders_stuck`: no room for them."""
        arrays = self._arrays
        assert arrays is not None
        now = int(arrays.loop[0]["now_ns"])
        for k, stream in enumerate(arrays.streams):
            n = int(stream["n_requests"])
            if not n:
                continue
            requests = np.sort(arrays.requests[k, :n], order=("due_ns", "seq"))
            rows = np.zeros(n, ASKED)
            for name in FIELDS:
                rows[name] = requests[name]
            rows["stream"], rows["ts_ns"] = k, now
            stream["n_requests"] = 0
            self._push(rows)

    def _push(self, rows: Any) -> None:
        if self._asked.push(rows) != len(rows):
            self.child.check()
            raise RunError(
                "run.orders_stuck",
                f"expected the order process to take {SLOTS} requests, was none taken",
                "kimera trade reconcile shows what the venue has; look at the machine's load",
            )

    def answers(self) -> int:
        """Bring in what the executor has said; return how many answers that were."""
        arrays = self._arrays
        assert arrays is not None
        ready = self._told.ready()
        if not ready:  # the usual case, and this is polled: `pop` would allocate
            return 0
        rows = self._told.pop(ready)
        for i in range(len(rows)):
            if rows["kind"][i] == CLOSED:
                self.closed = True
            elif arrays.bring(rows[i : i + 1]):
                raise _no_room()
        return len(rows)

    def notices(self) -> list[KimeraError]:
        """Return what the executor met and mended since the last call."""
        found, self.child.notes = self.child.notes, []
        return found

    def close(self) -> None:
        """Let the executor take the run's orders back; its last answer says that it has."""
        if not self._closing:
            self._closing = True
            self.child.tell(STOP)

    def finish(self) -> dict[str, Any]:
        """Wait for the executor's end and return how orders fared."""
        self.close()
        told: dict[str, Any] = self.child.result()
        return told | {"late": self._late()}

    def _late(self) -> int:
        """Return how many fills came when the loop had ended; the intents' journal has them."""
        rows = self._told.pop(SLOTS)
        return int(np.count_nonzero(rows["kind"] == R_FILL))


def _no_room() -> RunError:
    return RunError(
        "run.answers_stuck",
        "expected room for the venue's answers, was none",
        "a strategy floods the venue: lower risk.max_orders_per_s",
    )
