"""A soak in one process, with pauses that pass at once: acts of a schedule, and the comparison."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kimera_cli.errors import KimeraError
from kimera_cli.venues.clients.socket_talk import TALKS
from kimera_cli.venues.faults.scenario import FaultFailedError, until
from kimera_cli.venues.faults.stage import PATIENCE, Stage, Time, on_stage
from kimera_cli.venues.faults.truth import same
from kimera_cli.venues.orders.fills import Added, FillLedger
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.server.control import Control
from kimera_cli.venues.server.dialect import Request
from kimera_cli.venues.server.dialects import available
from kimera_cli.venues.soak.acts import Call, Target, Way, acts

ACTS = 30
FEW_ORDERS, FEW_FILLS = 5, 3
"""With less than this there is little to compare: more acts follow."""
MOST_ACTS = 300
HASTE = 0.01
"""Seconds of the schedule are so many here."""
HEARING = replace(PATIENCE, silence_s=0.6, audit_s=0.3, late_s=0.1, answers_s=0.4)


def call(control: Control, asked: Call) -> None:
    body = dict(asked.body)
    if "seconds" in body:
        body["seconds"] *= HASTE
    request = Request("POST", asked.path, "", {}, msgspec.json.encode(body), "", 0, "")
    assert control.answer(request).status == 200


async def trade(stage: Stage, chance: random.Random) -> None:
    """Send an order, let others fill part of it, cancel something, whatever comes of it."""
    quantity = chance.choice(("0.004", "0.01", "0.02"))
    if stage.market.status == "trading":
        stage.others("sell", quantity)
    try:
        await stage.order(chance.choice(("1", "0.999", "0.95")))
        resting = list(stage.desk.journal.orders.live())
        if resting and chance.random() < 0.5:
            await stage.cancel(chance.choice(resting))
    except KimeraError:
        pass  # refused now: a pause, a halt


async def soaked(stage: Stage, seed: int) -> None:
    control, chance = Control(stage.host), random.Random(seed)
    loop = asyncio.get_running_loop()
    target = Target(stage.name, stage.market.symbol)
    way: Way = "websocket" if stage.by_socket else "rest"
    for done, act in enumerate(islice(acts(seed, [target], "live", 1.0, 0.0, way), MOST_ACTS)):
        if done >= ACTS and enough(stage):
            return
        await stage.time.pass_by(act.wait_s)
        await asyncio.sleep(act.wait_s * HASTE)
        call(control, act.call)
        if act.then is not None:
            loop.call_later(act.lasts_s * HASTE, call, control, act.then)
        elif act.lasts_s:
            loop.call_later(act.lasts_s * HASTE, stage.host.faults.clear)
        await trade(stage, chance)


def enough(stage: Stage) -> bool:
    fills = stage.venue.exchange.fills(stage.account, "")
    return len(stage.orders()) >= FEW_ORDERS and len(fills) >= FEW_FILLS


async def calm(stage: Stage) -> None:
    """Wait until the stream is back and everything that was missed has been told."""
    stage.host.faults.clear()
    stream = stage.stream
    assert stream is not None

    def over(state: OrderState) -> bool:
        return not state.must_ask and state.is_settled

    await asyncio.sleep(5 * HASTE)  # what was to follow has
    await until(stream.up.is_set, "expected the stream back")
    await stage.desk.sync()
    await stage.desk.cancel_all()
    await until(lambda: all(map(over, stage.desk.journal.orders.unsettled())), "expected calm")


def soak(venue: str, seed: int, folder: Path, *, by_socket: bool = False) -> str:
    clocks = Time(time.time_ns, time.perf_counter_ns)

    async def work() -> str:
        async with on_stage(venue, clocks, folder, by_socket=by_socket) as stage:
            stage.hurry(HEARING.answers_s)
            await stage.listen(HEARING)
            await soaked(stage, seed)
            await calm(stage)
            return await same(stage)

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("name", "by_socket"),
    [*((name, False) for name in available()), *((name, True) for name in TALKS)],
)
def test_whatever_happens_client_and_venue_agree_afterwards(
    name: str, by_socket: bool, tmp_path: Path
) -> None:
    told = soak(name, 5, tmp_path, by_socket=by_socket)
    orders, fills = (int(words.split()[0]) for words in told.split(", "))
    assert orders >= FEW_ORDERS
    assert fills >= FEW_FILLS


def test_a_client_that_counts_fills_by_their_telling_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add, seen = FillLedger.add, []

    def twice(self: FillLedger, fill: Any) -> Added:
        seen.append(fill)
        return add(self, msgspec.structs.replace(fill, trade_id=f"{fill.trade_id}-{len(seen)}"))

    monkeypatch.setattr(FillLedger, "add", twice)
    with pytest.raises(FaultFailedError):
        soak("bybit", 5, tmp_path)
