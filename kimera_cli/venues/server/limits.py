"""Rate limits as venues count them; all by the exchange's clock, in nanoseconds."""

from __future__ import annotations

from collections import deque


class FixedWindow:
    """At most `limit` per calendar-like window (binance: the count returns to 0 each minute)."""

    def __init__(self, limit: int, period_ns: int) -> None:
        self.limit = limit
        self.period_ns = period_ns
        self._window = -1
        self._used = 0

    def used(self, now_ns: int) -> int:
        """Return how much of the present window is used."""
        return self._used if now_ns // self.period_ns == self._window else 0

    def take(self, now_ns: int, weight: int = 1) -> bool:
        """Count a request; False when it is over the limit (it counts all the same)."""
        window = now_ns // self.period_ns
        if window != self._window:
            self._window, self._used = window, 0
        self._used += weight
        return self._used <= self.limit

    def resets_in_ns(self, now_ns: int) -> int:
        """Return how long the present window lasts."""
        return self.period_ns - now_ns % self.period_ns


class SlidingWindow:
    """At most `limit` within any `period_ns`; what is refused does not count."""

    def __init__(self, limit: int, period_ns: int) -> None:
        self.limit = limit
        self.period_ns = period_ns
        self._taken: deque[int] = deque()

    def used(self, now_ns: int) -> int:
        """Return how many were taken within the last period."""
        while self._taken and self._taken[0] <= now_ns - self.period_ns:
            self._taken.popleft()
        return len(self._taken)

    def take(self, now_ns: int) -> bool:
        """Count a request; False when it is over the limit."""
        if self.used(now_ns) >= self.limit:
            return False
        self._taken.append(now_ns)
        return True

    def resets_in_ns(self, now_ns: int) -> int:
        """Return when the next request would pass, 0: now."""
        if self.used(now_ns) < self.limit:
            return 0
        return self._taken[0] + self.period_ns - now_ns


class Decaying:
    """A counter that requests raise and time lowers, steadily (kraken)."""

    def __init__(self, limit: float, decay_per_s: float) -> None:
        self.limit = limit
        self.decay_per_s = decay_per_s
        self._level = 0.0
        self._at_ns = 0

    def level(self, now_ns: int) -> float:
        """Return the counter now."""
        passed = max(0, now_ns - self._at_ns) / 1e9
        return max(0.0, self._level - passed * self.decay_per_s)

    def take(self, now_ns: int, weight: float = 1.0) -> bool:
        """Raise the counter; False (and unchanged) when that would pass the limit."""
        if self.level(now_ns) + weight > self.limit:
            return False
        self.add(now_ns, weight)
        return True

    def add(self, now_ns: int, weight: float = 1.0) -> None:
        """Raise the counter for what is never refused."""
        self._level, self._at_ns = self.level(now_ns) + weight, now_ns


class Bans:
    """Peers that went on after they were told to stop: refused until a time, longer each time."""

    def __init__(self, first_ns: int, longest_ns: int, patience: int) -> None:
        self.first_ns = first_ns
        self.longest_ns = longest_ns
        self.patience = patience
        """Violations within one ban-free stretch before the first ban."""
        self._violations: dict[str, int] = {}
        self._until: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def until_ns(self, peer: str, now_ns: int) -> int:
        """Return when a peer's ban ends, 0 when it has none."""
        until = self._until.get(peer, 0)
        return until if until > now_ns else 0

    def violation(self, peer: str, now_ns: int) -> int:
        """Count a violation; return when the ban that follows ends, 0 when none follows."""
        self._violations[peer] = self._violations.get(peer, 0) + 1
        if self._violations[peer] < self.patience:
            return 0
        self._violations[peer] = 0
        times = self._count[peer] = self._count.get(peer, 0) + 1
        self._until[peer] = now_ns + min(self.longest_ns, self.first_ns << (times - 1))
        return self._until[peer]
