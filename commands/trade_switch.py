"""`kimera trade kill|arm`: the switch that stops all new risk."""

from __future__ import annotations

from typing import Annotated

import typer

from kimera_cli.commands.trade_options import Account, Keys, Server, Venues, emitter, opened


def kill(
    ctx: typer.Context,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Told to whoever asks.")] = "",
    ours: Annotated[
        bool, typer.Option("--ours", help="Leave orders that kimera did not send.")
    ] = False,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Stop new risk of every process at once, and cancel everything at the venues."""
    from kimera_cli.records import KillSwitch
    from kimera_cli.venues.kill import cancel_everything
    from kimera_cli.venues.trading import run

    trading = opened(ctx.obj, venue, account, keys, server)
    latch = trading.latch
    latch.set(why, ctx.obj.now_ns())
    found = latch.read()
    with ctx.obj.output() as out:
        emit = emitter(out)
        said = {"why": found.why, "since_ns": found.since_ns} if found else {}
        emit(KillSwitch(killed=True, file=str(latch.path), **said))

        async def work() -> None:
            failed = await cancel_everything(trading, emit, ours_only=ours)
            for error in failed[1:]:
                ctx.obj.diagnostics.warning(str(error))
            if failed:
                raise failed[0]

        run(trading, work)


def arm(ctx: typer.Context) -> None:
    """Allow new risk again."""
    from kimera_cli.records import KillSwitch
    from kimera_cli.venues.latch import Latch

    latch = Latch.of(ctx.obj.home)
    was = latch.clear()
    with ctx.obj.output() as out:
        out.emit(KillSwitch(killed=False, file=str(latch.path)))
    if not was:
        ctx.obj.diagnostics.note("the kill switch was not set")
