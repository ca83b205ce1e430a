"""`kimera fetch`: fetch, record, import, list, show, check, export and remove market data."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import KimeraError, UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.data.catalog import Catalog
    from kimera_cli.data.importers.base import ImportOptions

fetch_consolidated, fetch_history, fetch_now, fetch_record = (
    import_module(f"kimera_cli.commands.{name}")
    for name in ("fetch_consolidated", "fetch_history", "fetch_now", "fetch_record")
)

app = typer.Typer(
    help="Fetch, record, import, list, check and export market data.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)

Text = str | None
As = Annotated[Text, typer.Option("--as", metavar="FORMAT", help="Format, if not recognised.")]
Tick = Annotated[Text, typer.Option("--tick", help="Price step, instead of the inferred one.")]
Lot = Annotated[Text, typer.Option("--lot", help="Quantity step, instead of the inferred one.")]
Venue = Annotated[Text, typer.Option("--venue", help="Venue, where the file does not tell it.")]
Symbol = Annotated[Text, typer.Option("--symbol", help="Symbol, where the file does not tell it.")]
Date = Annotated[Text, typer.Option("--date", metavar="YYYY-MM-DD", help="Day, likewise.")]
Name = Annotated[str, typer.Argument(metavar="DATASET", help="venue/symbol/family.")]


@app.command("import")
def import_(
    ctx: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Recordings.")],
    as_: As = None,
    tick: Tick = None,
    lot: Lot = None,
    venue: Venue = None,
    symbol: Symbol = None,
    date: Date = None,
) -> None:
    """Add recordings to the catalog; what is there already is not added again."""
    import msgspec

    from kimera_cli.data.importing import import_all, total_bytes

    world: Context = ctx.obj
    options = _options(tick, lot, venue, symbol, date)
    clocks = world.now_ns, world.monotonic_ns
    bar = world.diagnostics.progress("import", total_bytes(paths), "bytes")
    with world.output() as out, bar:
        options = msgspec.structs.replace(options, progress=bar.advance)
        for result in import_all(paths, _catalog(world), options, as_, *clocks):
            if isinstance(result, KimeraError):
                world.diagnostics.error(result)
                out.partial()
            else:
                out.emit(result)
                out.flush()  # the next one may take long


app.command()(fetch_record.record)
for _command in (fetch_history.ohlcv, fetch_history.trades, fetch_history.funding):
    app.command()(_command)
for _command in (fetch_now.markets, fetch_now.ticker, fetch_now.book):
    app.command()(_command)
app.command()(fetch_consolidated.consolidated)


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the datasets of the catalog."""
    from kimera_cli.data.index import listing

    world: Context = ctx.obj
    with world.output() as out:
        for record in listing(_catalog(world)):
            out.emit(record)
        if not out.rows:
            world.diagnostics.note(
                f"no data under {world.home}: add some, kimera fetch import PATH"
            )


@app.command()
def show(ctx: typer.Context, dataset: Name) -> None:
    """Show one dataset: its recordings, and its rows by day (bars: by year)."""
    from kimera_cli.data import index

    world: Context = ctx.obj
    catalog = _catalog(world)
    info = catalog.get(dataset)
    with world.output() as out:
        for record in (index.record(info), *index.sources(info), *index.days(catalog, info)):
            out.emit(record)


@app.command()
def check(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="DATASET|PATH", help="What to check.")],
    as_: As = None,
    tick: Tick = None,
    lot: Lot = None,
    venue: Venue = None,
    symbol: Symbol = None,
    date: Date = None,
) -> None:
    """Check sequence, checksums, books, times and bars; exit 3 when one fails."""
    from kimera_cli.data import checks
    from kimera_cli.data.verdict import check_failed

    world: Context = ctx.obj
    options = _options(tick, lot, venue, symbol, date)
    catalog, now_ns = _catalog(world), world.now_ns()
    failed = None
    with world.output() as out:
        for record in checks.run(target, catalog, options, now_ns=now_ns, format_name=as_):
            out.emit(record)
            failed = failed or (None if record.ok else record)
        if failed is not None:
            raise check_failed(failed)


@app.command()
def export(
    ctx: typer.Context,
    dataset: Name,
    to: Annotated[str, typer.Option("--to", help="parquet, csv or jsonl.")] = "jsonl",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="PATH", help="A file; - is stdout.")
    ] = "-",
) -> None:
    """Write one dataset with decimals and names, for other programs."""
    from kimera_cli.data import export as exports

    if to not in exports.FORMATS:
        raise UsageError(
            "usage.export_format",
            f"expected --to as one of {', '.join(exports.FORMATS)}, was '{to}'",
        )
    world: Context = ctx.obj
    source = _catalog(world).open(dataset)
    if output != "-":
        with world.output() as out:
            out.emit(exports.write_file(source, to, Path(output)))
    elif to == "jsonl":
        world.format = "jsonl"
        with world.output() as out:
            for record in exports.records(source):
                out.emit(record)
    elif to == "parquet" and world.stdout_is_terminal:
        raise UsageError("usage.binary", "expected a file for Parquet, was a terminal", "-o PATH")
    else:
        exports.write(source, to, world.stdout)


@app.command()
def remove(ctx: typer.Context, dataset: Name) -> None:
    """Delete one dataset from the catalog; its recordings stay where they are."""
    from kimera_cli.data.index import record

    world: Context = ctx.obj
    with world.output() as out:
        out.emit(record(_catalog(world).remove(dataset)))


def _catalog(world: Context) -> Catalog:
    from kimera_cli.data.catalog import Catalog

    return Catalog(world.home / "data")


def _options(tick: Text, lot: Text, venue: Text, symbol: Text, date: Text) -> ImportOptions:
    from kimera_cli.data.importers.base import ImportOptions
    from kimera_cli.data.importing import parse_step

    return ImportOptions(
        tick=parse_step("tick", tick),
        lot=parse_step("lot", lot),
        venue=venue,
        symbol=symbol,
        date=date,
    )
