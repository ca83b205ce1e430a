"""Coinbase's rate limits: a token bucket that fills as time passes, per user or per address.

https://docs.cdp.coinbase.com/exchange/rest-api/rate-limits: a bucket holds a burst of requests and
fills at a steady rate; a request without a token is answered 429.
"""

from __future__ import annotations

from typing import NamedTuple

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.dialect import Headers
from kimera_cli.venues.server.limits import Decaying


class Rate(NamedTuple):
    """Requests a second, and how many at once."""

    per_s: int
    burst: int


class Buckets:
    """The buckets of one venue, by scope (public, private, fills) and whom it counts."""

    def __init__(self, rates: dict[str, Rate]) -> None:
        self.rates = rates
        self._buckets: dict[tuple[str, str], Decaying] = {}

    def take(self, scope: str, who: str, now_ns: int) -> tuple[bool, Headers]:
        """Take a token; return whether there was one, and the headers that tell what is left."""
        rate = self.rates[scope]
        bucket = self._buckets.get((scope, who))
        if bucket is None:
            bucket = self._buckets[scope, who] = Decaying(rate.burst, rate.per_s)
        passed = bucket.take(now_ns)
        left = int(rate.burst - bucket.level(now_ns))
        headers = (
            ("x-ratelimit-limit", str(rate.burst)),
            ("x-ratelimit-remaining", str(max(0, left))),
            ("x-ratelimit-reset", str(now_ns // NS_PER_S + 1)),
        )
        return passed, headers
