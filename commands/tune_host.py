"""`kimera tune-host`: probe, plan, apply, revert and verify the settings of the host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimera_cli.context import Context
    from kimera_cli.host.tree import Tree
    from kimera_cli.output import Output
    from kimera_cli.records import Record

app = typer.Typer(help="Probe, plan, apply, revert and verify host settings.")

Profile = Annotated[
    str | None,
    typer.Argument(
        metavar="[laptop|server|hft]",
        help="What the host is for. Default: laptop with a battery, else server.",
        show_default=False,
    ),
]
Root = Annotated[
    Path,
    typer.Option("--root", metavar="FOLDER", help="A mounted host whose /proc, /sys, /etc to use."),
]
JournalFile = Annotated[
    Path | None,
    typer.Option("--journal", metavar="FILE", help="Default: ROOT/var/lib/kimera/tune-host.jsonl."),
]


@app.command()
def probe(ctx: typer.Context, profile: Profile = None, root: Root = Path("/")) -> None:
    """Show each item: value, advice, why, effect."""
    from kimera_cli.host.probe import probe as items
    from kimera_cli.host.probe import profile_named, record

    tree = _tree(root)
    named = profile_named(profile, tree)
    _emit(ctx.obj, (record(item, named) for item in items(tree, named)))


@app.command()
def plan(
    ctx: typer.Context,
    profile: Profile = None,
    script: Annotated[
        bool, typer.Option("--script", help="Print a shell script instead of records.")
    ] = False,
    root: Root = Path("/"),
) -> None:
    """Show the exact changes, as records or a script."""
    from kimera_cli.host import plan as planning
    from kimera_cli.host.probe import probe as items
    from kimera_cli.host.probe import profile_named

    tree = _tree(root)
    named = profile_named(profile, tree)
    found = list(items(tree, named))
    if script:
        ctx.obj.output().document(planning.script(tree, named, found))
        return
    _emit(ctx.obj, planning.changes(tree, found))


@app.command()
def apply(
    ctx: typer.Context,
    profile: Profile = None,
    persist: Annotated[
        bool, typer.Option("--persist", help="Also write sysctl.d and limits.d files.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, tell all.")] = False,
    root: Root = Path("/"),
    journal: JournalFile = None,
) -> None:
    """Make the changes as root, journalled and read back."""
    from kimera_cli.host import actions

    request = actions.Apply(_tree(root), _journal(root, journal), profile, persist, dry_run)
    _emit(ctx.obj, actions.apply(request, ctx.obj.now_ns, ctx.obj.diagnostics.note))


@app.command()
def revert(
    ctx: typer.Context,
    force: Annotated[
        bool, typer.Option("--force", help="Also values that somebody else changed since.")
    ] = False,
    root: Root = Path("/"),
    journal: JournalFile = None,
) -> None:
    """Bring back the values of before, also after a crash."""
    from kimera_cli.host import actions

    request = actions.Revert(_tree(root), _journal(root, journal), force)
    _emit(ctx.obj, actions.revert(request, ctx.obj.now_ns, ctx.obj.diagnostics.note))


@app.command()
def verify(
    ctx: typer.Context,
    jitter: Annotated[
        bool, typer.Option("--jitter/--no-jitter", help="Compare delays before and after.")
    ] = True,
    control: Annotated[
        bool, typer.Option("--control", help="Compare the host with itself, unchanged.")
    ] = False,
    rounds: Annotated[int, typer.Option("--rounds", min=8, help="Visits of each state.")] = 16,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.05, help="Time of each measure and visit.")
    ] = 1.0,
    root: Root = Path("/"),
    journal: JournalFile = None,
) -> None:
    """Read back; measure delays under old and new values."""
    from kimera_cli.host import actions

    world: Context = ctx.obj
    request = actions.Verify(_tree(root), _journal(root, journal), jitter, control, rounds, seconds)
    _emit(world, actions.verify(request, world.now_ns, world.diagnostics))


def _tree(root: Path) -> Tree:
    import os

    from kimera_cli.host.tree import Tree

    return Tree(root, os.geteuid())


def _journal(root: Path, named: Path | None) -> Path:
    from kimera_cli.host.journal import DEFAULT

    return named or root / DEFAULT.lstrip("/")


def _emit(world: Context, records: Iterable[Record]) -> None:
    """Emit records; refused changes make the end partial, and for verify changed ones failed."""
    from kimera_cli.host.brief import shortened

    held: list[Record] = []
    with world.output() as out:
        brief = out.format == "table" and not world.verbose
        try:
            for record in records:
                _judge(record, out, world)
                held.append(record) if brief else out.emit(record)
        finally:
            for record in shortened(held, world.width):
                out.emit(record)


def _judge(record: Record, out: Output, world: Context) -> None:
    """Take a refused or changed value into the exit code, and say it where there are no records."""
    status = getattr(record, "status", "")
    if status in ("denied", "conflict", "partial"):
        out.partial()
    elif status == "changed":
        out.failed()
    else:
        return
    if out.format == "none":
        where, reason = getattr(record, "path", ""), getattr(record, "reason", "")
        world.diagnostics.warning(f"{where}: {status}: {reason}")
