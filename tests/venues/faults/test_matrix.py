"""The faults by venue: every commit plays the short ones, the slow run all of them.

The short ones go by TLS under the venues' own host names, all of them once more without.
"""

from __future__ import annotations

import time

import pytest

from kimera_cli.venues.faults.play import chosen, play_all, scenarios
from kimera_cli.venues.server.dialects import available

VENUES = available()
QUICK = ["F1", "F2", "F5", "F8", "F9", "F15", "F25"]
NUMBERS = [f"F{k}" for k in range(1, 27)]


def played(faults: list[str], venue: str, *, tls: bool = False) -> list[str]:
    """Play faults at a venue; return those that were not at it."""
    wrong, absent = [], []
    clocks = time.time_ns, time.perf_counter_ns
    for record in play_all(chosen(faults), [venue], *clocks, tls=tls):
        if record.passed is False:
            wrong.append(f"{record.fault} {record.path}: {record.detail}")
        elif record.passed is None:
            absent.append(f"{record.fault} {record.path}")
    assert not wrong, "\n".join(wrong)
    return absent


def test_every_fault_has_a_scenario() -> None:
    assert list(dict.fromkeys(each.fault for each in scenarios())) == NUMBERS
    names = [(each.fault, each.path) for each in scenarios()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", VENUES)
def test_the_short_ones_leave_client_and_venue_in_agreement(name: str) -> None:
    absent = played(QUICK, name, tls=True)
    sockets = name in ("binance", "bybit", "kraken", "okx")
    wanted = [] if sockets else ["F1 websocket", "F2 websocket"]
    assert absent == wanted + (["F9 rest"] if name == "htx" else [])


@pytest.mark.slow
@pytest.mark.parametrize("name", VENUES)
def test_the_whole_matrix(name: str) -> None:
    played(NUMBERS, name)
