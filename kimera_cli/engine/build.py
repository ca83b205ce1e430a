"""From what was typed to a run request: profile, sources, strategies with their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.data.source import EventSource
from kimera_cli.engine.request import RunRequest, Sleeved
from kimera_cli.errors import UsageError
from kimera_cli.profile import load as load_profile
from kimera_cli.profile import parse_sets
from kimera_cli.settings import Profile
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve

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
    command: Sequence[str] = field(default_factory=list)


def build_request(choices: Choices, world: Context) -> RunRequest:
    """Return the request; errors name the option or the profile key that is wrong."""
    sets = parse_sets(choices.settings)
    own = {k: v for k, v in sets.items() if "." not in k}
    flags: dict[str, Any] = {k: v for k, v in sets.items() if "." in k}
    for key, value in (
        ("run.strategies", list(choices.strategies) if choices.strategies else None),
        ("run.duration", choices.duration),
        ("run.events", choices.events),
        ("run.seed", choices.seed),
        ("run.speed", choices.speed),
    ):
        if value is not None:
            flags[key] = value
    resolved = load_profile(world.profile, world.env, flags)
    profile = resolved.profile
    kind = _source_kind(choices)
    strategies = [_strategy(name, profile, own) for name in profile.run.strategies]
    _all_used(own, strategies)
    sources = _replay(choices, world) if kind == "replay" else _demo(profile)
    limited = kind == "demo" or choices.duration is not None
    return RunRequest(
        source=kind,
        sources=sources,
        strategies=strategies,
        profile=profile,
        seed=profile.run.seed,
        duration_ns=profile.run.duration_ns if limited else 0,
        max_events=profile.run.events,
        out=choices.out,
        speed=_speed(profile.run.speed),
        command=choices.command,
        profile_name=resolved.name,
        kill_file=world.home / KILL_FILE,
    )


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


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    return 1.0 if text == "realtime" else float(text.removesuffix("x"))


def _strategy(name: str, profile: Profile, own: dict[str, str]) -> Sleeved:
    """Load a strategy; parameters come from [strategies.NAME], then from --set NAME=VALUE."""
    spec = load(name)
    given: dict[str, object] = dict(profile.strategies.get(spec.name, {}))
    given.update({key: _number(key, text) for key, text in own.items() if key in spec.params})
    return Sleeved(spec, resolve(spec, given))


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            "usage.param_value", f"expected a number for {key}, was {text!r}", "--set gamma=0.2"
        ) from None


def _all_used(own: dict[str, str], strategies: Sequence[Sleeved]) -> None:
    """Refuse a --set that no chosen strategy knows."""
    for key in own:
        if not any(key in s.params for s in strategies):
            resolve(strategies[0].spec, {key: 0.0})


def _replay(choices: Choices, world: Context) -> list[EventSource]:
    from kimera_cli.data.catalog import Catalog
    from kimera_cli.data.importers.base import ImportOptions
    from kimera_cli.data.ingest import open_replay

    note = world.diagnostics.note
    catalog = Catalog(world.home / "data")
    return open_replay(choices.replay, catalog, ImportOptions(), world.now_ns(), note)


def _demo(profile: Profile) -> list[Any]:
    from kimera_cli.sim.synthetic import synthetic_sources

    return list(synthetic_sources(profile.market, profile.run.seed))
