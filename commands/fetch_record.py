"""`kimera fetch record`: what a live venue sends, into a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context


def record(
    ctx: typer.Context,
    venue: Annotated[str, typer.Argument(metavar="VENUE", help="Such as binance, kraken, okx.")],
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="Its own symbols.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="File; .gz and .zst are compressed.")],
    for_: Annotated[
        str | None, typer.Option("--for", help="How long: 90s, 1h. Default: Ctrl-C.")
    ] = None,
    kinds: Annotated[
        str, typer.Option(help="What to record: depth, trade, quote.")
    ] = "depth,trade,quote",
    server: Annotated[
        str, typer.Option(metavar="FILE|URL", help="A venue server, instead of the venue.")
    ] = "",
) -> None:
    """Record what a venue sends, byte for byte, with the local time; `import` reads the file."""
    from kimera_cli.engine.first_use import compile_first

    compile_first(ctx.obj.diagnostics, ("kimera_cli.live.record",))
    from kimera_cli.live.record import RecordPlan
    from kimera_cli.live.record import record as record_venue

    world: Context = ctx.obj
    names = [each.strip() for each in kinds.split(",") if each.strip()]
    plan = RecordPlan(venue, symbols, out, names, for_, server)
    bar = world.diagnostics.progress("record", None, "messages")
    with world.output() as stream, bar:
        stream.emit(record_venue(plan, world, bar.advance))
