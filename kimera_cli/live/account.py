"""One account of a live run: its desk, its private stream, and the loop's orders there.

What the loop asks about one order is done one after the other; orders do not wait for each other,
except in the venue's rate budget, where cancels go first. An order that could not leave within a
second is withheld: what a strategy meant then may be wrong by now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, Self
from weakref import WeakValueDictionary

from kimera_cli.engine.paces import LATE_S
from kimera_cli.errors import KimeraError, RunError, VenueError
from kimera_cli.instrument import Instrument
from kimera_cli.kernels.histogram import histogram_add
from kimera_cli.kernels.state import REQ_AMEND, REQ_CANCEL, REQ_NEW
from kimera_cli.layouts import LIMIT
from kimera_cli.live.alive import SignsOfLife
from kimera_cli.live.bridge import Bridge, LoopOrder
from kimera_cli.live.exposure import Exposure
from kimera_cli.live.live_desk import LiveDesk
from kimera_cli.live.order_socket import OrderSocket
from kimera_cli.live.upkeep import Upkeep
from kimera_cli.telemetry import histogram
from kimera_cli.venues.clients.stream import PrivateStream
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.account_orders import OrderChange
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.outcome import (
    FillUpdate,
    OrderUpdate,
    PrivateEvent,
    StreamDown,
)
from kimera_cli.venues.trading import Trading

UNSENT = {"risk.order_in_doubt": "in_doubt", "venue.halted": "halted"}
"""What the loop is told of an order that was not sent, by why it was not."""
REPEAT_NS = 10_000_000_000
"""The same trouble is told once in so long."""


class Limits(NamedTuple):
    """What bounds the orders of a run at each of its venues."""

    cap: float | None = None
    """Most that open orders and positions at all venues may be worth, in portfolio currency."""
    dead_man_s: int = 0
    """After so long without a sign of life the venue cancels everything; 0: never."""
    rates: Mapping[str, Decimal] = {}
    """Portfolio currency per unit of each quote currency."""


Tell = Callable[[list[Any]], None]


@dataclass
class Account:
    """One account at one venue, while a run trades there."""

    desk: LiveDesk
    bridge: Bridge
    tell: Tell
    exposure: Exposure
    stream: PrivateStream = field(init=False)
    """From its opening on (live/opening.py); so is what follows."""
    running: asyncio.Task[None] | None = None
    """The stream's task: it ends when the venue refuses the login, or with the run."""
    alive: SignsOfLife | None = None
    has_socket: bool = False
    joined: bool = False
    """Whether journal and venue agree, so that orders may go there."""
    socket: OrderSocket = field(init=False)
    failure: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    """Holds what nobody foresaw: an order may be in an unknown state, so the run must end."""
    sent: int = 0
    _locks: WeakValueDictionary[int, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: dict[str, tuple[int, asyncio.Task[None]]] = field(default_factory=dict)
    """Orders of which no byte has left, by client id: when they were asked for, and their task."""
    _gate_to_bytes: Any = field(default_factory=histogram.new_histogram)
    _reported: dict[str, int] = field(default_factory=dict)
    _keeping: asyncio.Task[None] | None = None
    _closing: bool = False

    @classmethod
    async def make(
        cls,
        trading: Trading,
        venue: str,
        instruments: dict[int, Instrument],
        strategies: Sequence[str],
        tell: Tell,
        limits: Limits,
    ) -> Self:
        """Open the account's journal; the venue is not asked yet, nothing goes there.

        RunError `run.account_busy` while another process has the journal.
        """
        client = await trading.client(venue, start=False)
        journal, wait_s = trading.journal(venue), trading.choices.wait_s
        desk = LiveDesk(client, journal, trading.latch, trading.world, wait_s)
        cap = None if limits.cap is None else Decimal(limits.cap)
        rates = {each.symbol: limits.rates[each.quote] for each in instruments.values()}
        return cls(desk, Bridge(instruments, strategies), tell, Exposure(cap, rates))

    def __post_init__(self) -> None:
        self.socket = OrderSocket(self.desk.client.entry, self.failure)

    def attach(self) -> None:
        """From now on the loop is told of what changes."""
        self.desk.on_change, self.desk.on_bytes = self._changed, self._released

    def detach(self) -> None:
        """An opening failed: what changes is not of this run."""
        self.desk.on_change = lambda change: None

    def keep(self, upkeep: Upkeep) -> None:
        """Look after clock and markets from now on."""
        self.desk.on_refusal = upkeep.suspect
        self._keeping = asyncio.ensure_future(upkeep.run())
        self._keeping.add_done_callback(self._done)

    def at_stake(self) -> Decimal:
        """What positions and open orders here are worth, in portfolio currency."""
        return self.exposure.worth(self.desk.journal.orders.live())

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.desk.client.venue

    # --- requests of the loop

    def ask(self, row: Any) -> None:
        """Take one request of the loop, a row of dtype ASKED."""
        kind = int(row["kind"])
        if kind == REQ_NEW:
            order = self.bridge.begin(row)
            self._later(order, partial(self._place, order, int(row["type"]), int(row["ts_ns"])))
            return
        known = self.bridge.order(int(row["id"]))
        if known is None:
            return  # it is over, and the loop is being told
        if kind == REQ_CANCEL:
            known.wants = None
            self._later(known, partial(self._cancel, known))
        elif kind == REQ_AMEND:
            wants = (int(row["px_ticks"]), int(row["qty_lots"]))
            self._later(known, partial(self._amend, known, wants))

    async def close(self) -> None:
        """Send nothing more, cancel what is open, wait until the venue has said so of each."""
        self._closing = True
        for _, task in list(self._waiting.values()):
            task.cancel()
        for order in self.bridge.open_orders():
            order.wants = None
            self._later(order, partial(self._cancel, order))
        while self._tasks:
            await asyncio.wait(self._tasks)
        if self._keeping is not None:
            self._keeping.cancel()
        if self.has_socket:
            await self.socket.stop()
        if self.alive is not None:
            await self.alive.stop()
        self.desk.journal.flush()

    def fared(self) -> dict[str, Any]:
        """Return what became of the orders, JSON-safe."""
        orders = self.desk.journal.orders
        live = list(orders.live())
        times = histogram.summarise(self._gate_to_bytes)
        return {
            "joined": self.joined,
            "sent": self.sent,
            "stays": [s.client_id for s in live],
            "in_doubt": [s.client_id for s in live if s.phase is Phase.UNKNOWN],
            "foreign": len(orders.foreign),
            "dust": {symbol: plain(rest) for symbol, rest in self.bridge.dust().items()},
            "dead_man": self.alive is not None and self.alive.is_armed,
            "connections": self.stream.connections if self.joined else 0,
            "by_websocket": self.socket.spoken,
            "gate_to_bytes_ns": {"p50": times.median_ns, "p99": times.p99_ns, "max": times.max_ns},
        }

    def _later(self, order: LoopOrder, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it behind what is being done about the same order."""
        lock = self._locks.setdefault(order.id, asyncio.Lock())  # until the last task has gone

        async def turn() -> None:
            async with lock:
                await work()

        task = asyncio.ensure_future(turn())
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, KimeraError):
            self.report(error)
        elif not self.failure.done():
            self.failure.set_exception(error)

    async def _place(self, order: LoopOrder, order_type: int, asked_ns: int) -> None:
        wish = self.bridge.wish(order, order_type)
        try:
            self._check(wish)
            intent, _ = self.desk.draft(wish)
        except KimeraError as error:
            self._refuse(order, error)
            return
        name = intent.client_id
        self.bridge.name(order, name)
        task = asyncio.current_task()
        assert task is not None
        self._waiting[name] = (asked_ns, task)
        timer = asyncio.get_running_loop().call_later(LATE_S, self._give_up, name)
        self.sent += 1
        try:
            await self.desk.send(intent)
        except asyncio.CancelledError:
            if name not in self._waiting:  # it may be at the venue: this is no giving up
                raise
            task.uncancel()
            self.report(self._late())
        finally:
            timer.cancel()
            self._waiting.pop(name, None)

    def _give_up(self, name: str) -> None:
        if name in self._waiting:
            self._waiting[name][1].cancel()

    async def _cancel(self, order: LoopOrder) -> None:
        """Cancel an order; the loop learns of it as the venue tells it."""
        name = order.client_id
        if not name:
            return
        await self.desk.withdraw(name)
        if order.client_id == name and not order.over:
            state = self.desk.state(name)
            if state.is_live and state.phase is not Phase.UNKNOWN:
                self.tell([self.bridge.kept(order, "refused", self.desk.now_ns)])

    async def _amend(self, order: LoopOrder, wants: tuple[int, int]) -> None:
        """Cancel, then send what is left with the new price: to the loop it is one order."""
        order.wants = wants
        await self._cancel(order)
        if order.replaces and not order.over and not order.client_id:
            await self._place(order, LIMIT, self.desk.world.now_ns())

    def _check(self, wish: Wish) -> None:
        """RiskError, RunError or VenueError when nothing new may be sent now."""
        if self._closing:
            raise RunError("run.closing", "expected a run that goes on, was its end")
        if not self.joined:
            raise VenueError(
                "venue.away", f"expected {self.venue} to have joined the run, was not there yet"
            )
        self.desk.latch.refuse()
        self.desk.client.check_clock()
        self.desk.check_doubts()
        if not self.stream.up.is_set():
            raise self.no_stream()
        self.exposure.check(wish, self.desk.journal.orders.live())

    def _refuse(self, order: LoopOrder, error: KimeraError) -> None:
        self.report(error)
        code = UNSENT.get(error.code, "not_sent")
        self.tell([self.bridge.refused(order, code, self.desk.now_ns)])

    def report(self, error: KimeraError) -> None:
        """Tell of trouble, but not of the same over and over: each order's end says why, too."""
        now = self.desk.world.monotonic_ns()
        if now - self._reported.get(error.code, -REPEAT_NS) >= REPEAT_NS:
            self._reported[error.code] = now
            self.desk.world.report(error)

    def _released(self, name: str) -> None:
        """Bytes of an order are about to leave."""
        asked_ns, _ = self._waiting.pop(name, (0, None))
        if asked_ns:
            histogram_add(self._gate_to_bytes, self.desk.world.now_ns() - asked_ns)

    def _late(self) -> RunError:
        return RunError(
            "run.order_late",
            f"expected orders to leave within {LATE_S:g} s, was more behind the rate budget of "
            f"{self.venue}",
            "lower risk.max_orders_per_s to what the venue allows",
            venue=self.venue,
        )

    def no_stream(self) -> VenueError:
        """Return the error of a stream that is down."""
        return VenueError(
            "venue.no_stream",
            f"expected the private stream of {self.venue} to be up, was not",
            "nothing new is sent until fills can be heard of",
            venue=self.venue,
        )

    # --- news of the venue

    def _changed(self, change: OrderChange) -> None:
        if change.after.phase is Phase.UNKNOWN and (doubt := self.desk.doubt()) is not None:
            self.report(doubt)
        if change.fill is not None:
            self.exposure.filled(change.fill, self._base(change.fill.symbol))
        if told := self.bridge.changed(change):
            self.tell(told)

    def _base(self, symbol: str) -> str:
        each = self.bridge.instruments.values()
        return next((i.base for i in each if i.symbol == symbol), "")

    def heard(self, event: PrivateEvent) -> None:
        """Take one event of the private stream."""
        if isinstance(event, OrderUpdate | FillUpdate):
            self.desk.note(event)
        elif isinstance(event, StreamDown):
            self.desk.journal.flush()
