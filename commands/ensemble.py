"""`kimera ensemble`: what cold members publish for the hot path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.data.source import EventSource
    from kimera_cli.ensemble.table_file import TableFile
    from kimera_cli.output import Output

app = typer.Typer(
    help="Fill, show and check decision tables.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)
table = typer.Typer(
    help="Decision tables: what a member would do, looked up by market state.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(table, name="table")

Spec = Annotated[str, typer.Argument(metavar="DATASET|PATH", help="A level-2 recording.")]
Specs = Annotated[list[str], typer.Argument(metavar="DATASET|PATH...", help="Level-2 recordings.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A table made by `fill`.")]
Axes = Annotated[
    str | None, typer.Option(metavar="NAME:BINS,...", help="Features and bins, such as ofi:64.")
]
Train = Annotated[
    float | None,
    typer.Option(min=0.05, max=0.95, help="Share of the recording's time to learn from; 0.6."),
]
Edge = Annotated[
    float | None,
    typer.Option(min=0.0, help="Least expected move for an action, in mean moves; 0.1."),
]
Confidence = Annotated[
    float | None,
    typer.Option(min=0.0, max=1.0, help="A cell less sure than this is a miss; 0.95."),
]


@table.command()
def fill(
    ctx: typer.Context,
    recording: Spec,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write.")],
    axes: Axes = None,
    train: Train = None,
    edge: Edge = None,
    confidence: Confidence = None,
    expires: Annotated[
        str, typer.Option(metavar="DURATION", help="How long it may be used, such as 1d.")
    ] = "1d",
    version: Annotated[
        int | None, typer.Option(min=1, help="Default: one above that of FILE, else 1.")
    ] = None,
) -> None:
    """Learn a table on the past of a recording; say how good it is on the rest of it."""
    from kimera_cli.ensemble import study
    from kimera_cli.ensemble.states import states_of
    from kimera_cli.ensemble.table_file import next_version, save

    world: Context = ctx.obj
    with world.output() as output:
        recipe = study.recipe_of(
            expires,
            version or next_version(out),
            axes=axes,
            train=train,
            edge=edge,
            min_confidence=confidence,
        )
        source = _one(recording, world)
        states = states_of(source)
        learnt = study.learn_table(source, states, recipe)
        save(out, learnt)
        _emit_table(output, out, learnt)
        _emit_judged(output, learnt, source.dataset, states)


@table.command()
def show(
    ctx: typer.Context,
    file: File,
    cells: Annotated[bool, typer.Option("--cells", help="Every filled cell too.")] = False,
) -> None:
    """Show what a table was learnt on, and with --cells what it says."""
    from kimera_cli.ensemble.listing import cell_records
    from kimera_cli.ensemble.table_file import load

    world: Context = ctx.obj
    with world.output() as output:
        held = load(file)
        _emit_table(output, file, held)
        for record in cell_records(held) if cells else ():
            output.emit(record)


@table.command()
def check(ctx: typer.Context, file: File, recordings: Specs, confidence: Confidence = None) -> None:
    """Look up every later state of recordings: hit rate, age, agreement, forecast quality."""
    from kimera_cli.engine.sources import replay_sources
    from kimera_cli.ensemble.states import states_of
    from kimera_cli.ensemble.table_file import load

    world: Context = ctx.obj
    with world.output() as output:
        held = load(file)
        for source in replay_sources(recordings, world):
            _emit_judged(output, held, source.dataset, states_of(source), confidence)


@table.command()
def curve(
    ctx: typer.Context,
    recordings: Specs,
    axes: Axes = None,
    train: Train = None,
    edge: Edge = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw it into this file.")
    ] = None,
) -> None:
    """Measure hit rate against agreement, over number of cells and confidence."""
    from kimera_cli.engine.sources import replay_sources
    from kimera_cli.ensemble import plot, study
    from kimera_cli.files import write_atomic

    world: Context = ctx.obj
    points = []
    with world.output() as output:
        recipe = study.recipe_of(axes=axes, train=train, edge=edge)
        for point in study.curve(replay_sources(recordings, world), recipe):
            points.append(point)
            output.emit(point)
        if svg is not None:
            write_atomic(svg, plot.drawing(points).encode())


def _one(spec: str, world: Context) -> EventSource:
    from kimera_cli.engine.sources import replay_sources
    from kimera_cli.errors import UsageError

    found = replay_sources([spec], world)
    if len(found) != 1:
        raise UsageError(
            "usage.recording",
            f"expected a recording of one instrument, was {', '.join(s.dataset for s in found)}",
            "it is imported now: name one of these datasets",
        )
    return found[0]


def _emit_table(output: Output, path: Path, held: TableFile) -> None:
    from kimera_cli.ensemble.listing import table_record
    from kimera_cli.files import sha256_of

    output.emit(table_record(path, held, sha256_of(path)))


def _emit_judged(
    output: Output, held: TableFile, dataset: str, states: Any, confidence: float | None = None
) -> None:
    from kimera_cli.ensemble.study import judge

    use, qualities = judge(held, dataset, states, confidence)
    output.emit(use)
    for quality in qualities:
        output.emit(quality)
