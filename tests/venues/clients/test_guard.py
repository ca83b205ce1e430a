"""The watchdog: what a dead or frozen owner leaves is canceled; and the venues' own switches."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from loopback import SYMBOLS, VENUES, Rig, run, serving
from test_desk import desk_at, hasty, wish

from kimera_cli.errors import UsageError
from kimera_cli.journal.intents import account_folder
from kimera_cli.journal.owner import Owner
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.dead_man import DeadMan
from kimera_cli.venues.guard import Guard, Pulse
from kimera_cli.venues.orders.rules import RULES
from kimera_cli.venues.trading import Choices, Trading

TIMERS = [v for v in VENUES if (switch := RULES[v].dead_man) and switch.kind == "timer"]


class Watching:
    """A guard over one account, with a desk's journal where the guard looks for it."""

    def __init__(self, rig: Rig, home: Path, venue: str) -> None:
        self.told: list[Any] = []
        self.notes: list[str] = []
        self.world = hasty(rig)
        hosts = frozenset(rig.listener.host.by_host)
        server = Server(rig.listener.port, None, hosts)
        self.trading = Trading(Choices((venue,)), home, {}, self.world, server, None)
        self.trading.credentials = lambda name: rig.at[name].credentials  # type: ignore[method-assign]
        self.guard = Guard(self.trading, 10.0, self.told.append, self.notes.append)
        self.folder = account_folder(home, venue, "main")


async def with_order(rig: Rig, home: Path, venue: str) -> Any:
    folder = account_folder(home, venue, "main")
    desk = await desk_at(rig, venue, folder.parent)
    (folder.parent / venue).rename(folder)
    await desk.order(wish(rig, venue))
    return desk


@pytest.mark.parametrize("name", VENUES)
def test_orders_of_an_owner_that_died_are_canceled_and_foreign_ones_are_not(
    name: str, tmp_path: Path
) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            watching = Watching(rig, tmp_path, name)
            desk = await with_order(rig, tmp_path, name)
            await watching.guard.look()
            assert watching.told == []
            desk.journal.close()
            await watching.guard.look()
            assert [r.phase for r in watching.told] == ["canceled"]
            assert rig.at[name].exchange.ledger.accounts[rig.at[name].me].open == {}
            assert "has ended" in watching.notes[0]
            assert not watching.trading.latch.is_killed()
            await watching.guard.look()
            assert len(watching.told) == 1
            watching.trading.close()

    run(work())


def test_a_frozen_owner_is_killed_and_one_with_a_pulse_is_left_alone(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving("okx") as rig:
            watching = Watching(rig, tmp_path, "okx")
            desk = await with_order(rig, tmp_path, "okx")
            pulse = Pulse.of(watching.folder)
            for _ in range(8):
                pulse.beat()
                await watching.guard.look()
                await watching.world.sleep(4.0)
                await asyncio.sleep(0.01)  # the file system's clock is coarse
            assert watching.told == []
            for _ in range(4):
                await watching.guard.look()
                await watching.world.sleep(4.0)
            assert [r.phase for r in watching.told] == ["canceled"]
            assert watching.trading.latch.is_killed()
            killed = watching.trading.latch.read()
            assert killed is not None
            assert "silent" in killed.reason
            desk.journal.close()
            watching.trading.close()

    run(work())


def test_an_owner_without_a_pulse_is_only_watched_for_its_end(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving("binance") as rig:
            watching = Watching(rig, tmp_path, "binance")
            watching.folder.mkdir(parents=True)
            owner = Owner.take(watching.folder)
            for _ in range(5):
                await watching.guard.look()
                await watching.world.sleep(60.0)
            assert not watching.trading.latch.is_killed()
            owner.release()
            rig.fault("request.before", "drop", count=None)
            await watching.guard.look()
            assert rig.reported[-1].code == "venue.guard", "and is tried again"
            rig.faults.clear()
            await watching.guard.look()
            assert watching.notes, rig.reported[-1]
            assert "none of its orders" in watching.notes[0]
            watching.trading.close()

    run(work())


@pytest.mark.parametrize("name", TIMERS)
def test_the_venues_own_switch_fires_only_when_nobody_beats(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            desk = await desk_at(rig, name, tmp_path)
            await desk.order(wish(rig, name))
            world = desk.world
            switch = DeadMan(desk.client, world, 60)
            assert await switch.beat()
            assert not await switch.beat()
            for _ in range(8):
                await world.sleep(15.0)
                rig.at[name].venue.tick()
                await switch.beat()
            assert len(await desk.client.queries.open_orders()) == 1
            await world.sleep(61.0)
            rig.at[name].venue.tick()
            assert await desk.client.queries.open_orders() == []
            await desk.order(wish(rig, name))
            await switch.beat()
            await switch.disarm()
            await world.sleep(600.0)
            rig.at[name].venue.tick()
            assert len(await desk.client.queries.open_orders([SYMBOLS[name]])) == 1
            desk.journal.close()

    run(work())


def test_a_switch_where_there_is_none_or_with_a_wrong_time_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving("binance", "okx") as rig:
            for venue, seconds in (("binance", 60), ("okx", 9), ("okx", 121)):
                client = await rig.client(venue)
                with pytest.raises(UsageError) as caught:
                    DeadMan(client, rig.world, seconds)
                assert caught.value.code == "usage.dead_man"

    run(work())
