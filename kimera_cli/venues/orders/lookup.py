"""Orders in doubt: when to ask the venue, when to believe a "no", what may be sent after it.

A "found" ends the doubt. A "not found" is believed only when a late arrival is impossible: at least
two of them, a pause of at least five seconds (or the request's validity, if that is longer) between
the first and the last, and the last one asked after the signed request has expired at the venue.
No answer counts for nothing, and neither does a "not found" from a venue that forgets client ids,
once it may have forgotten this one. Then the order may be sent once more: under the same id where
the venue refuses a second use of it, else under a new id that is linked to the first.
"""

from __future__ import annotations

import enum

import msgspec
from msgspec.structs import replace

from kimera_cli.units import NS_PER_S
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import Absent, Found, Lookup, NoAnswer
from kimera_cli.venues.orders.rules import rules_of

SHORTEST_NS = 5 * NS_PER_S
"""The least time over which negative answers must hold."""
CLOCK_ALLOWANCE_NS = NS_PER_S
"""How far our idea of the venue's clock may be wrong: trading stops beyond that."""
FIRST_PAUSE_NS = NS_PER_S // 4
LONGEST_PAUSE_NS = 5 * NS_PER_S
MOST_ATTEMPTS = 2


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """How far the search for one order has come. Times are of the venue's clock."""

    client_id: str
    venue: str
    expires_ns: int
    """From when on the venue cannot execute the request any more."""
    window_ns: int
    forgotten_ns: int = 0
    """From when on the venue may have forgotten the client id; 0: never."""
    asked: int = 0
    negatives: tuple[int, ...] = ()
    """When the questions were sent that were answered with no."""
    found: bool = False
    next_ns: int = 0
    """When to ask again; 0 at once."""

    @property
    def is_absent(self) -> bool:
        """Whether it is proved that the request never was and never will be executed."""
        if self.found or len(self.negatives) < 2:
            return False
        first, last = self.negatives[0], self.negatives[-1]
        return last - first >= self.window_ns and last >= self.expires_ns

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to ask."""
        return self.found or self.is_absent


def search_for(state: OrderState) -> Search:
    """Return the search for an order in doubt, to be begun now."""
    rules = rules_of(state.intent.venue)
    expires = state.expires_ns or state.sent_ns + rules.window.default_ns
    return Search(
        client_id=state.client_id,
        venue=rules.venue,
        expires_ns=expires + CLOCK_ALLOWANCE_NS,
        window_ns=max(expires - state.sent_ns, SHORTEST_NS),
        forgotten_ns=state.sent_ns + rules.found_for_ns if rules.found_for_ns else 0,
    )


def learn(search: Search, answer: Lookup, now_ns: int) -> Search:
    """Return the search after an answer; `now_ns` is when it came."""
    search = replace(search, asked=search.asked + 1)
    match answer:
        case Found():
            return replace(search, found=True)
        case Absent(asked_ns=asked_ns) if not 0 < search.forgotten_ns <= asked_ns:
            search = replace(search, negatives=(*search.negatives, asked_ns))
        case Absent() | NoAnswer():
            pass
    return replace(search, next_ns=_next(search, now_ns))


def _next(search: Search, now_ns: int) -> int:
    """Ask soon, then less often; but not before a no could be final, once one is there."""
    pause = min(FIRST_PAUSE_NS << min(search.asked, 10), LONGEST_PAUSE_NS)
    usual = now_ns + pause
    if not search.negatives:
        return usual
    decisive = max(search.negatives[0] + search.window_ns, search.expires_ns)
    return min(usual, decisive) if decisive > now_ns else usual


class Resend(enum.StrEnum):
    """What may be done with an order that is proved absent."""

    SAME_ID = "same_id"
    NEW_ID = "new_id"
    NO = "no"


def resend_of(state: OrderState) -> Resend:
    """Return how an absent order may be sent again: once, never more."""
    if state.phase is not Phase.ABSENT or state.attempts >= MOST_ATTEMPTS or state.intent.resends:
        return Resend.NO
    return Resend.SAME_ID if rules_of(state.intent.venue).same_id_resend else Resend.NEW_ID


def expiry_ns(venue: str, signed_ns: int) -> int:
    """Return from when on a venue cannot execute a request any more that is signed now."""
    return signed_ns + rules_of(venue).window.default_ns
