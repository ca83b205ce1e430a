"""Private streams: lost, repeated, unreadable, silent, refused, forgotten; foreign acts; lag."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from functools import partial

from msgspec import structs

from kimera_cli.venues.clients.stream import PrivateStream
from kimera_cli.venues.faults.scenario import Scenario, expect, until
from kimera_cli.venues.faults.stage import PATIENCE, Stage
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import BalanceUpdate, OrderUpdate, StreamDown, StreamUp
from kimera_cli.venues.orders.reconcile import lasting, reconcile
from kimera_cli.venues.reconciling import assets_of, compare_at
from kimera_cli.venues.server import truth

TERM_S = 0.5
"""How long a silence may last, where there is to be one."""
CLOSED = 1012


def _stream(stage: Stage) -> PrivateStream:
    assert stage.stream is not None
    return stage.stream


async def _filled(stage: Stage, *states: OrderState) -> None:
    """Wait until orders are filled, by their fills one by one."""

    def all_filled() -> bool:
        return all(
            now.phase is Phase.FILLED and now.filled == now.quantity
            for now in map(stage.state, states)
        )

    await until(all_filled, f"expected {', '.join(s.client_id for s in states)} filled")


async def _again(stage: Stage, connections: int) -> None:
    stream = _stream(stage)
    await until(lambda: stream.connections > connections, "expected a new connection")
    await until(stream.up.is_set, "expected the stream back")


async def _missed(stage: Stage) -> None:
    """Let things happen that no frame tells."""
    gone, half = await stage.order("1"), await stage.order("0.999")
    await asyncio.sleep(0.05)
    stage.fault("frame.out", "drop", count=None)
    stage.others("sell", "0.01")
    stage.others("sell", "0.004", "0.999")
    canceled = await stage.order("0.93")
    stage.venue.exchange.cancel(stage.account, int(stage.orders()[-1].id), reason="venue")
    await asyncio.sleep(0.05)
    told = stage.state(gone).phase is Phase.OPEN and stage.state(half).filled == 0
    expect(told, "expected it not to be known yet")
    stage.host.faults.clear()
    stage.told.clear()
    expect(canceled.phase is Phase.OPEN, f"expected it open, was {canceled.phase}")


async def dropped(stage: Stage) -> None:
    """F13: closed, aborted."""
    for how in ("close", "abort"):
        await _missed(stage)
        connections = _stream(stage).connections
        for socket in stage.sockets():
            socket.abort() if how == "abort" else socket.close(CLOSED, "service restart")
        await _again(stage, connections)
        kinds = [type(event) for event in stage.told]
        expect(StreamDown in kinds and StreamUp in kinds, "expected the outage to be told")
        down = kinds.index(StreamDown)
        expect(StreamUp in kinds[down:], "expected the return to be told behind the loss")


async def twice(stage: Stage) -> None:
    """F14."""
    for action in ("duplicate", "reorder", "duplicate", "reorder"):
        stage.fault("frame.out", action, count=4)
        state = await stage.order("1", "0.03")
        for qty in ("0.01", "0.005", "0.015"):
            stage.others("sell", qty)
            await asyncio.sleep(0.01)
        resting = await stage.order()
        await stage.cancel(resting)
        stage.host.faults.clear()
        await stage.order("0.92")  # its frame lets go of one that waits for the next
        await _filled(stage, state)
    events = [event for event in stage.told if isinstance(event, OrderUpdate)]
    for event in reversed(events):  # every telling once more, newest first
        stage.desk.note(event)


async def unreadable(stage: Stage) -> None:
    """F16."""
    for action, terms in (
        ("truncate", {"size": 9}),
        ("garbage", {}),
        ("insert", {"body": '{"no":"such message"}'}),
        ("garbage", {"body": "x", "size": 11_000_000}),
    ):
        stage.fault("frame.out", action, **terms)  # type: ignore[arg-type]
        state = await stage.order("1")
        stage.others("sell", "0.01")
        await _filled(stage, state)
        await until(_stream(stage).up.is_set, f"{action}: expected the stream back")
    expect(_stream(stage).connections >= 3, "expected new connections")


async def silent(stage: Stage) -> None:
    """F17: frames that do not come, then a connection that is half open."""
    for how in ("silence", "half open"):
        connections = _stream(stage).connections
        resting = await stage.order("1")
        await asyncio.sleep(0.05)
        if how == "silence":
            stage.fault("frame.out", "drop", count=None)
        for socket in stage.sockets() if how == "half open" else ():
            socket.frozen = True
        stage.others("sell", "0.01")
        downs = _down(stage)
        await until(lambda n=downs: _down(stage) > n, f"{how}: expected the loss to be told")  # type: ignore[misc]
        stage.host.faults.clear()
        await _again(stage, connections)
        await _filled(stage, resting)


def _down(stage: Stage) -> int:
    return sum(isinstance(event, StreamDown) for event in stage.told)


async def refused(stage: Stage) -> None:
    """F18: the login ends; a handshake is refused."""
    for how in ("expire", "refuse"):
        connections = _stream(stage).connections
        state = await stage.order("1")
        if how == "refuse":
            stage.fault("connect", "status", "^/", status=401, count=2)
        for socket in stage.sockets():
            if how == "expire" and socket.conversation is not None:
                socket.guard(socket.conversation.expire)
            else:
                socket.abort()
        stage.others("sell", "0.01")
        if how == "refuse" or stage.sockets() == []:
            await _again(stage, connections)
        await _filled(stage, state)


async def forgotten(stage: Stage) -> None:
    """F19: the stream is there and tells nothing of fills; the audit finds out."""
    state = await stage.order("1")
    await asyncio.sleep(0.05)
    connections = _stream(stage).connections
    stage.fault("frame.out", "drop", count=None)
    stage.others("sell", "0.01")
    await _filled(stage, state)
    stage.host.faults.clear()
    await _again(stage, connections)


async def foreign(stage: Stage) -> None:
    """F25."""
    ours = await stage.order()
    exchange, market = stage.venue.exchange, stage.market
    exchange.place(stage.account, stage.request("buy", "0.02", "0.94"))
    stage.others("sell", "0.03")
    exchange.place(stage.account, stage.request("buy", "0.03", "1"))
    exchange.deposit(stage.account, market.quote, "1000")
    report, result = await compare_at(stage.desk)
    kinds = {difference.kind for difference in result.differences}
    expect(kinds == {"order_foreign", "fill_foreign", "balance"}, f"was told {sorted(kinds)}")
    (money,) = (d for d in result.differences if d.kind == "balance")
    expect(Decimal(money.amount) == 1000, f"expected 1000 unexplained, was {money.amount}")
    for entry in result.repairs:
        stage.desk.note(entry)
    await stage.desk.cancel_all()
    expect(not stage.state(ours).is_live, "expected ours to be canceled")
    left = [o for o in stage.orders() if truth.order(o)["status"] == "open"]
    expect(len(left) == 1, "expected the foreign order to be left alone")
    exchange.cancel(stage.account, int(left[0].id))
    expect(len(report.fills) == 1, "expected the position to be explained by a foreign fill")


async def lagging(stage: Stage) -> None:
    """F26: the balance is told first; what differs for a moment is no alarm."""
    stage.fault("frame.out", "reorder", count=None)
    state = await stage.order("1")
    before = await stage.desk.client.queries.balances()
    stage.others("sell", "0.01")
    report, now = await compare_at(stage.desk)
    orders = stage.desk.journal.orders
    late = reconcile(
        orders, structs.replace(report, balances=tuple(before)), assets_of(stage.desk.client)
    )
    expect(any(d.kind == "balance" for d in late.differences), "expected the balance to lag")
    stage.host.faults.clear()
    await stage.order("0.92")  # its frame lets go of one that waits for the next
    await _filled(stage, state)
    _, rest = await compare_at(stage.desk)
    alarms = lasting((*late.differences, *now.differences), rest.differences)
    expect(not alarms, f"expected no alarm, was {alarms}")
    expect(any(isinstance(e, BalanceUpdate) for e in stage.told), "expected balances to be told")


_heard = partial(Scenario, path="websocket", listens=True)
SCENARIOS = [
    _heard("F13", text="private stream lost: what was missed is told", play=dropped),
    _heard("F14", text="events twice, in another order: each counts once", play=twice),
    _heard("F16", text="cut, garbage, unknown, 11 MB: connection anew", play=unreadable),
    _heard(
        "F17",
        text="silence, half-open connection: found out, anew",
        play=silent,
        patience=replace(PATIENCE, silence_s=TERM_S),
    ),
    _heard("F18", text="login expired, handshake refused: logged in anew", play=refused),
    _heard(
        "F19",
        text="told nothing of fills: the audit finds out",
        play=forgotten,
        patience=replace(PATIENCE, audit_s=0.3, late_s=0.0),
    ),
    Scenario(
        "F25", "rest", "foreign orders, fills, deposits: told, left alone", foreign, foreign=True
    ),
    _heard("F26", text="balance and fill apart: no alarm", play=lagging),
]
