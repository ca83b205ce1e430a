"""Books that nothing but the venue's own answer can check: what is lost is found, nothing else."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random

from model_venues import EPOCH_MS, Changes, Model, compact
from test_live import Shown

from kimera_cli.errors import KimeraError, VenueError
from kimera_cli.feeds.audit import Auditor, AuditPlan
from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.surroundings import Surroundings
from kimera_cli.feeds.sync_audit import AuditSync
from kimera_cli.layouts import ASK, BID

NS = 1_000_000_000
NAMES = {BID: "buy", ASK: "sell"}


class Exchange(Model):
    venue = "coinbaseexchange"
    symbol = "BTC-USD"

    def diff(self, changes: Changes) -> bytes:
        stamp = f"2023-11-14T22:{self.now // 60000:02d}:{self.now // 1000 % 60:02d}"
        told = [[NAMES[side], self.px(px), self.qty(qty)] for side, px, qty in changes]
        head = {"type": "l2update", "product_id": self.symbol, "changes": told}
        return compact(head | {"time": f"{stamp}.{self.now % 1000:03d}Z"})

    def subscribed(self) -> list[bytes]:
        sides = {"asks": self.side(ASK), "bids": self.side(BID)}
        return [compact({"type": "snapshot", "product_id": self.symbol} | sides)]

    def answer(self) -> bytes:
        sides = {
            name: [[*level, 1] for level in self.side(side)]
            for name, side in (("bids", BID), ("asks", ASK))
        }
        return compact(sides | {"sequence": 9, "time": "2023-11-14T22:00:00Z"})


class Desk:
    def __init__(self, seed: int = 1) -> None:
        self.model, self.shown = Exchange(Random(seed)), Shown()
        self.stamps = count(EPOCH_MS * 1_000_000)
        numbered = [(0, Exchange.instrument())]
        output = FunctionOutput(self.shown.take)
        self.intake = intake_of(Exchange.dialect(), numbered, ("depth",), output)
        book = self.intake.books[0]
        assert isinstance(book, AuditSync)
        self.book = book
        self.intake.connected()
        self.give(*self.model.subscribed())
        assert book.good

    def give(self, *frames: bytes) -> None:
        for frame in frames:
            self.intake.take(frame, next(self.stamps))

    def steps(self, n: int) -> None:
        for _ in range(n):
            self.give(*self.model.step())

    def told(self, payload: bytes) -> None:
        self.intake.told(0, payload, next(self.stamps))

    def judge(self) -> None:
        self.intake.judge(0, next(self.stamps))


def test_a_right_book_is_never_called_wrong_however_late_stream_and_answer_are() -> None:
    """The stream lags by up to 9 messages; the answer is of any moment while it was awaited."""
    for seed in range(200):
        desk, rng = Desk(seed), Random(seed)
        late: list[bytes] = []
        for _ in range(rng.randrange(10)):
            late += desk.model.step()
        desk.intake.watch(0)
        for _ in range(rng.randrange(6)):
            late += desk.model.step()
        answer = desk.model.answer()
        for _ in range(rng.randrange(6)):
            late += desk.model.step()
        cut = rng.randrange(len(late) + 1)
        desk.give(*late[:cut])
        desk.told(answer)
        desk.give(*late[cut:])
        desk.judge()
        assert desk.book.good, (seed, desk.book.reason)
        assert desk.book.counts.audits == 1


def test_a_lost_message_is_found_unless_the_level_moves_again() -> None:
    found = 0
    for seed in range(100):
        desk = Desk(seed)
        desk.steps(5)
        desk.model.step()  # lost
        desk.intake.watch(0)
        own = {
            (side, px): qty for side in (BID, ASK) for px, qty in desk.shown.books[0].top(side, 99)
        }
        desk.told(desk.model.answer())
        desk.judge()
        assert desk.book.good == (own == desk.model.levels)
        found += not desk.book.good
        if not desk.book.good:
            assert desk.book.counts.wrong == 1
            assert desk.shown.marks == 1
            desk.give(*desk.model.subscribed())
            assert desk.book.good
    assert found > 80


def test_an_answer_to_a_question_before_the_book_was_lost_says_nothing() -> None:
    desk = Desk()
    desk.intake.watch(0)
    desk.intake.gap(next(desk.stamps))
    desk.intake.connected()
    desk.give(*desk.model.subscribed())
    old = Desk(77).model.answer()
    desk.told(old)
    desk.judge()
    assert desk.book.good
    assert desk.book.counts.audits == 0


class Clock:
    def __init__(self) -> None:
        self.now = NS
        self.reports: list[KimeraError] = []

    def around(self) -> Surroundings:
        return Surroundings(lambda: self.now, lambda: self.now, lambda: 0.5, self.reports.append)


def test_an_auditor_asks_waits_and_compares_at_its_times() -> None:
    desk, clock, asked = Desk(), Clock(), []

    async def fetch(url: str) -> bytes:
        asked.append(url)
        if len(asked) == 2:
            raise VenueError("venue.answer", "no")
        return desk.model.answer()

    async def run() -> None:
        plan = AuditPlan(first_s=5.0, every_s=60.0, settle_s=2.0)
        auditor = Auditor(desk.intake, {0: "there"}, clock.around(), fetch, plan)

        async def at(seconds: float) -> tuple[int, int]:
            clock.now = int(seconds * NS)
            auditor.check()
            for _ in range(3):
                await asyncio.sleep(0)
            return len(asked), desk.book.counts.audits

        assert await at(1) == (0, 0)
        assert await at(5.9) == (0, 0)
        assert await at(6) == (1, 0)
        assert await at(7.9) == (1, 0)
        assert await at(8) == (1, 1)
        assert await at(65.9) == (1, 1)
        assert await at(66) == (2, 1)
        assert [error.code for error in clock.reports] == ["venue.answer"]
        assert await at(70) == (2, 1), "there is no answer to compare with"
        desk.model.step()  # lost
        assert await at(126) == (3, 1)
        assert await at(128) == (3, 2)
        assert not desk.book.good
        assert await at(300) == (3, 2), "a book that is not good is not compared"

    asyncio.run(run())
