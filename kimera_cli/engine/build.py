"""From what was typed to a run request: profile, sources, strategies with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from kimera_cli.engine.pace import speed_of
from kimera_cli.engine.parameters import parameters, split_sets, unused
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.engine.runfolder import refuse_occupied
from kimera_cli.engine.sources import check_queue, demo_sources, replay_sources
from kimera_cli.errors import RiskError, UsageError
from kimera_cli.layouts import MAX_STRATEGIES
from kimera_cli.profile import Resolved, parse_sets
from kimera_cli.profile import load as load_profile
from kimera_cli.settings import Portfolio, Profile
from kimera_cli.strategies.loader import load

if TYPE_CHECKING:
    from kimera_cli.context import Context

KILL_FILE = "kill"
"""In KIMERA_HOME: while it exists no run takes new risk."""


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
    out: Path | None = None
    repeat: str | None = None
    command: Sequence[str] = field(default_factory=list)


def build_request(choices: Choices, world: Context) -> RunRequest:
    """Return the request; errors name the option or the profile key that is wrong."""
    kill_file = refuse_killed(world)
    if choices.out is not None:
        refuse_occupied(choices.out)
    if choices.repeat is not None:
        from kimera_cli.engine.repeat import repeated_request

        return repeated_request(choices, world, kill_file)
    kind = _source_kind(choices)
    settings, typed = split_sets(parse_sets(choices.settings))
    resolved = load_profile(world.profile, world.env, {**settings, **_flags(choices)})
    profile = _with_own_rates(resolved)
    strategies = _strategies(resolved, typed, world)
    if kind == "replay":
        sources = replay_sources(choices.replay, world)
    else:
        sources = demo_sources(profile, profile.run.seed)
    check_queue(sources, profile)
    return RunRequest(
        source=kind,
        sources=sources,
        strategies=strategies,
        profile=profile,
        seed=profile.run.seed,
        duration_ns=_duration_ns(kind, resolved),
        max_events=profile.run.events,
        out=choices.out,
        speed=speed_of(profile.run.speed),
        command=choices.command,
        profile_name=resolved.name,
        kill_file=kill_file,
    )


def refuse_killed(world: Context) -> Path:
    """Return the kill switch's file; RiskError `risk.kill_switch` while it exists."""
    path = world.home / KILL_FILE
    if path.exists():
        raise RiskError(
            "risk.kill_switch",
            f"expected the kill switch to be open, was {path}, which stops all runs",
            f"when it is safe to trade again: rm {path}",
            file=str(path),
        )
    return path


def _flags(choices: Choices) -> dict[str, Any]:
    """Return what was typed as options, by profile key."""
    flags = {
        "run.strategies": choices.strategies,
        "run.duration": choices.duration,
        "run.events": choices.events,
        "run.seed": choices.seed,
        "run.speed": choices.speed,
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
    if kind not in ("demo", "replay"):
        raise UsageError(
            "usage.source",
            f"expected --source as demo or replay, was '{kind}'",
            "kimera run --help",
        )
    if kind == "replay" and not choices.replay:
        raise UsageError(
            "usage.replay",
            "expected what to replay, was nothing",
            "name a dataset (kimera fetch list) or a recording: kimera run --replay PATH",
        )
    if kind == "demo" and choices.replay:
        raise UsageError(
            "usage.source",
            "expected either the demo market or recordings, was both",
            "leave out --source demo or --replay",
        )
    return kind


def _strategies(resolved: Resolved, typed: dict[str, str], world: Context) -> list[Sleeved]:
    """Load the strategies of the run; a name stands for one ledger, so each may come once."""
    names = resolved.profile.run.strategies
    if not 1 <= len(names) <= MAX_STRATEGIES:
        raise UsageError(
            "usage.strategies",
            f"expected 1 to {MAX_STRATEGIES} strategies in one run, was {len(names)}",
            "see: kimera strategies list",
        )
    specs = [load(name) for name in names]
    own = [spec.name for spec in specs]
    if twice := next((name for name in own if own.count(name) > 1), ""):
        raise UsageError(
            "usage.strategies",
            f"expected each strategy once, was '{twice}' twice",
            "to run it with two sets of parameters, copy its file under another name",
        )
    values = parameters(specs, resolved, typed)
    for warning in unused(specs, resolved):
        world.diagnostics.warning(warning)
    return [Sleeved(spec, given) for spec, given in zip(specs, values, strict=True)]
