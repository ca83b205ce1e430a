"""`kimera journal`: verify, show, export and recover the journal of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context

app = typer.Typer(help="Verify, show and export the audit journal of a run.")

Run = Annotated[
    str, typer.Argument(metavar="RUN", help="Run folder, start of a run's id, or latest.")
]
Runs = Annotated[
    Path, typer.Option("--runs", metavar="FOLDER", help="Where run folders are looked for.")
]


@app.command()
def verify(ctx: typer.Context, run: Run, runs: Runs = Path("runs")) -> None:
    """Check every entry, row and file of a run, or an account's orders; exit 3 when altered."""
    from kimera_cli.journal.intent_verify import is_intents

    if is_intents(Path(run)):
        _verify_orders(ctx.obj, Path(run))
        return
    from kimera_cli.engine.run_audit import failure, verify_run
    from kimera_cli.engine.runfolder import RunFolder

    folder = RunFolder.open(run, runs)
    bad = []
    with ctx.obj.output() as out:
        for check in verify_run(folder):
            out.emit(_for_table(check) if out.format == "table" else check)
            bad += [] if check.ok else [check]
        if bad:
            raise failure(folder, bad)


@app.command()
def show(
    ctx: typer.Context,
    run: Run,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="intent, denied, accepted, fill, ...; may be repeated."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="UTC time such as 2024-08-08T12:00:00, or ns."
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most N; 0: all.")] = 0,
    bulk: Annotated[bool, typer.Option("--bulk", help="Samples and markouts instead.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as the run goes on, until it ends.")
    ] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Show entries in the order they were written, with names and decimals."""
    from itertools import islice

    from kimera_cli.engine.run_feed import Query, entries

    query = Query.parse(kind or [], since, bulk=bulk, follow=follow)
    with ctx.obj.output() as out:
        out.flush_each = out.flush_each or follow
        for entry in islice(entries(run, runs, query), limit or None):
            out.emit(_for_table(entry) if out.format == "table" else entry)


@app.command()
def export(
    ctx: typer.Context,
    run: Run,
    to: Annotated[str, typer.Option("--to", help="jsonl, csv or parquet.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Default: RUN-ID-journal.FORMAT here.")
    ] = None,
    runs: Runs = Path("runs"),
) -> None:
    """Write the whole journal, samples and markouts included, to one file."""
    from kimera_cli.engine.runfolder import RunFolder
    from kimera_cli.journal.decode import Decoder
    from kimera_cli.journal.export import EXPORT_FORMATS
    from kimera_cli.journal.export import export as write

    if to not in EXPORT_FORMATS:
        raise UsageError(
            "usage.export_format",
            f"expected --to as one of {', '.join(EXPORT_FORMATS)}, was '{to}'",
        )
    folder = RunFolder.open(run, runs)
    path = output or Path(f"{folder.run}-journal.{to}")
    with ctx.obj.output() as out:
        out.emit(write(folder.path, path, to, Decoder.of_run(folder.manifest)))


@app.command()
def recover(ctx: typer.Context, run: Run, runs: Runs = Path("runs")) -> None:
    """Close a run that was killed or failed: complete its journal, files and manifest."""
    from kimera_cli.engine.run_audit import recover_run
    from kimera_cli.engine.runfolder import RunFolder

    world: Context = ctx.obj
    folder = RunFolder.open(run, runs)
    with world.output() as out:
        for check in recover_run(folder, now_ns=world.now_ns(), monotonic_ns=world.monotonic_ns):
            out.emit(check)


def _verify_orders(world: Context, folder: Path) -> None:
    from kimera_cli.journal.intent_verify import altered, verify_intents

    with world.output() as out:
        for check in verify_intents(folder):
            out.emit(_for_table(check) if out.format == "table" else check)
            if not check.ok:
                raise altered(folder, check)


def _for_table(record: Any) -> Any:
    """Return what fits a line: the start of the hash, and the text instead of the body."""
    from msgspec.structs import replace

    short = replace(record, hash=record.hash[:12])
    return replace(short, body={}) if hasattr(record, "body") else short
