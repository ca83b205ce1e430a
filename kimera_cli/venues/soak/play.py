"""Plays a soak, compares what is left of it with the truth, and tells the outcome as records."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from kimera_cli.errors import KimeraError
from kimera_cli.records import Fault, Soak
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.faults.scenario import FaultFailedError, expect
from kimera_cli.venues.soak.acts import Target
from kimera_cli.venues.soak.compare import good_book, lines, same_account, same_book, summary_of
from kimera_cli.venues.soak.theatre import Plan, Theatre, opened

FAULT = "soak"


def soak(plan: Plan) -> Iterator[Fault | Soak]:
    """Play a soak; yield a `fault` of each venue, and what the whole of it came to.

    The folder of a soak in which everything held is removed; another one is kept and named.
    """
    folder = Path(tempfile.mkdtemp(prefix="kimera-soak-"))
    began_ns = plan.monotonic_ns()
    plan.note(f"folder: {folder}")
    verdicts: list[Fault] = []
    with opened(plan, folder) as theatre:
        problem = _played(theatre)
        verdicts = list(_compared(theatre, problem))
    verdicts = _with_bugs(theatre, verdicts)
    passed = all(each.passed for each in verdicts)
    seconds = (plan.monotonic_ns() - began_ns) / NS_PER_S
    record = _told(theatre, verdicts, seconds, "" if passed else str(folder))
    if passed:
        shutil.rmtree(folder)
    yield from verdicts
    yield record


def _played(theatre: Theatre) -> str:
    """Play to the end; return what went wrong with the run itself, empty when nothing did."""
    try:
        theatre.start_run()
        theatre.play()
        theatre.calm()
        theatre.reconcile()
    except FaultFailedError as error:
        return str(error)
    except KimeraError as error:
        return f"{error.code}: {error.message}"
    return ""


def _compared(theatre: Theatre, problem: str) -> Iterator[Fault]:
    for target in theatre.targets:
        passed, detail = False, problem
        try:
            expect(not problem, problem)
            met = sum(n for (venue, _), n in theatre.met.items() if venue == target.venue)
            detail = f"{met} faults, {_agreed(theatre, target)}"
            passed = True
        except FaultFailedError as error:
            detail = str(error)
        except KimeraError as error:
            detail = f"{error.code}: {error.message}"
        yield _verdict(theatre, target.venue, passed, detail)


def _verdict(theatre: Theatre, venue: str, passed: bool, detail: str) -> Fault:
    return Fault(fault=FAULT, venue=venue, path=theatre.plan.execute, passed=passed, detail=detail)


def _agreed(theatre: Theatre, target: Target) -> str:
    differences = theatre.differences[target.venue]
    expect(not differences, f"reconcile: {differences}")
    theatre.control.get(f"/{target.venue}/check")
    summary = summary_of(theatre.lives[-1])
    book = good_book(summary, target.venue)
    if theatre.plan.execute == "live":
        orders, fills = same_account(theatre.control, target, theatre.home, theatre.lives)
        theatre.totals.update(orders=orders, fills=fills)
        return f"{orders} orders, {fills} fills"
    strange = theatre.control.get(f"/{target.venue}/orders")
    expect(not strange, f"expected no order of a paper run at the venue, was {len(strange)}")
    return same_book(book, theatre.books[target.venue])


def _with_bugs(theatre: Theatre, verdicts: list[Fault]) -> list[Fault]:
    """Return the verdicts with what the server said of itself at its end."""
    bugs = {e["venue"]: e["bugs"] for e in lines(theatre.server.out) if e["type"] == "venue_ended"}
    return [
        each
        if not each.passed or bugs.get(each.venue) == 0
        else _verdict(theatre, each.venue, False, "the venue server failed, see server.txt")
        for each in verdicts
    ]


def by_websocket(theatre: Theatre) -> int:
    """Return the requests by websocket of the live runs that came to their end and told them."""
    told = (each for life in theatre.lives for each in lines(life.out))
    ends = [each["feed"].get("orders", {}) for each in told if each["type"] == "run_summary"]
    venues = [venue for end in ends for venue in end.values()]
    return sum(venue["by_websocket"] for venue in venues if isinstance(venue, dict))


def _told(theatre: Theatre, verdicts: list[Fault], seconds: float, folder: str) -> Soak:
    plan = theatre.plan
    told = [(life.out, each) for life in theatre.lives for each in lines(life.out)]
    kinds = Counter(each["type"] for _, each in told)
    met = Counter[str]()
    for (_, name), n in theatre.met.items():
        met[name] += n
    if plan.execute == "paper":
        orders = {(out, each["order_id"]) for out, each in told if each["type"] == "order"}
        theatre.totals.update(orders=len(orders), fills=kinds["fill"])
    return Soak(
        execute=plan.execute,
        venues=list(plan.venues),
        seed=plan.seed,
        seconds=seconds,
        injected=theatre.done.total() - theatre.kills,
        faults=theatre.met.total(),
        kinds=dict(sorted(met.items())),
        kills=theatre.kills,
        runs=len(theatre.lives),
        orders=theatre.totals["orders"],
        by_websocket=by_websocket(theatre),
        fills=theatre.totals["fills"],
        notices=kinds["notice"],
        passed=all(each.passed for each in verdicts),
        folder=folder,
    )
