"""Markets as a feed wants them: by venue, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from kimera_cli.feeds.dialect import Kind
from kimera_cli.feeds.live import Stream
from kimera_cli.instrument import Instrument


def streams_by_venue(
    instruments: Sequence[Instrument], kinds: Sequence[Kind] = ("depth", "trade")
) -> tuple[Stream, ...]:
    """Return a stream per venue; instruments of one venue stand together, as they are numbered."""
    by_venue: dict[str, list[Instrument]] = {}
    for each in instruments:
        by_venue.setdefault(each.venue, []).append(each)
    return tuple(Stream(tuple(found), kinds) for found in by_venue.values())
