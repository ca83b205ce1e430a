"""The first contact with a venue, item by item: network, clock, markets, book, keys, an order.

Everything is read-only but the order test. Each answer's shape is compared with what the venue
server says to the same question (doctor_twin.py), because that is what the tests of kimera know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from kimera_cli.errors import KimeraError
from kimera_cli.records import VenueCheck
from kimera_cli.venues.clients.api import Answer, Listing, VenueApi
from kimera_cli.venues.clients.clock import LIMIT_NS, PROBES
from kimera_cli.venues.clients.rest import Query
from kimera_cli.venues.clients.session import NO_SHAPE, Session
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.clients.venues import VenueClient
from kimera_cli.venues.doctor_shapes import shape_found
from kimera_cli.venues.doctor_twin import Twin
from kimera_cli.venues.json_shapes import Shape, shape_of
from kimera_cli.venues.trading import Trading

Status = Literal["ok", "warning", "failed", "skipped"]
LATE_NS = LIMIT_NS // 4
"""Clock offset that is worth a warning."""
BASES, QUOTES = ("BTC", "ETH"), ("USDT", "USDC", "USD", "EUR")
"""What is looked at when no market is named."""


class Finding(NamedTuple):
    """What came of one item."""

    status: Status
    found: str
    advice: str = ""


@dataclass
class Examination:
    """One venue under examination; `emit` takes each item as it is known."""

    trading: Trading
    client: VenueClient
    twin: Twin
    emit: Callable[[VenueCheck], None]
    failed: int = 0
    shapes: list[Finding] = field(default_factory=list)

    @property
    def session(self) -> Session:
        """The venue's, which is examined."""
        return self.client.session

    async def item(self, name: str, work: Callable[[], Awaitable[Finding]]) -> bool:
        """Do one item and tell it; False when it failed, with the error's own words."""
        try:
            finding = await work()
        except KimeraError as error:
            finding = Finding("failed", error.message, error.hint)
        self.tell(name, finding)
        for shape in self.shapes:
            self.tell(f"{name}: shape", shape)
        self.shapes.clear()
        return finding.status != "failed"

    def tell(self, name: str, finding: Finding) -> None:
        """Tell one item, without secrets."""
        self.failed += finding.status == "failed"
        hide = self.trading.redactor.text
        self.emit(
            VenueCheck(
                self.client.venue, name, finding.status, hide(finding.found), hide(finding.advice)
            )
        )

    async def ask(
        self, make: Callable[[VenueApi, Listing], Query], read: Callable[[Answer], Any]
    ) -> Any:
        """Ask the venue and the venue server; return what the venue's answer reads as."""
        query = make(self.session.api, self.listing)
        answer = await self.session.answer(query)
        try:
            theirs = self.twin.client.session
            known = await theirs.answer(make(theirs.api, self.twin.listing))
            self.compare(shape_of(answer.json), shape_of(known.json))
        except KimeraError as error:
            self.shapes.append(Finding("warning", f"not compared: {error.message}"))
        try:
            return read(answer)
        except NO_SHAPE as error:
            raise self.session.odd(query, answer, error) from None

    async def asked_json(self, query: Query) -> Any:
        """Return an answer's JSON, compared likewise."""
        return await self.ask(lambda api, listing: query, lambda answer: answer.json)

    def compare(self, answer: Shape, known: Shape) -> None:
        """Note how an answer's shape differs from the venue server's; nothing where it does not."""
        if (found := shape_found(answer, known)) is not None:
            self.shapes.append(Finding(*found))

    @property
    def listing(self) -> Listing:
        """The market that is looked at; the twin's until the venue's are known."""
        return self._listing or self.twin.listing

    _listing: Listing | None = None

    # --- public

    async def reach(self) -> Finding:
        """Name, connection and certificate."""
        host, now = self.session.host, self.trading.world.monotonic_ns
        began = now()
        await self.session.transport.warm(host)
        by = "by TLS" if self.trading.addresses.endpoint(host).tls else "without TLS"
        return Finding("ok", f"{host} answers {by} within {(now() - began) / 1e6:.0f} ms")

    async def clock(self) -> Finding:
        """The venue's time, beside this host's."""
        await self.ask(lambda api, _: api.time(), self.session.api.read_time)
        await self.session.probe_clock(PROBES)
        self.client.check_clock()
        offset = self.session.clock.offset
        assert offset is not None
        found = f"{offset.offset_ns / 1e9:+.3f} s, known within {offset.uncertainty_ns / 1e9:.3f} s"
        if abs(offset.offset_ns) - offset.uncertainty_ns > LATE_NS:
            return Finding(
                "warning", found, "run a time daemon such as chrony; beyond 1 s no order"
            )
        return Finding("ok", found)

    async def markets(self, symbol: str) -> Finding:
        """The list of markets, and the one that is looked at."""
        api = self.session.api
        api.learn(await self.ask(lambda api, _: api.markets(), api.read_markets))
        self._listing = listing = api.listing(symbol) if symbol else _usual(api)
        one = listing.instrument
        steps = f"tick {plain(one.tick)}, lot {plain(one.lot)}"
        least = [plain(each) for each in (one.min_qty, one.min_notional) if each]
        found = f"{len(api.listings)}, of them {one.symbol}: {steps}"
        found += f", least {' and '.join(least)}" if least else ""
        if not listing.trading:
            return Finding(
                "warning", f"{found}; not trading ({listing.raw_status})", "name another"
            )
        return Finding("ok", found)

    # --- of the account

    async def account(self) -> Finding:
        """Whether the venue knows who asks."""
        api = self.session.api
        if (query := api.account()) is not None:
            await self.ask(lambda each, _: each.account() or query, api.read_account)
        balances = await self.ask(lambda each, _: each.balances(), api.read_balances)
        some = sorted(each.asset for each in balances if each.total)
        if not some:
            return Finding("warning", "the key is good; no balances", "fund the account to trade")
        return Finding("ok", f"{len(some)} assets: {', '.join(some[:8])}")

    async def orders_and_fills(self) -> Finding:
        """Open orders and executions can be read."""
        api, listing = self.session.api, self.listing
        orders = await self.ask(
            lambda each, one: each.open_orders(one),
            lambda a: api.read_orders(a, api.open_orders(listing)),
        )
        fills = await self.ask(
            lambda each, one: each.fills(one, self._day_ago()),
            lambda a: api.read_fills(a, api.fills(listing, self._day_ago())),
        )
        return Finding("ok", f"{len(orders.items)} open orders, {len(fills.items)} fills of a day")

    async def fees(self) -> Finding:
        """The account's fees in the market."""
        api, listing = self.session.api, self.listing
        fees = await self.ask(
            lambda each, one: each.fees(one), lambda answer: api.read_fees(answer, listing)
        )
        maker, taker = (plain(each * Decimal(10_000)) for each in fees)
        return Finding("ok", f"maker {maker}, taker {taker} basis points")

    def _day_ago(self) -> int:
        return self.session.clock.now_ns() - 86_400_000_000_000


def _usual(api: VenueApi) -> Listing:
    """Return a market that every venue has, else the first that trades."""
    pairs = {(e.instrument.base, e.instrument.quote): e for e in api.listings.values()}
    pairs |= {("BTC", quote): e for (base, quote), e in pairs.items() if base == "XBT"}
    for quote in QUOTES:
        for base in BASES:
            if (found := pairs.get((base, quote))) is not None and found.trading:
                return found
    return next((e for e in api.listings.values() if e.trading), next(iter(api.listings.values())))
