"""What a command of `kimera trade` works with: addresses, keys, clients, journals, kill switch."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kimera_cli.errors import KimeraError, UsageError
from kimera_cli.journal.intent_replay import DATABASE, read_orders
from kimera_cli.journal.intents import IntentJournal, Timing, account_folder
from kimera_cli.risk.latch import FILE, Latch
from kimera_cli.venues.clients.addresses import Addresses, addresses_of, server_from
from kimera_cli.venues.clients.credentials import (
    Credentials,
    Redactor,
    from_environment,
    from_file,
    venues_in,
)
from kimera_cli.venues.clients.transport import Transport
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.desk import PATIENCE_S, Desk
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.rules import RULES, canonical

if TYPE_CHECKING:
    from kimera_cli.context import Context

T = TypeVar("T")
KEYS_FILE = "keys.toml"
ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SLOWEST_COMMIT_MS = 5_000.0
"""A one-shot command may wait for a slow disk; a trading loop may not."""


@dataclass(frozen=True)
class Choices:
    """What was typed about where to trade."""

    venues: tuple[str, ...] = ()
    account: str = "main"
    keys: Path | None = None
    server: str | None = None
    wait_s: float = PATIENCE_S
    by_socket: bool = False
    """Orders go over a websocket where the venue takes them so."""

    def __post_init__(self) -> None:
        """UsageError `usage.account`: the name of an account is part of a folder's name."""
        if not ACCOUNT.fullmatch(self.account):
            raise UsageError(
                "usage.account",
                f"expected --account of letters, digits, '-' and '_', was '{self.account}'",
                "--account main",
            )


@dataclass
class Trading:
    """One invocation; `close` lets accounts and connections go."""

    choices: Choices
    home: Path
    env: Any
    world: World
    addresses: Addresses
    keys: Path | None
    redactor: Redactor = field(default_factory=Redactor)
    _transport: Transport | None = None
    _journals: dict[str, IntentJournal] = field(default_factory=dict)
    _desks: dict[str, Desk] = field(default_factory=dict)
    _clients: dict[str, VenueClient] = field(default_factory=dict)
    _started: set[str] = field(default_factory=set)
    """Venues whose client has learnt clock and markets."""
    _secrets: list[str] = field(default_factory=list)

    @property
    def latch(self) -> Latch:
        """The user's kill switch."""
        return Latch(self.home / FILE)

    def venues(self) -> list[str]:
        """Return the venues that were named, else all that the keys file has."""
        if self.choices.venues:
            return [canonical(name) for name in self.choices.venues]
        found = [v for v in (venues_in(self.keys) if self.keys else ()) if v in RULES]
        if not found:
            raise UsageError(
                "usage.venue",
                "expected a venue, was none",
                "give --venue, or a keys file that has some",
            )
        return found

    def venue(self) -> str:
        """Return the one venue that was named; UsageError `usage.venue` when it is not one."""
        found = self.venues()
        if len(found) != 1:
            raise UsageError(
                "usage.venue",
                f"expected one venue, was {', '.join(found)}",
                f"--venue {found[0]}",
            )
        return found[0]

    def credentials(self, venue: str) -> Credentials:
        """Return the account's keys; UsageError `usage.keys` when there are none."""
        found = from_file(self.keys, venue, self.env) if self.keys else None
        found = found or from_environment(venue, self.env)
        if found is None:
            raise UsageError(
                "usage.keys",
                f"expected keys of {venue}, was none",
                f"--keys FILE, {self.home / KEYS_FILE}, or KIMERA_{venue.upper()}_KEY and _SECRET",
            )
        self._secrets += found.secrets()
        self.redactor = Redactor(self._secrets)
        return found

    def has_keys(self, venue: str) -> bool:
        """Whether there are keys of a venue: typed, in the usual file, or in the environment."""
        listed = self.keys is not None and venue in venues_in(self.keys)
        typed = self.choices.keys is not None
        return typed or listed or from_environment(venue, self.env) is not None

    def transport(self) -> Transport:
        """Return the connections of this invocation."""
        self._transport = self._transport or Transport(self.addresses, self.world)
        return self._transport

    async def client(self, venue: str, *, start: bool = True) -> VenueClient:
        """Return a client of the account, which with `start` has learnt clock and markets."""
        if venue not in self._clients:
            self._clients[venue] = client_for(
                venue,
                self.credentials(venue),
                self.transport(),
                self.world,
                self.choices.account,
                by_socket=self.choices.by_socket,
            )
        if start and venue not in self._started:
            await self._clients[venue].session.start()
            self._started.add(venue)
        return self._clients[venue]

    async def desk(self, venue: str) -> Desk:
        """Return the account's desk, which owns its journal; doubts of before are cleared up."""
        if venue not in self._desks:
            client = await self.client(venue, start=False)
            journal = self.journal(venue)
            desk = Desk(client, journal, self.latch, self.world, self.choices.wait_s)
            await desk.start()
            self._started.add(venue)
            self._desks[venue] = desk
        return self._desks[venue]

    def journal(self, venue: str) -> IntentJournal:
        """Open the account's journal; RunError `run.account_busy` when another process owns it."""
        if venue in self._journals:  # its venue did not answer when it was opened
            return self._journals[venue]
        self._journals[venue] = IntentJournal.open(
            account_folder(self.home, venue, self.choices.account),
            venue=venue,
            account=self.choices.account,
            durability="disk",
            entropy=self.world.random_bytes(16),
            now_ns=self.world.now_ns(),
            timing=Timing(self.world.monotonic_ns, max_commit_ms=SLOWEST_COMMIT_MS),
        )
        return self._journals[venue]

    def orders(self, venue: str) -> AccountOrders | None:
        """Return what the account's journal knows, also while another process owns it."""
        folder = account_folder(self.home, venue, self.choices.account)
        return read_orders(folder) if (folder / DATABASE).exists() else None

    def close(self) -> None:
        """Commit, and let everything go."""
        for journal in self._journals.values():
            journal.close()
        if self._transport is not None:
            self._transport.close()


def trading(context: Context, choices: Choices, report: Callable[[KimeraError], None]) -> Trading:
    """Return what a command works with; nothing is opened yet."""
    world = World(context.now_ns, context.monotonic_ns, context.random_bytes, report)
    keys = keys_file(choices.keys, choices.server, context.home)
    addresses = addresses_of(choices.server)
    return Trading(choices, context.home, context.env, world, addresses, keys)


def keys_file(typed: Path | None, server: str | None, home: Path) -> Path | None:
    """Return the keys file: as typed, the venue server's own, or keys.toml in kimera's home."""
    default = home / KEYS_FILE
    its_own = server_from(server)[1] if server else None
    return typed or its_own or (default if default.exists() else None)


def run(trading: Trading, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a command's work to its end, on uvloop where the platform has it, and close."""
    factory = None if sys.platform == "win32" else import_module("uvloop").new_event_loop

    async def whole() -> T:
        try:
            return await work()
        finally:
            trading.close()

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(whole())
