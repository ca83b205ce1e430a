"""From what was typed to the request of a run on live venues."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.engine.build import Plan, request_of
from kimera_cli.engine.live import LivePlan, hold_of
from kimera_cli.engine.request import RunRequest
from kimera_cli.engine.setup import settle_rate
from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.live.account import Limits
from kimera_cli.live.feed import FeedArguments, publish_live
from kimera_cli.live.late import LateArguments, await_venues
from kimera_cli.live.markets import keys_of, parse_markets
from kimera_cli.live.order_rate import within_budgets
from kimera_cli.live.orders import OrderArguments, trade
from kimera_cli.live.same_thread import ThreadFeed
from kimera_cli.live.source import LiveSource
from kimera_cli.live.start import Start, start_of
from kimera_cli.live.streams import streams_by_venue
from kimera_cli.shm.folder import runtime_folder
from kimera_cli.venues.clients.addresses import Addresses
from kimera_cli.venues.consent import Consent
from kimera_cli.venues.trading import Choices, keys_file

if TYPE_CHECKING:
    from kimera_cli.context import Context

PATIENCE_S = 330.0
"""How long the start of a run looks for an order in doubt: longer than any venue's window."""


@dataclass
class LiveChoices:
    """The options of `kimera run --source venue` as typed."""

    markets: list[str] = field(default_factory=list)
    server: str = ""
    keys: Path | None = None
    execute: str = "paper"
    account: str = "main"
    cap: float | None = None
    """`--yes-live`: most that open orders and positions may be worth."""
    ask: Callable[[str], str] | None = None
    """Asks the person at the terminal; None: there is none."""
    record: bool = False
    """Keep what the feeds receive, in the run's folder."""


def live_request(planned: Plan, choices: LiveChoices, world: Context) -> RunRequest:
    """Return the request: markets and clocks asked for, strategies compiled."""
    _check(planned, choices)
    told = FeedArguments((), world.random_bytes, choices.server)
    wanted = parse_markets(choices.markets)
    if choices.execute == "live":
        _consent(planned, choices, told.addresses, list(wanted))
        planned = _paced(planned, wanted, world)
    secrets = keys_file(choices.keys, choices.server, world.home)
    keys = keys_of(secrets, wanted, world.env)
    start = start_of(wanted, told.addresses, keys, world)
    markets = start.markets
    streams = streams_by_venue([market.instrument for market in markets])
    told = told._replace(streams=streams, record=choices.record)
    shifts = tuple(-m.clock_ahead_ns for m in markets)
    hold_ns = hold_of(planned.resolved.profile.latency)
    live = LivePlan(
        publish_live, told, (0,), ThreadFeed, shifts, hold_ns=hold_ns, record=choices.record
    )
    live = dataclasses.replace(live, **_late(start, choices.server, secrets, world))
    if choices.execute == "live":
        live = dataclasses.replace(
            live, order_task=trade, order_arguments=_orders(planned, choices, start, world)
        )
    fees = planned.resolved.profile.fees
    if missing := [v for v in wanted if v not in keys and None in (fees.maker, fees.taker)]:
        world.diagnostics.warning(
            f"the fees of {', '.join(missing)} depend on an account and are taken as 0: "
            "give --keys FILE, or --set fees.maker=... --set fees.taker=..."
        )
    sources = [LiveSource(market.instrument) for market in markets]
    request = request_of(planned, sources, world, live=live)  # type: ignore[arg-type]
    clocks = {
        m.instrument.venue: {"ahead_ns": m.clock_ahead_ns, "uncertainty_ns": m.clock_uncertainty_ns}
        for m in markets
        if m.instrument.venue not in start.away
    }
    runtime = runtime_folder(world.env, Path(planned.resolved.name).stem)
    return dataclasses.replace(request, clocks=clocks, runtime=runtime)


def _late(start: Start, server: str, keys: Path | None, world: Context) -> dict[str, Any]:
    """Return what of a LivePlan concerns venues that did not answer."""
    markets = {
        venue: tuple(m.instrument for m in start.markets if m.instrument.venue == venue)
        for venue in start.away
    }
    told = LateArguments(markets, server, keys, dict(world.env), world.random_bytes)
    return {
        "away": start.away,
        "notices": start.notices,
        "late_task": await_venues,
        "late_arguments": told,
    }


def _paced(planned: Plan, venues: Iterable[str], world: Context) -> Plan:
    resolved, lowered = within_budgets(planned.resolved, venues)
    for each in lowered:
        world.diagnostics.note(f"{each}: the venue lets no more leave in time")
    return planned._replace(resolved=resolved)


def _consent(planned: Plan, choices: LiveChoices, addresses: Addresses, venues: list[str]) -> None:
    """RiskError `risk.live_off`, UsageError `usage.live`: no leave to trade at real venues."""
    cap = None if choices.cap is None else Decimal(choices.cap)
    allowed = planned.resolved.profile.live.allow
    consent = Consent(addresses.live, allowed, cap, choices.ask)
    for venue in venues:
        consent.check_leave(venue)


def _orders(planned: Plan, choices: LiveChoices, start: Start, world: Context) -> OrderArguments:
    names = planned.resolved.profile.run.strategies
    instruments = tuple(market.instrument for market in start.markets)
    sleeves = tuple(Path(name).stem for name in names for _ in instruments)
    venues = tuple(dict.fromkeys(each.venue for each in instruments))
    profile = planned.resolved.profile
    by_socket = profile.live.orders == "websocket"
    server = choices.server or None
    where = Choices(venues, choices.account, choices.keys, server, PATIENCE_S, by_socket)
    rates = {each.quote: Decimal(repr(settle_rate(each, profile))) for each in instruments}
    limits = Limits(choices.cap, profile.live.dead_man_s, rates)
    return OrderArguments(
        instruments,
        sleeves,
        where,
        world.home,
        limits,
        dict(world.env),
        world.random_bytes,
        start.away,
    )


def _check(planned: Plan, choices: LiveChoices) -> None:
    run = planned.resolved.profile.run
    if choices.cap is not None and not math.isfinite(choices.cap):
        raise UsageError(
            "usage.live", f"expected --yes-live as an amount of money, was {choices.cap}"
        )
    if choices.execute not in ("paper", "live"):
        raise UsageError(
            "usage.execute", f"expected --execute as paper or live, was '{choices.execute}'"
        )
    if run.speed != "max" and planned.resolved.origins["run.speed"] == "flag":
        raise UsageError("usage.speed", f"expected no --speed with --source venue, was {run.speed}")
    if planned.resolved.profile.queue.model == "l3":
        raise ProfileError(
            "profile.queue",
            "expected a queue model for price levels with --source venue, was l3",
            "choose --set queue.model=power, log or risk_averse",
        )
