"""`kimera fetch ohlcv`, `trades`, `funding`: history of venues into the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.venues.history.session import Work

Venue = Annotated[str, typer.Argument(metavar="VENUE", help="Such as binance, kraken, okx.")]
Symbols = Annotated[
    list[str], typer.Argument(metavar="SYMBOL...", help="BTC/USDT, or the venue's own names.")
]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="2024-01-31, 2024-01-31T12:30Z, 7d (ago).")
]
Until = Annotated[
    str | None, typer.Option("--until", metavar="TIME", help="Likewise. Default: now.")
]
Server = Annotated[
    str, typer.Option("--server", metavar="FILE", help="A venue server, instead of the venue.")
]


def ohlcv(
    ctx: typer.Context,
    venue: Venue,
    symbols: Symbols,
    since: Since,
    until: Until = None,
    timeframe: Annotated[str, typer.Option("--timeframe", "-t", help="1m, 1h, 1d, ...")] = "1h",
    show_open: Annotated[
        bool, typer.Option("--open", help="Also show the bar that is not over; never stored.")
    ] = False,
    server: Server = "",
) -> None:
    """Fetch bars; only what the catalog has not is asked for."""
    from kimera_cli.venues.history.bars import BarFetch

    async def work(job: Any) -> Any:
        return await BarFetch(job).run()

    more = {"timeframe": timeframe, "show_open": show_open}
    _fetch(ctx.obj, venue, symbols, since, until, server, "bars", work, more)


def trades(
    ctx: typer.Context,
    venue: Venue,
    symbols: Symbols,
    since: Since,
    until: Until = None,
    tick: Annotated[
        str | None, typer.Option("--tick", help="Price step, instead of the venue's present one.")
    ] = None,
    lot: Annotated[str | None, typer.Option("--lot", help="Quantity step, likewise.")] = None,
    server: Server = "",
) -> None:
    """Fetch trades; most venues give their latest ones only, and what is missing is told."""
    from kimera_cli.data.importing import parse_step
    from kimera_cli.venues.history.trades import TradeFetch

    async def work(job: Any) -> Any:
        return await TradeFetch(job).run()

    more = {"tick": parse_step("tick", tick), "lot": parse_step("lot", lot)}
    _fetch(ctx.obj, venue, symbols, since, until, server, "s of trades", work, more)


def funding(
    ctx: typer.Context,
    venue: Venue,
    symbols: Symbols,
    since: Since,
    until: Until = None,
    server: Server = "",
) -> None:
    """Fetch funding rates of perpetual swaps, such as BTC/USDT:USDT."""
    from kimera_cli.venues.history.funding import FundingFetch

    async def work(job: Any) -> Any:
        return await FundingFetch(job).run()

    _fetch(ctx.obj, venue, symbols, since, until, server, "hours", work, {}, swaps=True)


def _fetch(
    world: Context,
    venue: str,
    symbols: list[str],
    since: str,
    until: str | None,
    server: str,
    unit: str,
    work: Work,
    more: dict[str, Any],
    *,
    swaps: bool = False,
) -> None:
    """Fetch a kind of history; rows are shown to programs, a person sees what came of it."""
    from kimera_cli.records import Fetched, Gap
    from kimera_cli.venues.history.job import Wanted
    from kimera_cli.venues.history.session import Place, fetch, world_of
    from kimera_cli.venues.history.span import span_of

    span = span_of(since, until, world.now_ns())
    bar = world.diagnostics.progress(f"fetch {venue}", None, unit)
    with world.output() as out, bar:

        def emit(record: Any) -> None:
            if out.format not in ("table", "none") or isinstance(record, Fetched | Gap):
                out.emit(record)

        def failed(error: Any) -> None:
            world.diagnostics.error(error)
            out.partial()

        wanted = Wanted(span, emit, bar, world_of(world), world.home / "data", **more)
        fetch(Place(venue, symbols, server, swaps), wanted, work, failed)
