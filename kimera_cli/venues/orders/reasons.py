"""From a venue's refusal to what follows: one reason, one handling.

What is not in the table is ambiguous: better one question too many than one order too many.
"""

from __future__ import annotations

from typing import NamedTuple

from kimera_cli.venues.orders.outcome import Handling, Reason, Rejected, Unknown
from kimera_cli.venues.orders.reason_codes import TABLES

_AMBIGUOUS = {
    Reason.DUPLICATE_ID,  # the id is there already: by an earlier request of ours, if by any
    Reason.VENUE_FAILURE,
    Reason.NO_ANSWER,
    Reason.UNREADABLE,
    Reason.UNMAPPED,
}
_LATER = {Reason.RATE_LIMIT, Reason.BANNED, Reason.MAINTENANCE, Reason.SESSION}
_CLOCK = {Reason.CLOCK, Reason.NONCE, Reason.EXPIRED}
_AUTH = {
    Reason.KEY,
    Reason.SIGNATURE,
    Reason.PASSPHRASE,
    Reason.PERMISSION,
    Reason.ADDRESS,
}
HANDLING: dict[Reason, Handling] = {reason: Handling.DEFINITE for reason in Reason}
HANDLING |= dict.fromkeys(_AMBIGUOUS, Handling.AMBIGUOUS)
HANDLING |= dict.fromkeys(_LATER, Handling.RETRY_LATER)
HANDLING |= dict.fromkeys(_CLOCK, Handling.CLOCK)
HANDLING |= dict.fromkeys(_AUTH, Handling.AUTH)
"""What follows from each reason."""

_STATUS = {
    401: Reason.KEY,
    408: Reason.NO_ANSWER,
    418: Reason.BANNED,
    429: Reason.RATE_LIMIT,
    504: Reason.NO_ANSWER,
}
"""HTTP statuses that say enough without a code. 403 does not: proxies and firewalls say it too."""

_RAW_LENGTH = 200


class Verdict(NamedTuple):
    """What a refusal means."""

    reason: Reason
    handling: Handling


def judge(venue: str, code: str, text: str = "", http_status: int = 200) -> Verdict:
    """Return what a venue's answer means that is not an acceptance.

    `code` and `text` are the venue's own, empty where its answer was not of its making.
    """
    reason = _named(venue, code, text)
    if reason is Reason.RATE_LIMIT and http_status == 418:
        reason = Reason.BANNED
    if reason is Reason.UNMAPPED:
        reason = _by_status(http_status)
    return Verdict(reason, HANDLING[reason])


def refusal(
    venue: str,
    code: str,
    text: str = "",
    http_status: int = 200,
    *,
    ts_ns: int = 0,
    retry_after_ns: int = 0,
) -> Rejected | Unknown:
    """Return the outcome of an order request that the venue answered, but did not accept."""
    reason, handling = judge(venue, code, text, http_status)
    raw = _raw(code, text, http_status)
    if handling is Handling.AMBIGUOUS:
        return Unknown(why=reason, detail=raw, ts_ns=ts_ns)
    return Rejected(
        reason=reason, raw=raw, handling=handling, ts_ns=ts_ns, retry_after_ns=retry_after_ns
    )


def _named(venue: str, code: str, text: str) -> Reason:
    table = TABLES[venue]
    spoken = f"{code} {text}".lower()
    for pattern, reason in table.texts:
        if pattern.search(spoken):
            return reason
    bare = code.lower().removeprefix("preview_")
    return table.codes.get(bare, Reason.UNMAPPED)


def _by_status(status: int) -> Reason:
    """Return what the status says where the venue's own words say nothing that is known."""
    return _STATUS.get(status, Reason.VENUE_FAILURE if status >= 500 else Reason.UNMAPPED)


def _raw(code: str, text: str, status: int) -> str:
    said = " ".join(part for part in (code, text) if part) or "no text"
    words = said if status == 200 else f"HTTP {status}: {said}"
    return words if len(words) <= _RAW_LENGTH else f"{words[:_RAW_LENGTH]}..."
