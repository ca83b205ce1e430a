"""`kimera run`: the loop on the demo market or on recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context

app = typer.Typer(help="Run the loop: market in, strategies, gate, simulated venue, report out.")


@app.command()
def run(
    ctx: typer.Context,
    source: Annotated[
        str | None, typer.Option(help="demo or replay. Default: replay when --replay is given.")
    ] = None,
    replay: Annotated[
        list[str] | None,
        typer.Option(metavar="DATASET|PATH", help="Recording to replay; may be repeated."),
    ] = None,
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[DATASET|PATH]...", help="More to replay.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME[,NAME]", help="Strategies, by name or file.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Profile setting or strategy parameter."),
    ] = None,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Market time, such as 90s.")
    ] = None,
    events: Annotated[int | None, typer.Option(min=0, help="Stop after this many events.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all randomness.")] = None,
    speed: Annotated[str | None, typer.Option(help="max, realtime or a factor: 10x.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Run folder; default ./runs/<id>.")
    ] = None,
) -> None:
    """Run strategies and leave a run folder with journal, fills, samples and a report."""
    from kimera_cli.engine.build import Choices, build_request
    from kimera_cli.engine.drive import drive

    world: Context = ctx.obj
    choices = Choices(
        source=source,
        replay=[*(replay or []), *(paths or [])],
        strategies=strategy.split(",") if strategy else None,
        settings=settings or [],
        duration=duration,
        events=events,
        seed=seed,
        speed=speed,
        out=out,
        command=["kimera", *sys.argv[1:]],
    )
    request = build_request(choices, world)
    with world.output() as stream:
        drive(request, world, stream)
