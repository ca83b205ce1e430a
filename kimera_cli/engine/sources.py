"""What a run reads: recordings as typed or as a manifest states them, or the synthetic market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.importers.base import ImportOptions
from kimera_cli.data.ingest import import_file, open_replay
from kimera_cli.data.manifest import Source
from kimera_cli.data.source import EventSource
from kimera_cli.errors import DataError, ProfileError, UsageError
from kimera_cli.settings import Profile

if TYPE_CHECKING:
    from kimera_cli.context import Context


def replay_sources(specs: Sequence[str], world: Context) -> list[EventSource]:
    """Return the recordings to replay, by dataset: the order in which they were named is no input.

    Recordings of one dataset are joined in the order of time; one that is named twice counts once.
    """
    catalog = catalog_of(world)
    note = world.diagnostics.note
    try:
        found = open_replay(specs, catalog, ImportOptions(), world.now_ns(), note)
    except DataError as error:
        error.hint = _HINTS.get(error.code, error.hint)
        raise
    return _ordered(joined(found, catalog))


_HINTS = {
    "data.unknown_format": "name its format and replay it then: kimera fetch import PATH --as ...",
    "data.missing_file": "check the path; kimera fetch list names the datasets that are here",
}
"""What to do about a recording where it is replayed rather than imported."""


def catalog_of(world: Context) -> Catalog:
    """Return the catalog of this machine."""
    return Catalog(world.home / "data")


def joined(sources: Iterable[EventSource], catalog: Catalog) -> list[EventSource]:
    """Return one source per dataset; DataError `data.overlap` when two cover the same time."""
    by_dataset: dict[str, dict[str, Any]] = {}
    for source in sources:
        kept = by_dataset.setdefault(source.dataset, {})
        kept |= {recording.hash: recording for recording in source.info.sources}
    found = []
    for dataset, recordings in by_dataset.items():
        ordered = sorted(recordings.values(), key=lambda each: (each.start_ns, each.hash))
        info = msgspec.structs.replace(catalog.get(dataset), sources=ordered)
        found.append(EventSource(info, catalog.files(info)))
    return found


def _ordered(sources: list[EventSource]) -> list[EventSource]:
    by_instrument: dict[str, EventSource] = {}
    for source in sorted(sources, key=lambda each: each.dataset):
        other = by_instrument.setdefault(source.instrument.name, source)
        if other is not source:
            raise UsageError(
                "usage.replay",
                f"expected each instrument once, was {source.instrument.name} as "
                f"{other.dataset} and as {source.dataset}",
                "name one of the two datasets; see `kimera fetch list`",
            )
    return list(by_instrument.values())


def demo_sources(profile: Profile, seed: int) -> list[Any]:
    """Return the synthetic instruments; order by order when queue positions are to be exact."""
    from kimera_cli.sim.synthetic import synthetic_sources

    family: Literal["l2", "l3"] = "l3" if profile.queue.model == "l3" else "l2"
    return list(synthetic_sources(profile.market, seed, family))


def check_queue(sources: Sequence[EventSource], profile: Profile) -> None:
    """Refuse to call a queue position exact where the data do not show the orders."""
    blind = [source.dataset for source in sources if source.family != "l3"]
    if profile.queue.model == "l3" and blind:
        raise ProfileError(
            "profile.queue",
            f"expected order-by-order (l3) data for queue.model l3, was {', '.join(blind)}",
            "choose a model for price levels: --set queue.model=power, log or risk_averse",
        )


def stated_sources(stated: Sequence[Mapping[str, Any]], world: Context) -> list[EventSource]:
    """Return the recordings that a manifest states, found by hash in the catalog or by file.

    DataError `data.source_changed` names the recording that is not as it was.
    """
    catalog = catalog_of(world)
    return [_stated(one, catalog, world) for one in stated]


def _stated(one: Mapping[str, Any], catalog: Catalog, world: Context) -> EventSource:
    recordings = {part["hash"]: part["files"] for part in one["recordings"]}
    found: dict[str, Source] = {}
    for digest, files in recordings.items():
        infos = catalog.imported(digest) or _imported_again(files, digest, catalog, world)
        found |= {s.hash: s for i in infos if i.dataset == one["dataset"] for s in i.sources}
    if set(found) != set(recordings):
        raise _changed(one["dataset"], sorted(set(recordings) - set(found))[0], "not found")
    ordered = [found[digest] for digest in recordings]
    info = msgspec.structs.replace(catalog.get(one["dataset"]), sources=ordered)
    return EventSource(info, catalog.files(info))


def _imported_again(
    files: Sequence[str], digest: str, catalog: Catalog, world: Context
) -> list[Any]:
    """Import a recording that is no longer in the catalog, if its files are still there."""
    for name in files:
        if not Path(name).is_file():
            continue
        done = import_file(Path(name), catalog, ImportOptions(), world.now_ns())
        if done.source_hash != digest:
            raise _changed(name, digest, f"{done.source_hash[:12]}: another content")
        return done.datasets
    return []


def _changed(name: str, digest: str, was: str) -> DataError:
    return DataError(
        "data.source_changed",
        f"expected the recording {digest[:12]} of {name}, was {was}",
        "restore the recording and import it: kimera fetch import PATH",
        source_hash=digest,
    )
