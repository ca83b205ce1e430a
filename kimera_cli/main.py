"""The `kimera` program: global options, lazy commands, errors to exit codes."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Annotated, Any, Optional

import typer
from typer.core import TyperCommand, TyperGroup

from kimera_cli import __version__, context
from kimera_cli.diagnostics import ExitCode, exit_code_for
from kimera_cli.errors import KimeraError
from kimera_cli.registry import COMMANDS


class LazyGroup(TyperGroup):
    """Lists commands from the registry and imports one only when it is called."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, spec in COMMANDS.items():
            self.add_command(TyperCommand(name=name, help=spec.help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = typer.main.get_command(import_module(COMMANDS[name].module).app)
        return name, command, rest


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def options(
    ctx: typer.Context,
    format_: Annotated[
        Optional[str],
        typer.Option(
            "--format",
            help="jsonl, json, table, csv or none; default: table on a terminal, jsonl in a pipe.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Say nothing when all is well.")
    ] = False,
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more; twice for more still.")
    ] = 0,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    profile: Annotated[
        Optional[str], typer.Option("--profile", help="Profile name or TOML file.")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True)
    ] = False,
) -> None:
    """Composable trading commands for crypto markets: JSON lines out, one loop inside."""
    world: context.Context = ctx.obj
    if version:
        world.stdout.write(f"kimera {__version__}\n".encode())
        raise typer.Exit
    world.format = format_  # type: ignore[assignment]
    world.quiet, world.verbose, world.debug, world.profile = quiet, verbose, debug, profile


def main() -> None:
    """Run the program and leave with the right exit code."""
    world = context.from_process()
    try:
        code = app(obj=world, standalone_mode=False) or 0
    except KimeraError as error:
        if world.debug:
            raise
        world.diagnostics.error(error)
        code = exit_code_for(error)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.CLOSED_PIPE
    sys.exit(int(code))
