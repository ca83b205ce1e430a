"""How long a live run's orders took to the venue and its answers back, from the run's records."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from kimera_cli.journal.record_file import Rows
from kimera_cli.layouts import R_ACCEPTED, R_INTENT
from kimera_cli.settings import Latency, Profile


class Measured(NamedTuple):
    """Medians over the accepted orders of a run; of none of them when `n` is 0."""

    n: int
    entry_ns: int
    response_ns: int


def measured(rows: Rows) -> Measured:
    """Return the times from the gate to the venue's acceptance, and from there to the loop.

    The venue's own stamp parts the two, as far as its clock is known; a stamp in whole ms, or a
    clock that is off, cannot make either negative, and their sum is not touched by it. An
    acceptance that the venue told without a time bears the time at which it was known: it counts
    for the sum alone. Where all are like that, both ways are taken to be as long.
    """
    sent, accepted = (_first(rows[rows["kind"] == kind]) for kind in (R_INTENT, R_ACCEPTED))
    _, s, a = np.intersect1d(sent["order_id"], accepted["order_id"], return_indices=True)
    if not s.size:
        return Measured(0, 0, 0)
    there = accepted["ts_exch_ns"][a] - sent["ts_ns"][s]
    known = accepted["ts_ns"][a] - sent["ts_ns"][s]
    stamped = accepted["ts_exch_ns"][a] < accepted["ts_ns"][a]
    whole = int(np.median(known))
    entry = int(np.median(there[stamped])) if stamped.any() else whole // 2
    entry = min(max(entry, 0), whole)
    return Measured(int(s.size), entry, whole - entry)


def with_latency(profile: Profile, found: Measured) -> Profile:
    """Return a profile whose orders take as long as measured."""
    latency = Latency(
        entry="constant",
        entry_ns=found.entry_ns,
        response="constant",
        response_ns=found.response_ns,
    )
    return replace(profile, latency=latency)


def _first(rows: Rows) -> Rows:
    _, at = np.unique(rows["order_id"], return_index=True)
    first: Rows = rows[at]
    return first
