"""`kimera report fidelity`: a recorded live run against its own replay."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context

LATENCIES = ("measured", "profile")


def fidelity(
    ctx: typer.Context,
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Run folder, start of a run's id, or latest.")
    ],
    latency: Annotated[
        str,
        typer.Option(help="Order latency of the replay: measured (in a live run) or profile."),
    ] = "measured",
    window: Annotated[
        str, typer.Option(help="Match fills of other orders when no further apart than this.")
    ] = "1s",
    partial: Annotated[
        bool, typer.Option("--partial", help="Compare as far as a recording goes that was cut off.")
    ] = False,
    keep: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the replay, as a run of its own.")
    ] = None,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="FOLDER", help="Where run folders are looked for.")
    ] = Path("runs"),
) -> None:
    """Replay a recorded paper or live run; show how far orders, fills, prices and PnL differ.

    kimera run --source venue --market binance/BTCUSDT --record --for 10m

    kimera report fidelity latest
    """
    if latency not in LATENCIES:
        raise UsageError(
            "usage.latency",
            f"expected --latency as {' or '.join(LATENCIES)}, was '{latency}'",
            "measured takes a live run's own times, profile those of its settings",
        )
    window_ns = _window_ns(window)
    from kimera_cli.engine.first_use import compile_first
    from kimera_cli.engine.runfolder import RunFolder

    world: Context = ctx.obj
    folder = RunFolder.open(run, runs)
    compile_first(world.diagnostics)
    from kimera_cli.live.fidelity_check import Wanted, check
    from kimera_cli.report.causes import causes, fill_matches

    checked = check(folder, Wanted(latency, window_ns, partial, keep), world)
    found, told = checked.found, causes(checked.found, checked.words)
    with world.output() as out:
        if out.format == "table":
            from kimera_cli.report.agreement_page import page

            out.document(page(checked.basis, found.records(), told, out.width, colour=out.colour))
            return
        for record in (checked.basis, *found.records(), *told):
            out.emit(record)
        for match in fill_matches(found, checked.words):
            out.emit(match)


def _window_ns(typed: str) -> int:
    from kimera_cli.units import parse_duration_ns

    try:
        return parse_duration_ns(typed)
    except ValueError as error:
        raise UsageError("usage.duration", str(error), "such as 1s or 250ms") from None
