"""`kimera venue faults`: the faults of a venue's life, played at the venue server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from kimera_cli.errors import RunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kimera_cli.context import Context
    from kimera_cli.records import Fault, Soak
    from kimera_cli.venues.soak.acts import Way as OrdersBy

PATHS = ("rest", "websocket", "feed")
EXECUTE = ("live", "paper")
WAYS = ("rest", "websocket", "mixed")

All = Annotated[bool, typer.Option("--all", help="All faults (the default).")]
Only = Annotated[str, typer.Option(metavar="F1,F2", help="Only these, with commas between.")]
Names = Annotated[str, typer.Option(help="Names with commas between; default: all.")]
Way = Annotated[str, typer.Option(help="Only rest, websocket or feed.")]
Tls = Annotated[bool, typer.Option("--tls", help="By TLS, under the venues' own host names.")]
IsSoak = Annotated[
    bool, typer.Option("--soak", help="Random faults against kimera run in its own processes.")
]
Duration = Annotated[
    str, typer.Option("--for", metavar="DURATION", help="Of a soak, time under faults.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of a soak: the same seed, the same faults.")]
Execute = Annotated[str, typer.Option(help="Of a soak: where orders go, live or paper.")]
Orders = Annotated[
    str, typer.Option(help="Of a soak: orders by rest, websocket, or mixed (run by run).")
]
Gap = Annotated[
    str, typer.Option(metavar="DURATION", help="Of a soak, mean time between two faults.")
]
Kill = Annotated[
    str,
    typer.Option(metavar="DURATION", help="Of a soak, mean time between two SIGKILLs; 0s: none."),
]


def faults(
    ctx: typer.Context,
    all_: All = False,
    fault: Only = "",
    venues: Names = "",
    path: Way = "",
    tls: Tls = False,
    soak: IsSoak = False,
    for_: Duration = "10m",
    seed: Seed = 0,
    execute: Execute = "live",
    orders: Orders = "mixed",
    gap: Gap = "1s",
    kill: Kill = "2m",
) -> None:
    """Play faults at every venue and compare what the client knows with what is there.

    Everything is on 127.0.0.1. Exit 1: a comparison failed.
    """
    world: Context = ctx.obj
    if soak:
        if all_ or fault or path or tls:
            expected = "expected --soak without --all, --fault, --path and --tls"
            raise UsageError("usage.fault", f"{expected}, was with it", "a soak is by TLS anyway")
        _tell(world, _soaked(world, _words(venues), (execute, orders), (for_, gap, kill), seed))
    else:
        if all_ and fault:
            raise UsageError("usage.fault", "expected --all or --fault, was both")
        _tell(world, _scenes(world, _words(fault), _words(venues), path, tls))


def _scenes(
    world: Context, wanted: list[str], venues: list[str], path: str, tls: bool
) -> Iterable[Fault]:
    from kimera_cli.venues.faults.play import chosen, play_all
    from kimera_cli.venues.server.dialects import available, load

    if path and path not in PATHS:
        raise UsageError("usage.path", f"expected a path of {', '.join(PATHS)}, was '{path}'")
    names = [load(name).venue for name in venues] or available()
    scenarios = chosen([name.upper() for name in wanted], path)
    return play_all(scenarios, names, world.now_ns, world.monotonic_ns, tls=tls)


def _soaked(
    world: Context,
    venues: list[str],
    ways: tuple[str, str],
    times: tuple[str, str, str],
    seed: int,
) -> Iterable[Fault | Soak]:
    from kimera_cli.venues.orders.rules import RULES, canonical
    from kimera_cli.venues.soak.play import soak
    from kimera_cli.venues.soak.theatre import Plan

    execute, orders = ways
    if execute not in EXECUTE:
        raise UsageError("usage.execute", f"expected --execute as live or paper, was '{execute}'")
    if orders not in WAYS:
        raise UsageError("usage.orders", f"expected --orders as {', '.join(WAYS)}, was '{orders}'")
    names = dict.fromkeys(canonical(name) for name in venues) or RULES
    for_s, gap_s, kill_s = (_seconds(text) for text in times)
    if gap_s <= 0 or for_s <= 0:
        raise UsageError("usage.duration", "expected --for and --gap above 0s, was 0s")
    plan = Plan(
        venues=tuple(names),
        execute="live" if execute == "live" else "paper",
        way=cast("OrdersBy", orders),
        seconds=for_s,
        seed=seed,
        gap_s=gap_s,
        kill_s=kill_s,
        env=world.env,
        now_ns=world.now_ns,
        monotonic_ns=world.monotonic_ns,
        note=world.diagnostics.note,
    )
    return soak(plan)


def _tell(world: Context, records: Iterable[Fault | Soak]) -> None:
    """Emit the records; RunError `run.faults` when a comparison failed."""
    from kimera_cli.records import Fault

    failed: list[str] = []
    with world.output() as out:
        for record in records:
            out.emit(record)
            out.flush()  # the next one may take long
            if isinstance(record, Fault) and record.passed is False:
                failed.append(f"{record.fault} {record.venue} {record.path}")
        if failed:
            raise RunError(
                "run.faults",
                f"expected every comparison to hold, was {len(failed)} that did not: "
                + ", ".join(failed[:5]),
            )


def _seconds(text: str) -> float:
    from kimera_cli.units import NS_PER_S, parse_duration_ns

    try:
        return parse_duration_ns(text) / NS_PER_S
    except ValueError as error:
        raise UsageError("usage.duration", str(error)) from None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
