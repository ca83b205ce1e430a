"""`kimera venue faults`: the faults of a venue's life, played at the venue server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import RunError, UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import Fault

PATHS = ("rest", "websocket", "feed")


def faults(
    ctx: typer.Context,
    all_: Annotated[bool, typer.Option("--all", help="All faults (the default).")] = False,
    fault: Annotated[
        str, typer.Option(metavar="F1,F2", help="Only these, with commas between.")
    ] = "",
    venues: Annotated[str, typer.Option(help="Names with commas between; default: all.")] = "",
    path: Annotated[str, typer.Option(help="Only rest, websocket or feed.")] = "",
) -> None:
    """Play faults at every venue and compare what the client knows with what is there.

    Everything is in this process and on 127.0.0.1. Exit 1: a comparison failed.
    """
    from kimera_cli.venues.faults.play import chosen, play_all
    from kimera_cli.venues.server.dialects import available, load

    if all_ and fault:
        raise UsageError("usage.fault", "expected --all or --fault, was both")
    if path and path not in PATHS:
        raise UsageError("usage.path", f"expected a path of {', '.join(PATHS)}, was '{path}'")
    world: Context = ctx.obj
    names = [load(name).venue for name in _words(venues)] or available()
    wanted = chosen([name.upper() for name in _words(fault)], path)
    failed: list[Fault] = []
    with world.output() as out:
        for record in play_all(wanted, names, world.now_ns, world.monotonic_ns):
            out.emit(record)
            if record.passed is False:
                failed.append(record)
        if failed:
            raise RunError(
                "run.faults",
                f"expected every comparison to hold, was {len(failed)} that did not: "
                + ", ".join(f"{each.fault} {each.venue} {each.path}" for each in failed[:5]),
            )


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
