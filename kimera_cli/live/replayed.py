"""A recorded live run once more, as a replay: same market, strategies, settings, seed and money.

What differs is what a replay is: orders meet the simulated venue, events wait for the loop, and
answers take as long as a model says. Begun at the run's first moment and ended at its last one.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec.structs import replace

from kimera_cli.data.catalog import Catalog
from kimera_cli.engine.drive import prepare
from kimera_cli.engine.interrupts import Interrupts
from kimera_cli.engine.repeat import note_versions, stated_strategy
from kimera_cli.engine.request import Repeated, RunRequest
from kimera_cli.engine.runfolder import MANIFEST, RunFolder
from kimera_cli.engine.tables import stated_tables
from kimera_cli.errors import DataError, RunError, UsageError
from kimera_cli.journal.lease import is_written
from kimera_cli.layouts import R_SAMPLE
from kimera_cli.live.measured import Measured, measured, with_latency
from kimera_cli.live.tape import Kept, recordings, tapes
from kimera_cli.settings import Profile

if TYPE_CHECKING:
    from kimera_cli.context import Context


class Replayed(NamedTuple):
    """A run and its replay."""

    run: RunFolder
    replay: RunFolder
    live_orders: bool
    """Whether the run's orders were at real venues."""
    latency: str
    """What the replay's order latencies are, in words."""
    cut_ns: int
    """Up to when the run was recorded, if not to its end; else 0."""


def replayed(
    folder: RunFolder, out: Path, scratch: Path, world: Context, *, latency: str, partial: bool
) -> Replayed:
    """Replay a recorded live run into `out`; `scratch` is an empty folder for its data.

    `latency`: `measured` takes a live run's own, `profile` the settings'. Errors: UsageError
    `usage.fidelity` for a run that was no live one, RunError `run.busy`, and DataErrors of what the
    run left behind, each with the mend.
    """
    _check(folder)
    kept = recordings(folder, partial=partial)
    cut_ns = min((each.end_ns for each in kept if not each.whole), default=0)
    request, words = _request(folder, kept, scratch, world, latency=latency, cut_ns=cut_ns)
    replay = _run(dataclasses.replace(request, out=out), world)
    live = folder.manifest["fidelity"].get("executor") == "venue"
    return Replayed(folder, replay, live, words, cut_ns)


def _check(folder: RunFolder) -> None:
    """Refuse what cannot be compared: no live run, or one that has not ended."""
    source = folder.manifest.get("source")
    if source != "venue":
        raise UsageError(
            "usage.fidelity",
            f"expected a run on live venues, was run {folder.run} on "
            f"{'a recording' if source == 'replay' else 'the demo market'}",
            "such a run is repeated exactly: kimera run --from RUN; two runs are compared by "
            "kimera report compare RUN RUN",
        )
    if is_written(folder.path):
        raise RunError(
            "run.busy",
            f"expected the run {folder.path} to have ended, was still being written",
            "wait until it has ended, or stop it with Ctrl-C",
        )
    if not folder.manifest.get("files"):
        raise DataError(
            "data.run_unfinished",
            f"expected run {folder.run} with its files, was {_END[folder.status]}",
            f"kimera journal recover {folder.path}, then again with --partial",
            file=str(folder.path / MANIFEST),
        )


_END = {"running": "cut off: its process was killed"}
_END |= dict.fromkeys(("failed", "complete", "interrupted", "halted"), "one that failed")


def _request(
    folder: RunFolder, kept: list[Kept], scratch: Path, world: Context, *, latency: str, cut_ns: int
) -> tuple[RunRequest, str]:
    stated = folder.manifest
    note_versions(stated, world)
    try:
        profile, words = _profile(folder, latency)
        strategies = [stated_strategy(one) for one in stated["strategies"]]
        limits = _limits(folder, cut_ns)
        bytes_ = sum(each.path.stat().st_size for each in kept)
        with world.diagnostics.progress("reading the recording", bytes_, "bytes") as bar:
            sources = tapes(folder, kept, Catalog(scratch), world.now_ns(), bar.advance)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise DataError(
            "data.run_manifest",
            f"expected a manifest to replay in {folder.path}, was {type(error).__name__}: {error}",
            "it was made by another version of kimera or changed by hand",
            file=str(folder.path / MANIFEST),
        ) from error
    request = RunRequest(
        source="replay",
        sources=sources,
        strategies=strategies,
        profile=profile,
        seed=stated["seed"],
        command=stated["command"],
        profile_name=stated["profile_name"],
        repeats=Repeated(folder.run, ""),
        tables=stated_tables(stated.get("tables", []), sources),
        shape="threads",
        **limits,
    )
    return request, words


def _profile(folder: RunFolder, latency: str) -> tuple[Profile, str]:
    """Return the run's settings as its replay uses them, and its latencies in words."""
    profile = msgspec.convert(folder.manifest["profile"], Profile)
    found = Measured(0, 0, 0)
    if latency == "measured" and folder.manifest["fidelity"].get("executor") == "venue":
        found = measured(folder.events())
    if found.n:
        profile = with_latency(profile, found)
    # The tape is on the run's clock already: feed latency is its own, and nothing is shifted.
    own = replace(profile.latency, feed="recorded", min_feed_ns=0)
    run = replace(profile.run, durability="batch", backpressure="wait", stages=False)
    entry, response = (_words(getattr(own, n), getattr(own, f"{n}_ns")) for n in _WAYS)
    basis = f"medians of {found.n} orders of the run" if found.n else "the run's profile"
    return replace(profile, latency=own, run=run), f"{entry} there, {response} back ({basis})"


_WAYS = ("entry", "response")


def _words(model: str, ns: int) -> str:
    if model == "recorded":
        return "as long as the feed"
    return f"{ns / 1e6:.6g} ms" + (" in the median" if model == "lognormal" else "")


def _limits(folder: RunFolder, cut_ns: int) -> dict[str, Any]:
    """Return duration and events after which the replay ends, as the run did."""
    stated = folder.manifest
    rows = folder.events()
    samples = rows["ts_ns"][rows["kind"] == R_SAMPLE]
    if not samples.size:
        raise DataError(
            "data.no_market",
            f"expected run {folder.run} to have met a market, was none of it",
            "the venue sent nothing before the run ended; nothing can be compared",
            file=str(folder.path),
        )
    start_ns, duration_ns, events = int(samples[0]), stated["duration_ns"], stated["max_events"]
    if folder.status in ("interrupted", "failed"):
        duration_ns, events = int(rows["ts_ns"].max()) - start_ns, 0
    if cut_ns:
        cut = max(1, cut_ns - start_ns)
        duration_ns = min(duration_ns or cut, cut)
    return {"duration_ns": duration_ns, "max_events": events}


def _run(request: RunRequest, world: Context) -> RunFolder:
    """Run the replay to its end, without a word."""
    session = prepare(request, world)
    with Interrupts() as interrupts:
        session.open()
        started = world.monotonic_ns()
        rows = sum(source.rows for source in request.sources)
        try:
            with world.diagnostics.progress("replaying", rows, "events") as bar:
                seen = 0
                for _ in session.steps(stop=lambda: interrupts.asked):
                    bar.advance(session.events - seen)
                    seen = session.events
            if interrupts.asked:
                raise KeyboardInterrupt
            with interrupts.closing():
                session.finish("complete", (world.monotonic_ns() - started) / 1e9)
        except BaseException as error:
            with contextlib.suppress(Exception):
                session.fail(error)
            raise
    return session.folder
