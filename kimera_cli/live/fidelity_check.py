"""`kimera report fidelity`: a recorded live run, its replay, and what differs between them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kimera_cli.engine.runfolder import RunFolder, refuse_occupied
from kimera_cli.live.replayed import Replayed, replayed
from kimera_cli.records import FidelityBasis
from kimera_cli.report.agreement import Fidelity, compare
from kimera_cli.report.causes import Basis
from kimera_cli.report.run import read

if TYPE_CHECKING:
    from kimera_cli.context import Context


class Checked(NamedTuple):
    """What was found."""

    basis: FidelityBasis
    found: Fidelity
    words: Basis


class Wanted(NamedTuple):
    """What is asked for."""

    latency: str = "measured"
    window_ns: int = 1_000_000_000
    partial: bool = False
    keep: Path | None = None
    """Where the replay's run folder is to stay; None: nowhere."""


def check(folder: RunFolder, wanted: Wanted, world: Context) -> Checked:
    """Replay a recorded live run and compare. Errors as of `replayed`; RunError `run.folder`.

    The recording is read into a temporary catalog: yours stays as it is.
    """
    if wanted.keep is not None:
        refuse_occupied(wanted.keep)
    with _scratch() as scratch:
        done = replayed(
            folder,
            wanted.keep or scratch / "run",
            scratch / "data",
            world,
            latency=wanted.latency,
            partial=wanted.partial,
        )
        run, replay = read(done.run), read(done.replay)
    found = compare(run, replay, cut_ns=done.cut_ns, window_ns=wanted.window_ns)
    return Checked(_basis(done, found, wanted), found, _words(done))


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kimera-fidelity-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _words(done: Replayed) -> Basis:
    model = str(done.replay.manifest["profile"]["queue"]["model"])
    return Basis(done.live_orders, model.replace("_", " "))


def _basis(done: Replayed, found: Fidelity, wanted: Wanted) -> FidelityBasis:
    hashes = [each.summary.trade_hash if each.summary else "" for each in (found.run, found.replay)]
    return FidelityBasis(
        run=done.run.run,
        executor="live" if done.live_orders else "paper",
        status=done.run.status,
        queue_model=str(done.replay.manifest["fidelity"]["queue_model"]),
        latency=done.latency,
        seconds=found.seconds,
        trade_hash=hashes[0],
        replay_trade_hash=hashes[1],
        window_ns=wanted.window_ns,
        recorded_until_ns=done.cut_ns or None,
        replay="" if wanted.keep is None else str(wanted.keep),
    )
