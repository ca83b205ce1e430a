"""Seeing to the books of one connection: asks for what they want, and notices silent channels.

Requests are spaced: the first at once, each further one after a wait that doubles, until the book
has been good for a while. So a venue that cannot give a good book is not stormed. Where
subscriptions bring none, the connection is made anew at last.

A channel is silent when it brought nothing for its limit while the connection lived. It is
subscribed anew; a silent book is marked first. If that brings nothing either (a market where
nothing happens), the limit doubles up to sixteen times.

A book that stands still is no silence: after half of the limit the venue is asked, in the way that
it has (feeds/prove.py). As long as it says that its book is ours, nothing has happened, and neither
the book nor the connection is given up. What it says otherwise proves nothing: what makes the
difference may be on its way. So it is asked two times more before the limit is reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kimera_cli.errors import VenueError
from kimera_cli.feeds.audit import Auditor, AuditPlan
from kimera_cli.feeds.backoff import Backoff
from kimera_cli.feeds.dialect import Dialect, Kind
from kimera_cli.feeds.intake import Intake
from kimera_cli.feeds.pace import Pace
from kimera_cli.feeds.prove import Prover
from kimera_cli.feeds.surroundings import Fetch, Surroundings
from kimera_cli.feeds.sync import Want
from kimera_cli.instrument import Instrument

_NS = 1_000_000_000
_DOUBLINGS = 4
_ASKED = (0.5, 0.6, 0.8)
"""Parts of the limit for silence after which the venue is asked whether anything happened."""
GAP_S = 0.2
"""Between questions over REST, of venues whose rule does not say."""


@dataclass(frozen=True)
class Patience:
    """Limits, in s."""

    silence_s: Mapping[Kind, float] = field(
        default_factory=lambda: {"depth": 15.0, "quote": 60.0, "trade": 300.0}
    )
    """How long a channel may be silent."""
    quiet_s: float = 1.0
    """How long after subscribing a book is asked for although nothing has changed yet."""
    answer_s: float = 5.0
    """How long a subscription may take to bring a whole book."""
    tries: int = 5
    """Subscriptions that bring no good book before the connection is made anew."""
    lasting_s: float = 60.0
    """A book that was good for so long makes the next request immediate again."""
    asking: Backoff = field(default_factory=lambda: Backoff(first_s=1.0))
    audits: AuditPlan = field(default_factory=AuditPlan)


@dataclass
class Asking:
    """What was asked for one book."""

    attempts: int = 0
    again_ns: int = 0
    """Not before this time."""
    good_ns: int = 0
    """Since when the book is good; 0: it is not."""
    task: asyncio.Task[None] | None = None


@dataclass
class Silence:
    """One channel of one instrument."""

    limit_ns: int
    heard: int = 0
    since_ns: int = 0
    doublings: int = 0
    asked: int = 0
    """How often the venue was asked if anything happened."""

    def check(self, heard: int, now_ns: int) -> bool:
        """Tell whether the channel has been silent for its limit; then it begins anew, longer.

        `heard` changes with each message.
        """
        if heard != self.heard or not self.since_ns:
            self.doublings = self.doublings if heard == self.heard else 0
            self.heard, self.since_ns, self.asked = heard, now_ns, 0
            return False
        if now_ns - self.since_ns < self.limit_ns << self.doublings:
            return False
        self.again(now_ns)
        return True

    def again(self, now_ns: int) -> None:
        """Begin anew, longer."""
        self.since_ns, self.asked = now_ns, 0
        self.doublings = min(self.doublings + 1, _DOUBLINGS)

    def is_to_be_asked(self, now_ns: int) -> bool:
        """Tell, once for each of its times, that the venue is to be asked."""
        times = len(_ASKED)
        if self.asked == times or now_ns - self.since_ns < _ASKED[self.asked] * self.limit_ns:
            return False
        self.asked += 1
        return True


class Attendant:
    """One connection's. `check` is called some times a second, in the loop's thread."""

    def __init__(
        self,
        intake: Intake,
        kinds: Sequence[Kind],
        around: Surroundings,
        fetch: Fetch,
        patience: Patience | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.intake, self.kinds = intake, tuple(kinds)
        self.around, self.fetch = around, fetch
        self.pace = pace or Pace(fetch, around, GAP_S)
        self.patience = patience or Patience()
        self.dialect: Dialect = intake.reader.dialect
        self.instruments = dict(zip(intake.reader.numbers, intake.reader.instruments, strict=True))
        self.asking = {number: Asking() for number in intake.books}
        self.auditor = self._auditor()
        self.prover = Prover(intake, self.instruments, around, self.pace, self._forgotten)
        self.resubscriptions = 0
        self._silences: dict[tuple[int, Kind], Silence] = {}
        self._send: Callable[[bytes], None] | None = None
        self._drop: Callable[[], None] = lambda: None
        self._since_ns = 0
        intake.wanting = self.see_to_books

    def _auditor(self) -> Auditor:
        rule, instruments = self.dialect.books, self.instruments
        audit = rule.audit if rule is not None else None
        addresses = {k: audit(instruments[k]) for k in self.intake.books} if audit else {}
        return Auditor(self.intake, addresses, self.around, self.pace.fetch, self.patience.audits)

    def connected(self, send: Callable[[bytes], None], drop: Callable[[], None]) -> None:
        """A connection came about, on which all streams were asked for."""
        self._send, self._drop, self._since_ns = send, drop, self.around.monotonic_ns()
        self.intake.connected()
        self.prover.connected(send)
        limits = self.patience.silence_s
        self._silences = {
            (number, kind): Silence(int(limits[kind] * _NS))
            for number in self.instruments
            for kind in self.kinds
        }
        for number, asking in self.asking.items():
            waits = self.intake.books[number].source is Want.SUBSCRIPTION
            asking.again_ns = self._since_ns + int(self.patience.answer_s * _NS) if waits else 0

    def lost(self) -> None:
        """The connection is gone; answers to what was asked on it are of no use."""
        self._send = None
        self.auditor.lost()
        self.prover.lost()
        for asking in self.asking.values():
            asking.good_ns = 0
            if asking.task is not None:
                asking.task.cancel()
                asking.task = None

    def check(self) -> None:
        """Look after silence and wants."""
        if self._send is None:
            return
        now = self.around.monotonic_ns()
        for (number, kind), silence in self._silences.items():
            book = self.intake.books.get(number) if kind == "depth" else None
            answers = 0 if book is None else book.answers
            if silence.check(self.intake.heard(number, kind) + answers, now):
                self._silent(number, kind)
            elif kind == "depth" and self.prover.can(number) and silence.is_to_be_asked(now):
                self.prover.ask(number)
        self.prover.check()
        self.auditor.check()
        self.see_to_books()

    @property
    def proofs(self) -> int:
        """How often every book of the connection was proved to stand still."""
        return min((book.counts.proved for book in self.intake.books.values()), default=0)

    def see_to_books(self) -> None:
        """Ask for what books want, as far as it is time."""
        now = self.around.monotonic_ns()
        for number, asking in self.asking.items():
            book = self.intake.books[number]
            if book.good:
                self._good(asking, now)
                continue
            if asking.good_ns:
                asking.good_ns = 0
                self.around.report(self._lost(number, book.reason))
            if self._is_due(number, asking, now):
                wait_s = self.patience.asking.wait_s(asking.attempts, self.around.random)
                asking.attempts += 1
                asking.again_ns = now + int(wait_s * _NS)
                self._ask(number, asking)

    def _good(self, asking: Asking, now: int) -> None:
        if not asking.good_ns:
            asking.good_ns = now
        elif asking.attempts and now - asking.good_ns >= self.patience.lasting_s * _NS:
            asking.attempts = asking.again_ns = 0

    def _is_due(self, number: int, asking: Asking, now: int) -> bool:
        book = self.intake.books[number]
        if self._send is None or asking.task is not None or now < asking.again_ns:
            return False
        if book.wants is Want.SNAPSHOT and not book.waiting:
            return now - self._since_ns >= self.patience.quiet_s * _NS
        return book.wants is not Want.NOTHING

    def _ask(self, number: int, asking: Asking) -> None:
        rule, instrument = self.dialect.books, self.instruments[number]
        assert rule is not None
        assert self._send is not None
        if self.intake.books[number].wants is Want.SUBSCRIPTION:
            if asking.attempts > self.patience.tries:
                asking.attempts = 0
                self._drop()
                return
            asking.again_ns += int(self.patience.answer_s * _NS)
            self._subscribe(instrument, "depth")
        elif rule.request is not None:
            asking.again_ns += int(self.patience.answer_s * _NS)
            self._send(rule.request(instrument))
        else:
            assert rule.snapshot is not None
            fetching = self._fetch(number, asking, rule.snapshot(instrument))
            asking.task = asyncio.ensure_future(fetching)

    async def _fetch(self, number: int, asking: Asking, url: str) -> None:
        """Ask for a book over REST and hand the answer in."""
        try:
            payload = await self.fetch(url)
            self.intake.answer(number, payload, self.around.now_ns())
            self._confirm(number, asking)
        except VenueError as error:
            pause_s = float(error.details.get("retry_after_s", 0.0))
            soonest = self.around.monotonic_ns() + int(pause_s * _NS)
            asking.again_ns = max(asking.again_ns, soonest)
            self.around.report(error)
        finally:
            asking.task = None
        self.see_to_books()

    def _confirm(self, number: int, asking: Asking) -> None:
        """Where nothing moves, the second answer is soon: the first was no failure."""
        if self.intake.books[number].unsure:
            soon = self.around.monotonic_ns() + int(self.patience.quiet_s * _NS)
            asking.again_ns = min(asking.again_ns, soon)

    def _subscribe(self, instrument: Instrument, kind: Kind) -> None:
        """Take a channel's subscription back and ask for it anew."""
        assert self.dialect.wire is not None
        assert self._send is not None
        self.resubscriptions += 1
        wire = self.dialect.wire
        for each in (
            *wire.unsubscribe([instrument], [kind]),
            *wire.subscribe([instrument], [kind]),
        ):
            self._send(each)

    def _forgotten(self, number: int) -> None:
        """A depth channel that was subscribed anew did not bring its whole book."""
        self._silences[number, "depth"].again(self.around.monotonic_ns())
        self._silent(number, "depth")

    def _silent(self, number: int, kind: Kind) -> None:
        instrument = self.instruments[number]
        if kind != "depth" or number not in self.intake.books:
            self._subscribe(instrument, kind)
            return
        was_good = self.intake.books[number].good
        self.intake.silence(number, self.around.now_ns())
        snapshots = self.intake.books[number].source is Want.SNAPSHOT
        if was_good or snapshots:  # else the subscription is asked for anew as it is
            self._subscribe(instrument, kind)
        if was_good and not snapshots:
            wait_ns = int(self.patience.answer_s * _NS)
            self.asking[number].again_ns = self.around.monotonic_ns() + wait_ns

    def _lost(self, number: int, reason: str) -> VenueError:
        name = self.instruments[number].name
        return VenueError(
            "venue.book_lost",
            f"expected the book of {name} to stay in step, was not: {reason}",
            "nothing of it is shown until it is the venue's again; it is asked for by itself",
            venue=self.dialect.venue,
            symbol=self.instruments[number].symbol,
        )
