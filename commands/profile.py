"""`kimera profile`: list, show and check settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kimera_cli.records import Check, ProfileInfo, ProfileValue

app = typer.Typer(help="List, show and check profiles.")


@app.command("list")
def list_profiles(ctx: typer.Context) -> None:
    """List the profiles that --profile knows by name."""
    from kimera_cli.profile import available

    with ctx.obj.output() as out:
        for name, path, summary in available(ctx.obj.env):
            out.emit(ProfileInfo(profile=name, path=str(path), summary=summary))


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="Default: the one in force.")
    ] = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Tell where each value comes from.")
    ] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="As for `kimera run`.")
    ] = None,
) -> None:
    """Show every setting as a run would see it, all layers applied."""
    from kimera_cli.profile import flatten, load, parse_sets

    resolved = load(name or ctx.obj.profile, ctx.obj.env, parse_sets(sets or []))
    with ctx.obj.output() as out:
        for key, value in flatten(resolved.profile).items():
            place = resolved.origins[key] if origin else ""
            out.emit(ProfileValue(key=key, value=value, origin=place))


@app.command()
def check(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="TOML files.")],
) -> None:
    """Check profile files; every problem is reported with its file, line and key."""
    from kimera_cli.profile import problems

    found = []
    with ctx.obj.output() as out:
        for file in files:
            settings, errors = problems(file)
            bad = len(errors)
            out.emit(
                Check(
                    check="profile",
                    dataset=str(file),
                    passed=settings,
                    total=settings + bad,
                    ok=not bad,
                )
            )
            found += errors
        for error in found[:-1]:
            ctx.obj.diagnostics.error(error)
        if found:
            raise found[-1]
