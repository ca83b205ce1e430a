"""`kimera schema [TYPE]`: the JSON Schema of output records."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def schema(
    ctx: typer.Context,
    record: Annotated[
        str | None,
        typer.Argument(metavar="[TYPE]", help="A record type such as fill, or profile."),
    ] = None,
) -> None:
    """Print the JSON Schema of output records: of all, of one TYPE, or of profiles."""
    from kimera_cli import schema as schemas

    document = schemas.type_schema(record) if record else schemas.records_schema()
    ctx.obj.output().document(schemas.text(document))
