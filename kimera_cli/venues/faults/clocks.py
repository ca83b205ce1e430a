"""Time that goes wrong: switches that fire, clocks that jump."""

from __future__ import annotations

import asyncio

from kimera_cli.venues.clients.stream import TICK_S
from kimera_cli.venues.dead_man import DeadMan, StreamSwitch
from kimera_cli.venues.faults.refusals import refused
from kimera_cli.venues.faults.scenario import Scenario, expect, until
from kimera_cli.venues.faults.stage import NS, Stage
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.rules import Rules, rules_of

HOUR_S = 3600
SILENT_S = 12


async def dead_man(stage: Stage) -> None:
    """F21."""
    switch = rules_of(stage.name).dead_man
    assert switch is not None
    desk = stage.desk
    man = DeadMan(desk.client, desk.world, max(switch.min_s, 10))
    state = await stage.order()
    expect(await man.beat(), "expected the switch to be set")
    for _ in range(6):  # twice its time, kept alive
        await stage.time.pass_by(man.seconds / 3)
        await man.beat()
    stage.venue.tick()
    expect(stage.venue.exchange.orders(stage.account, ""), "expected an order")
    await desk.sync()
    expect(stage.state(state).phase is Phase.OPEN, "expected it to be kept while we live")
    await stage.time.pass_by(man.seconds + 1)  # and now we stall
    stage.venue.tick()
    await desk.sync()
    told = f"expected it found canceled, was {stage.state(state).phase}"
    expect(stage.state(state).phase is Phase.CANCELED, told)
    await man.disarm()
    after = await stage.order()
    await stage.time.pass_by(3 * man.seconds)
    stage.venue.tick()
    await desk.sync()
    expect(stage.state(after).phase is Phase.OPEN, "expected nothing to fire once it is off")


async def silent_stream(stage: Stage) -> None:
    """F21 where the switch is tied to the private stream."""
    desk, stream = stage.desk, stage.stream
    assert stream is not None
    man = StreamSwitch(desk.client, stream, SILENT_S)
    expect(await man.beat(), "expected the switch to be set")
    state = await stage.order()
    for _ in range(6):  # twice its time, kept alive by the stream itself
        await stage.time.pass_by(SILENT_S / 3)
        await asyncio.sleep(2 * TICK_S)
        stage.venue.tick()
    await desk.sync()
    expect(stage.state(state).phase is Phase.OPEN, "expected it to be kept while we live")
    await _gone(stage)
    told = f"expected it found canceled, was {stage.state(state).phase}"
    expect(stage.state(state).phase is Phase.CANCELED, told)
    after = await stage.order()
    again = await stage.listen()
    again.protect(SILENT_S)
    await StreamSwitch(desk.client, again, SILENT_S).disarm()
    await asyncio.sleep(2 * TICK_S)  # the venue hears of it
    await _gone(stage)
    expect(stage.state(after).phase is Phase.OPEN, "expected nothing to fire once it is off")


async def _gone(stage: Stage) -> None:
    """Let the private stream end, and more time pass than the switch gives it."""
    stream = stage.stream
    assert stream is not None
    stream.stop()
    await until(lambda: not stream.up.is_set(), "expected the end of the private stream")
    await stage.time.pass_by(SILENT_S + 1)
    stage.venue.tick()
    await stage.desk.sync()


def _switch_of(rules: Rules) -> str:
    return "" if rules.dead_man is None else rules.dead_man.kind


def _no_silence(rules: Rules) -> str:
    why = {"": "it has no dead-man switch", "timer": "its switch has a timer, not the stream"}
    return why.get(_switch_of(rules), "")


def _no_timer(rules: Rules) -> str:
    why = {"": "it has no dead-man switch", "heartbeat": "its switch is tied to the stream"}
    return why.get(_switch_of(rules), "")


async def jumps(stage: Stage) -> None:
    """F23: this host's wall clock jumps; what is timed goes by the steady one."""
    budget, session = stage.desk.client.session.budget, stage.desk.client.session
    for hours in (1, -1):
        resting = await stage.order()
        budget.pause(5.0)
        stage.time.wrong_ns = hours * HOUR_S * NS
        before = stage.time.monotonic_ns()
        await session.reset_clock()
        waited_s = (stage.time.monotonic_ns() - before) / NS
        expect(4 < waited_s < 7, f"expected a pause of 5 s to last 5 s, was {waited_s:g} s")
        orders = len(stage.orders())
        await refused(stage, stage.wish(), "venue.clock")
        expect(len(stage.orders()) == orders, "expected no order at the venue")
        canceled = await stage.cancel(resting)
        told = f"expected a cancel to go through, was {canceled.phase} {canceled.raw}"
        expect(canceled.phase is Phase.CANCELED, told)
        stage.time.wrong_ns = 0
        await session.reset_clock()
    after = await stage.order()
    expect(after.phase is Phase.OPEN, f"expected trading, was {after.phase} {after.raw}")


SCENARIOS = [
    Scenario("F21", "rest", "dead-man switch fires: found canceled", dead_man, absent=_no_timer),
    Scenario(
        "F21",
        "websocket",
        "tied to the stream, which falls silent: found canceled",
        silent_stream,
        absent=_no_silence,
        listens=True,
    ),
    Scenario("F23", "rest", "wall clock jumps by an hour: timers unmoved, cancels only", jumps),
]
