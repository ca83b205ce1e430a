"""`kimera bench`: measure kimera, side by side with its peers where asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.bench.suite import ALL, SUITES
from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.bench.request import Request
    from kimera_cli.context import Context
    from kimera_cli.records import Bench

app = typer.Typer(
    help="Measure kimera, and its peers in the same run.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    epilog="Each row is a `bench` record; ns are per operation, `detail.kind` says over what.",
)


def run(
    ctx: typer.Context,
    peers: Annotated[
        bool, typer.Option("--peers", help="Run peers too, in turn with kimera (extra: peers).")
    ] = False,
    repeats: Annotated[
        int, typer.Option("--repeats", min=1, max=1000, help="Timed repeats of each case.")
    ] = 9,
    events: Annotated[
        int, typer.Option("--events", min=0, help="Events per repeat; 0: the benchmark's own.")
    ] = 0,
    recording: Annotated[
        list[Path] | None,
        typer.Option("--recording", help="Measure on this recording too; may be repeated."),
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the records to FILE for `compare`.")
    ] = None,
) -> None:
    """Run one benchmark, or all of them."""
    from kimera_cli.bench import compare, suite

    world: Context = ctx.obj
    name = ctx.info_name or ALL
    request = _request(world, peers, repeats, events, recording or [])
    rows: list[Bench] = []
    with world.output() as out:
        for row in suite.run(name, request):
            rows.append(row)
            out.emit(row)
            out.flush()  # the next one may take long
        if save is not None:
            compare.save(save, rows)


def compare_(
    ctx: typer.Context,
    before: Annotated[Path, typer.Argument(help="Result saved with --save.")],
    after: Annotated[Path, typer.Argument(help="The other result.")],
    noise: Annotated[
        float, typer.Option("--noise", min=0.0, help="Differences below this share are noise.")
    ] = 0.05,
) -> None:
    """Compare two saved results: what changed beyond noise."""
    from kimera_cli.bench import compare

    world: Context = ctx.obj
    with world.output() as out:
        for change in compare.compare(before, after, noise):
            out.emit(change)


def page_(
    ctx: typer.Context,
    records: Annotated[list[Path], typer.Argument(help="Results saved with --save.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the files.")] = Path(),
) -> None:
    """Draw saved results: plots as SVG, rows as Markdown."""
    from kimera_cli.bench import page

    world: Context = ctx.obj
    with world.output() as stream:
        for written in page.write(records, out):
            stream.emit(written)


def soak_(
    ctx: typer.Context,
    duration: Annotated[
        str, typer.Option("--for", help="How long: 60s, 10m.", metavar="DURATION")
    ] = "60s",
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the record to FILE for `page`.")
    ] = None,
) -> None:
    """Send frames through a websocket for minutes: rate, loss, memory."""
    from kimera_cli.bench import compare, soak
    from kimera_cli.units import NS_PER_S, parse_duration_ns

    world: Context = ctx.obj
    try:
        seconds = parse_duration_ns(duration) / NS_PER_S
    except ValueError as error:
        raise UsageError("usage.duration", str(error)) from None
    with world.output() as out:
        row = soak.row(_request(world, False, 1, 0, []), seconds)
        out.emit(row)
        if save is not None:
            compare.save(save, [row])


def _request(
    world: Context, peers: bool, repeats: int, events: int, recordings: list[Path]
) -> Request:
    import kimera_cli
    from kimera_cli.bench import machine, peer
    from kimera_cli.bench.request import Request

    if peers:
        peer.require()
    return Request(
        clock=world.monotonic_ns,
        repeats=repeats,
        events=events,
        peers=peers,
        recordings=tuple(recordings),
        machine=str(machine.fingerprint()),
        commit=machine.commit(Path(kimera_cli.__file__).parent),
        load=machine.load(),
        cache=world.cache,
        note=world.diagnostics.note,
    )


for _name, _suite in SUITES.items():
    app.command(_name, help=_suite.help)(run)
app.command(ALL, help="All of the above.")(run)
app.command("soak")(soak_)
app.command("compare")(compare_)
app.command("page")(page_)
