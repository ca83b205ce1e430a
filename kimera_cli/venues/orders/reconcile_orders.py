"""Orders of the journal against orders of the venue."""

from __future__ import annotations

from collections.abc import Iterator

from kimera_cli.venues.orders.entry import Adopted, ProvedAbsent
from kimera_cli.venues.orders.finding import Finding, Sides, of_both, of_order, of_state
from kimera_cli.venues.orders.lookup import search_for
from kimera_cli.venues.orders.machine import CLOSED_BY_VENUE, OrderState, Phase, advance
from kimera_cli.venues.orders.outcome import OrderUpdate, VenueOrder
from kimera_cli.venues.orders.wording import order_words, state_words

_IN_DOUBT = (Phase.SENT, Phase.UNKNOWN)


def state_of(sides: Sides, order: VenueOrder) -> OrderState | None:
    """Return the journal's order that a venue's order is, or claims to be by its client id."""
    known = sides.orders.find(order.symbol, order.venue_order_id)
    return known or sides.orders.states.get(order.client_id)


def told_orders(sides: Sides) -> Iterator[Finding]:
    """Yield what is to be said of each order that the venue tells."""
    for order in sides.report.orders:
        state = state_of(sides, order)
        if state is not None and state.venue_order_id in ("", order.venue_order_id):
            yield from _known(sides, state, order)
        elif state is not None:
            yield _twice(sides, state, order)
        elif sides.orders.key_of(order.client_id) is not None:
            yield _lost(sides, order)
        elif not order.is_terminal:
            yield _foreign(sides, order)


def untold_orders(sides: Sides) -> Iterator[Finding]:
    """Yield the orders that the journal takes for alive and the venue does not tell."""
    told = {state.client_id for o in sides.report.orders if (state := state_of(sides, o))}
    for state in sides.orders.live():
        if state.client_id in told:
            continue
        if state.phase in _IN_DOUBT:
            yield _in_doubt(sides, state)
        else:
            says = "the venue does not list it any more and must be asked what became of it"
            text = f"{state_words(state)}: {says}"
            yield of_state(sides.report, "order_gone", "lookup", text, state, at_venue="not told")


def _in_doubt(sides: Sides, state: OrderState) -> Finding:
    """Say that an order must be looked up, or that too late for that, it left no trace."""
    report, here = sides.report, state_words(state)
    if not _left_no_trace(sides, state):
        text = f"{here}: the venue must be asked until it is found or proved absent"
        return of_state(report, "order_in_doubt", "lookup", text, state, at_venue="not told")
    text = (
        f"{here}: the venue may have forgotten its id, but it is not open, and no fill since then "
        f"is unexplained: it is taken for absent"
    )
    entry = ProvedAbsent(client_id=state.client_id, ts_ns=report.asked_ns, asked_ns=())
    found = of_state(report, "order_in_doubt", "adopt", text, state, at_venue="not told")
    return found._replace(repairs=(entry,))


def _left_no_trace(sides: Sides, state: OrderState) -> bool:
    """Whether a lookup can say nothing any more, and nothing at the venue can be this order."""
    report, forgotten_ns = sides.report, search_for(state).forgotten_ns
    if not 0 < forgotten_ns <= report.asked_ns or report.fills_since_ns > state.intent.created_ns:
        return False
    return not any(
        fill.symbol == state.intent.symbol
        and fill.side == state.intent.side
        and sides.orders.find(fill.symbol, fill.venue_order_id) is None
        for fill in report.fills
    )


def _known(sides: Sides, state: OrderState, order: VenueOrder) -> Iterator[Finding]:
    update = OrderUpdate(order=order)
    here, there = state_words(state), order_words(order)
    if state.phase in _IN_DOUBT:
        text = f"{here}: the venue has it {there}"
        yield of_both(sides.report, "order_found", "adopt", text, state, order, update)
    elif _says_less(state, order):
        text = f"{here}: the venue says {there}, which is less than was known already"
        yield of_both(sides.report, "order_state", "none", text, state, order)
    elif _says_more(state, advance(state, update)):
        text = f"{here}: the venue has it {there}"
        yield of_both(sides.report, "order_state", "adopt", text, state, order, update)


def _says_less(state: OrderState, order: VenueOrder) -> bool:
    reopened = state.phase in CLOSED_BY_VENUE and order.status == "open"
    return reopened or (order.filled is not None and order.filled < state.done)


def _says_more(state: OrderState, after: OrderState) -> bool:
    """Whether a telling changed more than when and in which version it was told."""
    return (
        after.phase is not state.phase
        or after.done > state.done
        or after.price != state.price
        or after.quantity != state.quantity
    )


def _twice(sides: Sides, state: OrderState, order: VenueOrder) -> Finding:
    text = (
        f"{state_words(state)} is order {state.venue_order_id} at the venue, and order "
        f"{order.venue_order_id} carries its id as well ({order_words(order)}): one is too many"
    )
    return of_both(sides.report, "order_twice", "none", text, state, order)


def _lost(sides: Sides, order: VenueOrder) -> Finding:
    report = sides.report
    text = (
        f"order {order.venue_order_id} of {order.symbol} ({order_words(order)}) carries an id of "
        f"this journal, which has no entry of it: its tail was lost"
    )
    if order.side is None or order.quantity is None:
        return of_order(report, "order_lost", "lookup", text, order)
    entry = Adopted(order=order, account=report.account, ts_ns=report.asked_ns)
    return of_order(report, "order_lost", "adopt", text, order, entry)


def _foreign(sides: Sides, order: VenueOrder) -> Finding:
    text = (
        f"order {order.venue_order_id} of {order.symbol} ({order_words(order)}) is not ours and "
        f"is left alone"
    )
    return of_order(sides.report, "order_foreign", "none", text, order)
