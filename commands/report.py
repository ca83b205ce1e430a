"""`kimera report`: show a run, write it as one HTML file, compare runs, check a live one."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.report.analysis import Analysis

report_fidelity = import_module("kimera_cli.commands.report_fidelity")

app = typer.Typer(help="Show, compare and export the results of runs.")

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Run folder, start of a run's id, or latest.")
]
Runs = Annotated[
    Path, typer.Option("--runs", metavar="FOLDER", help="Where run folders are looked for.")
]
Horizon = Annotated[
    int, typer.Option("--horizon", metavar="1|10|60", help="Seconds after which the split ends.")
]


@app.command()
def show(ctx: typer.Context, run: Run, horizon: Horizon = 10, runs: Runs = Path("runs")) -> None:
    """Show a run: plots and tables on a terminal, metric and stage records in a pipe."""
    from kimera_cli.report.stage_times import stages_of

    analysis = _analyse(run, runs, horizon)
    with ctx.obj.output() as out:
        if out.format == "table":
            from kimera_cli.report.terminal import page

            out.document(page(analysis, out.width, colour=out.colour))
            return
        for measure in analysis.all_measures():
            out.emit(measure.record(analysis.run))
        for stage in stages_of(analysis.run):
            out.emit(stage)


@app.command()
def html(
    ctx: typer.Context,
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Default: report.html in its folder."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    horizon: Horizon = 10,
    runs: Runs = Path("runs"),
) -> None:
    """Write a run as one HTML file that needs nothing else."""
    from kimera_cli.report.html import FILE, page, save

    analysis = _analyse(run, runs, horizon)
    target = output or analysis.run.path / FILE
    save(target, page(analysis))
    _written(ctx, analysis, target, open_)


@app.command()
def compare(
    ctx: typer.Context,
    chosen: Annotated[
        list[str], typer.Argument(metavar="RUN RUN...", help="Two or more; the first is the base.")
    ],
    output: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write it as one HTML file.")
    ] = None,
    horizon: Horizon = 10,
    runs: Runs = Path("runs"),
) -> None:
    """Compare runs with the first: differences, their errors, and whether they are noise."""
    if len(chosen) < 2:
        raise UsageError(
            "usage.runs",
            f"expected two runs or more to compare, was {len(chosen)}",
            "kimera report compare RUN RUN; kimera report show RUN shows one",
        )
    from kimera_cli.report import compare_page
    from kimera_cli.report.compare import compare as against

    found = against([_analyse(name, runs, horizon) for name in chosen])
    if output is not None:
        from kimera_cli.report.html import save

        save(output, compare_page.html(found))
        ctx.obj.diagnostics.note(f"comparison written to {output}")
    with ctx.obj.output() as out:
        if out.format == "table":
            out.document(compare_page.page(found, out.width, colour=out.colour))
            return
        for compared in found:
            for record in compared.records():
                out.emit(record)


app.command()(report_fidelity.fidelity)


def _analyse(run: str, runs: Path, horizon: int) -> Analysis:
    from kimera_cli.engine.runfolder import RunFolder
    from kimera_cli.report.analysis import analyse
    from kimera_cli.report.markout import HORIZONS_S
    from kimera_cli.report.run import read

    if horizon not in HORIZONS_S:
        raise UsageError(
            "usage.horizon",
            f"expected --horizon as one of {', '.join(map(str, HORIZONS_S))}, was {horizon}",
            "runs record the mid 1, 10 and 60 s after each fill",
        )
    return analyse(read(RunFolder.open(run, runs)), horizon)


def _written(ctx: typer.Context, analysis: Analysis, target: Path, open_: bool) -> None:
    from kimera_cli.records import ReportFile

    with ctx.obj.output() as out:
        out.emit(
            ReportFile(
                run=analysis.run.run,
                status=analysis.run.status,
                file=str(target),
                bytes=target.stat().st_size,
            )
        )
    if open_:
        import webbrowser

        if not webbrowser.open(target.resolve().as_uri()):
            ctx.obj.diagnostics.warning(f"no browser could be opened; the report is {target}")
