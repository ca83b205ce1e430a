"""What a venue lets a client send, kept by the client: cancels first, and never into a ban.

Each rule is a leaky bucket: `limit` at once, refilled evenly over `per_s`. Part of a bucket is kept
for what matters more: queries may not take its last fifth, new orders not its last tenth. What the
venue's own headers say is believed over the count here. A 429 stops everything for as long as the
venue says, a ban until it ends: requests into a pause make the pause longer.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Literal

from kimera_cli.errors import VenueError
from kimera_cli.venues.clients.world import World

Kind = Literal["cancel", "place", "query"]
ALL: frozenset[Kind] = frozenset({"cancel", "place", "query"})
ORDERS: frozenset[Kind] = frozenset({"cancel", "place"})
RESERVED: Mapping[Kind, float] = {"cancel": 0.0, "place": 0.1, "query": 0.2}
"""Part of a bucket that stays for kinds that come before."""
_RANK: Mapping[Kind, int] = {"cancel": 0, "place": 1, "query": 2}
_NS = 1_000_000_000
_DUST = 1e-9
"""Units that are nothing: buckets are floats."""


@dataclass(frozen=True)
class Rule:
    """`limit` units in `per_s` seconds, for requests of these kinds."""

    name: str
    limit: float
    per_s: float
    kinds: frozenset[Kind] = ALL
    by_weight: bool = True
    """False: each request counts its units, most often one, whatever its weight."""
    never_refuses: frozenset[Kind] = frozenset()
    """Kinds that are counted and do not wait: the venue takes them beyond the limit, too."""


class _Bucket:
    """Units that are left; refilled evenly."""

    def __init__(self, rule: Rule, now_ns: int) -> None:
        self.rule, self.left, self.at_ns = rule, rule.limit, now_ns

    def refill(self, now_ns: int) -> None:
        gained = (now_ns - self.at_ns) / _NS * self.rule.limit / self.rule.per_s
        self.left = min(self.rule.limit, self.left + gained)
        self.at_ns = now_ns

    def cost(self, kind: Kind, weight: int, units: int) -> float:
        if kind not in self.rule.kinds:
            return 0.0
        return float(weight if self.rule.by_weight else units)

    def charge(self, cost: float) -> None:
        """Take units off; what is counted beyond the limit is at most the limit once more."""
        self.left = max(-self.rule.limit, self.left - cost)

    def wait_ns(self, kind: Kind, weight: int, units: int) -> int:
        """Return how long until a request fits; what costs more than a bucket waits for a full
        one.
        """
        cost = self.cost(kind, weight, units)
        if not cost or kind in self.rule.never_refuses:
            return 0
        needed = min(self.rule.limit, cost + RESERVED[kind] * self.rule.limit)
        missing = needed - self.left
        if missing < _DUST:
            return 0
        return int(missing * self.rule.per_s / self.rule.limit * _NS) + 1


@dataclass
class Budget:
    """What may still be sent to one venue."""

    venue: str
    rules: tuple[Rule, ...]
    world: World
    waited: int = 0
    """Requests that had to wait."""
    paused_until_ns: int = 0
    """Of the monotonic clock."""
    banned: bool = False
    _buckets: dict[str, _Bucket] = field(default_factory=dict)
    _queue: list[tuple[int, int, asyncio.Event]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        now = self.world.monotonic_ns()
        self._buckets = {rule.name: _Bucket(rule, now) for rule in self.rules}

    def takes(self, kind: Kind, weight: int = 1, units: int = 1) -> bool:
        """Count a request that may be sent at once; False, and nothing counted, when it must wait.

        VenueError `venue.banned` during a ban.
        """
        return not self._queue and self._charge(kind, weight, units) == 0

    async def take(self, kind: Kind, weight: int = 1, units: int = 1) -> None:
        """Wait until a request may be sent, and count it; VenueError `venue.banned` during a ban.

        Whoever waits goes by kind (cancel, place, query), then in the order of asking.
        """
        if self.takes(kind, weight, units):
            return
        entry = (_RANK[kind], next(self._numbers), asyncio.Event())
        heapq.heappush(self._queue, entry)
        waited = False
        try:
            while (wait_ns := self._wait_ns(entry, kind, weight, units)) > 0:
                waited = True
                await self._pause(wait_ns, entry[2])
        finally:
            self._queue.remove(entry)
            heapq.heapify(self._queue)
            self._wake()
        self.waited += waited

    def told(self, left: Mapping[str, float]) -> None:
        """Take in what the venue says is left, by the name of a rule."""
        now = self.world.monotonic_ns()
        for name, units in left.items():
            if bucket := self._buckets.get(name):
                bucket.refill(now)
                bucket.left = min(bucket.left, max(0.0, units))

    def left(self) -> dict[str, float]:
        """Return what is left now, by the name of a rule."""
        now = self.world.monotonic_ns()
        for bucket in self._buckets.values():
            bucket.refill(now)
        return {name: bucket.left for name, bucket in self._buckets.items()}

    def pause(self, for_s: float, *, ban: bool = False) -> None:
        """Send nothing for so long, as the venue asked; `ban`: refuse at once what is asked."""
        until = self.world.monotonic_ns() + int(for_s * _NS)
        self.paused_until_ns = max(self.paused_until_ns, until)
        self.banned = self.banned or ban

    def check(self) -> None:
        """VenueError `venue.banned` while the venue has banned this address."""
        left_ns = self.paused_until_ns - self.world.monotonic_ns()
        if left_ns <= 0:
            self.banned = False
        elif self.banned:
            raise VenueError(
                "venue.banned",
                f"expected {self.venue} to take requests, was a ban for {left_ns / _NS:.0f} s more",
                "wait; each request into a ban makes it longer",
                venue=self.venue,
            )

    def _wait_ns(
        self, entry: tuple[int, int, asyncio.Event], kind: Kind, weight: int, units: int
    ) -> int:
        """Count the request and return 0; else return how long to wait before asking again."""
        if self._queue[0] is not entry:
            self.check()
            return _NS  # woken as soon as those before it have gone
        return self._charge(kind, weight, units)

    def _charge(self, kind: Kind, weight: int, units: int) -> int:
        """Take a request's cost and return 0, or take nothing and return when it may fit, in ns."""
        now = self.world.monotonic_ns()
        if self.paused_until_ns:
            self.check()
            if self.paused_until_ns > now:
                return self.paused_until_ns - now
            self.paused_until_ns = 0
        buckets = self._buckets.values()
        for bucket in buckets:
            bucket.refill(now)
        longest = max((bucket.wait_ns(kind, weight, units) for bucket in buckets), default=0)
        if longest == 0:
            for bucket in buckets:
                bucket.charge(bucket.cost(kind, weight, units))
        return longest

    async def _pause(self, wait_ns: int, woken: asyncio.Event) -> None:
        waits = (
            asyncio.ensure_future(self.world.sleep(wait_ns / _NS)),
            asyncio.ensure_future(woken.wait()),
        )
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            woken.clear()

    def _wake(self) -> None:
        """Let the first of those who wait look again."""
        if self._queue:
            self._queue[0][2].set()
