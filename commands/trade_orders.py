"""`kimera trade order|cancel|cancel-all|amend`: what changes orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import UsageError
from kimera_cli.trade_options import (
    Account,
    Keys,
    Order,
    Server,
    Symbol,
    Symbols,
    Venue,
    Wait,
    conclude,
    consent_of,
    emitter,
    opened,
)

if TYPE_CHECKING:
    from kimera_cli.context import Context

Price = Annotated[str | None, typer.Option("--price", metavar="PX", help="Limit price.")]
Cost = Annotated[
    str | None, typer.Option("--cost", metavar="AMOUNT", help="Market order: money to spend.")
]
Tif = Annotated[
    str | None, typer.Option("--tif", metavar="TIF", help="gtc, ioc, fok or post_only.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the exact request; send nothing.")]
Resend = Annotated[
    bool, typer.Option("--resend", help="Send once more what is proved never to have arrived.")
]
Cap = Annotated[
    str | None,
    typer.Option("--yes-live", metavar="CAP", help="Leave for real orders worth CAP in all."),
]


def order(
    ctx: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL|-", help="Market; -: lines of JSON.")],
    side: Annotated[str | None, typer.Argument(metavar="buy|sell")] = None,
    quantity: Annotated[str | None, typer.Argument(metavar="[QTY]", help="In the base.")] = None,
    venue: Venue = "",
    price: Price = None,
    cost: Cost = None,
    tif: Tif = None,
    dry_run: DryRun = False,
    resend: Resend = False,
    yes_live: Cap = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
    wait: Wait = 45.0,
) -> None:
    """Send an order, or each line of standard input; tell what became of it."""
    from kimera_cli.venues.batch import Batch, exact_request, exact_requests
    from kimera_cli.venues.trading import run
    from kimera_cli.venues.wishes import read_lines, typed, wish_of

    world: Context = ctx.obj
    trading = opened(world, [venue], account, keys, server, wait)
    lines = symbol == "-"
    consent = consent_of(world, trading, yes_live, typed=not lines)
    with world.output() as out:
        emit = emitter(out)
        batch = Batch(trading, consent, emit, venue, resend)

        async def work() -> None:
            words = (symbol, side or "", quantity, price, cost, tif)
            if dry_run and lines:
                await exact_requests(trading, read_lines(world.stdin), emit, batch.tally)
            elif dry_run:
                emit(await exact_request(trading, trading.venue(), wish_of(*words)))
            elif lines:
                await batch.many(read_lines(world.stdin))
            else:
                await batch.one(typed(*words))

        run(trading, work)
        conclude(world, out, batch.tally)


def cancel(
    ctx: typer.Context,
    symbol: Symbol,
    orders: Annotated[list[str], typer.Argument(metavar="ID...", help="Our ids, or the venue's.")],
    venue: Venue = "",
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Cancel orders and tell what became of each; needs no leave."""
    from kimera_cli.venues.cancels import cancel_each
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, [venue], account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: cancel_each(trading, symbol, orders, emitter(out))):
            out.partial()


def cancel_all(
    ctx: typer.Context,
    symbols: Symbols = None,
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Also orders that kimera did not send.")
    ] = False,
    venue: Venue = "",
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Cancel all open orders of kimera at a venue; needs no leave."""
    from kimera_cli.venues.cancels import cancel_open
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, [venue], account, keys, server)
    with ctx.obj.output() as out:
        emit = emitter(out)
        if not run(trading, lambda: cancel_open(trading, symbols or (), foreign, emit)):
            out.partial()


def amend(
    ctx: typer.Context,
    symbol: Symbol,
    order: Order,
    price: Price = None,
    quantity: Annotated[
        str | None, typer.Option("--qty", metavar="QTY", help="New quantity, filled part included.")
    ] = None,
    venue: Venue = "",
    yes_live: Cap = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Change price or quantity of an order in place, where the venue can."""
    from kimera_cli.venues.cancels import amend_one
    from kimera_cli.venues.trading import run
    from kimera_cli.venues.wishes import amount

    if price is None and quantity is None:
        raise UsageError("usage.amend", "expected --price or --qty, was neither")
    trading = opened(ctx.obj, [venue], account, keys, server)
    consent = consent_of(ctx.obj, trading, yes_live)
    terms = amount("--price", price), amount("--qty", quantity)
    with ctx.obj.output() as out:
        run(trading, lambda: amend_one(trading, consent, symbol, order, *terms, emitter(out)))
