"""Plays scenarios at venues, one after another, and tells each one's outcome as a record."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.records import Fault
from kimera_cli.venues.clients.socket_entry import has_socket
from kimera_cli.venues.faults.feed_stage import on_feed_stage
from kimera_cli.venues.faults.scenario import FaultFailedError, Scenario
from kimera_cli.venues.faults.stage import PATIENCE, Time, on_stage
from kimera_cli.venues.faults.truth import same
from kimera_cli.venues.orders.rules import rules_of

GROUPS = ("answers", "refusals", "changes", "streams", "feeds", "clocks", "process")
LIMIT_S = 600.0
"""Real seconds that one scenario may take: only against a hang."""
NOT_HERE = "not at this venue"
NO_SOCKET = "orders go by REST alone"


def scenarios() -> list[Scenario]:
    """Return all of them, by the number of their fault."""
    modules = [import_module(f"kimera_cli.venues.faults.{name}") for name in GROUPS]
    found: list[Scenario] = [each for module in modules for each in module.SCENARIOS]
    return sorted(found, key=lambda each: (int(each.fault[1:]), each.path))


def chosen(faults: Sequence[str], path: str = "") -> list[Scenario]:
    """Return the scenarios of some faults (none: all) and a path (empty: all).

    UsageError `usage.fault` for a fault that there is none of.
    """
    known = scenarios()
    names = list(dict.fromkeys(each.fault for each in known))
    for fault in faults:
        if fault not in names:
            raise UsageError(
                "usage.fault",
                f"expected a fault of {names[0]} to {names[-1]}, was '{fault}'",
                did_you_mean(fault.upper(), names),
            )
    return [
        each for each in known if (not faults or each.fault in faults) and path in ("", each.path)
    ]


def play_all(
    wanted: Iterable[Scenario],
    venues: Sequence[str],
    now_ns: Callable[[], int],
    monotonic_ns: Callable[[], int],
    *,
    tls: bool = False,
) -> Iterator[Fault]:
    """Play each scenario at each venue; yield a record of each, also where it does not apply."""
    for scenario in wanted:
        for venue in venues:
            time = Time(now_ns, monotonic_ns)
            yield _record(scenario, venue, time, tls=tls)


def _record(scenario: Scenario, venue: str, time: Time, *, tls: bool) -> Fault:
    passed: bool | None = True
    if why := absence(scenario, venue):
        return _fault(scenario, venue, None, f"{NOT_HERE}: {why}")
    try:
        detail = f"{scenario.text} ({_played(scenario, venue, time, tls=tls)})"
    except FaultFailedError as error:
        passed, detail = False, str(error)
    except KimeraError as error:
        passed, detail = False, f"{error.code}: {error.message}"
    except TimeoutError:
        passed, detail = False, f"expected an end within {LIMIT_S:g} s, was none"
    return _fault(scenario, venue, passed, detail)


def _fault(scenario: Scenario, venue: str, passed: bool | None, detail: str) -> Fault:
    return Fault(
        fault=scenario.fault, venue=venue, path=scenario.path, passed=passed, detail=detail
    )


def absence(scenario: Scenario, venue: str) -> str:
    """Return why a scenario cannot happen at a venue, in words; empty where it can."""
    if scenario.speaks and not has_socket(venue):
        return NO_SOCKET
    return scenario.absent(rules_of(venue))


def _played(scenario: Scenario, venue: str, time: Time, *, tls: bool) -> str:
    factory = None if sys.platform == "win32" else import_module("uvloop").new_event_loop
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=factory) as runner:
        played = _play(scenario, venue, time, Path(folder), tls=tls)
        return runner.run(asyncio.wait_for(played, LIMIT_S))


async def _play(scenario: Scenario, venue: str, time: Time, folder: Path, *, tls: bool) -> str:
    if scenario.feed is not None:
        async with on_feed_stage(venue, time.now_ns(), folder if tls else None) as market:
            await scenario.feed(market)
            return _told(await market.same(), market.notes)
    assert scenario.play is not None
    async with on_stage(venue, time, folder, by_socket=scenario.speaks, tls=tls) as stage:
        if scenario.listens:
            await stage.listen(scenario.patience or PATIENCE)
        await scenario.play(stage)
        stage.host.faults.clear()
        return _told(await same(stage, foreign=scenario.foreign), stage.notes)


def _told(agreed: str, notes: Sequence[str]) -> str:
    return "; ".join((agreed, *notes))
