"""Whenever a book is shown as good it is the venue's book, whatever the connection does to it."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from model_venues import EPOCH_MS, MODELS, Levels, Line, Model

from kimera_cli.feeds.live import intake_of
from kimera_cli.feeds.output import FunctionOutput
from kimera_cli.feeds.sync import Want
from kimera_cli.layouts import CLEAR, DEPTH, F_GAP, F_LAST, F_SNAPSHOT, Events

START = EPOCH_MS * 1_000_000
RUNS = 20
STEPS = 120


class Consumer:
    """Keeps the book that it is shown, and holds it against the venue's."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.levels: Levels = {}
        self.good = False
        self.compared = 0
        self.ts_local_ns = 0
        self.open = False

    def take(self, events: Events, n: int) -> None:
        for event in events[:n]:
            assert event["ts_local_ns"] >= self.ts_local_ns
            self.ts_local_ns = int(event["ts_local_ns"])
            if event["kind"] == CLEAR:
                assert not self.open
                self.levels.clear()
                self.good = not event["flags"] & F_GAP
                assert bool(event["flags"] & F_SNAPSHOT) == self.good
            elif event["kind"] == DEPTH:
                assert self.good, "nothing is shown of a book that is not good"
                place = int(event["side"]), int(event["px_ticks"])
                self.levels[place] = int(event["qty_lots"])
                if not event["qty_lots"]:
                    del self.levels[place]
            self.open = not event["flags"] & F_LAST
            if self.good and not self.open:
                assert self.levels == self.model.history[self.model.key(event)]
                self.compared += 1


class World:
    """A venue, a line, and the intake under test, which is given what it wants."""

    def __init__(self, make: type[Model], seed: int, **faults: float) -> None:
        self.rng = Random(seed)
        self.model = make(Random(seed + 1))
        self.line = Line(self.rng, **faults)
        self.consumer = Consumer(self.model)
        output = FunctionOutput(self.consumer.take)
        numbered = [(3, make.instrument())]
        self.intake = intake_of(make.dialect(), numbered, ("depth",), output)
        self.book = self.intake.books[3]
        self.stamps = count(START)
        self.old: list[bytes] = []
        self.intake.begin(next(self.stamps))
        self.intake.connected()
        self.arrive(self.model.subscribed())

    def arrive(self, frames: list[bytes]) -> None:
        for frame in self.line.send(frames):
            self.intake.take(frame, next(self.stamps))

    def turn(self, restarts: float = 0.0) -> None:
        """Something happens at the venue; now and then a want is fulfilled."""
        happens = self.model.restart if self.rng.random() < restarts else self.model.step
        self.arrive(happens())
        if self.book.good and self.rng.random() < 0.1:
            self.prove()
        if self.book.wants is Want.SUBSCRIPTION and self.rng.random() < 0.3:
            self.arrive(self.model.subscribed())
        if self.book.wants is Want.SNAPSHOT:
            self.old.append(self.model.answer())
            if self.rng.random() < 0.3:
                self.answer(self.rng.choice(self.old[-5:]))

    def prove(self) -> None:
        """Ask for the book, as if nothing had been heard of it."""
        rule = self.model.dialect().books
        assert rule is not None
        if rule.again:
            self.intake.watch(3)
            self.arrive(self.model.subscribed())
        elif self.book.source is Want.SNAPSHOT:
            self.answer(self.model.answer())

    def answer(self, payload: bytes) -> None:
        rule = self.model.dialect().books
        assert rule is not None
        if rule.request is not None:
            self.arrive([payload])
        else:
            self.intake.answer(3, payload, next(self.stamps))

    def reconnect(self) -> None:
        self.intake.gap(next(self.stamps))
        assert not self.consumer.good
        self.line.late.clear()
        self.intake.connected()
        if self.model.venue == "coinbase":
            self.model.seq = -1
        self.arrive(self.model.subscribed())


FAULTS = {
    "none": {},
    "loss": {"loss": 0.1},
    "repeat": {"repeat": 0.2},
    "order": {"delay": 0.1},
    "all": {"loss": 0.05, "repeat": 0.1, "delay": 0.05},
}


@pytest.mark.parametrize("faults", FAULTS)
@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.venue)
def test_what_is_shown_is_the_venues_book(make: type[Model], faults: str) -> None:
    compared = synced = 0
    for seed in range(RUNS):
        world = World(make, seed, **FAULTS[faults])
        for _ in range(STEPS):
            world.turn(restarts=0.02 if faults != "none" else 0.0)
            if world.rng.random() < 0.01:
                world.reconnect()
        world.line = Line(world.rng)
        for _ in range(60):
            world.turn()
        assert world.consumer.good, world.book.reason
        assert world.consumer.levels == world.model.levels
        compared += world.consumer.compared
        synced += world.book.counts.synced
    assert compared > RUNS * STEPS // 4
    assert synced >= RUNS
