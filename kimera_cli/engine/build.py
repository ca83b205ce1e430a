"""From what was typed to a run request: profile, sources, strategies with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from kimera_cli.engine.live import LivePlan
from kimera_cli.engine.pace import speed_of
from kimera_cli.engine.paced_feed import PacedArguments, publish_paced
from kimera_cli.engine.parameters import parameters, split_sets, unused
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.runfolder import refuse_occupied
from kimera_cli.engine.sources import check_queue, demo_sources, replay_sources
from kimera_cli.engine.tables import open_tables, reads_table
from kimera_cli.errors import ProfileError, UsageError
from kimera_cli.layouts import MAX_STRATEGIES
from kimera_cli.profile import Resolved, parse_sets
from kimera_cli.profile import load as load_profile
from kimera_cli.risk.latch import FILE as KILL_FILE
from kimera_cli.risk.latch import Latch
from kimera_cli.settings import Portfolio, Profile
from kimera_cli.shm.folder import runtime_folder
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.protocol import StrategyInfo
from kimera_cli.strategies.registry import info

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.data.source import EventSource


@dataclass
class Choices:
    """The options of `kimera run` as typed; None where nothing was."""

    source: str | None = None
    replay: Sequence[str] = ()
    strategies: Sequence[str] | None = None
    settings: Sequence[str] = ()
    duration: str | None = None
    events: int | None = None
    seed: int | None = None
    speed: str | None = None
    shape: str | None = None
    out: Path | None = None
    repeat: str | None = None
    tables: Sequence[Path] = ()
    command: Sequence[str] = field(default_factory=list)


class Plan(NamedTuple):
    """What was typed, checked as far as it can be without reading data or compiling anything."""

    choices: Choices
    kind: str
    resolved: Resolved
    params: list[dict[str, float]]
    kill_file: Path


def plan(choices: Choices, world: Context) -> Plan:
    """Return the plan of a new run; errors name the option or the profile key that is wrong."""
    kill_file = _check_place(choices, world)
    kind = _source_kind(choices)
    settings, typed = split_sets(parse_sets(choices.settings))
    resolved = load_profile(world.profile, world.env, {**settings, **_flags(choices)})
    infos = _strategies(resolved)
    params = parameters(infos, resolved, typed)
    for each in infos if not choices.tables else ():
        if reads_table(each):
            world.diagnostics.warning(
                f"{each.name} reads a decision table and has none (--table FILE): "
                "it takes no new risk"
            )
    for warning in unused(infos, resolved):
        world.diagnostics.warning(warning)
    return Plan(choices, kind, resolved, params, kill_file)


def build_request(planned: Plan, world: Context) -> RunRequest:
    """Return the request of a plan: strategies compiled, recordings imported and open."""
    profile = planned.resolved.profile
    if planned.kind == "replay":
        sources = replay_sources(planned.choices.replay, world)
    else:
        sources = demo_sources(profile, profile.run.seed)
    check_queue(sources, profile)
    return request_of(planned, sources, world, live=paced_plan(sources, profile))


def request_of(
    planned: Plan, sources: Sequence[EventSource], world: Context, *, live: LivePlan | None
) -> RunRequest:
    """Return the request of a plan on these sources: strategies compiled, tables open."""
    choices, resolved = planned.choices, planned.resolved
    profile = _with_own_rates(resolved)
    tables = open_tables(choices.tables, sources)
    return RunRequest(
        source=planned.kind,
        sources=sources,
        strategies=[
            Sleeved(load(name), params)
            for name, params in zip(profile.run.strategies, planned.params, strict=True)
        ],
        profile=profile,
        seed=profile.run.seed,
        duration_ns=_duration_ns(planned.kind, resolved),
        max_events=profile.run.events,
        out=choices.out,
        speed=speed_of(profile.run.speed),
        command=choices.command,
        profile_name=resolved.name,
        kill_file=planned.kill_file,
        tables=tables,
        shape=profile.run.shape,
        runtime=rings_of(profile.run.shape, resolved.name, world),
        live=live,
    )


def paced_plan(sources: Sequence[EventSource], profile: Profile) -> LivePlan | None:
    """Return the plan of recordings that do not wait for the loop; None when they do.

    ProfileError `profile.backpressure` for what cannot conflate.
    """
    run = profile.run
    if run.backpressure == "wait":
        return None
    speed, by_order = speed_of(run.speed), [s.dataset for s in sources if s.family == "l3"]
    if run.shape != "split" or not speed or by_order or profile.latency.feed != "recorded":
        raise ProfileError(
            "profile.backpressure",
            "expected shape split, a speed, books by level and recorded feed latency with "
            f"run.backpressure conflate, was {run.shape}, {run.speed}, "
            f"{', '.join(by_order) or 'levels'}, {profile.latency.feed}",
            "kimera run --replay PATH --shape split --speed 10x --set run.backpressure=conflate",
        )
    start_ns = min(source.start_ns for source in sources)
    told = PacedArguments(tuple(sources), speed, start_ns)
    return LivePlan(publish_paced, told, tuple(range(len(sources))))


def rings_of(shape: str, profile: str, world: Context) -> Path | None:
    """Return the folder for the rings of a split run, made if needed; None for other shapes."""
    return runtime_folder(world.env, Path(profile).stem) if shape == "split" else None


def repeat_request(choices: Choices, world: Context) -> RunRequest:
    """Return the request of a run that is done again (`--from`)."""
    kill_file = _check_place(choices, world)
    from kimera_cli.engine.repeat import repeated_request

    return repeated_request(choices, world, kill_file)


def _check_place(choices: Choices, world: Context) -> Path:
    if choices.out is not None:
        refuse_occupied(choices.out)
    return refuse_killed(world)


def refuse_killed(world: Context) -> Path:
    """Return the kill latch's file; RiskError `risk.kill_switch` while it is there."""
    path = world.home / KILL_FILE
    Latch(path).refuse()
    return path


def _flags(choices: Choices) -> dict[str, Any]:
    """Return what was typed as options, by profile key."""
    flags = {
        "run.strategies": choices.strategies,
        "run.duration": choices.duration,
        "run.events": choices.events,
        "run.seed": choices.seed,
        "run.speed": choices.speed,
        "run.shape": choices.shape,
    }
    return {key: value for key, value in flags.items() if value is not None}


def _with_own_rates(resolved: Resolved) -> Profile:
    """Drop the shipped rates, which are to the dollar, from a portfolio in another currency."""
    profile = resolved.profile
    if not _chosen(resolved, "portfolio.currency"):
        return profile
    rates = {
        currency: rate
        for currency, rate in profile.portfolio.rates.items()
        if _chosen(resolved, f"portfolio.rates.{currency}")
        or profile.portfolio.currency == Portfolio().currency
    }
    return replace(profile, portfolio=replace(profile.portfolio, rates=rates))


def _chosen(resolved: Resolved, key: str) -> bool:
    """Tell whether somebody set a value, rather than leaving it as shipped."""
    return not resolved.origins[key].startswith(("shipped", "built-in"))


def _duration_ns(kind: str, resolved: Resolved) -> int:
    """A recording runs to its end unless somebody asked for less; the demo has no end."""
    asked = _chosen(resolved, "run.duration")
    return resolved.profile.run.duration_ns if kind == "demo" or asked else 0


def _source_kind(choices: Choices) -> str:
    kind = choices.source or ("replay" if choices.replay else "demo")
    if kind not in ("demo", "replay", "venue"):
        raise UsageError(
            "usage.source",
            f"expected --source as demo, replay or venue, was '{kind}'",
            "kimera run --help",
        )
    if kind == "replay" and not choices.replay:
        raise UsageError(
            "usage.replay",
            "expected what to replay, was nothing",
            "name a dataset (kimera fetch list) or a recording: kimera run --replay PATH",
        )
    if kind != "replay" and choices.replay:
        raise UsageError(
            "usage.source",
            f"expected either --source {kind} or recordings, was both",
            f"leave out --source {kind} or --replay",
        )
    return kind


def _strategies(resolved: Resolved) -> list[StrategyInfo]:
    """Describe the strategies of the run; a name stands for one ledger, so each may come once."""
    names = resolved.profile.run.strategies
    if not 1 <= len(names) <= MAX_STRATEGIES:
        raise UsageError(
            "usage.strategies",
            f"expected 1 to {MAX_STRATEGIES} strategies in one run, was {len(names)}",
            "see: kimera strategies list",
        )
    infos = [info(name) for name in names]
    own = [each.name for each in infos]
    if twice := next((name for name in own if own.count(name) > 1), ""):
        raise UsageError(
            "usage.strategies",
            f"expected each strategy once, was '{twice}' twice",
            "to run it with two sets of parameters, copy its file under another name",
        )
    return infos
