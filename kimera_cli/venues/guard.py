"""A watchdog in a process of its own: cancels what a trading process left when it died or froze.

It knows the owner of an account by the lock of its journal, which the system releases however a
process ends, and its pulse by a file that the owner touches (`Pulse`). A dead owner's orders are
canceled; a silent owner's as well, and the kill switch is set, because it might wake up. The guard
never sends an order: keys that may only cancel are enough, where a venue has such.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.files import write_error
from kimera_cli.journal.intents import account_folder
from kimera_cli.journal.owner import is_owned
from kimera_cli.records import TradeOrder
from kimera_cli.venues.kill import cancel_at
from kimera_cli.venues.trading import Trading

LOOK_S = 0.5
_NS = 1_000_000_000


@dataclass(frozen=True)
class Pulse:
    """The sign of life of an account's owner: a file whose time of change moves."""

    path: Path

    @classmethod
    def of(cls, folder: Path) -> Pulse:
        """Return the pulse of an account's folder."""
        return cls(folder / "pulse")

    def beat(self) -> None:
        """Say that the owner is alive: from the task that sends orders, about every second."""
        try:
            self.path.touch()
        except OSError as error:
            raise write_error(self.path, error) from error

    def stop(self) -> None:
        """Say that no beat is to be expected any more."""
        self.path.unlink(missing_ok=True)

    def read(self) -> int:
        """Return a number that moves with each beat; 0 when the owner gives no pulse."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0


@dataclass
class _Watched:
    folder: Path
    owned: bool = False
    pulse: int = 0
    moved_ns: int = 0
    duty: str = ""
    """Why orders are to be canceled; empty: they are not."""
    acted: bool = False
    """Whether this silence has been acted upon."""


@dataclass
class Guard:
    """Watches the owners of the accounts that an invocation names."""

    trading: Trading
    silent_s: float
    emit: Callable[[TradeOrder], None]
    note: Callable[[str], None]
    _watched: dict[str, _Watched] = field(default_factory=dict)

    def __post_init__(self) -> None:
        account = self.trading.choices.account
        for venue in self.trading.venues():
            folder = account_folder(self.trading.home, venue, account)
            self._watched[venue] = _Watched(folder, moved_ns=self.trading.world.monotonic_ns())

    async def run(self, for_s: float | None = None) -> None:
        """Watch until interrupted, or for a time."""
        world = self.trading.world
        end = None if for_s is None else world.monotonic_ns() + int(for_s * _NS)
        while end is None or world.monotonic_ns() < end:
            await self.look()
            await world.sleep(LOOK_S)

    async def look(self) -> None:
        """Look at every account once, and do what is due; what fails is tried at the next look."""
        for venue, watched in self._watched.items():
            self._judge(venue, watched)
            if watched.duty:
                await self._act(venue, watched)

    def _judge(self, venue: str, watched: _Watched) -> None:
        now = self.trading.world.monotonic_ns()
        owned, pulse = is_owned(watched.folder), Pulse.of(watched.folder).read()
        if pulse != watched.pulse or not pulse or owned != watched.owned:
            watched.pulse, watched.moved_ns, watched.acted = pulse, now, False
        if watched.owned and not owned:
            watched.duty = "its owner has ended"
        elif owned and not watched.acted and now - watched.moved_ns > self.silent_s * _NS:
            watched.duty, watched.acted = f"its owner is silent for {self.silent_s:g} s", True
            reason = f"{venue}: {watched.duty}"
            self.trading.latch.kill(reason, self.trading.world.now_ns(), "kimera trade guard")
        elif owned and not watched.owned:
            watched.duty = ""  # a new owner looks after its orders itself
        watched.owned = owned

    async def _act(self, venue: str, watched: _Watched) -> None:
        try:
            await cancel_at(self.trading, venue, self.emit, ours_only=True)
        except KimeraError as error:
            self.trading.world.report(_not_yet(venue, error))
            return
        self.note(f"{venue}: {watched.duty}; none of its orders rests any more")
        watched.duty = ""


def _not_yet(venue: str, error: KimeraError) -> VenueError:
    return VenueError(
        "venue.guard",
        f"expected to cancel what rests at {venue}, was {error.message}",
        "it is tried again until nothing rests",
        venue=venue,
    )
