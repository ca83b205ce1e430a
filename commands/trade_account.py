"""`kimera trade status|open|fills|balance|positions|fees`: what accounts hold."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from kimera_cli.errors import KimeraError
from kimera_cli.trade_options import (
    Account,
    Keys,
    Server,
    Symbol,
    Symbols,
    Venue,
    Venues,
    emitter,
    opened,
)


def status(
    ctx: typer.Context,
    symbol: Symbol,
    orders: Annotated[list[str], typer.Argument(metavar="ID...", help="Our ids, or the venue's.")],
    venue: Venue = "",
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Tell orders as their venue has them."""
    from kimera_cli.venues.accounts import tell_status
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, [venue], account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: tell_status(trading, symbol, orders, emitter(out))):
            out.partial()


def open_(
    ctx: typer.Context,
    symbols: Symbols = None,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Tell open orders, foreign ones too."""
    from kimera_cli.venues.accounts import tell_open
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, venue, account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: tell_open(trading, symbols or (), emitter(out))):
            out.partial()


def fills(
    ctx: typer.Context,
    symbols: Symbols = None,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="How far back: 90m, 12h, 7d.")
    ] = "1d",
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Tell executions, oldest first, foreign ones too."""
    from kimera_cli.units import duration_ns
    from kimera_cli.venues.accounts import tell_fills
    from kimera_cli.venues.trading import run

    ago_ns = duration_ns("--since", since)
    trading = opened(ctx.obj, venue, account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: tell_fills(trading, symbols or (), ago_ns, emitter(out))):
            out.partial()


def balance(
    ctx: typer.Context,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Tell what accounts have of each asset, free and held."""
    from kimera_cli.venues.accounts import tell_balances
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, venue, account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: tell_balances(trading, emitter(out))):
            out.partial()


def positions(
    ctx: typer.Context,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
    value: Annotated[
        bool, typer.Option("--value", help="And their worth now, in the portfolio's currency.")
    ] = False,
) -> None:
    """Tell what the fills of our orders came to, per market and in total."""
    from kimera_cli.venues.accounts import tell_positions
    from kimera_cli.venues.trading import run

    world = ctx.obj
    trading = opened(world, venue, account, keys, server)
    found: list[Any] = []
    with world.output() as out:
        if not run(trading, lambda: tell_positions(trading, found.append)):
            out.partial()
        if value:
            from kimera_cli.venues.valuation import prices_from, valued

            def failed(error: KimeraError) -> None:
                world.diagnostics.error(error)
                out.partial()

            prices = prices_from(server or "", world, failed)
            found = list(valued(found, world.load_profile().profile.portfolio, prices))
        for record in found:
            out.emit(record)


def fees(
    ctx: typer.Context,
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Markets.")],
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Tell the account's fees and the steps of markets."""
    from kimera_cli.venues.accounts import tell_fees
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, venue, account, keys, server)
    with ctx.obj.output() as out:
        if not run(trading, lambda: tell_fees(trading, symbols, emitter(out))):
            out.partial()
