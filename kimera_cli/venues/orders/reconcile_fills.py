"""Fills of the journal against fills of the venue."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from kimera_cli.venues.orders.fills import same_execution
from kimera_cli.venues.orders.finding import Finding, Sides, of_fill, of_state
from kimera_cli.venues.orders.outcome import FillUpdate, VenueFill
from kimera_cli.venues.orders.reconcile_orders import state_of
from kimera_cli.venues.orders.wording import fill_words, plain, state_words

ZERO = Decimal(0)
CLOCK_NS = 1_000_000_000
"""The venue's clock is known to less than this, and venues tell times to the millisecond."""


def told_fills(sides: Sides) -> Iterator[Finding]:
    """Yield the venue's fills that the journal has not, or has otherwise.

    What somebody else traded before the time from which on fills count is in the baseline.
    """
    for fill in {fill.name: fill for fill in sides.report.fills}.values():
        known = sides.orders.fills.get(fill.name)
        if known is None:
            own = bool(_client_id(sides, fill))
            if own or fill.ts_ns >= sides.report.fills_since_ns - CLOCK_NS:
                yield _new(sides, fill, own=own)
        elif not same_execution(known, fill):
            yield _conflict(sides, known, fill)


def untold_fills(sides: Sides) -> Iterator[Finding]:
    """Yield the journal's fills that the venue should have told, and did not."""
    told = {fill.name for fill in sides.report.fills}
    for fill in sides.orders.fills:
        if fill.ts_ns >= sides.report.fills_since_ns and fill.name not in told:
            text = (
                f"fill {fill.trade_id} of {fill.symbol} ({fill_words(fill)}) is in the journal, "
                f"but the venue does not list it; it keeps counting"
            )
            yield of_fill(sides.report, "fill_unconfirmed", "none", text, fill, at_venue="not told")


def owed_fills(sides: Sides) -> Iterator[Finding]:
    """Yield the orders that are told to be filled further than all fills together."""
    told = {s.client_id: o.filled or ZERO for o in sides.report.orders if (s := state_of(sides, o))}
    coming = _coming(sides)
    for state in sides.orders.states.values():
        done = max(state.told, told.get(state.client_id, ZERO))
        owed = done - state.filled - coming.get(state.client_id, ZERO)
        if owed > 0:
            text = (
                f"{state_words(state)}: {plain(owed)} more is filled than all fills come to; "
                f"older fills must be asked for"
            )
            yield of_state(sides.report, "fills_owed", "lookup", text, state, amount=plain(owed))


def _coming(sides: Sides) -> dict[str, Decimal]:
    """Return what the report's new fills add to each order of ours."""
    sums: dict[str, Decimal] = {}
    for fill in {fill.name: fill for fill in sides.report.fills}.values():
        client_id = _client_id(sides, fill)
        if client_id and fill.name not in sides.orders.fills:
            sums[client_id] = sums.get(client_id, ZERO) + fill.quantity
    return sums


def _new(sides: Sides, fill: VenueFill, *, own: bool) -> Finding:
    whose = "an order of ours" if own else "an order that is not ours"
    text = f"fill {fill.trade_id} of {fill.symbol} ({fill_words(fill)}) of {whose} is not journaled"
    kind = "fill_lost" if own else "fill_foreign"
    update = FillUpdate(fill=fill)
    return of_fill(sides.report, kind, "adopt", text, fill, update, journal="missing")


def _conflict(sides: Sides, known: VenueFill, fill: VenueFill) -> Finding:
    text = (
        f"fill {fill.trade_id} of {fill.symbol}: the journal has {fill_words(known)}, the venue "
        f"says {fill_words(fill)}"
    )
    journal = fill_words(known)
    return of_fill(sides.report, "fill_conflict", "none", text, fill, journal=journal)


def _client_id(sides: Sides, fill: VenueFill) -> str:
    """Return the id of our order that a fill belongs to, as far as either side tells."""
    name = (fill.symbol, fill.venue_order_id)
    if (state := sides.orders.find(*name)) is not None:
        return state.client_id
    told = (o.client_id for o in sides.report.orders if (o.symbol, o.venue_order_id) == name)
    for client_id in (fill.client_id, *told):
        if sides.orders.key_of(client_id) is not None:
            return client_id
    return ""
