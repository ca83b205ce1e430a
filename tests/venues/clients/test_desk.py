"""Orders through the desk: the journal holds each step, and every doubt ends in the truth."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loopback import SYMBOLS, VENUES, Rig, run, serving
from msgspec import structs

from kimera_cli.errors import RiskError, UsageError, VenueError
from kimera_cli.journal.intent_replay import read_orders
from kimera_cli.journal.intents import IntentJournal, Timing
from kimera_cli.live.live_desk import LiveDesk
from kimera_cli.risk.latch import Latch
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.desk import Desk, Wish
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import Reason
from kimera_cli.venues.server.model import OrderRequest

CREATED = {
    "binance": "^POST /api/v3/order",
    "bybit": "^POST /v5/order/create",
    "coinbase": "^POST /api/v3/brokerage/orders",
    "coinbaseexchange": "^POST /orders",
    "htx": "^POST /v1/order/orders/place",
    "kraken": "^POST /0/private/AddOrder",
    "okx": "^POST /api/v5/trade/order",
}


def hasty(rig: Rig) -> World:
    """A world whose waits take no time: both its clock and the venues' jump instead."""
    shift = [0]

    async def sleep(seconds: float) -> None:
        step = int(seconds * 1e9)
        shift[0] += step
        rig.clock.step(step)
        await asyncio.sleep(0)

    return replace(
        rig.world,
        now_ns=lambda: time.time_ns() + shift[0],
        monotonic_ns=lambda: time.perf_counter_ns() + shift[0],
        sleep=sleep,
    )


def journal_at(folder: Path, venue: str) -> IntentJournal:
    return IntentJournal.open(
        folder,
        venue=venue,
        account="main",
        durability="disk",
        entropy=bytes(16),
        now_ns=time.time_ns(),
        timing=Timing(time.perf_counter_ns, max_commit_ms=60_000.0),
    )


async def desk_at(rig: Rig, venue: str, folder: Path, world: World | None = None) -> Desk:
    world = world or hasty(rig)
    client: VenueClient = client_for(venue, rig.at[venue].credentials, rig.transport(), world)
    client.session.budget.rules = ()
    client.session.budget.__post_init__()
    client.session.transport.world = world
    journal = journal_at(folder / venue, venue)
    desk = Desk(client, journal, Latch(folder / "kill"), world, patience_s=1e6)
    await desk.start()
    return desk


@asynccontextmanager
async def trading(venue: str, folder: Path) -> AsyncIterator[tuple[Rig, Desk]]:
    async with serving(venue) as rig:
        desk = await desk_at(rig, venue, folder)
        try:
            yield rig, desk
        finally:
            desk.journal.close()


def wish(rig: Rig, venue: str, factor: str = "0.95", **terms: Any) -> Wish:
    market = rig.at[venue].market
    price = market.price(market.last_px) * Decimal(factor) // market.tick * market.tick
    return Wish(SYMBOLS[venue], "buy", price=price, quantity=Decimal("0.01"), **terms)


@pytest.mark.parametrize("name", VENUES)
def test_an_order_that_never_arrived_is_proved_absent_and_never_sent_again(
    name: str, tmp_path: Path
) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            rig.fault("request.before", "drop", CREATED[name])
            state = await desk.order(wish(rig, name))
            assert state.phase is Phase.ABSENT
            assert rig.at[name].mine() == []
            assert state.attempts == 1
            again = await desk.order(wish(rig, name))
            assert again.phase is Phase.OPEN

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_an_order_whose_answer_was_lost_is_found_with_its_fills(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            at = rig.at[name]
            at.make("sell", "0.004", str(at.market.price(at.market.last_px)))
            rig.fault("request.after", "drop", CREATED[name])
            state = await desk.order(wish(rig, name, "1"))
            assert (state.phase, state.filled) == (Phase.PARTIAL, Decimal("0.004"))
            assert state.attempts == 1
            assert len(at.mine()) == 1
            desk.journal.flush()
            told = read_orders(tmp_path / name).states[state.client_id]
            assert (told.phase, told.venue_order_id) == (state.phase, state.venue_order_id)

    run(work())


def test_a_process_that_died_before_the_answer_leaves_an_order_that_the_next_one_finds(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with serving("okx") as rig:
            desk = await desk_at(rig, "okx", tmp_path)
            intent, _ = desk.draft(wish(rig, "okx"))
            desk.journal.plan([intent])
            await desk.client.entry.place(intent, lambda s: desk._release(intent.client_id, s))
            planned, _ = desk.draft(wish(rig, "okx"))
            desk.journal.plan([planned])
            desk.journal.close()  # neither the answer nor the second order got further
            assert read_orders(tmp_path / "okx").states[intent.client_id].phase is Phase.SENT
            after = await desk_at(rig, "okx", tmp_path)
            assert after.state(intent.client_id).phase is Phase.OPEN
            assert after.state(planned.client_id).phase is Phase.WITHHELD
            assert len(rig.at["okx"].mine()) == 1
            after.journal.close()

    run(work())


def test_an_interrupted_order_is_in_doubt_and_cleared_by_the_next_process(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving("binance") as rig:
            desk = await desk_at(rig, "binance", tmp_path)
            rig.fault("request.after", "delay", CREATED["binance"], seconds=600.0)
            task = asyncio.ensure_future(desk.order(wish(rig, "binance")))
            while not rig.at["binance"].mine():
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            (state,) = desk.journal.orders.states.values()
            assert state.phase is Phase.UNKNOWN
            desk.journal.close()
            after = await desk_at(rig, "binance", tmp_path)
            assert after.state(state.client_id).phase is Phase.OPEN
            after.journal.close()

    run(work())


def test_a_refused_nonce_is_followed_by_one_more_try_and_no_second_order(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("kraken", tmp_path) as (rig, desk):
            body = '{"error":["EAPI:Invalid nonce"]}'
            terms = {"status": 200, "body": body}
            rig.fault("request.before", "reply", CREATED["kraken"], **terms)
            state = await desk.order(wish(rig, "kraken"))
            assert (state.phase, state.attempts) == (Phase.OPEN, 2)
            assert len(rig.at["kraken"].mine()) == 1
            rig.fault("request.before", "reply", CREATED["kraken"], count=None, **terms)
            state = await desk.order(wish(rig, "kraken"))
            assert (state.phase, state.attempts) == (Phase.WITHHELD, 2)
            assert "Invalid nonce" in state.raw
            assert len(rig.at["kraken"].mine()) == 1

    run(work())


def test_a_clock_that_jumped_is_found_out_by_the_refusal_and_stops_orders(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            rig.clock.step(20 * 10**9)
            with pytest.raises(VenueError) as caught:
                await desk.order(wish(rig, "binance"))
            assert caught.value.code == "venue.clock"
            assert rig.at["binance"].mine() == []
            with pytest.raises(VenueError):
                await desk.order(wish(rig, "binance"))
            (state,) = [s for s in desk.journal.orders.states.values() if s.attempts]
            assert state.phase in (Phase.NEW, Phase.WITHHELD)

    run(work())


def test_too_many_requests_withhold_the_order_and_hold_the_next_request(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            terms = {"status": 429, "headers": {"Retry-After": "9"}}
            terms |= {"body": '{"code":-1003,"msg":"Too many requests."}'}
            rig.fault("request.before", "reply", CREATED["binance"], **terms)
            state = await desk.order(wish(rig, "binance"))
            assert (state.phase, state.attempts) == (Phase.WITHHELD, 1)
            budget = desk.client.session.budget
            left_s = (budget.paused_until_ns - desk.world.monotonic_ns()) / 1e9
            assert 8 < left_s <= 9
            assert (await desk.order(wish(rig, "binance"))).phase is Phase.OPEN

    run(work())


def test_the_kill_switch_is_seen_behind_everything_that_takes_time(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("bybit", tmp_path) as (rig, desk):
            budget = desk.client.session.budget
            take = budget.take

            async def killed_meanwhile(kind: Any, *more: int) -> None:
                await take(kind, *more)
                desk.latch.kill("now", 1, "the test")

            budget.takes = lambda *_: False  # type: ignore[method-assign]
            budget.take = killed_meanwhile  # type: ignore[method-assign]
            with pytest.raises(RiskError) as caught:
                await desk.order(wish(rig, "bybit"))
            assert caught.value.code == "risk.kill_switch"
            assert rig.at["bybit"].mine() == []
            (state,) = desk.journal.orders.states.values()
            assert (state.phase, state.attempts) == (Phase.WITHHELD, 0)

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_lost_cancel_is_sent_again_and_a_late_one_finds_the_fill(
    name: str, tmp_path: Path
) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            at = rig.at[name]
            state = await desk.order(wish(rig, name))
            rig.fault("request.after", "drop", "ancel|^DELETE")
            now, _ = await desk.cancel(SYMBOLS[name], state.client_id)
            assert now.phase is Phase.CANCELED
            state = await desk.order(wish(rig, name, "1"))
            at.make("sell", "0.01", str(at.market.price(at.market.last_px)))
            now, _ = await desk.cancel(SYMBOLS[name], state.venue_order_id)
            assert (now.phase, now.filled) == (Phase.FILLED, Decimal("0.01"))

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_a_halt_is_learnt_from_its_refusal_and_so_is_its_end(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            resting = await desk.order(wish(rig, name))
            rig.at[name].market.status = "halt"
            refused = await desk.order(wish(rig, name))
            assert refused.phase in (Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT), refused
            sent = len(desk.journal.orders.states)
            with pytest.raises(VenueError) as caught:
                await desk.order(wish(rig, name))
            assert caught.value.code == "venue.halted"
            assert len(desk.journal.orders.states) == sent, "it is not even meant"
            now, _ = await desk.cancel(SYMBOLS[name], resting.client_id)
            assert now.phase in (Phase.CANCELED, Phase.OPEN)  # venues differ in that
            rig.at[name].market.status = "trading"
            assert (await desk.order(wish(rig, name))).phase is Phase.OPEN

    run(work())


def test_steps_that_changed_are_learnt_and_kept_to(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("okx", tmp_path) as (rig, desk):
            first = await desk.order(wish(rig, "okx"))
            market = rig.at["okx"].market
            old = desk.client.session.listing(SYMBOLS["okx"]).instrument.lot
            listing = desk.client.session.listing(SYMBOLS["okx"])
            finer = structs.replace(listing.instrument, lot=old / 10)
            desk.client.session.api.learn([listing._replace(instrument=finer)])
            odd = wish(rig, "okx")._replace(quantity=Decimal("0.01") + old / 10)
            refused = await desk.order(odd)
            assert (refused.phase, refused.reason) == (Phase.REJECTED, Reason.QUANTITY_STEP)
            assert desk.client.session.listing(SYMBOLS["okx"]).instrument.lot == market.lot == old
            with pytest.raises(UsageError):
                await desk.order(odd)
            again = await desk.order(wish(rig, "okx"))
            assert (first.phase, again.phase) == (Phase.OPEN, Phase.OPEN)

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_foreign_orders_are_left_alone_unless_asked(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            at = rig.at[name]
            price = wish(rig, name).price
            foreign = OrderRequest(
                symbol=at.market.symbol, side="buy", kind="limit", qty=Decimal("0.02"), price=price
            )  # fmt: skip
            at.exchange.place(at.me, foreign)
            await desk.order(wish(rig, name))
            done = await desk.cancel_all()
            assert len(done) == 1
            (left,) = await desk.client.queries.open_orders()
            assert left.quantity == Decimal("0.02")
            assert not desk.journal.orders.is_ours(left)
            assert len(await desk.cancel_all(foreign=True)) == 1
            assert await desk.client.queries.open_orders() == []

    run(work())


def test_nothing_is_sent_while_an_order_is_in_doubt_but_cancels(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("htx", tmp_path) as (rig, desk):
            resting = await desk.order(wish(rig, "htx"))
            desk.patience_s = 0.0
            rig.fault("request.before", "drop", CREATED["htx"])
            lost = await desk.order(wish(rig, "htx"))
            assert lost.phase is Phase.UNKNOWN
            with pytest.raises(RiskError) as caught:
                await desk.order(wish(rig, "htx"))
            assert caught.value.code == "risk.order_in_doubt"
            now, _ = await desk.cancel(SYMBOLS["htx"], resting.client_id)
            assert now.phase is Phase.CANCELED

    run(work())


@pytest.mark.parametrize("name", ["binance", "okx"])
def test_an_order_that_is_lost_twice_is_not_sent_a_third_time(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            rig.fault("request.before", "drop", CREATED[name], count=2)
            state = await desk.order(wish(rig, name), resend=True)
            assert state.phase is Phase.ABSENT
            assert rig.at[name].mine() == []
            sent = [s.attempts for s in desk.journal.orders.states.values()]
            assert sum(sent) == 2

    run(work())


def test_an_order_that_arrived_is_not_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            rig.fault("request.after", "drop", CREATED["binance"])
            state = await desk.order(wish(rig, "binance"), resend=True)
            assert (state.phase, state.attempts, state.intent.resends) == (Phase.OPEN, 1, "")
            assert len(rig.at["binance"].mine()) == 1

    run(work())


def test_the_kill_switch_stops_what_would_be_sent_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            rig.fault("request.before", "drop", CREATED["binance"])
            finding = desk.client.entry.find

            async def find(*what: Any) -> Any:
                desk.latch.kill("enough", 1, "test")
                return await finding(*what)

            desk.client.entry.find = find  # type: ignore[method-assign]
            state = await desk.order(wish(rig, "binance"), resend=True)
            assert state.phase is Phase.ABSENT
            assert rig.at["binance"].mine() == []
            assert len(desk.journal.orders.states) == 1

    run(work())


def test_an_order_refused_for_our_clock_is_withheld_when_the_clock_stays_wrong(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            rig.clock.step(20 * 10**9)  # unknown to the client: no probe is due
            with pytest.raises(VenueError) as caught:
                await desk.order(wish(rig, "binance"))
            assert caught.value.code == "venue.clock"
            (state,) = desk.journal.orders.states.values()
            assert state.phase is Phase.WITHHELD

    run(work())


def test_a_cancel_refused_for_our_clock_goes_through_once_it_is_set_right(tmp_path: Path) -> None:
    async def work() -> None:
        async with trading("binance", tmp_path) as (rig, desk):
            state = await desk.order(wish(rig, "binance"))
            rig.clock.step(20 * 10**9)
            now, _ = await desk.cancel(SYMBOLS["binance"], state.client_id)
            assert isinstance(now, OrderState)
            assert now.phase is Phase.CANCELED

    run(work())


@pytest.mark.parametrize("name", ["binance", "kraken", "okx"])
def test_a_run_suspects_its_markets_when_one_is_halted(name: str, tmp_path: Path) -> None:
    """The refusal is told, and closes the order; what fits no account says nothing of markets."""

    async def work() -> None:
        async with trading(name, tmp_path) as (rig, desk):
            suspected: list[str] = []
            live = LiveDesk(desk.client, desk.journal, desk.latch, desk.world)
            live.on_refusal = lambda: suspected.append(name)
            for quantity, halted in (("900", False), ("0.01", True)):
                if halted:
                    rig.at[name].exchange.set_status(rig.at[name].market.symbol, "halt")
                terms = wish(rig, name)._replace(quantity=Decimal(quantity), strategy="grid")
                intent, _ = live.draft(terms)
                await live.send(intent)
                phase = live.state(intent.client_id).phase
                assert phase in (Phase.REJECTED, Phase.ABSENT)  # Kraken's answer leaves a doubt
                assert suspected == [name] * halted

    run(work())
