"""`kimera run`: the loop on the demo market or on recordings."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kimera_cli.errors import UsageError

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.engine.build import Choices, Plan
    from kimera_cli.engine.request import RunRequest

app = typer.Typer(help="Run the loop: market in, strategies, gate, simulated venue, report out.")


Source = Annotated[
    str | None, typer.Option(help="demo, replay or venue. Default: replay when there is what to.")
]
Replay = Annotated[
    list[str] | None,
    typer.Option(
        metavar="DATASET|PATH...", help="Datasets or recordings, replayed together by time."
    ),
]
More = Annotated[
    list[str] | None, typer.Argument(metavar="[DATASET|PATH]...", help="More to replay.")
]
Strategies = Annotated[
    list[str] | None, typer.Option(metavar="NAME[,NAME]", help="Strategies, by name or file.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="risk.max_drawdown=0.05, gamma=0.2, glft.gamma=0.2."
    ),
]
Duration = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="Market time, such as 90s.")
]
Events = Annotated[int | None, typer.Option(min=0, help="Stop once this many events have arrived.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Seed of all randomness.")]
Speed = Annotated[str | None, typer.Option(help="max, realtime or a factor: 10x.")]
Shape = Annotated[str | None, typer.Option(help="threads, single or split (processes).")]
Out = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Run folder; default ./runs/<id>.")
]
Table = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Decision table, for strategies that read one."),
]
Markets = Annotated[
    list[str] | None,
    typer.Option("--market", metavar="VENUE/SYMBOL", help="Market of a live venue; repeatable."),
]
Server = Annotated[
    str,
    typer.Option(
        metavar="FILE|URL|embedded",
        help="A venue server on this machine in place of the venues; embedded: one of its own.",
    ),
]
Keys = Annotated[Path | None, typer.Option(metavar="FILE", help="API keys (mode 0600).")]
Execute = Annotated[
    str, typer.Option(help="Where orders go from a live venue's market: paper or live.")
]
Account = Annotated[str, typer.Option(help="Name of the account, for its journal.")]
YesLive = Annotated[
    float | None,
    typer.Option(
        metavar="CAP", min=0, help="Trade live unasked; open orders and positions up to CAP."
    ),
]
Record = Annotated[
    bool, typer.Option("--record", help="Keep what a live feed sends, for report fidelity.")
]
Repeat = Annotated[
    str | None,
    typer.Option("--from", metavar="RUN|MANIFEST", help="Repeat a run from its manifest."),
]


@app.command()
def run(
    ctx: typer.Context,
    source: Source = None,
    replay: Replay = None,
    more: More = None,
    strategy: Strategies = None,
    settings: Settings = None,
    duration: Duration = None,
    events: Events = None,
    seed: Seed = None,
    speed: Speed = None,
    shape: Shape = None,
    out: Out = None,
    table: Table = None,
    market: Markets = None,
    server: Server = "",
    keys: Keys = None,
    execute: Execute = "paper",
    account: Account = "main",
    yes_live: YesLive = None,
    record: Record = False,
    repeat: Repeat = None,
) -> None:
    """Run strategies on the demo market, recordings or live venues; leave journal and report.

    kimera run --replay RECORDING... --strategy glft,ofi_taker --set gamma=0.2

    kimera run --source venue --market binance/BTCUSDT --for 10m

    kimera run --source venue --for 1m    (paper, at a venue server of its own: no network)
    """
    from kimera_cli.engine.first_use import LIVE, LOOP, compile_first

    compile_first(ctx.obj.diagnostics, LIVE if source == "venue" else LOOP)
    from kimera_cli.engine.build import Choices

    choices = Choices(
        source=source,
        replay=[*(replay or []), *(more or [])],
        strategies=_names(strategy),
        settings=settings or [],
        duration=duration,
        events=events,
        seed=seed,
        speed=speed,
        shape=shape,
        out=out,
        repeat=repeat,
        tables=table or [],
        command=["kimera", *sys.argv[1:]],
    )
    live = (market or [], server, keys, execute, account, yes_live)
    _run(choices, ctx.obj, live, record=record)


Live = tuple[list[str], str, Path | None, str, str, float | None]
"""Markets, server, keys, execute, account and cap, as typed."""


def _run(choices: Choices, world: Context, live: Live, *, record: bool) -> None:
    """Run; what a run needs beside itself is held until its end."""
    from kimera_cli.engine.build import plan
    from kimera_cli.engine.drive import drive, prepare

    planned = None if choices.repeat else plan(choices, world)
    with ExitStack() as held:
        request = _request(planned, choices, world, live, held, record=record)
        session = prepare(request, world)
        with world.output() as stream:
            drive(session, world, stream)


def _request(
    planned: Plan | None,
    choices: Choices,
    world: Context,
    live: Live,
    held: ExitStack,
    *,
    record: bool,
) -> RunRequest:
    from kimera_cli.engine.build import build_request, repeat_request

    if record and (planned is None or planned.kind != "venue"):
        raise UsageError(
            "usage.record",
            "expected --record with --source venue, was another source",
            "a recording or the demo market is replayed as it is: kimera run --from RUN",
        )
    if planned is None:
        return repeat_request(choices, world)
    if planned.kind == "venue":
        from kimera_cli.live.embedded import served
        from kimera_cli.live.plan import LiveChoices, live_request
        from kimera_cli.trade_options import asker

        typed, seed = LiveChoices(*live, asker(world), record), planned.resolved.profile.run.seed
        return live_request(planned, held.enter_context(served(typed, seed, world)), world)
    return build_request(planned, world)


def _names(typed: list[str] | None) -> list[str] | None:
    """Return the strategies of `--strategy a,b --strategy c`; None when none was typed."""
    if typed is None:
        return None
    return [name.strip() for text in typed for name in text.split(",") if name.strip()]
