"""The comparison that ends a soak: journals, runs and books against the server's ground truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kimera_cli.journal.intent_replay import read_orders
from kimera_cli.journal.intents import account_folder
from kimera_cli.venues.faults.agreement import same_fills, same_orders
from kimera_cli.venues.faults.scenario import expect
from kimera_cli.venues.soak.acts import Target
from kimera_cli.venues.soak.control import Control

Json = dict[str, Any]
Execution = tuple[str, Decimal, Decimal]
"""Side, price, quantity."""
ACCOUNT = "main"


class Life(NamedTuple):
    """One run from its start to its end."""

    began_ns: int
    ended_ns: int
    out: Path
    killed: bool


def lines(path: Path) -> Iterator[Json]:
    """Yield a run's records; a process that was killed may have left half a line."""
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line)
        except msgspec.DecodeError:
            return


def summary_of(life: Life) -> Json:
    """Return what a run that came to its end said last; FaultFailedError when it did not."""
    found = [each for each in lines(life.out) if each["type"] == "run_summary"]
    expect(found, f"expected a summary in {life.out}, was none")
    return found[-1]


def same_account(
    control: Control, target: Target, home: Path, lives: Sequence[Life]
) -> tuple[int, int]:
    """Return how many orders and fills there are; FaultFailedError when anybody says otherwise."""
    there = control.get(f"/{target.venue}/orders")
    told = control.get(f"/{target.venue}/fills")
    still = [each["client_id"] for each in there if each["status"] == "open"]
    expect(not still, f"expected no open order at the end, was {', '.join(still)}")
    journal = read_orders(account_folder(home, target.venue, ACCOUNT))
    orders, fills = same_orders(journal, there), same_fills(journal, told)
    doubts = [state.client_id for state in journal.in_doubt()]
    expect(not doubts, f"expected no order in doubt, was {', '.join(doubts)}")
    for life in lives:
        _same_run(target.venue, life, there, told)
    return orders, fills


def _same_run(venue: str, life: Life, orders: list[Json], fills: list[Json]) -> None:
    """A run knows the fills of the orders of its time; one that was killed, no other ones.

    It takes no order of its own for somebody else's: nobody else is there.
    """
    said = list(lines(life.out))
    strange = [r["message"] for r in said if _is_strange(r, venue)]
    expect(not strange, f"{life.out.stem}: expected orders of its own alone, was {strange[:1]}")
    its = {o["id"] for o in orders if life.began_ns <= o["created_ns"] <= life.ended_ns}
    theirs = Counter(_execution(f, "price") for f in fills if f["order_id"] in its)
    seen = [r for r in said if r["type"] == "fill"]
    ours = Counter(_execution(r, "px") for r in seen if r["instrument"].startswith(f"{venue}/"))
    extra, missing = ours - theirs, theirs - ours
    expect(not extra, f"{life.out.stem}: expected no other fills, was {list(extra)[:2]}")
    if not life.killed:
        expect(
            not missing, f"{life.out.stem}: expected every fill, was without {list(missing)[:2]}"
        )


def _is_strange(record: Json, venue: str) -> bool:
    is_notice = record["type"] == "notice" and record["code"] == "venue.not_ours"
    return is_notice and bool(record["details"]["venue"] == venue)


def _execution(told: Json, price: str) -> Execution:
    return told["side"], Decimal(told[price]), Decimal(told["qty"])


def good_book(summary: Json, venue: str) -> Json:
    """Return how a run's book of a venue stood at its end; FaultFailedError when not good."""
    books: Json = summary["feed"]["books"]
    (name,) = (each for each in books if each.startswith(f"{venue}/"))
    book: Json = books[name]
    expect(book["good"], f"expected the book to be good at the end, was not: {book['reason']}")
    return book


def same_book(book: Json, there: Json) -> str:
    """FaultFailedError when the best levels of a book are not the venue's; else in words."""
    for side in ("bids", "asks"):
        ours = [(Decimal(px), Decimal(qty)) for px, qty in book[side]]
        theirs = [(Decimal(px), Decimal(qty)) for px, qty in there[side]][: len(ours)]
        expect(ours, f"expected {side}, was none")
        expect(ours == theirs, f"{side}: expected {_told(theirs)}, was {_told(ours)}")
    levels = len(book["bids"]) + len(book["asks"])
    return f"the {levels} best levels of the book; lost {book['lost']} times"


def _told(levels: list[tuple[Decimal, Decimal]]) -> str:
    return ", ".join(f"{qty} at {px}" for px, qty in levels[:3])
