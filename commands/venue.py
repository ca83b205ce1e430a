"""`kimera venue`: exchanges on this machine, for tests and paper trading."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.data.source import EventSource
    from kimera_cli.records import Record

MOST_RATE = 100_000
"""Background acts per second and market: more than one core can carry out."""

app = typer.Typer(
    help="Simulated exchanges on this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


def _port(text: str) -> Any:
    return typer.Option(help=text, min=0, max=65535, metavar="PORT")


Names = Annotated[
    str, typer.Option("--venues", metavar="NAMES", help="Names with commas between; default: all.")
]
Plain = Annotated[int, _port("Plain HTTP and websocket; 0: a free port.")]
Tls = Annotated[int, _port("TLS; 0: a free port.")]
Controls = Annotated[int, _port("Control API; 0: a free port.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Seed of background, history and keys.")]
Script = Annotated[Path | None, typer.Option(metavar="FILE", help="Faults to inject, TOML.")]
Rate = Annotated[float, typer.Option(metavar="N", help="Background acts per second and market.")]
Tapes = Annotated[
    list[str] | None,
    typer.Option(metavar="SYMBOL=DATASET", help="A recorded book as background; repeatable."),
]
Limits = Annotated[bool, typer.Option(help="Keep the venues' rate limits.")]
Folder = Annotated[Path | None, typer.Option(metavar="DIR", help="Where CA and keys are written.")]
Duration = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="Stop after 90s, 10m, ...")
]


@app.callback()
def _group() -> None:
    """Simulated exchanges on this machine."""


@app.command()
def serve(
    ctx: typer.Context,
    venues: Names = "",
    port: Plain = 0,
    tls_port: Tls = 0,
    control_port: Controls = 0,
    seed: Seed = 0,
    faults: Script = None,
    rate: Rate = 20.0,
    tape: Tapes = None,
    limits: Limits = True,
    folder: Folder = None,
    for_: Duration = None,
) -> None:
    """Serve venues on 127.0.0.1 until Ctrl-C: their real protocols over a matching engine."""
    from kimera_cli.engine.first_use import compile_first

    compile_first(ctx.obj.diagnostics, ("kimera_cli.venues.server.serve",))
    from kimera_cli.venues.server import serve as server
    from kimera_cli.venues.server.build import Setup
    from kimera_cli.venues.server.dialects import available
    from kimera_cli.venues.server.faults import read_script

    world: Context = ctx.obj
    names = [name.strip() for name in venues.split(",") if name.strip()] or available()
    if not 0 <= rate <= MOST_RATE:
        raise UsageError("usage.rate", f"expected a --rate from 0 to {MOST_RATE:,}, was {rate:g}")
    tapes = dict(_tape(world, each) for each in tape or ())
    setup = Setup(venues=names, seed=seed, rate=rate, limits=limits, tapes=tapes)
    rules, seconds = read_script(faults) if faults else [], _seconds(for_)
    ports, home = server.Ports(port, tls_port, control_port), folder or world.home / "venue"
    with world.output() as out:

        def announce(record: Record) -> None:
            out.emit(record)
            out.show()

        def bug(venue: str, where: str, error: Exception) -> None:
            world.diagnostics.warning(f"{venue}: {where}: {type(error).__name__}: {error}")

        for record in server.serve(setup, ports, home, rules, world.now_ns, bug, announce, seconds):
            out.emit(record)


app.command("doctor")(import_module("kimera_cli.commands.venue_doctor").doctor)
app.command("faults")(import_module("kimera_cli.commands.venue_faults").faults)


def _tape(world: Context, text: str) -> tuple[str, EventSource]:
    from kimera_cli.data.catalog import Catalog

    symbol, mark, dataset = text.partition("=")
    if not mark or symbol.count("/") != 1:
        raise UsageError(
            "usage.tape",
            f"expected --tape SYMBOL=DATASET, was '{text}'",
            "for example --tape BTC/USDT=binance/BTCUSDT/l2; see: kimera fetch list",
        )
    return symbol, Catalog(world.home / "data").open(dataset)


def _seconds(text: str | None) -> float | None:
    from kimera_cli.units import NS_PER_S, duration_ns

    return None if text is None else duration_ns("--for", text) / NS_PER_S
