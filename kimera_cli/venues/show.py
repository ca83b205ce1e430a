"""Orders, fills and balances as records."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from kimera_cli.errors import KimeraError
from kimera_cli.records import TradeBalance, TradeFees, TradeFill, TradeOrder
from kimera_cli.venues.clients.api import Fees, Listing
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.machine import OrderState
from kimera_cli.venues.orders.outcome import Balance, VenueFill, VenueOrder


def money(value: Decimal | None) -> str:
    """Return a decimal as text; empty for none."""
    return "" if value is None else plain(value)


def own_order(state: OrderState, line: int = 0) -> TradeOrder:
    """Return an order of ours as a record."""
    intent = state.intent
    average = state.cost / state.filled if state.filled else None
    return TradeOrder(
        venue=intent.venue,
        account=intent.account,
        symbol=intent.symbol,
        phase=str(state.phase),
        side=intent.side,
        order_type=intent.kind,
        tif=intent.tif,
        client_id=intent.client_id,
        venue_order_id=state.venue_order_id,
        px=money(state.price),
        qty=money(state.quantity),
        cost=money(intent.cost),
        filled=money(state.done),
        average=_rounded(average),
        reason=str(state.reason or ""),
        raw=state.raw,
        ts_ns=state.updated_ns or intent.created_ns,
        line=line,
        resends=intent.resends,
    )


def venue_order(order: VenueOrder, account: str, *, ours: bool) -> TradeOrder:
    """Return an order as its venue tells it."""
    partial = order.status == "open" and order.filled
    return TradeOrder(
        venue=order.venue,
        account=account,
        symbol=order.symbol,
        phase="partial" if partial else order.status,
        side=order.side or "",
        order_type=order.kind or "",
        tif=order.tif or "",
        client_id=order.client_id,
        venue_order_id=order.venue_order_id,
        px=money(order.price),
        qty=money(order.quantity),
        filled=money(order.filled) or "0",
        average=_rounded(order.average),
        reason=str(order.reason or ""),
        raw=order.raw_status,
        ours=ours,
        ts_ns=order.updated_ns or order.created_ns,
    )


def refused_wish(
    venue: str, account: str, wish: Wish | None, error: KimeraError, line: int
) -> TradeOrder:
    """Return an order that was not sent, with why."""
    side: Literal["buy", "sell", ""] = wish.side if wish else ""
    return TradeOrder(
        venue=venue,
        account=account,
        symbol=wish.symbol if wish else "",
        phase="withheld",
        side=side,
        order_type=wish.kind if wish else "",
        tif=wish.tif if wish else "",
        px=money(wish.price if wish else None),
        qty=money(wish.quantity if wish else None),
        cost=money(wish.cost if wish else None),
        reason=error.code,
        raw=str(error),
        line=line,
    )


def fill(told: VenueFill, account: str, client_id: str, *, ours: bool) -> TradeFill:
    """Return an execution as a record; few venues tell the client id with it."""
    return TradeFill(
        venue=told.venue,
        account=account,
        symbol=told.symbol,
        trade_id=told.trade_id,
        venue_order_id=told.venue_order_id,
        side=told.side,
        px=money(told.price),
        qty=money(told.quantity),
        fee=money(told.fee),
        fee_currency=told.fee_asset,
        ts_ns=told.ts_ns,
        maker=told.maker,
        client_id=client_id,
        ours=ours,
    )


def balance(told: Balance, venue: str, account: str) -> TradeBalance:
    """Return what an account has of an asset as a record."""
    return TradeBalance(
        venue=venue,
        account=account,
        asset=told.asset,
        free=money(told.free),
        held=money(told.held),
        total=money(told.total),
    )


def fees(told: Fees, listing: Listing, account: str) -> TradeFees:
    """Return fees and steps of a market as a record."""
    instrument = listing.instrument
    return TradeFees(
        venue=instrument.venue,
        account=account,
        symbol=instrument.symbol,
        maker=money(told.maker),
        taker=money(told.taker),
        tick=money(instrument.tick),
        lot=money(instrument.lot),
        min_qty=money(instrument.min_qty),
        min_notional=money(instrument.min_notional),
        trading=listing.trading,
    )


def _rounded(average: Decimal | None) -> str:
    """An average of decimals may have no end."""
    return "" if average is None else plain(round(average, 12))
