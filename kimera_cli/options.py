"""Options that every command has, before or after its name: `kimera -q run` and `kimera run -q`.

Declared once here and added to the program and to each command as it is loaded, so that no command
module repeats them. A command that declares an option of the same name keeps its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

from typer.core import TyperGroup, TyperOption

from kimera_cli.errors import UsageError
from kimera_cli.names import did_you_mean
from kimera_cli.output import FORMATS

if TYPE_CHECKING:
    from kimera_cli.context import Context


class Global(NamedTuple):
    """One option of every command; `takes` names its value, empty for a flag."""

    flags: tuple[str, ...]
    takes: str
    help: str

    @property
    def name(self) -> str:
        """Name of the setting in the context."""
        return self.flags[0].lstrip("-")


GLOBALS = (
    Global(
        ("--format",),
        "FORMAT",
        "jsonl, json, table, csv or none. Default: table on a terminal, jsonl in a pipe.",
    ),
    Global(
        ("--quiet", "-q"), "", "Say nothing when all is well; data only if --format asks for them."
    ),
    Global(("--verbose", "-v"), "", "Say more."),
    Global(("--debug",), "", "Show the traceback of an error."),
    Global(("--profile",), "NAME|FILE", "Settings to use: see `kimera profile list`."),
    Global(("--lock",), "NAME", "Refuse to start while another run holds this lock."),
)

EPILOG = (
    "Before or after the command: "
    + ", ".join("/".join(o.flags) + (f" {o.takes}" if o.takes else "") for o in GLOBALS)
    + "."
)


_OF_TYPER = {"--install-completion", "--show-completion"}
"""Typer's own completion, which would run kimera at each TAB; `kimera completion` prints ours."""


def attach(command: Any, *, hidden: bool) -> None:
    """Add the global options that a command lacks; hidden ones show as one line of its help."""
    command.params = [p for p in command.params if _OF_TYPER.isdisjoint(p.opts)]
    taken = {flag for param in command.params for flag in param.opts}
    command.params += [_option(o, hidden) for o in GLOBALS if taken.isdisjoint(o.flags)]
    if hidden and not command.epilog:
        command.epilog = EPILOG


def add_to(command: Any, world: Context) -> None:
    """Add the global options to a loaded command and, if it is a group, to all commands in it."""
    attach(command, hidden=True)
    command.rich_markup_mode = None  # rich would cost 70 ms, and its boxes break in pipes
    if isinstance(command, TyperGroup):
        command.no_args_is_help = True
        for child in command.commands.values():
            add_to(child, world)
    elif command.callback is not None:
        command.callback = _begun(command.callback, world)


def _option(spec: Global, hidden: bool) -> TyperOption:
    return TyperOption(
        param_decls=list(spec.flags),
        metavar=spec.takes or None,
        is_flag=not spec.takes and spec.name != "verbose",  # counted: Typer takes no flag for it
        count=spec.name == "verbose",
        default=None if spec.takes else 0 if spec.name == "verbose" else False,
        type=str if spec.takes else int if spec.name == "verbose" else bool,
        help=spec.help,
        hidden=hidden,
        expose_value=False,
        callback=_store,
    )


def _store(ctx: Any, param: Any, value: Any) -> Any:
    """Keep what was typed; an option that is absent here may have been given before the command."""
    if value and not ctx.resilient_parsing:
        if param.name == "format":
            check_format(value)
        ctx.find_root().obj.choose(param.name, value)
    return value


def check_format(name: str) -> None:
    """Refuse what is no output format."""
    if name not in FORMATS:
        raise UsageError(
            "usage.format",
            f"expected --format as one of {', '.join(FORMATS)}, was '{name}'",
            did_you_mean(name, FORMATS),
        )


def _begun(callback: Callable[..., Any], world: Context) -> Callable[..., Any]:
    """Take the lock when all options are read and before the command does anything."""

    @wraps(callback)
    def begin(*args: Any, **kwargs: Any) -> Any:
        world.take_lock()
        return callback(*args, **kwargs)

    return begin
