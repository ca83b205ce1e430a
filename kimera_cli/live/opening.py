"""How an account comes into a run: journal and venue agree before anything new is sent.

In this order: clock and markets; the private stream, which catches up with orders, fills and
balances; orders in doubt of an earlier process are looked up, which may last, while what an
earlier run left open is canceled; what became of all of them; signs of life.
A step that fails leaves nothing of the try behind but what the journal has learnt, and all of it
can be done again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from kimera_cli.engine.arrivals import Arrival
from kimera_cli.errors import RiskError, RunError
from kimera_cli.instrument import Instrument
from kimera_cli.live.account import Account
from kimera_cli.live.alive import SignsOfLife
from kimera_cli.live.joining import check_markets
from kimera_cli.live.order_rate import units_left
from kimera_cli.live.strangers import Strangers
from kimera_cli.live.upkeep import Upkeep
from kimera_cli.venues.clients.catch_up import Interest
from kimera_cli.venues.clients.streams import stream_for
from kimera_cli.venues.orders.lookup import search_for
from kimera_cli.venues.orders.machine import OrderState, Phase
from kimera_cli.venues.orders.outcome import PrivateEvent, VenueOrder

STREAM_UP_S = 60.0
LOOK_S = 1.0
"""How often orders that are found to be open are canceled while others are in doubt."""
KNOWN = (Phase.OPEN, Phase.PARTIAL)


@dataclass
class Opening:
    """Brings one account into the run, or tries to."""

    account: Account
    folder: Path
    """The account's, with its journal."""
    dead_man_s: int
    asks_fees: bool = False
    """Whether what the account pays was not learnt before the run."""
    _asked: set[str] = field(default_factory=set)
    """Orders whose cancel was asked for in this try."""
    _strangers: Strangers | None = None
    """From when it has been told what was there already."""

    @property
    def _instruments(self) -> list[Instrument]:
        return list(self.account.bridge.instruments.values())

    @property
    def _symbols(self) -> list[str]:
        return [each.symbol for each in self._instruments]

    async def attempt(self) -> Arrival:
        """Bring the account in.

        RiskError `risk.order_in_doubt` while an order is still in doubt; RunError `run.left_over`
        while one of an earlier run could not be taken back; VenueError.
        """
        try:
            await self._learn()
            await self._listen()
            await self._agree()
            await self._socket()
            stay = await self._take_back()
            await self._live(0 if stay else self.dead_man_s)  # else it cancels what is left alone
            return await self._arrival()
        except BaseException:
            await self._undo()
            raise

    def pending(self) -> RiskError | None:
        """Return which orders are in doubt, and until when that may last."""
        desk = self.account.desk
        doubts = [
            s for s in desk.journal.orders.in_doubt() if s.phase in (Phase.UNKNOWN, Phase.SENT)
        ]
        if not doubts or self.account.joined:
            return None
        now, world_ns = desk.now_ns, desk.world.now_ns()
        searches = [search_for(each) for each in doubts]
        lasts_ns = max(max(s.window_ns, s.expires_ns - now) for s in searches)
        return RiskError(
            "risk.order_in_doubt",
            f"orders in doubt, which are looked up: {', '.join(s.client_id for s in doubts)}",
            until_ns=world_ns + lasts_ns,
        )

    async def _learn(self) -> None:
        self._asked.clear()
        self.account.desk.conclude()
        client = self.account.desk.client
        await client.session.start()
        client.check_clock()
        await check_markets(client, self._instruments)
        self.account.bridge.shift_ns = -client.session.clock.correction_ns

    async def _withdraw(self) -> None:
        """Cancel orders of an earlier run that are known to be open: nobody looks after them."""
        desk = self.account.desk
        left = [s for s in _of_runs(desk.journal.orders.live()) if s.phase in KNOWN]
        names = [s.client_id for s in left if s.client_id not in self._asked]
        self._asked.update(names)
        await asyncio.gather(*(desk.withdraw(name) for name in names))
        if names:
            was = f"orders of an earlier run, taken back: {', '.join(names)}"
            desk.world.report(_told("run.left_over", was))

    async def _agree(self) -> None:
        desk = self.account.desk
        settling = asyncio.ensure_future(desk.settle())
        try:
            while not settling.done():
                await self._withdraw()  # also what was in doubt a moment ago
                await asyncio.wait([settling], timeout=LOOK_S)
        finally:
            settling.cancel()
        settling.result()
        await desk.sync()
        desk.check_doubts()

    async def _listen(self) -> None:
        account = self.account
        desk, started_ns = account.desk, account.desk.now_ns
        interest = Interest(
            self._heard,
            lambda: max((f.ts_ns for f in desk.journal.orders.fills), default=started_ns),
            lambda: [_as_told(state) for state in desk.journal.orders.live()],
            self._symbols,
        )
        stream = account.stream = stream_for(desk.client, interest, desk.world)
        running = account.running = asyncio.ensure_future(stream.run())
        up = asyncio.ensure_future(stream.up.wait())
        try:
            both = (up, running)
            await asyncio.wait(both, timeout=STREAM_UP_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
        if running.done():
            running.result()
        if not stream.up.is_set():
            raise account.no_stream()

    def _heard(self, event: PrivateEvent) -> None:
        self.account.heard(event)
        if self._strangers is not None:
            self._strangers.hear(event)

    async def _socket(self) -> None:
        account = self.account
        if not account.has_socket:
            await account.socket.start()
            account.has_socket = True  # from now on it keeps itself up
        await account.desk.warm(self._symbols)

    async def _take_back(self) -> list[str]:
        """Cancel what an earlier run left open: this run's strategies know nothing of it.

        Orders by hand (kimera trade) and foreign ones stay; they are told of, and returned.
        """
        orders, report = self.account.desk.journal.orders, self.account.report
        self._asked.clear()
        await self._withdraw()
        if rest := _of_runs(orders.live()):
            names = ", ".join(state.client_id for state in rest)
            raise _told("run.left_over", f"of an earlier run, and not taken back yet: {names}")
        stay = [s.client_id for s in orders.live()]
        stay += [o.venue_order_id for o in orders.foreign.values() if not o.is_terminal]
        if stay:
            report(_told("run.not_ours", f"orders that are left alone: {', '.join(stay)}"))
        self._strangers = self._newcomers()
        return stay

    def _newcomers(self) -> Strangers:
        account, desk = self.account, self.account.desk
        world, orders = desk.world, desk.journal.orders
        return Strangers(account.venue, orders, desk.now_ns, world.report, world.monotonic_ns)

    async def _live(self, dead_man_s: int) -> None:
        account, desk = self.account, self.account.desk
        alive = SignsOfLife(desk.client, account.stream, desk.world, self.folder, dead_man_s)
        await alive.start()
        account.alive = alive
        assert self._strangers is not None
        look = self._strangers.look
        account.keep(Upkeep(desk.client.session, self._symbols, account.report, look))

    async def _arrival(self) -> Arrival:
        account = self.account
        client = account.desk.client
        fees = {}
        for symbol in self._symbols if self.asks_fees else ():
            paid = await client.queries.fees(symbol)
            fees[symbol] = float(paid.maker), float(paid.taker)
        clock = client.session.clock
        assert clock.offset is not None
        account.attach()
        account.joined = True
        left, now_ns = units_left(client.session.budget), account.desk.world.now_ns()
        uncertainty_ns = clock.offset.uncertainty_ns
        return Arrival(account.venue, clock.correction_ns, uncertainty_ns, fees, left, now_ns)

    async def _undo(self) -> None:
        account = self.account
        account.detach()
        if account.running is not None:
            account.stream.stop()
            account.running.cancel()
            await asyncio.wait([account.running])
            account.running = None
        if account.alive is not None:
            await account.alive.stop()
            account.alive = None
        account.desk.journal.flush()


def _of_runs(states: Iterable[OrderState]) -> list[OrderState]:
    return [each for each in states if each.intent.strategy]


def _told(code: str, was: str) -> RunError:
    return RunError(code, f"expected no open orders at the start, was {was}", "kimera trade open")


def _as_told(state: OrderState) -> VenueOrder:
    return VenueOrder(
        venue=state.intent.venue,
        symbol=state.intent.symbol,
        venue_order_id=state.venue_order_id,
        status="open",
        client_id=state.client_id,
    )
