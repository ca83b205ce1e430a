"""`kimera trade kill|arm|guard`: what stops new risk and takes back what rests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import KimeraError
from kimera_cli.trade_options import Account, Keys, Server, Venues, emitter, opened

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import KillSwitch
    from kimera_cli.risk.latch import Killed, Latch


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
    from kimera_cli.risk.latch import FILE, Latch

    world: Context = ctx.obj
    latch = Latch(world.home / FILE)
    # The latch first: whatever happens to the cancels, nothing new is sent from here on.
    killed, unset = _killed(latch, why, world)
    with world.output() as out:
        emit = emitter(out)
        emit(_record(latch, killed))
        from kimera_cli.venues.kill import cancel_everything
        from kimera_cli.venues.trading import run

        trading = opened(world, venue, account, keys, server)

        async def work() -> None:
            failed = unset + await cancel_everything(trading, emit, ours_only=ours)
            for error in failed[1:]:
                world.diagnostics.warning(str(error))
            if failed:
                raise failed[0]

        run(trading, work)


def guard(
    ctx: typer.Context,
    silent: Annotated[
        str, typer.Option("--silent", metavar="DURATION", help="Longest time without a pulse.")
    ] = "10s",
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Stop after 90s, 10m, ...")
    ] = None,
    venue: Venues = None,
    keys: Keys = None,
    server: Server = None,
    account: Account = "main",
) -> None:
    """Watch the process that trades an account; cancel its orders when it dies or freezes."""
    from kimera_cli.units import duration_ns
    from kimera_cli.venues.guard import Guard
    from kimera_cli.venues.trading import run

    world: Context = ctx.obj
    silent_s = duration_ns("--silent", silent) / 1e9
    for_s = duration_ns("--for", for_) / 1e9 if for_ else None
    trading = opened(world, venue, account, keys, server)
    with world.output() as out:
        watch = Guard(trading, silent_s, emitter(out), world.diagnostics.note)
        world.diagnostics.note(f"watching {', '.join(trading.venues())}; Ctrl-C ends it")
        run(trading, lambda: watch.run(for_s))


def arm(
    ctx: typer.Context,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept in the history.")] = "",
) -> None:
    """Allow new risk again."""
    from kimera_cli.risk.latch import FILE, Latch

    world: Context = ctx.obj
    latch = Latch(world.home / FILE)
    before = latch.arm(why, world.now_ns(), "kimera trade arm")
    with world.output() as out:
        out.emit(_record(latch, None))
    if before is None:
        world.diagnostics.note("the kill switch was not set")


def _killed(latch: Latch, why: str, world: Context) -> tuple[Killed | None, list[KimeraError]]:
    """Set the latch; what keeps it from being set or noted keeps no order at a venue."""
    try:
        return latch.kill(why, world.now_ns(), "kimera trade kill"), []
    except KimeraError as error:
        return latch.read(), [error]


def _record(latch: Latch, killed: Killed | None) -> KillSwitch:
    from kimera_cli.records import KillSwitch

    if killed is None:
        return KillSwitch(killed=False, file=str(latch.path))
    return KillSwitch(
        killed=True,
        file=str(latch.path),
        why=killed.reason,
        by=killed.by,
        since_ns=killed.ts_ns,
    )
