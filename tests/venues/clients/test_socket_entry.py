"""Orders over websockets: the outcomes of REST, and REST whenever the socket is not there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from loopback import PASSPHRASE, Rig, intent, run, secret_of, serving

from kimera_cli.errors import VenueError
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.venues.clients.budget import Budget
from kimera_cli.venues.clients.credentials import HIDDEN, Credentials
from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.clients.socket_talk import TALKS
from kimera_cli.venues.clients.venues import client_for
from kimera_cli.venues.orders.outcome import (
    Accepted,
    CancelIntent,
    Found,
    Reason,
    Rejected,
    Unknown,
)

GUARD_S = 120


@asynccontextmanager
async def talking(name: str, answer_s: float = 10.0) -> AsyncIterator[tuple[Rig, SocketEntry]]:
    async with serving(name) as rig:
        client = client_for(
            name, rig.at[name].credentials, rig.transport(), rig.world, by_socket=True
        )
        client.session.budget = Budget(name, (), rig.world)
        await client.session.start()
        entry = client.entry
        assert isinstance(entry, SocketEntry)
        entry.answer_s, entry._backoff = answer_s, Backoff(0.01, 0.05)
        task = asyncio.ensure_future(entry.run())
        await asyncio.wait_for(entry.up.wait(), GUARD_S)
        try:
            yield rig, entry
            entry.stop()
            await asyncio.wait_for(task, GUARD_S)
        finally:
            task.cancel()
            client.session.transport.close()


async def again(entry: SocketEntry) -> None:
    """Wait for a second connection."""
    async with asyncio.timeout(GUARD_S):
        while entry.connections < 2:
            await asyncio.sleep(0.001)
        await entry.up.wait()


def order_at(rig: Rig, name: str, factor: str = "0.95", **terms: Any) -> Any:
    market = rig.at[name].market
    price = market.price(market.last_px) * Decimal(factor) // market.tick * market.tick
    return intent(name, price=str(price), **{"quantity": "0.01", **terms})


def cancel_of(order: Any, venue_order_id: str = "") -> CancelIntent:
    return CancelIntent(
        number=1, venue=order.venue, account="main", symbol=order.symbol, created_ns=0,
        client_id=order.client_id, venue_order_id=venue_order_id,
    )  # fmt: skip


@pytest.mark.parametrize("name", TALKS)
def test_orders_and_cancels_go_over_the_socket(name: str) -> None:
    async def work() -> None:
        async with talking(name) as (rig, entry):
            requests = rig.at[name].venue.requests
            for tif in ("gtc", "post_only"):
                order = order_at(rig, name, tif=tif)
                outcome = await entry.place(order)
                assert isinstance(outcome, Accepted), outcome
                mine = rig.at[name].mine()[-1]
                assert (mine.client_id, mine.status) == (order.client_id, "open")
                by_venue = outcome.venue_order_id if tif == "gtc" else ""
                canceled = await entry.cancel(cancel_of(order, by_venue))
                assert isinstance(canceled, Accepted), canceled
            assert rig.at[name].venue.requests == requests, "nothing went by REST"
            assert entry.spoken == 4
            found = await entry.order(outcome.venue_order_id, order.symbol)
            assert found is not None
            assert found.status == "canceled"
            again = await entry.cancel(cancel_of(order, outcome.venue_order_id))
            assert isinstance(again, Rejected)
            assert again.reason in (Reason.NOT_FOUND, Reason.ALREADY_CLOSED)
            poor = await entry.place(order_at(rig, name, quantity="900"))
            assert isinstance(poor, Rejected)
            assert poor.reason is Reason.FUNDS

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_many_orders_at_once_get_their_own_answers(name: str) -> None:
    async def work() -> None:
        async with talking(name) as (rig, entry):
            orders = [order_at(rig, name, f"0.9{k}") for k in range(9)]
            rig.fault("frame.out", "reorder", skip=2)
            outcomes = await asyncio.gather(*(entry.place(order) for order in orders))
            for order, outcome in zip(orders, outcomes, strict=True):
                assert isinstance(outcome, Accepted)
                found = await entry.order(outcome.venue_order_id, order.symbol)
                assert found is not None
                assert (found.client_id, found.price) == (order.client_id, order.price)

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_an_answer_that_is_lost_or_cut_is_unknown_and_the_order_is_found(name: str) -> None:
    async def work() -> None:
        for action in ("drop", "truncate", "garbage"):
            async with talking(name, answer_s=0.3) as (rig, entry):
                rig.fault("frame.out", action)
                order = order_at(rig, name)
                outcome = await entry.place(order)
                assert isinstance(outcome, Unknown), (action, outcome)
                assert len(rig.at[name].mine()) == 1
                found = await entry.find(order.client_id, order.symbol, order.created_ns)
                assert isinstance(found, Found)

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_a_lost_connection_leaves_the_asked_unknown_and_the_next_goes_by_rest(name: str) -> None:
    async def work() -> None:
        async with talking(name) as (rig, entry):
            rig.fault("frame.in", "drop")
            order = order_at(rig, name)
            asked = asyncio.ensure_future(entry.place(order))
            while not entry._waiting:
                await asyncio.sleep(0)
            entry._backoff = Backoff(3600.0, 3600.0)
            entry._socket.close("cut by the test")  # type: ignore[union-attr]
            outcome = await asked
            assert isinstance(outcome, Unknown)
            assert "connection ended" in outcome.detail, "at once, not after the timeout"
            assert rig.at[name].mine() == []
            spoken = entry.spoken
            later = await entry.place(order_at(rig, name))
            assert isinstance(later, Accepted)
            assert entry.spoken == spoken
            assert rig.reported[0].code == "venue.disconnected"

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_the_socket_comes_back(name: str) -> None:
    async def work() -> None:
        async with talking(name) as (rig, entry):
            entry._socket.close("cut by the test")  # type: ignore[union-attr]
            await again(entry)
            assert isinstance(await entry.place(order_at(rig, name)), Accepted)
            assert entry.spoken == 1

    run(work())


@pytest.mark.parametrize("name", ["okx", "bybit", "kraken"])
def test_a_refused_login_ends_it(name: str) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            good = await rig.client(name)
            wrong = secret_of(name)
            wrong = wrong[:-4] + ("AAA=" if wrong.endswith("=") else "AAAA")
            credentials = Credentials(name, rig.at[name].credentials.key, wrong, PASSPHRASE)
            client = client_for(name, credentials, rig.transport(), rig.world, by_socket=True)
            client.session.budget = Budget(name, (), rig.world)
            client.session.api.learn(good.session.api.listings.values())
            assert isinstance(client.entry, SocketEntry)
            with pytest.raises(VenueError) as caught:
                await asyncio.wait_for(client.entry.run(), GUARD_S)
            assert caught.value.code == "venue.auth"
            assert wrong not in str(caught.value)

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_a_half_open_connection_is_found_out_and_made_anew(name: str) -> None:
    async def work() -> None:
        async with talking(name, answer_s=0.2) as (rig, entry):
            entry.silence_s = 0.5
            for socket in rig.listener.host.sockets(name):
                socket.frozen = True
            lost = await entry.place(order_at(rig, name))
            assert isinstance(lost, Unknown)
            assert rig.at[name].mine() == []
            await again(entry)
            entry.answer_s = GUARD_S  # this one answers, however slow the machine is
            assert isinstance(await entry.place(order_at(rig, name)), Accepted)
            assert entry.spoken == 2
            assert "silence for 0.5 s" in rig.reported[0].message

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_pings_keep_a_quiet_connection(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kimera_cli.venues.clients.socket_entry.PING_S", 0.1)

    async def work() -> None:
        async with talking(name) as (_, entry):
            entry.silence_s, socket = GUARD_S, entry._socket
            assert socket is not None
            heard = socket.heard
            async with asyncio.timeout(GUARD_S):
                while socket.heard < heard + 6 and not socket.ended.done():  # answers to pings
                    await asyncio.sleep(0.001)
            assert (entry.connections, entry.up.is_set()) == (1, True)

    run(work())


def test_a_login_that_ended_is_made_anew() -> None:
    async def work() -> None:
        async with talking("okx") as (rig, entry):
            refusal = b'{"event":"error","msg":"Please log in","code":"60011","connId":"1"}'
            entry._hear(refusal)
            await again(entry)
            assert isinstance(await entry.place(order_at(rig, "okx")), Accepted)
            assert entry.spoken == 1
            assert "60011 Please log in" in rig.reported[0].message

    run(work())


@pytest.mark.parametrize("name", TALKS)
def test_what_is_built_ahead_is_not_sent(name: str) -> None:
    async def work() -> None:
        async with talking(name) as (rig, entry):
            before = rig.at[name].venue.requests
            entry.warm(order_at(rig, name))
            assert list(entry._spoken_wires) == [order_at(rig, name).symbol]
            assert (entry.spoken, rig.at[name].venue.requests) == (0, before)
            assert rig.at[name].mine() == []

    run(work())


REFUSALS = {
    "binance": {"id": "1", "status": 400, "error": {"code": -9, "msg": "ECHO"}},
    "bybit": {"reqId": "1", "retCode": 999999, "retMsg": "ECHO", "op": "order.create", "data": {}},
    "kraken": {"method": "add_order", "req_id": 1, "success": False, "error": "EGeneral:ECHO"},
    "okx": {"id": "1", "op": "order", "code": "1", "msg": "ECHO", "data": []},
}
UNCLEAR = {
    "binance": {"id": "1", "status": 500, "result": {"said": "ECHO"}},
    "bybit": {"reqId": "1", "retCode": 0, "retMsg": "ECHO", "op": "order.create", "data": {}},
    "kraken": {"method": "add_order", "req_id": 1, "success": True, "result": {"a": "ECHO"}},
    "okx": {"id": "1", "op": "order", "code": "0", "msg": "ECHO", "data": []},
}
"""Answers that say neither yes nor no."""


@pytest.mark.parametrize("name", TALKS)
@pytest.mark.parametrize("answers", [REFUSALS, UNCLEAR])
def test_what_a_venue_says_back_of_secrets_is_in_no_outcome(
    name: str, answers: dict[str, Any]
) -> None:
    signature = "5ig4" * 16

    async def work() -> None:
        async with talking(name) as (rig, entry):
            for socket in rig.listener.host.sockets(name):
                socket.frozen = True
            secrets = [f"key-of-{name}", secret_of(name), PASSPHRASE]
            secrets += [entry._talk.token] if name == "kraken" else []
            for echo in (*secrets, f"signature={signature}", f'{{"sign": "{signature}"}}'):
                waiting = asyncio.ensure_future(entry.place(order_at(rig, name)))
                number = entry.spoken + 1
                while entry.spoken < number and not waiting.done():
                    await asyncio.sleep(0)
                text = json.dumps(answers[name]).replace('"1"', f'"{number}"')
                text = text.replace('"req_id": 1', f'"req_id": {number}')
                entry._hear(text.replace("ECHO", json.dumps(echo)[1:-1]).encode())
                outcome = await asyncio.wait_for(waiting, GUARD_S)
                assert isinstance(outcome, Rejected | Unknown)
                assert not any(text in repr(outcome) for text in (*secrets, signature))
                # Of Kraken's unclear answers nothing is kept.
                assert HIDDEN in repr(outcome) or (answers is UNCLEAR and name == "kraken")

    run(work())
