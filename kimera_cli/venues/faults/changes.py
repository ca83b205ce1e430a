"""Orders that move while they are talked of: fills before answers, cancels that race with fills."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from kimera_cli.venues.faults.marks import PLACED
from kimera_cli.venues.faults.scenario import Scenario, both_ways, expect, until
from kimera_cli.venues.faults.stage import Stage
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import FillUpdate, TimeInForce
from kimera_cli.venues.orders.rules import rules_of


async def fills_first(stage: Stage) -> None:
    """F10."""
    stage.others("sell", "0.004")
    stage.fault("request.after", "delay", PLACED[stage.name], seconds=0.4)
    sending = asyncio.ensure_future(stage.order("1"))
    await until(lambda: len(stage.orders()) == 1, "expected the order at the venue")
    stage.others("sell", "0.003")
    await until(lambda: _fills(stage) == 2, "expected both fills on the stream")
    expect(not sending.done(), "expected the fills before the answer")
    state = await sending
    told = f"expected 0.007 filled, was {state.phase} {state.filled}"
    expect((state.phase, state.filled) == (Phase.PARTIAL, Decimal("0.007")), told)
    stage.others("sell", "0.003")
    await until(lambda: stage.state(state).phase is Phase.FILLED, "expected it filled")
    await until(lambda: stage.state(state).filled == Decimal("0.01"), "expected every fill")


def _fills(stage: Stage) -> int:
    fills = [event.fill for event in stage.told if isinstance(event, FillUpdate)]
    return len({fill.name for fill in fills})


async def ends_by_itself(stage: Stage) -> None:
    """F11."""
    fill_or_kill = rules_of(stage.name).fill_or_kill
    ways: tuple[TimeInForce, ...] = ("ioc", "post_only", *(("fok",) if fill_or_kill else ()))
    for tif in ways:
        stage.others("sell", "0.004")
        state = await stage.order("1", tif=tif)
        await until(lambda s=state: not stage.state(s).is_live, f"expected the end of {tif}")  # type: ignore[misc]
        filled = Decimal("0.004") if tif == "ioc" else Decimal(0)
        now = stage.state(state)
        expect(now.filled == filled, f"{tif}: expected {filled} filled, was {now.filled}")
    if not fill_or_kill:
        stage.notes.append("it has no FOK")


async def races(stage: Stage) -> None:
    """F12."""
    state = await stage.order()
    stage.hurry(0.25)
    stage.fault_of_cancels("drop", carried_out=True)
    canceled = await stage.cancel(state)
    expect(canceled.phase is Phase.CANCELED, f"expected it canceled, was {canceled.phase}")
    state = await stage.order("1")
    stage.others("sell", "0.01")
    late = await stage.cancel(state)
    told = f"expected it filled, was {late.phase} {late.filled}"
    expect((late.phase, late.filled) == (Phase.FILLED, Decimal("0.01")), told)
    state = await stage.order("1")
    stage.fault_of_cancels("delay", carried_out=False, seconds=0.1)
    canceling = asyncio.ensure_future(stage.cancel(state))
    await asyncio.sleep(0.03)
    stage.others("sell", "0.004")  # between the cancel's sending and its arrival
    half = await canceling
    told = f"expected 0.004 filled and the rest canceled, was {half.phase} {half.filled}"
    expect((half.phase, half.filled) == (Phase.CANCELED, Decimal("0.004")), told)


SCENARIOS = [
    Scenario(
        "F10",
        "websocket",
        "fills before the answer: merged, each counts once",
        fills_first,
        listens=True,
    ),
    Scenario(
        "F11",
        "websocket",
        "ends by itself (IOC, FOK, post-only): the end is told",
        ends_by_itself,
        listens=True,
    ),
    *both_ways("F12", "cancel lost, late, racing a fill: what is filled counts once", races),
]
