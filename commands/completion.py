"""`kimera completion SHELL`: a completion script that needs no running kimera."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def completion(
    ctx: typer.Context,
    shell: Annotated[str, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print shell completion for bash, zsh or fish.

    bash: kimera completion bash > ~/.local/share/bash-completion/completions/kimera
    """
    from kimera_cli.completion import script

    text = script(shell, ctx.obj)
    ctx.obj.output().document(text)
