"""Which markets a run on live venues begins with, and what is told of those that do not answer.

One venue must answer. Of the others the markets are taken as they were when last seen
(live/known_markets.py); the run begins, and they join it when they are there. A venue that was
never seen from here is left out: the loop cannot count in steps that nobody knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kimera_cli.errors import KimeraError
from kimera_cli.live.joining import is_away, left_out
from kimera_cli.live.known_markets import KnownMarkets
from kimera_cli.live.markets import Market, ask_each
from kimera_cli.venues.clients.addresses import Addresses
from kimera_cli.venues.clients.credentials import Credentials

if TYPE_CHECKING:
    from kimera_cli.context import Context

LIMIT_S = 10.0
"""How long the start waits for a venue when another one has answered."""


class Start(NamedTuple):
    """What a run begins with."""

    markets: list[Market]
    """In the order typed; of a venue that is away, as they were when last seen."""
    away: tuple[str, ...]
    """Venues that will join."""
    notices: tuple[KimeraError, ...]
    """Of venues that will not."""


def start_of(
    wanted: dict[str, list[str]],
    addresses: Addresses,
    keys: dict[str, Credentials],
    world: Context,
) -> Start:
    """Ask all venues; KimeraError when none answers, or when what one says is no outage."""
    known = KnownMarkets(world.home, addresses.live)
    found = ask_each(
        wanted,
        addresses,
        keys,
        world,
        limit_s=LIMIT_S,
        keep=lambda venue, listings: known.keep(venue, listings, world.now_ns()),
    )
    errors = {venue: each for venue, each in found.items() if isinstance(each, KimeraError)}
    for error in errors.values():
        if len(errors) == len(found) or not is_away(error):
            raise error
    markets: list[Market] = []
    away, notices = [], []
    for venue, each in found.items():
        if not isinstance(each, KimeraError):
            markets += each
        elif (seen := known.recall(venue, wanted[venue])) is not None:
            away.append(venue)
            markets += [Market(instrument, 0, 0) for instrument in seen]
        else:
            notices.append(left_out(venue, _unseen(venue, each)))
    return Start(markets, tuple(away), tuple(notices))


def _unseen(venue: str, error: KimeraError) -> KimeraError:
    return KimeraError(
        error.code,
        f"{error.message}, and its markets were never learnt on this host",
        f"begin a new run when {venue} answers",
    )
