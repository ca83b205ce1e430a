"""The `kimera` program: lazy commands, errors to exit codes.

Typer parses; this module decides what every ending means, so nothing of Typer's own error handling
is used (it would turn a closed pipe into a failure and print usage errors in another shape).
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from kimera_cli import __version__, context, options
from kimera_cli.diagnostics import ExitCode, exit_code_for
from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.output import Status
from kimera_cli.registry import COMMANDS
from kimera_cli.stop_signals import StopSignals

HELP_COLUMNS = 80
"""What a help text is wrapped to on a wider terminal."""


class LazyGroup(TyperGroup):
    """Lists commands from the registry and imports one only when it is called."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, spec in COMMANDS.items():
            self.add_command(TyperCommand(name=name, help=spec.help), name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return name, loaded command and remaining arguments; a typo gets the nearest name."""
        name = args[0]
        if name in COMMANDS:
            return name, load_command(name, ctx.find_root().obj), args[1:]
        if name.startswith("-"):
            return super().resolve_command(ctx, args)
        raise UsageError(
            "usage.command",
            f"expected a command of kimera, was '{name}'",
            did_you_mean(name, COMMANDS),
        )


def load_command(name: str, world: context.Context) -> Any:
    """Import one command and give it the options that all commands have."""
    module = COMMANDS[name].module
    try:
        app = import_module(module).app
    except ModuleNotFoundError as error:
        if not module.startswith(str(error.name)):
            raise
        raise KimeraError(
            "install.incomplete",
            f"expected the module {module} of '{name}' to be installed, was not found",
            "install the checkout: pip install -e .",
        ) from None
    command = typer.main.get_command(app)
    command.name = name
    options.add_to(command, world)
    return command


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    invoke_without_command=True,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback()
def start(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Composable trading commands for crypto markets: JSON lines out, one loop inside."""
    world: context.Context = ctx.obj
    if version:
        world.output().document(f"kimera {__version__}\n")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        world.output().document(ctx.get_help() + "\n")


def main() -> None:
    """Run the program and leave with the right exit code."""
    stops = StopSignals()
    stops.listen()
    code = int(run(context.from_process(), sys.argv[1:], stops))
    stops.leave()
    sys.exit(code)


def run(world: context.Context, args: list[str], stops: StopSignals | None = None) -> int:
    """Run one invocation and return its exit code; every error has been told."""
    code = None
    try:
        code = _attempt(world, args, stops or StopSignals())
        world.stdout.flush()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        code = code or ExitCode.CLOSED_PIPE
    except KeyboardInterrupt:
        code = _interrupted(world)
    except OSError as error:
        code = code or _tell(world, error)
    _drop_stdout()
    return code


def _attempt(world: context.Context, args: list[str], stops: StopSignals) -> int:
    try:
        _dispatch(world, args)
        return int(world.opened.code) if world.opened else ExitCode.OK
    except typer.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        raise
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(world)
    except Exception as error:
        # Code that was robbed of an interrupt fails in ways of its own.
        unforeseen = not isinstance(error, KimeraError | OSError | TyperException)
        return _interrupted(world) if stops.swallowed and unforeseen else _tell(world, error)


def _dispatch(world: context.Context, args: list[str]) -> None:
    group = root()
    columns = min(world.width, HELP_COLUMNS) - 2  # else help is never narrower than 50
    with group.make_context("kimera", args, obj=world, terminal_width=columns) as ctx:
        group.invoke(ctx)


def root() -> Any:
    """Return the program as one command object, its commands not yet loaded."""
    group = typer.main.get_command(app)
    options.attach(group, hidden=False)
    return group


def _tell(world: context.Context, error: Exception) -> int:
    """Report an error in the one shape that all errors have, and return its exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":
        world.output().document(f"{error}\n")
        return ExitCode.OK
    told = _as_kimera_error(error)
    code = exit_code_for(told)
    _end(world, "error", code)
    if world.debug:
        world.diagnostics.traceback(error)
    world.diagnostics.error(told)
    return code


def _as_kimera_error(error: Exception) -> KimeraError:
    if isinstance(error, KimeraError):
        return error
    if isinstance(error, TyperException):
        return _usage_error(error)
    if isinstance(error, OSError):
        return _system_error(error)
    what = f"{type(error).__name__}: {error}".splitlines()[0]
    hint = "run again with --debug for the traceback, and please report it"
    return KimeraError("internal", f"unexpected {what}", hint)


def _usage_error(error: TyperException) -> KimeraError:
    """Typer's own complaints in our shape; the hint is the help of the command at fault."""
    message, _, guess = error.format_message().rstrip(".?").partition(". Did you mean ")
    message, _, options_like = message.partition(" (Possible options: ")
    path = error.ctx.command_path if getattr(error, "ctx", None) else "kimera"  # type: ignore[attr-defined]
    guess = guess or options_like.rstrip(")")
    hint = f"did you mean {guess}? see: {path} --help" if guess else f"see: {path} --help"
    return UsageError("usage.arguments", message[:1].lower() + message[1:], hint)


def _system_error(error: OSError) -> KimeraError:
    """What the operating system refused, with the file that it is about."""
    kinds = {errno.ENOSPC: "no_space", errno.EACCES: "permission", errno.EROFS: "permission"}
    name = error.filename or "a stream"
    return KimeraError(
        f"system.{kinds.get(error.errno or 0, 'failed')}",
        f"expected to use {name}, was refused: {error.strerror or error}",
        "check the path, its permissions and the free space (kimera doctor)",
        file=str(error.filename or ""),
    )


def _end(world: context.Context, status: Status, code: int) -> None:
    """A stream without an end record still gets one, so that its reader knows.

    It was never opened, or Ctrl-C came as its end was to be written.
    """
    out = world.opened or world.output()
    if not out.ended and out.format in ("jsonl", "json"):
        out.status, out.code = status, code
        out.finish()


def _interrupted(world: context.Context) -> int:
    with contextlib.suppress(OSError):
        _end(world, "interrupted", ExitCode.INTERRUPTED)
    return ExitCode.INTERRUPTED


def _drop_stdout() -> None:
    """Send what is still buffered nowhere, or the interpreter complains when it flushes at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
