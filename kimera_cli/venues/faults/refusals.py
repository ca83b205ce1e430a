"""Refusals: too many requests, clocks, orders that do not fit, markets that stand still."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from kimera_cli.errors import UsageError, VenueError
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.faults.scenario import FaultFailedError, Scenario, both_ways, expect
from kimera_cli.venues.faults.stage import NS, Stage
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import Reason
from kimera_cli.venues.orders.rules import PostOnly, rules_of
from kimera_cli.venues.server.model import MarketStatus

PAUSE_S = 9
BAN_S = 300
HTX_CLOCK = (
    '{"status":"error","err-code":"api-signature-not-valid","err-msg":"Signature not valid: '
    'Invalid submission time or incorrect time format","data":null}'
)
REFUSED_CLOCK = {
    "binance": (
        400,
        '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}',
    ),
    "bybit": (200, '{"retCode":10002,"retMsg":"invalid request, please check your timestamp"}'),
    "coinbaseexchange": (400, '{"message":"request timestamp expired"}'),
    "htx": (200, HTX_CLOCK),
    "kraken": (200, '{"error":["EAPI:Invalid nonce"]}'),
    "okx": (401, '{"code":"50102","msg":"Timestamp request expired","data":[]}'),
}
"""How venues refuse a time or a nonce; Coinbase says no more than HTTP 401, as of a wrong key."""


async def refused(stage: Stage, wish: Wish, code: str) -> None:
    """Expect an order not to be sent, with an error of this code."""
    try:
        await stage.desk.order(wish)
    except (VenueError, UsageError) as error:
        expect(error.code == code, f"expected {code}, was {error.code}: {error.message}")
        return
    raise FaultFailedError(f"expected {code}, was sent")


async def too_many(stage: Stage) -> None:
    """F6: 429."""
    resting = await stage.order("0.9")
    stage.fault_of_orders(
        "reply", carried_out=False, status=429, body="", headers={"Retry-After": str(PAUSE_S)}
    )
    requests = stage.venue.requests
    withheld = await stage.order()
    told = f"expected it withheld, was {withheld.phase} {withheld.raw}"
    expect(withheld.phase in (Phase.WITHHELD, Phase.REJECTED), told)
    expect(stage.venue.requests == requests + 1, "expected nothing to be sent into the pause")
    budget = stage.desk.client.session.budget
    left_s = (budget.paused_until_ns - stage.time.monotonic_ns()) / NS
    expect(PAUSE_S - 1 < left_s <= PAUSE_S, f"expected a pause of {PAUSE_S} s, was {left_s:g} s")
    later, canceled = await asyncio.gather(stage.order("0.93"), stage.cancel(resting))
    expect(canceled.phase is Phase.CANCELED, f"expected it canceled, was {canceled.phase}")
    expect(later.phase is Phase.OPEN, f"expected the later one open, was {later.phase}")


async def banned(stage: Stage) -> None:
    """F6: 418."""
    stage.fault_of_orders(
        "reply", carried_out=False, status=418, body="", headers={"Retry-After": str(BAN_S)}
    )
    withheld = await stage.order()
    expect(withheld.phase in (Phase.WITHHELD, Phase.REJECTED), f"was {withheld.phase}")
    requests = stage.venue.requests
    await refused(stage, stage.wish(), "venue.banned")
    expect(stage.venue.requests == requests, "expected nothing to be sent into the ban")
    await stage.time.pass_by(BAN_S)
    after = await stage.order()
    expect(after.phase is Phase.OPEN, f"expected trading after the ban, was {after.phase}")


async def held_back(stage: Stage) -> None:
    """F6."""
    await too_many(stage)
    await banned(stage)


async def clocks(stage: Stage) -> None:
    """F7."""
    answer = REFUSED_CLOCK.get(stage.name)
    if answer is not None:
        terms = {"status": answer[0], "body": answer[1]}
        stage.fault_of_orders("reply", carried_out=False, **terms)
        again = await stage.order()
        told = f"expected it sent twice and open, was {again.attempts} times and {again.phase}"
        expect((again.phase, again.attempts) == (Phase.OPEN, 2), told)
        rule = stage.fault_of_orders("reply", carried_out=False, count=None, **terms)
        given_up = await stage.order()
        told = f"expected it withheld, was {given_up.phase} after {given_up.attempts}"
        expect((given_up.phase, given_up.attempts) == (Phase.WITHHELD, 2), told)
        stage.host.faults.clear(rule.id)
    else:
        stage.notes.append("it refuses a clock like a wrong key: only what is ahead of that")
    await skewed(stage, 20)
    await skewed(stage, -20)


async def skewed(stage: Stage, seconds: int) -> None:
    """Expect nothing to be sent while the clocks differ, and trading once they do not."""
    before = len(stage.orders())
    session = stage.desk.client.session
    stage.venue.exchange.clock.step(seconds * NS)
    await session.reset_clock()
    await refused(stage, stage.wish(), "venue.clock")
    expect(len(stage.orders()) == before, "expected no order at the venue")
    stage.venue.exchange.clock.step(-seconds * NS)
    await session.reset_clock()
    after = await stage.order()
    expect(after.phase is Phase.OPEN, f"expected trading, was {after.phase} {after.raw}")


async def unfitting(stage: Stage) -> None:
    """F8."""
    await refused(stage, stage.wish()._replace(symbol="NOSUCH"), "usage.symbol")
    odd = stage.wish()
    await refused(
        stage, odd._replace(price=stage.price("0.9") + stage.market.tick / 2), "usage.tick"
    )
    rejected(await stage.order("0.95", "900"), Reason.FUNDS)
    stage.others("sell", "0.5")
    crossing = await stage.order("1", tif="post_only")
    expect(crossing.filled == 0, f"expected nothing filled, was {crossing.filled}")
    if crossing.phase is Phase.REJECTED and rules_of(stage.name).post_only is PostOnly.REJECTED:
        rejected(crossing, Reason.POST_ONLY)
    else:  # it was taken, or is told of only as of an order that is over
        expect(not crossing.is_live, f"expected it over, was {crossing.phase}")
    stage.market.set_minimum(qty=Decimal("0.5"))
    small = await stage.order()
    rejected(small, Reason.MIN_QUANTITY, Reason.QUANTITY_STEP)
    after = await stage.order("0.94", "0.6")
    expect(after.phase is Phase.OPEN, f"expected one that fits to rest, was {after.phase}")


def rejected(state: OrderState, *reasons: Reason) -> None:
    """Expect a refusal for a reason, after one sending."""
    told = f"expected it rejected ({reasons[0]}), was {state.phase} {state.reason} {state.raw}"
    expect(state.phase is Phase.REJECTED and state.reason in reasons, told)
    expect(state.attempts == 1, f"expected one sending, was {state.attempts}")


async def stopped_markets(stage: Stage) -> None:
    """F22."""
    stops: tuple[MarketStatus, ...] = ("halt", "cancel_only", "delisted")
    for status in stops:
        resting = await stage.order("0.9")
        stage.venue.exchange.set_status(stage.market.symbol, status)
        first = await stage.order()
        told = f"{status}: expected no order, was {first.phase} {first.raw}"
        expect(first.phase in (Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT), told)
        await _no_order(stage, status)
        if status == "cancel_only":
            canceled = await stage.cancel(resting)
            expect(canceled.phase is Phase.CANCELED, f"expected a cancel, was {canceled.phase}")
        stage.venue.exchange.set_status(stage.market.symbol, "trading")
        after = await stage.order("0.93")
        expect(after.phase is Phase.OPEN, f"expected trading after {status}, was {after.phase}")
    await stage.desk.sync()
    await maintained(stage)


async def _no_order(stage: Stage, status: str) -> None:
    """Expect that no order comes about: a market whose listing says it stands is not asked."""
    orders, sent = len(stage.orders()), len(stage.desk.journal.orders.states)
    try:
        state = await stage.order()
    except VenueError as error:
        expect(error.code == "venue.halted", f"{status}: was {error.code}: {error.message}")
        expect(len(stage.desk.journal.orders.states) == sent, "expected it not even to be meant")
    else:
        expect(state.phase in (Phase.REJECTED, Phase.ABSENT), f"{status}: was {state.phase}")
    expect(len(stage.orders()) == orders, f"{status}: expected no order at the venue")


async def maintained(stage: Stage) -> None:
    """Expect the venue's maintenance answer to lead to no order."""
    before = len(stage.orders())
    stage.venue.maintenance = True
    sending = asyncio.ensure_future(stage.order())
    await asyncio.sleep(0.1)
    stage.venue.maintenance = False
    state = await sending
    told = f"expected no order during maintenance, was {state.phase} {state.raw}"
    expect(state.phase in (Phase.REJECTED, Phase.WITHHELD, Phase.ABSENT), told)
    expect(len(stage.orders()) == before, "expected no order at the venue")
    after = await stage.order("0.93")
    expect(after.phase is Phase.OPEN, f"expected trading afterwards, was {after.phase}")


SCENARIOS = [
    Scenario("F6", "rest", "429 and 418: left alone so long, cancels first, no storm", held_back),
    Scenario("F7", "rest", "clock refused: set right, sent once more, else nothing sent", clocks),
    *both_ways("F8", "refused: closed with its reason, sent once", unfitting),
    Scenario(
        "F22", "rest", "halt, cancel only, delisting, maintenance: cancels only", stopped_markets
    ),
]
