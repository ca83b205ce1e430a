"""`kimera venue doctor`: the first contact with a venue, checked item by item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.trade_options import Account, Keys, Server, consent_of, emitter, opened

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import VenueCheck


def doctor(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Such as binance, kraken, okx.")],
    symbol: Annotated[
        str, typer.Argument(metavar="[SYMBOL]", help="The market to look at; default: a usual one.")
    ] = "",
    for_: Annotated[
        str, typer.Option("--for", metavar="DURATION", help="How long the book is watched.")
    ] = "60s",
    order_test: Annotated[
        bool,
        typer.Option(
            "--order-test", help="Also an order: checked only, or of the least size and canceled."
        ),
    ] = False,
    yes_live: Annotated[
        str | None,
        typer.Option("--yes-live", metavar="CAP", help="Leave for a real order worth CAP at most."),
    ] = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Check a venue: network, clock, markets, a live book, keys; compare its answers' shapes.

    Read-only without --order-test. Without keys only what is public is checked. Exit 1: an item
    failed.
    """
    from kimera_cli.units import NS_PER_S, duration_ns

    world: Context = ctx.obj
    seconds = duration_ns("--for", for_) / NS_PER_S
    needs = "kimera_cli.venues.doctor_visit"
    trading = opened(world, [venue], account, keys, server, needs=needs)
    from kimera_cli.venues.doctor_visit import Visit, examine
    from kimera_cli.venues.trading import run

    name = trading.venue()
    visit = Visit(symbol, seconds, trading.has_keys(name), order_test)
    consent = consent_of(world, trading, yes_live)
    world.diagnostics.note(f"examining {name}; its book is watched for {for_}")
    with world.output() as out:
        tell = emitter(out)

        def emit(record: VenueCheck) -> None:
            tell(record)
            # With --quiet there are no records, and something is not well.
            if record.status == "failed" and out.format == "none":
                world.diagnostics.warning(f"{record.item}: {record.found}; {record.advice}")

        async def work() -> None:
            if await examine(trading, visit, consent, emit):
                out.failed()

        run(trading, work)
