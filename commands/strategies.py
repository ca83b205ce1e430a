"""`kimera strategies`: list, show and create strategies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import Strategy
    from kimera_cli.strategies import StrategyInfo

app = typer.Typer(
    help="List, show and create strategies.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("list")
def list_(ctx: typer.Context) -> None:
    """List the built-in strategies and those of installed packages."""
    from kimera_cli.strategies import every

    world: Context = ctx.obj
    with world.output() as out:
        for info in every():
            out.emit(_record(info, params={}, path=""))


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Strategy name, or a path to a .py file.")],
) -> None:
    """Show one strategy: what it does, and each parameter with unit, default and meaning."""
    from kimera_cli.records import StrategyParam
    from kimera_cli.strategies import info as describe

    world: Context = ctx.obj
    with world.output() as out:
        info = describe(name)
        if world.effective_format == "table" and info.description:
            world.diagnostics.note(f"{info.description}\n")
        out.emit(_record(info, params=info.params, path=str(info.path)))
        for param, default in info.params.items():
            unit, meaning = info.docs.get(param, ("", ""))
            out.emit(
                StrategyParam(
                    strategy=info.name, param=param, default=default, unit=unit, meaning=meaning
                )
            )


@app.command()
def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Lower-case name, such as my_maker.")],
    python: Annotated[
        bool, typer.Option("--python", help="A class with plain Python objects: slower, freer.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--dir", help="Folder for the two files; made when it is not there.")
    ] = Path(),
) -> None:
    """Write a working strategy and its test; refuses to overwrite."""
    from kimera_cli.records import Written
    from kimera_cli.strategies.template import write

    world: Context = ctx.obj
    with world.output() as out:
        for path, kind in write(name, folder, "python" if python else "compiled"):
            out.emit(Written(path=str(path), kind=kind))
    script = folder / f"{name}.py"
    world.diagnostics.note(f"test it: pytest {folder / f'test_{name}.py'}")
    world.diagnostics.note(f"run it:  kimera run --strategy {_as_path(script)}")


def _as_path(script: Path) -> str:
    """Return a path that `--strategy` takes for a file and not for a name."""
    return str(script) if script.is_absolute() else f"./{script}"


def _record(info: StrategyInfo, *, params: dict[str, float], path: str) -> Strategy:
    from kimera_cli.records import Strategy

    return Strategy(
        strategy=info.name,
        origin=info.origin,
        summary=info.summary,
        params=params,
        protocol="python" if info.protocol == "python" else "compiled",
        interval_ns=info.interval_ns,
        path=path,
    )
