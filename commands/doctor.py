"""`kimera doctor`: check installation and host."""

from __future__ import annotations

import typer

app = typer.Typer()


@app.command()
def doctor(ctx: typer.Context) -> None:
    """Check installation and host; exit code 1 when something must be mended."""
    from kimera_cli.doctor import examine

    with ctx.obj.output() as out:
        for found in examine(ctx.obj):
            out.emit(found)
            if found.status == "failed":
                out.failed()
                # With --quiet there are no records, and something is not well.
                if out.format == "none":
                    ctx.obj.diagnostics.warning(f"{found.item}: {found.found}; {found.advice}")
