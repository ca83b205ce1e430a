"""`kimera fetch markets`, `ticker`, `book`: what a venue has now; records only, nothing stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import KimeraError

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.venues.history.now import Question

Venue = Annotated[str, typer.Argument(metavar="VENUE", help="Such as binance, kraken, okx.")]
Symbols = Annotated[
    list[str], typer.Argument(metavar="SYMBOL...", help="BTC/USDT, or the venue's own names.")
]
Server = Annotated[
    str, typer.Option("--server", metavar="FILE", help="A venue server, instead of the venue.")
]


def markets(
    ctx: typer.Context,
    venue: Venue,
    symbols: Annotated[
        list[str] | None, typer.Argument(metavar="[SYMBOL...]", help="Default: all.")
    ] = None,
    swaps: Annotated[
        bool, typer.Option("--swaps", help="Perpetual swaps instead of spot.")
    ] = False,
    server: Server = "",
) -> None:
    """List the markets of a venue with their steps, minima and fees."""
    from kimera_cli.venues.history.now import markets as ask
    from kimera_cli.venues.history.session import Place, world_of

    world: Context = ctx.obj
    with world.output() as out:
        for record in ask(Place(venue, symbols or (), server, swaps), world_of(world)):
            out.emit(record)


def ticker(ctx: typer.Context, venue: Venue, symbols: Symbols, server: Server = "") -> None:
    """Show prices now and over the last 24 hours."""
    from kimera_cli.venues.history.now import ticker as question

    _show(ctx.obj, venue, symbols, server, question)


def book(ctx: typer.Context, venue: Venue, symbols: Symbols, server: Server = "") -> None:
    """Show the book as REST has it now."""
    from kimera_cli.venues.history.now import book as question

    _show(ctx.obj, venue, symbols, server, question)


def _show(world: Context, venue: str, symbols: list[str], server: str, question: Question) -> None:
    from kimera_cli.venues.history.now import ask_each
    from kimera_cli.venues.history.session import Place, world_of

    place = Place(venue, symbols, server)
    with world.output() as out:
        for answer in ask_each(place, world_of(world), question):
            if isinstance(answer, KimeraError):
                world.diagnostics.error(answer)
                out.partial()
            else:
                out.emit(answer)
