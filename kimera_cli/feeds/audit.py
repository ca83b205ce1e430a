"""Comparing books with the venue's own answers, where the stream does not tell what is lost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from kimera_cli.errors import VenueError
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.surroundings import Fetch, Surroundings

_NS = 1_000_000_000


@dataclass(frozen=True)
class AuditPlan:
    """When to compare, in s."""

    first_s: float = 5.0
    """After a book became good."""
    every_s: float = 60.0
    settle_s: float = 2.0
    """How long after the answer: longer than the stream is ever late."""


@dataclass
class Audit:
    """One book's."""

    due_ns: int = 0
    """0: the book is not good, nothing is planned."""
    judge_ns: int = 0
    """When the answer that is there is to be compared; 0: none is."""
    task: asyncio.Task[None] | None = None


class Auditor:
    """Those of one connection. `addresses` are the REST addresses by `event.instrument`."""

    def __init__(
        self,
        intake: Intake,
        addresses: dict[int, str],
        around: Surroundings,
        fetch: Fetch,
        plan: AuditPlan | None = None,
    ) -> None:
        self.intake, self.around, self.fetch = intake, around, fetch
        self.plan = plan or AuditPlan()
        self._addresses = addresses
        self._audits = {number: Audit() for number in addresses}

    def lost(self) -> None:
        """The connection is gone."""
        for number, audit in self._audits.items():
            if audit.task is not None:
                audit.task.cancel()
            self._audits[number] = Audit()

    def check(self) -> None:
        """Begin and end what is due."""
        now = self.around.monotonic_ns()
        for number, audit in self._audits.items():
            if not self.intake.books[number].good:
                audit.due_ns = audit.judge_ns = 0
            elif not audit.due_ns:
                audit.due_ns = now + int(self.plan.first_s * _NS)
            elif audit.judge_ns and now >= audit.judge_ns:
                audit.judge_ns = 0
                self.intake.judge(number, self.around.now_ns())
            elif audit.task is None and not audit.judge_ns and now >= audit.due_ns:
                audit.due_ns = now + int(self.plan.every_s * _NS)
                audit.task = asyncio.ensure_future(self._ask(number, audit))

    async def _ask(self, number: int, audit: Audit) -> None:
        self.intake.watch(number)
        try:
            payload = await self.fetch(self._addresses[number])
            self.intake.told(number, payload, self.around.now_ns())
            audit.judge_ns = self.around.monotonic_ns() + int(self.plan.settle_s * _NS)
        except VenueError as error:
            self.around.report(error)
        finally:
            audit.task = None
