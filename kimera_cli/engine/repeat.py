"""A run again, from its manifest: the same inputs, or a refusal that names what is not the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from kimera_cli.engine.build import rings_of
from kimera_cli.engine.manifest import versions
from kimera_cli.engine.pace import speed_of
from kimera_cli.engine.request import Repeated, RunRequest, Sleeved
from kimera_cli.engine.runfolder import MANIFEST, RunFolder
from kimera_cli.engine.setup import with_fees
from kimera_cli.engine.sources import demo_sources, stated_sources
from kimera_cli.engine.tables import stated_tables
from kimera_cli.errors import DataError, RunError, UsageError
from kimera_cli.profile import Profile
from kimera_cli.setting_values import check_value
from kimera_cli.strategies.loader import load
from kimera_cli.strategies.params import resolve
from kimera_cli.strategies.protocol import StrategySpec

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.engine.build import Choices
    from kimera_cli.records import RunSummary

_INPUTS = {
    "source": "--source",
    "replay": "--replay",
    "strategies": "--strategy",
    "settings": "--set",
    "duration": "--for",
    "events": "--events",
    "seed": "--seed",
    "tables": "--table",
}
"""What a manifest states already."""
_RESULTS = ("kimera", "numpy", "numba", "llvmlite")
"""Packages that can change a result."""


def repeated_request(choices: Choices, world: Context, kill_file: Path) -> RunRequest:
    """Return the request of a run's manifest; --speed, --shape and --out are all the choices."""
    _refuse_inputs(choices, world)
    folder = _folder(choices.repeat or "")
    stated = folder.manifest
    try:
        profile = msgspec.convert(stated["profile"], Profile)
        _refuse_live(folder, profile)
        strategies = [stated_strategy(one) for one in stated["strategies"]]
        sources = _sources(stated, profile, world)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise _no_recipe(folder, error) from error
    speed = check_value("run.speed", choices.speed or profile.run.speed, "the command line")
    shape = check_value("run.shape", choices.shape or profile.run.shape, "the command line")
    note_versions(stated, world)
    return RunRequest(
        source=stated["source"],
        sources=sources,
        strategies=strategies,
        profile=profile,
        seed=stated["seed"],
        duration_ns=stated["duration_ns"],
        max_events=stated["max_events"],
        out=choices.out,
        speed=speed_of(speed),
        command=choices.command,
        profile_name=stated["profile_name"],
        kill_file=kill_file,
        tables=stated_tables(stated.get("tables", []), sources),
        repeats=Repeated(folder.run, _trade_hash(folder)),
        shape=shape,
        runtime=rings_of(shape, stated["profile_name"], world),
    )


def _refuse_live(folder: RunFolder, profile: Profile) -> None:
    """A feed that does not wait comes differently each time."""
    live = any(str(one["dataset"]).endswith("/live") for one in folder.manifest["sources"])
    if live and folder.manifest["source"] == "replay":
        raise UsageError(
            "usage.from",
            f"expected a run of its own, was {folder.run}, the replay of a live run",
            f"replay that again: kimera report fidelity {folder.manifest['repeats']}",
        )
    if live or profile.run.backpressure == "conflate":
        raise UsageError(
            "usage.from",
            f"expected a run whose feed waited for it, was run {folder.run} on a feed that did not",
            "record the next one (--record) and replay it: kimera report fidelity RUN",
        )


def check_repeated(repeats: Repeated, summary: RunSummary) -> None:
    """Raise RunError `run.not_repeated` unless the run traded as the one that it repeats."""
    if repeats.trade_hash and summary.trade_hash != repeats.trade_hash:
        raise RunError(
            "run.not_repeated",
            f"expected the trade hash {repeats.trade_hash[:16]} of run {repeats.run}, "
            f"was {summary.trade_hash[:16]}",
            "compare `versions` in both manifests; kimera report compare RUN RUN shows the rest",
        )


def _refuse_inputs(choices: Choices, world: Context) -> None:
    typed = [option for name, option in _INPUTS.items() if getattr(choices, name)]
    typed += ["--seed"] if choices.seed == 0 else []
    typed += ["--profile"] if world.profile else []
    if typed:
        raise UsageError(
            "usage.from",
            f"expected --from without other inputs, was with {', '.join(typed)}",
            "a run is repeated as it was; leave them out, or start a new run",
        )


def _folder(name: str) -> RunFolder:
    path = Path(name)
    return RunFolder.open(path.parent if path.name == MANIFEST else name)


def stated_strategy(one: dict[str, Any]) -> Sleeved:
    """Return a strategy as a manifest states it; RunError `run.strategy_changed` if it is not."""
    name, origin = str(one["name"]), str(one["origin"])
    spec: StrategySpec = load(origin if origin.endswith(".py") else name)
    if spec.source_hash != one["source_hash"]:
        raise RunError(
            "run.strategy_changed",
            f"expected strategy {name} as it was ({one['source_hash'][:12]}), was "
            f"{spec.source_hash[:12]} in {spec.path}",
            "restore the file, or start a new run with --strategy",
            strategy=name,
            file=str(spec.path),
        )
    return Sleeved(spec, resolve(spec, one["params"]))


def _sources(stated: dict[str, Any], profile: Profile, world: Context) -> list[Any]:
    if stated["source"] == "demo":
        sources = demo_sources(profile, stated["seed"])
    else:
        sources = stated_sources(stated["sources"], world)
    for source, one in zip(sources, stated["sources"], strict=True):
        instrument = msgspec.to_builtins(with_fees(source.instrument, profile.fees))
        changed = [k for k, v in instrument.items() if one["instrument"].get(k) != v]
        if source.source_hash != one["source_hash"]:
            changed = ["source_hash"]
        if changed:
            raise DataError(
                "data.source_changed",
                f"expected {one['dataset']} as it was, was another {', '.join(changed)}",
                "this version of kimera makes or knows it differently: start a new run",
                dataset=one["dataset"],
            )
    return sources


def _trade_hash(folder: RunFolder) -> str:
    """Return the hash to reach; empty for a run that did not come to its own end."""
    return folder.summary().trade_hash if folder.status in ("complete", "halted") else ""


def note_versions(stated: dict[str, Any], world: Context) -> None:
    """Say which versions that can change a result are not those of a manifest."""
    here, there = versions(), stated.get("versions", {})
    for name in _RESULTS:
        if there.get(name) != here.get(name):
            world.diagnostics.note(f"{name} was {there.get(name)} then and is {here.get(name)} now")


def _no_recipe(folder: RunFolder, error: Exception) -> DataError:
    return DataError(
        "data.run_manifest",
        f"expected a manifest to repeat in {folder.path}, was {type(error).__name__}: {error}",
        "start a new run; this one was made by another version of kimera or changed by hand",
        file=str(folder.path / MANIFEST),
    )
