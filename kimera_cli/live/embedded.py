"""A venue server for one run: paper trading without a venue, an account or a network.

`--server embedded` gives a run a server of its own: a process that speaks the venues' protocols
over a matching engine, with a synthetic market in each of its books, as long as the run lasts. A
paper run that names no market and no server has one too. Whoever names a market without a server
means the venue itself, and is never given another one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kimera_cli.engine.child import Child
from kimera_cli.engine.live import STOP
from kimera_cli.errors import VenueError
from kimera_cli.journal.intents import account_folder
from kimera_cli.live.embedded_server import RECORD, Wanted, serve
from kimera_cli.live.markets import parse_markets
from kimera_cli.live.plan import LiveChoices
from kimera_cli.shm.folder import runtime_folder

if TYPE_CHECKING:
    from kimera_cli.context import Context
    from kimera_cli.records import VenueEnded

EMBEDDED = "embedded"
"""What `--server` says to have one."""
MARKET = "binance/BTCUSDT"
"""The market of a paper run that names none."""


def is_wanted(choices: LiveChoices) -> bool:
    """Tell whether a run is to have a venue server of its own."""
    unnamed = not choices.markets and not choices.server and choices.execute == "paper"
    return unnamed or choices.server == EMBEDDED


@contextlib.contextmanager
def served(choices: LiveChoices, seed: int, world: Context) -> Iterator[LiveChoices]:
    """Yield the choices of a run, with the server that it has until the context ends."""
    if not is_wanted(choices):
        with _hinted():
            yield choices
        return
    markets = choices.markets or [MARKET]
    venues = list(parse_markets(markets))
    base = runtime_folder(world.env, "venue-server")
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=base))
    told = Wanted(venues, seed, folder, world.now_ns)
    child = Child("venue server", serve, (told,), frozenset())
    try:
        child.await_ready()
        world.diagnostics.note(
            f"{', '.join(venues)}: a venue server of this run alone, with a synthetic market"
        )
        yield _there(choices, markets, folder)
        _end(child, world)
    finally:
        child.stop()
        shutil.rmtree(folder, ignore_errors=True)
        for venue in venues:  # orders at a venue that is gone: the run's folder tells of them
            shutil.rmtree(account_folder(world.home, venue, folder.name), ignore_errors=True)


@contextlib.contextmanager
def _hinted() -> Iterator[None]:
    """Say what is there for whoever has no network."""
    try:
        yield
    except VenueError as error:
        if error.code == "venue.dns":
            error.hint += "; without a network: --server embedded"
        raise


def _there(choices: LiveChoices, markets: list[str], folder: Path) -> LiveChoices:
    """Return the choices with that server and its keys, and an account of this run alone."""
    keys = folder / "keys.toml"
    server, account = str(folder / RECORD), folder.name
    return dataclasses.replace(choices, markets=markets, server=server, keys=keys, account=account)


def _end(child: Child, world: Context) -> None:
    """End the server; RunError `run.venue_*` when its books or sums were wrong at the end."""
    child.tell(STOP)
    found: list[VenueEnded] = child.result()
    for met in child.notes:
        world.diagnostics.warning(str(met))
    for each in found:
        told = f"{each.requests} requests, {each.orders} orders, {each.trades} trades"
        world.diagnostics.detail(f"{each.venue}: {told}")
