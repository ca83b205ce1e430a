"""How a run is laid out over threads, processes and cores; its results do not depend on it.

| shape | feed | loop | records | cores |
| --- | --- | --- | --- | --- |
| `threads` | in the loop's thread | one thread | a thread of their own | as the system likes |
| `single` | in the loop's thread | one thread | in the loop's thread | pinned, memory locked |
| `split` | a process | this process | a process | each pinned, memory locked |

`single` and `split` take the run's memory from a pool that is present and locked, pin what works
and still the collector; each step is a record that says whether it took (host/preparation.py).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kimera_cli.engine.child import Child
from kimera_cli.engine.feed_process import SLOTS, start_feed
from kimera_cli.engine.live import LivePlan
from kimera_cli.engine.live_intake import FeedEnd, RingFeed
from kimera_cli.engine.order_process import JournalTerms, OrderProcess
from kimera_cli.engine.outbound import Outbound
from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.run_writer import RunWriter
from kimera_cli.host.preparation import Prepared, Wanted, prepare
from kimera_cli.layouts import EVENT, aligned_zeros
from kimera_cli.records import Preparation
from kimera_cli.shm.ring import Consumer, ring_shape
from kimera_cli.shm.segment import Clocks

RECOVERY_S = 400.0
"""Longest start of the order process: a request that an earlier process lost may stay valid for
five minutes at some venues, and until then it is not known what became of it."""
Writer = RunWriter | OrderProcess


@dataclass
class RunShape:
    """An opened shape: where events come from, where arrays lie, who keeps the records."""

    name: str
    sources: Sequence[Any]
    clocks: Clocks
    prepared: Prepared | None = None
    folder: Path | None = None
    children: list[Child] = field(default_factory=list)
    outbound: Outbound | None = None
    """Where orders leave for a venue."""
    feed: FeedEnd | None = None
    """Where events come from when they do not wait."""
    late: Child | None = None
    """Who waits for venues that did not answer before a run without an order process."""

    @property
    def zeros(self) -> Any:
        """What makes the run's arrays."""
        return aligned_zeros if self.prepared is None else self.prepared.pool.zeros

    @property
    def preparation(self) -> list[Preparation]:
        """What was done to this process, step by step."""
        if self.prepared is None:
            return []
        return [*self.prepared.records, self.prepared.arrays()]

    @property
    def denied(self) -> list[str]:
        """A line for each step that did not take as asked."""
        return [] if self.prepared is None else self.prepared.warnings

    def writer(self, terms: JournalTerms) -> Writer:
        """Open journal and record files, here or in the order process."""
        if self.name != "split":
            return terms.open(self.clocks, threaded=self.name == "threads")
        assert self.folder is not None
        others = self._others()
        orders = OrderProcess(terms, self.folder, self.clocks, frozenset([max(others)]))
        self.children.append(orders.child)
        shutil.rmtree(self.folder, ignore_errors=True)  # mapped on both sides: the names may go
        return orders

    def start_feed(self, sources: Sequence[Any], runtime: Path) -> None:
        """Let a process of its own read the sources."""
        self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=runtime))
        others = frozenset([min(self._others())])
        child, self.sources = start_feed(sources, self.folder, self.clocks, others)
        self.children.append(child)

    def open_orders(self, plan: LivePlan, runtime: Path | None) -> None:
        """Start the order process; it is ready when journal and venues agree."""
        assert runtime is not None
        assert plan.order_task is not None
        self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=runtime))
        cores = frozenset([max(self._others())])
        self.outbound = Outbound(
            plan.order_task, plan.order_arguments, self.folder, self.clocks, cores
        )
        self.children.append(self.outbound.child)
        self.outbound.child.await_ready(RECOVERY_S)

    def await_late(self, plan: LivePlan) -> None:
        """Let a process wait for the venues that did not answer."""
        assert plan.late_task is not None
        arguments = (plan.late_arguments, self.clocks)
        self.late = Child("late venues", plan.late_task, arguments, self._others())
        self.children.append(self.late)
        self.late.await_ready()

    def open_feed(self, request: RunRequest) -> None:
        """Start what brings events where that is more than reading the sources here."""
        live = request.live
        if request.shape != "split":
            if live is not None:
                assert live.in_thread is not None, "only a process can bring this"
                self.feed = live.in_thread(live.arguments, self.clocks)
            return
        assert request.runtime is not None
        if live is not None:
            self.start_live(live, request.runtime)
        else:
            self.start_feed(request.sources, request.runtime)

    def start_live(self, plan: LivePlan, runtime: Path) -> None:
        """Let a process bring what comes, into one ring per origin."""
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="run-", dir=runtime))
        paths = [self.folder / f"feed-{k}.ring" for k in range(len(plan.origins))]
        consumers = [Consumer(path, ring_shape(EVENT, SLOTS), self.clocks) for path in paths]
        arguments = (plan.arguments, paths, self.clocks)
        child = Child("feed", plan.task, arguments, frozenset([min(self._others())]))
        self.children.append(child)
        child.await_ready()
        self.feed = RingFeed(list(zip(consumers, plan.origins, strict=True)), child)

    def keep(self, folder: Path) -> None:
        """Let a live feed write what it receives into this folder."""
        assert self.feed is not None
        pin = self.prepared.pin if self.prepared else None
        self.feed.keep(folder, pin.others if pin else frozenset())

    def close(self) -> None:
        """End what still runs, give memory and cores back."""
        for child in self.children:
            child.stop()
        self.children.clear()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
        if self.prepared is not None:
            self.prepared.restore()
            self.prepared = None

    def _others(self) -> frozenset[int]:
        pin = self.prepared.pin if self.prepared else None
        return pin.others if pin else frozenset([0])


def open_shape(request: RunRequest, clocks: Clocks) -> RunShape:
    """Prepare this process as the request's shape asks; start the feed of a split run."""
    shape = RunShape(request.shape, request.sources, clocks)
    if request.shape != "threads":
        shape.prepared = prepare(Wanted())
    try:
        if request.live is not None and request.live.order_task is not None:
            shape.open_orders(request.live, request.runtime)
        elif request.live is not None and request.live.away:
            shape.await_late(request.live)
        shape.open_feed(request)
    except BaseException:
        shape.close()
        raise
    return shape
