"""The faults by venue: every commit plays the short ones, the slow run all of them.

The short ones go by TLS under the venues' own host names, all of them once more without.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from kimera_cli.venues.faults.marks import CHECKSUMS, COMPARED
from kimera_cli.venues.faults.play import absence, chosen, play_all, scenarios
from kimera_cli.venues.server.dialects import available

VENUES = available()
QUICK = ["F1", "F2", "F5", "F8", "F9", "F12", "F15", "F25"]
NUMBERS = [f"F{k}" for k in range(1, 27)]
SPOKEN = ["F1", "F2", "F3", "F4", "F8", "F9", "F12", "F20"]
"""Faults of orders by websocket."""
NO_SOCKET = ["coinbase", "coinbaseexchange", "htx"]
PAGE = Path(__file__).parents[3] / "docs" / "venues.md"


def played(faults: list[str], venue: str, *, tls: bool = False) -> dict[tuple[str, str], str]:
    """Play faults at a venue; return what was said of each."""
    wrong, told = [], {}
    clocks = time.time_ns, time.perf_counter_ns
    for record in play_all(chosen(faults), [venue], *clocks, tls=tls):
        told[record.fault, record.path] = record.detail
        if record.passed is False:
            wrong.append(f"{record.fault} {record.path}: {record.detail}")
    assert not wrong, "\n".join(wrong)
    return told


def absent_at(venue: str) -> dict[tuple[str, str], str]:
    """Return which scenarios are not at a venue, and why."""
    why = {(each.fault, each.path): absence(each, venue) for each in scenarios()}
    return {name: words for name, words in why.items() if words}


def test_every_fault_has_a_scenario() -> None:
    assert list(dict.fromkeys(each.fault for each in scenarios())) == NUMBERS
    names = [(each.fault, each.path) for each in scenarios()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", VENUES)
def test_the_short_ones_leave_client_and_venue_in_agreement(name: str) -> None:
    told = played(QUICK, name, tls=True)
    away = {key: f"not at this venue: {why}" for key, why in absent_at(name).items() if key in told}
    assert {key: said for key, said in told.items() if said.startswith("not ")} == away
    sums = "wrong checksum found" if name in COMPARED else "wrong checksum passed"
    assert (sums if name in CHECKSUMS else "no checksum") in told["F15", "feed"]


def test_what_cannot_happen_at_a_venue_is_told_with_its_reason() -> None:
    for name in VENUES:
        by_socket = [(fault, "websocket") for fault in SPOKEN] if name in NO_SOCKET else []
        switch = {"bybit": ["rest"], "kraken": ["websocket"], "okx": ["websocket"]}
        switch["htx"] = ["websocket"]
        others = [("F21", path) for path in switch.get(name, ["rest", "websocket"])]
        others += [("F9", "rest")] if name == "htx" else []
        assert set(absent_at(name)) == {*by_socket, *others}, name


def test_the_page_has_every_fault_at_every_venue() -> None:
    """A dash stands where a scenario cannot happen, and nowhere else."""
    venues: list[str] = []
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| fault | path"):
            venues = venues or cells[3:]
        elif re.match(r"\| F\d+ ", line) and len(cells) == 3 + len(venues):
            rows[cells[0], cells[1], cells[2]] = dict(zip(venues, cells[3:], strict=True))
    assert list(rows) == [(each.fault, each.path, each.text) for each in scenarios()]
    for each in scenarios():
        told = rows[each.fault, each.path, each.text]
        away = {name: "-" if absence(each, name) else "pass" for name in VENUES}
        assert told == away, each.text


@pytest.mark.slow
@pytest.mark.parametrize("name", VENUES)
def test_the_whole_matrix(name: str) -> None:
    played(NUMBERS, name)
