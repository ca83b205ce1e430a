"""`kimera trade reconcile`: journal against venue."""

from __future__ import annotations

from typing import Annotated

import typer

from kimera_cli.trade_options import Account, Keys, Server, Venues, Wait, emitter, opened


def reconcile(
    ctx: typer.Context,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take the venue's word into the journal.")
    ] = False,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
    wait: Wait = 45.0,
) -> None:
    """Compare journal, venue orders, fills and balances; tell every difference in words."""
    from kimera_cli.venues.reconciling import tell_differences
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, venue, account, keys, server, wait)
    note = ctx.obj.diagnostics.note
    with ctx.obj.output() as out:
        run(trading, lambda: tell_differences(trading, emitter(out), note, adopt=adopt))
