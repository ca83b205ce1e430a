"""The markets of each venue as they were when it was last seen, kept in kimera's data folder.

A run over several venues begins without one that does not answer. The loop counts in a market's
ticks and lots, so these must be known: they are taken from here, and compared when the venue is
there. What a venue server says is kept apart from what the venues themselves say.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from kimera_cli.files import write_atomic
from kimera_cli.instrument import Instrument
from kimera_cli.venues.clients.api import Listing
from kimera_cli.venues.clients.venues import api_for

FOLDER = "markets"


class Seen(msgspec.Struct):
    """What a file holds."""

    seen_ns: int
    listings: list[Listing]


class KnownMarkets(NamedTuple):
    """The files of one place: `live` for the venues themselves."""

    home: Path
    live: bool

    def path(self, venue: str) -> Path:
        """Return where a venue's markets are kept."""
        return self.home / FOLDER / ("venues" if self.live else "server") / f"{venue}.json"

    def keep(self, venue: str, listings: Iterable[Listing], now_ns: int) -> None:
        """Write what a venue lists. RunError `run.folder` or `run.disk_full`."""
        path = self.path(venue)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, msgspec.json.encode(Seen(now_ns, list(listings))))

    def recall(self, venue: str, symbols: Iterable[str]) -> list[Instrument] | None:
        """Return these markets by any spelling; None when the venue was never seen from here.

        UsageError `usage.symbol` when it had no such market. A file that cannot be read counts as
        none: it is written anew when the venue answers.
        """
        try:
            seen = msgspec.json.decode(self.path(venue).read_bytes(), type=Seen)
        except (OSError, msgspec.DecodeError):
            return None
        api = api_for(venue)
        api.learn(seen.listings)
        return [api.listing(symbol).instrument for symbol in dict.fromkeys(symbols)]
