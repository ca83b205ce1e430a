"""`kimera fetch consolidated`: one asset's book over several venues, by net price."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import Record


def consolidated(
    ctx: typer.Context,
    markets: Annotated[
        list[str], typer.Argument(metavar="VENUE/SYMBOL...", help="Markets of one asset.")
    ],
    depth: Annotated[int, typer.Option(min=1, max=1_000, help="Levels a side.")] = 10,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Go on; default: one look.")
    ] = None,
    every: Annotated[str, typer.Option(metavar="DURATION", help="Between two looks.")] = "1s",
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="API keys, for the account's own fees.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="portfolio.rates.USDT=0.9995, fees.taker."),
    ] = None,
    server: Annotated[
        str, typer.Option("--server", metavar="FILE|URL", help="A venue server, not the venues.")
    ] = "",
) -> None:
    """Show the books of several venues as one, live: net prices, and whether they cross.

    kimera fetch consolidated binance/BTCUSDT kraken/XBTUSD okx/BTC-USDT --for 1m
    """
    from kimera_cli.engine.first_use import compile_first

    compile_first(ctx.obj.diagnostics, ("kimera_cli.live.consolidated",))
    from kimera_cli.live.consolidated import BookPlan, show_consolidated

    world: Context = ctx.obj
    plan = BookPlan(markets, depth, for_, every, server, keys, settings or ())
    with world.output() as out:

        def show(records: Sequence[Record]) -> None:
            for record in records:
                out.emit(record)
            out.show()

        show_consolidated(plan, world, show)
