"""The order of the items of `kimera venue doctor`, and what each needs of those before it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from kimera_cli.records import VenueCheck
from kimera_cli.venues.clients.catch_up import Interest
from kimera_cli.venues.clients.session import NO_SHAPE
from kimera_cli.venues.clients.streams import stream_for
from kimera_cli.venues.clients.values import plain
from kimera_cli.venues.clients.venues import VenueClient, client_for
from kimera_cli.venues.consent import Consent
from kimera_cli.venues.doctor import Examination, Finding
from kimera_cli.venues.doctor_book import Watched, watch
from kimera_cli.venues.doctor_orders import (
    VALIDATED,
    check_preview,
    far_wish,
    rest_and_cancel,
)
from kimera_cli.venues.doctor_rights import Rights, rights_of
from kimera_cli.venues.doctor_twin import QUANTITY, example, twin_of
from kimera_cli.venues.json_shapes import shape_of
from kimera_cli.venues.trading import Trading

STREAM_S = 15.0
"""How long the private stream may take to be up."""
PUBLIC = ("network", "clock", "markets", "book")
PRIVATE = ("account", "rights of the key", "orders and fills", "fees", "private stream")
ORDER = "order test"
TROUBLES = ("gaps", "restarts", "crossed", "checksums", "wrong", "silences", "stale")
"""Counts that say why a book was lost."""


@dataclass(frozen=True)
class Visit:
    """What is to be examined."""

    symbol: str = ""
    seconds: float = 60.0
    """How long the book is watched."""
    keys: bool = True
    """Whether there are keys, and private items are wanted."""
    order_test: bool = False


async def examine(
    trading: Trading, visit: Visit, consent: Consent, emit: Callable[[VenueCheck], None]
) -> int:
    """Examine the venue; return how many items failed."""
    venue = trading.venue()
    world = trading.world
    async with twin_of(venue, world) as twin:
        if visit.keys:
            client = await trading.client(venue, start=False)
        else:
            client = client_for(venue, None, trading.transport(), world)
        patient = _Patient(Examination(trading, client, twin, emit), visit, consent)
        await patient.examine()
        return patient.exam.failed


@dataclass
class _Patient:
    """One visit."""

    exam: Examination
    visit: Visit
    consent: Consent
    book: Watched | None = None

    async def examine(self) -> None:
        exam, visit = self.exam, self.visit
        public: tuple[Callable[[], Awaitable[Finding]], ...] = (
            exam.reach, exam.clock, lambda: exam.markets(visit.symbol), self.watched,
        )  # fmt: skip
        for number, (name, work) in enumerate(zip(PUBLIC, public, strict=True)):
            good = await exam.item(name, work)
            if not good and name in ("network", "markets"):
                left = (*PUBLIC[number + 1 :], *PRIVATE, *self._last())
                self.skip(left, f"needs the {name}")
                return
        if visit.keys:
            await self.private()
        else:
            advice = f"--keys FILE, or KIMERA_{exam.client.venue.upper()}_KEY and _SECRET"
            self.skip((*PRIVATE, *self._last()), "no keys were given", advice)

    async def private(self) -> None:
        """Items that need an account."""
        exam = self.exam
        if not await exam.item(PRIVATE[0], exam.account):
            self.skip((*PRIVATE[1:], *self._last()), "needs the account")
            return
        rest = (self.rights, exam.orders_and_fills, exam.fees, self.stream)
        for name, work in zip(PRIVATE[1:], rest, strict=True):
            await exam.item(name, work)
        if self.visit.order_test:
            await exam.item(ORDER, self.order)

    def skip(self, names: Iterable[str], why: str, advice: str = "") -> None:
        """Tell that items were not looked at."""
        for name in names:
            self.exam.tell(name, Finding("skipped", why, advice))

    def _last(self) -> tuple[str, ...]:
        return (ORDER,) if self.visit.order_test else ()

    async def watched(self) -> Finding:
        """The book, in step for as long as was asked."""
        exam, seconds = self.exam, self.visit.seconds
        instrument = exam.listing.instrument
        trading = exam.trading
        book = self.book = await watch(instrument, trading.addresses, trading.world, seconds)
        counts, last = book.counts, book.errors[-1:]
        if not counts.synced or not book.good:
            why = book.reason or "never whole"
            return Finding(
                "failed",
                f"{instrument.symbol}: not in step: {why}",
                "; ".join(str(error) for error in last) or "look at the venue's status page",
            )
        at = " / ".join(plain(px) for px in (book.bid, book.ask) if px is not None)
        found = f"{instrument.symbol}: in step, {book.events} events in {seconds:g} s, {at}"
        if counts.lost:
            numbers = asdict(counts)
            told = ", ".join(f"{numbers[name]} {name}" for name in TROUBLES if numbers[name])
            said = "; ".join(str(error) for error in last)
            return Finding(
                "warning", f"{found}; lost {counts.lost} times ({told or 'connection'})", said
            )
        return Finding("ok", found)

    async def rights(self) -> Finding:
        """What the key may do; withdrawals are never needed."""
        exam = self.exam
        try:
            found = await rights_of(exam.client.venue, exam.asked_json)
        except NO_SHAPE as error:
            return Finding(
                "warning", f"an answer of another shape ({type(error).__name__}: {error})",
                "look at what the key may do on the venue's page",
            )  # fmt: skip
        if found is None:
            return Finding(
                "ok", "the venue does not tell", "see on its page that the key cannot withdraw"
            )
        return _weighed(found)

    async def stream(self) -> Finding:
        """Private events: login and subscriptions."""
        exam = self.exam
        errors: list[str] = []
        world = exam.trading.world
        interest = Interest(
            lambda event: None, exam.session.clock.now_ns, lambda: (),
            (exam.listing.instrument.symbol,),
        )  # fmt: skip
        stream = stream_for(exam.client, interest, world)
        running = asyncio.ensure_future(stream.run())
        up = asyncio.ensure_future(stream.up.wait())
        try:
            await asyncio.wait((running, up), timeout=STREAM_S, return_when="FIRST_COMPLETED")
            if running.done():
                running.result()
            if stream.up.is_set():
                return Finding("ok", "logged in and subscribed")
            errors.append(f"not up within {STREAM_S:g} s")
        finally:
            up.cancel()
            stream.stop()
            await asyncio.wait((running,), timeout=1.0)
            running.cancel()
        return Finding("failed", "; ".join(errors), "see the warnings above; try again")

    async def order(self) -> Finding:
        """An order that is only checked, or one that rests for a moment."""
        exam = self.exam
        if self.book is None or self.book.bid is None:
            return Finding("skipped", "needs the book")
        wish = far_wish(exam.listing.instrument, self.book.bid)
        if exam.client.venue not in VALIDATED:
            self.consent.check(exam.client.venue, wish)
            desk = await exam.trading.desk(exam.client.venue)
            return Finding("ok", await rest_and_cancel(desk, wish))
        assert wish.price is not None
        assert wish.quantity is not None
        told = await self._validated(exam.client, wish.price, wish.quantity)
        check_preview(exam.client.venue, told)
        terms = f"{plain(wish.quantity)} at {plain(wish.price)}"
        return Finding("ok", f"{terms}, post-only: checked by the venue, not carried out")

    async def _validated(self, client: VenueClient, price: Decimal, quantity: Decimal) -> Any:
        """Have an order checked by the venue, and by the venue server for its answer's shape."""
        exam, make = self.exam, VALIDATED[client.venue]
        twin = exam.twin
        intent = example(client, exam.listing, 1, price, quantity)
        answer = await exam.session.answer(make(intent, exam.listing))
        theirs = example(twin.client, twin.listing, 3, twin.low, QUANTITY)
        known = await twin.client.session.answer(make(theirs, twin.listing))
        exam.compare(shape_of(answer.json), shape_of(known.json))
        return answer.json


def _weighed(found: Rights) -> Finding:
    names = ("read", "trade", "withdraw")
    may = [name for name in names if getattr(found, name)]
    where = {True: ", from any address", False: ", from named addresses", None: ""}
    words = f"{', '.join(may) or 'nothing'}{where[found.anywhere]}"
    if found.withdraw:
        advice = "make a key that cannot withdraw: kimera never does, whoever steals the key may"
        return Finding("warning", words, advice)
    if not found.trade:
        return Finding("warning", words, "let it trade, if orders are meant to be sent")
    if found.anywhere:
        return Finding("ok", words, "tie it to this host's address, where the venue can")
    return Finding("ok", words)
