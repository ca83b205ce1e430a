"""What all histories of a fetch have in common: one market, one dataset, one time, one listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kimera_cli.data.catalog import Catalog
from kimera_cli.data.history import History
from kimera_cli.records import Record
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.history.ask import Asker
from kimera_cli.venues.history.decimals import instrument_of
from kimera_cli.venues.history.names import symbol_of
from kimera_cli.venues.history.span import Span

if TYPE_CHECKING:
    from kimera_cli.progress import Progress


@dataclass
class Wanted:
    """What a command asks for; the same for all its symbols."""

    span: Span
    emit: Callable[[Record], None]
    """Takes rows, oldest first per dataset, and gaps."""
    progress: Progress
    world: World
    data: Path
    """Root of the catalog."""
    timeframe: str = ""
    show_open: bool = False
    tick: Decimal | None = None
    lot: Decimal | None = None
    expected: int = 0
    """Units of progress over all symbols so far."""

    def expect(self, units: int) -> None:
        """Add to what progress counts to."""
        self.expected += units
        self.progress.expect(self.expected)


@dataclass
class Job:
    """One market of a venue; `now_ns` is the earlier of the venue's clock and this host's."""

    venue: str
    exchange: Any
    market: Any
    wanted: Wanted
    now_ns: int
    pages: int = field(default=0)

    @property
    def symbol(self) -> str:
        """As ccxt has it."""
        return str(self.market["symbol"])

    @property
    def span(self) -> Span:
        """The time asked for, as far as it is over."""
        return Span(self.wanted.span.start_ns, min(self.wanted.span.end_ns, self.now_ns))

    def asker(self) -> Asker:
        """Return what asks the venue."""
        return Asker(self.venue, self.wanted.world)

    def history(self, family: str) -> History:
        """Return the dataset that rows of a family go into."""
        from msgspec.structs import replace

        places = self.exchange.precisionMode != _TICK_SIZE
        found = instrument_of(self.venue, symbol_of(self.market), self.market, places=places)
        steps = {k: v for k in ("tick", "lot") if (v := getattr(self.wanted, k)) is not None}
        origin = f"{self.venue} {self.symbol} {family}"
        return History(Catalog(self.wanted.data), replace(found, **steps), family, origin)


_TICK_SIZE = 4
"""ccxt's precisionMode for steps as numbers."""
