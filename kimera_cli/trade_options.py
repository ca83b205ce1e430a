"""Options that the commands of `kimera trade` share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.output import Output
    from kimera_cli.venues.batch import Tally
    from kimera_cli.venues.consent import Consent
    from kimera_cli.venues.trading import Trading

Venue = Annotated[
    str, typer.Option("--venue", metavar="VENUE", help="binance, coinbase, kraken, okx, ...")
]
Venues = Annotated[
    list[str] | None,
    typer.Option("--venue", metavar="VENUE", help="Repeatable; default: all in the keys file."),
]
Keys = Annotated[
    Path | None,
    typer.Option("--keys", metavar="FILE", help="Keys, mode 0600; default: keys.toml at home."),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server", metavar="FILE|URL", help="A venue server instead: its record, or its address."
    ),
]
Account = Annotated[
    str, typer.Option("--account", metavar="NAME", help="Which journal, with several accounts.")
]
Wait = Annotated[
    float, typer.Option("--wait", metavar="S", help="How long an order in doubt is asked for.")
]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Such as BTCUSDT or BTC/USDT.")]
Symbols = Annotated[
    list[str] | None, typer.Argument(metavar="[SYMBOL...]", help="Markets; default: all.")
]
Order = Annotated[str, typer.Argument(metavar="ID", help="Our id of the order, or the venue's.")]


def opened(
    world: Context,
    venues: list[str] | None,
    account: str,
    keys: Path | None,
    server: str | None,
    wait: float = 45.0,
    needs: str = "kimera_cli.venues.trading",
) -> Trading:
    """Return what a command works with; `needs` is the module that it runs, compiled first."""
    from kimera_cli.engine.first_use import compile_first

    compile_first(world.diagnostics, (needs,))
    from kimera_cli.venues.trading import Choices, trading

    choices = Choices(tuple(v for v in venues or () if v), account, keys, server, wait)

    def report(error: Exception) -> None:
        world.diagnostics.warning(str(error))

    return trading(world, choices, report)


def consent_of(
    world: Context, trading: Trading, yes_live: str | None, *, typed: bool = True
) -> Consent:
    """Return the leave that this invocation has for orders at real venues."""
    from kimera_cli.venues.consent import Consent
    from kimera_cli.venues.wishes import amount

    live = trading.addresses.live
    return Consent(
        live,
        live and world.load_profile().profile.live.allow,
        amount("--yes-live", yes_live),
        asker(world) if typed else None,
    )


def asker(world: Context) -> Callable[[str], str] | None:
    """Return what asks the person at the terminal; None where nobody sees the question."""
    if not (world.stdin.isatty() and world.stderr_is_terminal):
        return None

    def ask(text: str) -> str:
        world.diagnostics.ask(text)
        return world.stdin.readline()

    return ask


def emitter(out: Output) -> Callable[..., None]:
    """Return what emits a record and hands it to the reader at once."""

    def emit(record: object) -> None:
        out.emit(record)  # type: ignore[arg-type]
        out.flush()

    return emit


def conclude(world: Context, out: Output, tally: Tally) -> None:
    """Tell the first order that did not go well; the status is 6 when some others did."""
    from kimera_cli.diagnostics import exit_code_for

    if tally.error is not None:
        if tally.bad + tally.good > 1:
            count = f"{tally.bad} of {tally.bad + tally.good} orders did not go well; the first"
            tally.error.message = f"{count}: {tally.error.message}"
        world.diagnostics.error(tally.error)
    if tally.bad and tally.good:
        out.partial()
    elif tally.error is not None:
        out.failed(exit_code_for(tally.error))
