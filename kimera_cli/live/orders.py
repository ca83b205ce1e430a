"""The order process of a live run: requests out of one ring to the venues, answers into another.

Each account has a desk (journal before wire, doubts looked up, kill switch) and a private stream
without gaps. Requests about one order go one after the other; cancels pass new orders in the rate
budget. Start is recovery: what an earlier process left in doubt is settled before READY is said.
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

from kimera_cli.engine.child import READY, note
from kimera_cli.engine.outbound import CLOSED, SLOTS
from kimera_cli.feeds.client import serve
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.outside import ASKED, TOLD
from kimera_cli.live.account import Account, Limits
from kimera_cli.live.bridge import streams_of
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
            wire.send((READY, None))
            found.update(await _Process(wire, accounts, asked, answers).run())
        finally:
            trading.close()

    serve(work)
    return found


async def _accounts(
    told: OrderArguments, trading: Trading, answers: Producer
) -> dict[int, Account]:
    """Open a desk and a stream per venue, recovered; return them by stream of the loop."""
    venues = list(dict.fromkeys(each.venue for each in told.instruments))

    def tell(rows: list[Any]) -> None:
        for row in rows:
            if answers.push(row) != 1:
                raise RuntimeError("the engine takes no answers any more")

    by_stream: dict[int, Account] = {}
    for venue in venues:
        instruments = streams_of(told.instruments, venue)
        account = await Account.open(
            trading, venue, instruments, told.strategies, tell, told.limits
        )
        by_stream |= dict.fromkeys(instruments, account)
    _share_cap({each.venue: each for each in by_stream.values()})
    return by_stream


def _share_cap(accounts: Mapping[str, Account]) -> None:
    """Let each account's cap count what the others have at stake."""

    def beside(venue: str) -> Decimal:
        others = (each.at_stake() for name, each in accounts.items() if name != venue)
        return sum(others, Decimal(0))

    for venue, account in accounts.items():
        account.exposure.elsewhere = partial(beside, venue)


class _Process:
    """Requests from the ring to the accounts, until the end."""

    def __init__(
        self, wire: Any, accounts: dict[int, Account], asked: Consumer, answers: Producer
    ) -> None:
        self._wire, self._accounts, self._asked, self._answers = wire, accounts, asked, answers
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()

    @property
    def _each(self) -> list[Account]:
        return list({id(a): a for a in self._accounts.values()}.values())

    async def run(self) -> dict[str, Any]:
        """Serve until STOP, or the engine is gone, or an account failed; then cancel what is open.

        Raises what an account failed by: a refused login, or what nobody foresaw.
        """
        self._loop.add_reader(self._wire.fileno(), self._stopped)
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        streams = [account.running for account in self._each]
        ends: list[asyncio.Future[Any]] = [*streams, *(a.failure for a in self._each)]
        stop = asyncio.ensure_future(self._end.wait())
        await asyncio.wait([stop, *ends], return_when=asyncio.FIRST_COMPLETED)
        self._end.set()
        await self._close()  # also when one account failed: the others' orders must not rest
        for each in ends:
            if each.done():
                each.result()
        for account in self._each:
            account.stream.stop()
        await asyncio.gather(*streams)
        return {account.venue: account.fared() for account in self._each}

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
                await asyncio.gather(*(account.close() for account in self._each))
        except TimeoutError:
            pass  # what stays is in `fared`
        last = np.zeros(1, TOLD)
        last["kind"] = CLOSED
        self._answers.push(last)
