"""HTX's rate limits: so many requests within two seconds, per user and endpoint.

Answers tell what is left (`X-HB-RateLimit-Requests-Remain`) and when the span ends
(`X-HB-RateLimit-Requests-Expire`). Market data is limited per address.
"""

from __future__ import annotations

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.server.dialect import Headers
from kimera_cli.venues.server.dialects.htx_text import ms
from kimera_cli.venues.server.limits import SlidingWindow

SPAN_NS = 2 * NS_PER_S
PUBLIC = 20
"""Ten a second."""
LIMITS = {
    "POST place": 100,
    "POST submitcancel": 100,
    "POST submitCancelClientOrder": 100,
    "POST batchcancel": 50,
    "POST batchCancelOpenOrders": 50,
    "POST batch-orders": 50,
    "GET matchresults": 20,
    "GET accounts": 100,
    "GET balance": 100,
}
OTHER = 50


class Limits:
    """The windows of one venue."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], SlidingWindow] = {}

    def take(self, who: str, endpoint: str, now_ns: int) -> tuple[bool, Headers]:
        """Count a request; return whether it passes, and the headers."""
        limit = PUBLIC if endpoint == "public" else LIMITS.get(endpoint, OTHER)
        window = self._windows.get((who, endpoint))
        if window is None:
            window = self._windows[who, endpoint] = SlidingWindow(limit, SPAN_NS)
        passed = window.take(now_ns)
        left = limit - window.used(now_ns)
        return passed, (
            ("X-HB-RateLimit-Requests-Remain", str(left)),
            ("X-HB-RateLimit-Requests-Expire", str(ms(now_ns + SPAN_NS))),
        )
