"""F20: the client's process is killed, with SIGKILL, at each step of an order."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from kimera_cli.venues.desk import Desk, Wish
from kimera_cli.venues.faults.scenario import both_ways, expect
from kimera_cli.venues.faults.stage import Durability, Seat, Stage, Time, speak
from kimera_cli.venues.faults.truth import same
from kimera_cli.venues.orders.entry import Answered, Entry

STEPS = ("planned", "released", "sent", "answered", "noted")
"""Behind which the process is killed: the order is meant; it is in the journal as on the wire; the
venue has it; its answer is here; the answer is in the journal.
"""
DURABILITIES: tuple[Durability, ...] = ("process", "disk")
HANGS_S = 600.0


class Victim(NamedTuple):
    """What a process that is to be killed is told."""

    seat: Seat
    folder: Path
    durability: Durability
    step: str
    wish: Wish
    by_socket: bool
    now_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]
    moved_ns: int


async def killed(stage: Stage) -> None:
    """Kill a process at each step, for both durabilities; the next one finds everything out."""
    for durability in DURABILITIES:
        for step in STEPS:
            stage.others("sell", "0.004")
            orders = len(stage.orders())
            await _kill(stage, durability, step)
            stage.durability = durability
            await stage.open_desk()
            await stage.desk.sync()  # as a start does with what was left open
            at_venue = len(stage.orders()) - orders
            wanted = 0 if step in ("planned", "released") else 1
            expect(at_venue == wanted, f"{step}: expected {wanted} orders sent, was {at_venue}")
            doubts = list(stage.desk.journal.orders.in_doubt())
            expect(not doubts, f"{durability}, {step}: expected no order in doubt, was {doubts}")
            await same(stage)
            await stage.desk.cancel_all()
            stage.venue.exchange.cancel_all(stage.other)


async def _kill(stage: Stage, durability: Durability, step: str) -> None:
    """Let a process send an order and die; our own lets go of the account meanwhile."""
    wish, time = stage.wish("1"), stage.time
    await stage.let_go()
    told = Victim(
        stage.seat,
        stage.folder,
        durability,
        step,
        wish,
        stage.by_socket,
        time.host_now_ns,
        time.host_monotonic_ns,
        time.moved_ns,
    )
    orders = len(stage.orders())
    if step == "sent":
        stage.fault_of_orders("delay", carried_out=True, seconds=HANGS_S)
    process = multiprocessing.get_context("spawn").Process(target=_live, args=(told,), daemon=True)
    process.start()
    while process.is_alive():
        if step == "sent" and len(stage.orders()) > orders:
            process.kill()
        await asyncio.sleep(0.01)
    process.join()
    stage.host.faults.clear()
    expect(process.exitcode == -signal.SIGKILL, f"{step}: expected a kill, was {process.exitcode}")


def _live(told: Victim) -> None:
    """The process: sends one order, and does not live to the end of it."""
    asyncio.run(_order(told))


async def _order(told: Victim) -> None:
    time = Time(told.now_ns, told.monotonic_ns, told.moved_ns)
    desk = told.seat.desk(
        time, told.folder, lambda _: None, told.durability, by_socket=told.by_socket
    )
    await desk.start()
    running = await speak(desk)
    _die_behind(desk, told.step)
    await desk.order(told.wish)
    for each in running:
        each.cancel()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_behind(desk: Desk, step: str) -> None:
    """Arrange that this process dies when a step is done."""
    journal: Any = desk.journal
    if step == "planned":
        journal.plan = _then_die(journal.plan)
    elif step == "released":
        journal.release = _then_die(journal.release)
    elif step == "noted":
        record = journal.record

        def noted(entry: Entry, ts_ns: int) -> None:
            record(entry, ts_ns)
            if isinstance(entry, Answered):
                _die()

        journal.record = noted
    elif step == "answered":
        entry: Any = desk.client.entry
        entry.place = _awaited_then_die(entry.place)


def _then_die(act: Callable[..., Any]) -> Callable[..., Any]:
    def last(*given: Any) -> Any:
        done = act(*given)
        _die()
        return done

    return last


def _awaited_then_die(act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def last(*given: Any) -> Any:
        done = await act(*given)
        _die()
        return done

    return last


SCENARIOS = both_ways("F20", "SIGKILL at every step of an order: found out by the next", killed)
