"""The order process of a live run: requests out of one ring to the venues, answers into another.

Each account has a desk (journal before wire, doubts looked up, kill switch) and a private stream
without gaps. Requests about one order go one after the other; cancels pass new orders in the rate
budget. Start is recovery: nothing new goes to a venue before its account's journal and the venue
agree (live/opening.py). READY is said when one is that far; the others join (live/joining.py).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kimera_cli.engine.arrivals import Arrival
from kimera_cli.engine.child import NEWS, READY, note
from kimera_cli.engine.outbound import CLOSED, SLOTS
from kimera_cli.feeds.client import serve
from kimera_cli.instrument import Instrument
from kimera_cli.journal.intents import account_folder
from kimera_cli.kernels.outside import ASKED, TOLD
from kimera_cli.live.account import Account, Limits
from kimera_cli.live.bridge import streams_of
from kimera_cli.live.joining import Joining, first_of, stop
from kimera_cli.live.opening import Opening
from kimera_cli.shm.ring import Consumer, Producer, ring_shape
from kimera_cli.shm.segment import Clocks
from kimera_cli.venues.clients.addresses import addresses_of
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.trading import Choices, Trading, keys_file

BATCH = 256
SLEEP_S = 50e-6
CLOSE_S = 15.0
"""How long the end of a run waits for its orders to be canceled."""


class OrderArguments(NamedTuple):
    """What the order process needs; it reads secrets there, from `keys` or `env`."""

    instruments: tuple[Instrument, ...]
    strategies: tuple[str, ...]
    """Name of each sleeve's strategy."""
    choices: Choices
    home: Path
    limits: Limits
    env: Mapping[str, str]
    """What names or holds secrets of keys."""
    random_bytes: Callable[[int], bytes]
    away: tuple[str, ...] = ()
    """Venues of which nothing was asked before the run, because they did not answer."""


def trade(wire: Any, told: OrderArguments, paths: Sequence[Path], clocks: Clocks) -> dict[str, Any]:
    """Trade until STOP; return how orders fared."""
    asked = Consumer(paths[0], ring_shape(ASKED, SLOTS), clocks)
    answers = Producer(paths[1], ring_shape(TOLD, SLOTS), clocks)
    found: dict[str, Any] = {}

    async def work() -> None:
        world = World(
            clocks.now_ns, clocks.monotonic_ns, told.random_bytes, lambda error: note(wire, error)
        )
        choices = told.choices
        keys = keys_file(choices.keys, choices.server, told.home)
        addresses = addresses_of(choices.server)
        trading = Trading(choices, told.home, told.env, world, addresses, keys)
        try:
            accounts = await _accounts(told, trading, answers)
            openings = _openings(told, accounts, lambda arrival: wire.send((NEWS, arrival)), world)
            await _begin(openings, _each(accounts))
            wire.send((READY, None))
            process = _Process(wire, accounts, openings, asked, answers)
            found.update(await process.run())
        finally:
            trading.close()

    serve(work)
    return found


async def _accounts(
    told: OrderArguments, trading: Trading, answers: Producer
) -> dict[int, Account]:
    """Make an account per venue, whose journal is open; return them by stream of the loop."""
    venues = list(dict.fromkeys(each.venue for each in told.instruments))

    def tell(rows: list[Any]) -> None:
        for row in rows:
            if answers.push(row) != 1:
                raise RuntimeError("the engine takes no answers any more")

    by_stream: dict[int, Account] = {}
    for venue in venues:
        instruments = streams_of(told.instruments, venue)
        account = await Account.make(
            trading, venue, instruments, told.strategies, tell, told.limits
        )
        by_stream |= dict.fromkeys(instruments, account)
    _share_cap(_each(by_stream))
    return by_stream


def _openings(
    told: OrderArguments,
    accounts: Mapping[int, Account],
    tell: Callable[[Arrival], None],
    world: World,
) -> list[Joining]:
    """Return how each account comes into the run."""
    changed = asyncio.Event()
    found = []
    for account in _each(accounts):
        venue = account.venue
        folder = account_folder(told.home, venue, told.choices.account)
        opening = Opening(account, folder, told.limits.dead_man_s, asks_fees=venue in told.away)
        found.append(Joining(venue, opening.attempt, tell, world, opening.pending, changed=changed))
    return found


async def _begin(openings: Sequence[Joining], accounts: Sequence[Account]) -> None:
    """Return when at least one account is open and nobody waits for the others."""
    try:
        await first_of(openings)
    except BaseException:
        await stop(openings)
        for account in accounts:
            await account.close()  # nothing of this run is anywhere; signs of life end
        raise


def _each(accounts: Mapping[int, Account]) -> list[Account]:
    return list({id(each): each for each in accounts.values()}.values())


def _share_cap(accounts: Sequence[Account]) -> None:
    """Let each account's cap count what the others have at stake."""

    def beside(own: Account) -> Decimal:
        return sum((each.at_stake() for each in accounts if each is not own), Decimal(0))

    for account in accounts:
        account.exposure.elsewhere = partial(beside, account)


class _Process:
    """Requests from the ring to the accounts, until the end."""

    def __init__(
        self,
        wire: Any,
        accounts: dict[int, Account],
        openings: Sequence[Joining],
        asked: Consumer,
        answers: Producer,
    ) -> None:
        self._wire, self._accounts, self._asked, self._answers = wire, accounts, asked, answers
        self._openings = openings
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()

    async def run(self) -> dict[str, Any]:
        """Serve until STOP, or the engine is gone, or an account failed; then cancel what is open.

        Raises what an account failed by: a refused login, or what nobody foresaw.
        """
        accounts = _each(self._accounts)
        self._loop.add_reader(self._wire.fileno(), self._stopped)
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        for account in accounts:
            account.failure.add_done_callback(self._over)
        for each in self._openings:
            each.task.add_done_callback(self._opened)
        await self._end.wait()
        await stop(self._openings)
        await self._close()  # also when one account failed: the others' orders must not rest
        streams = [each.running for each in accounts if each.running is not None]
        for end in (*(each.task for each in self._openings), *streams, *_failures(accounts)):
            if end.done() and not end.cancelled():
                end.result()
        for account in accounts:
            if account.running is not None:
                account.stream.stop()
        await asyncio.gather(*streams)
        return {account.venue: account.fared() for account in accounts}

    def _opened(self, task: asyncio.Future[None]) -> None:
        """An account has joined, was left out, or failed."""
        if task.cancelled():
            return
        if task.exception() is not None:
            self._over()
        for account in self._accounts.values():
            if account.joined and account.running is not None:
                account.running.add_done_callback(self._over)

    def _over(self, _: object = None) -> None:
        self._end.set()

    def _stopped(self) -> None:
        self._loop.remove_reader(self._wire.fileno())
        self._end.set()

    def _listen(self) -> None:
        """Take requests out of the ring; a thread, because an event loop cannot wait on memory."""
        while not self._end.is_set():
            if ready := self._asked.ready():
                rows = self._asked.pop(min(ready, BATCH))
                self._loop.call_soon_threadsafe(self._take, rows)
            else:
                time.sleep(SLEEP_S)

    def _take(self, rows: Any) -> None:
        for row in rows:
            self._accounts[int(row["stream"])].ask(row)

    async def _close(self) -> None:
        """Cancel the run's orders and wait for the word of the venues."""
        try:
            async with asyncio.timeout(CLOSE_S):
                await asyncio.gather(*(each.close() for each in _each(self._accounts)))
        except TimeoutError:
            pass  # what stays is in `fared`
        last = np.zeros(1, TOLD)
        last["kind"] = CLOSED
        self._answers.push(last)


def _failures(accounts: Sequence[Account]) -> list[asyncio.Future[None]]:
    return [each.failure for each in accounts]
