"""Market data that is lost, wrong, unreadable or silent: never shown as good, and regained."""

from __future__ import annotations

from typing import Any

from kimera_cli.venues.faults.feed_stage import FeedStage
from kimera_cli.venues.faults.marks import BIDS, BY_SNAPSHOT, CHECKSUMS, COMPARED, WHOLE
from kimera_cli.venues.faults.scenario import Scenario, expect

CLOSED = 1012
BEYOND = 1000
"""Ticks by which a crossed bid is above the best ask."""
MOVED = 200
"""Events in which a book becomes another one."""
UNREADABLE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("truncate", {"size": 30}),
    ("garbage", {}),
    ("garbage", {"body": "[", "size": 11_000_000}),
)


def _drop(stage: FeedStage, how: str = "abort") -> None:
    for socket in stage.host.sockets(stage.name):
        socket.abort() if how == "abort" else socket.close(CLOSED, "service restart")


async def wrong(stage: FeedStage) -> None:
    """F15."""
    lost = stage.counts.lost
    stage.fault_of_book("drop", count=3)
    await stage.turns(lambda: stage.counts.lost > lost, "expected lost messages to be found")
    await stage.turns(lambda: stage.shown.good, "expected the book again")
    for action in ("duplicate", "reorder"):
        rule = stage.fault_of_book(action, count=2)
        await stage.turns(lambda r=rule: r.spent, f"expected to {action}")  # type: ignore[misc]
        await stage.turns(lambda: stage.shown.good, f"{action}: expected the book again")
    await _crossed(stage)
    await _wrong_sum(stage)
    if stage.name in WHOLE:
        await _old_book(stage)
    elif stage.name in BY_SNAPSHOT:
        await _old_snapshot(stage)
    await stage.turns(lambda: stage.shown.good, "expected the book again")


async def _crossed(stage: FeedStage) -> None:
    """Let one change have a bid above the best ask."""
    events = stage.shown.events + MOVED
    await stage.turns(lambda: stage.shown.events > events and stage.shown.good, "expected calm")
    pattern, body = BIDS[stage.name]
    asks = stage.venue.exchange.book(stage.market.symbol)[1]
    body = body.replace("{price}", f"{stage.market.price(asks[0][0] + BEYOND):f}")
    before, marks = stage.counts.crossed, stage.shown.marks
    stage.fault_of_book("replace", f".*{pattern}", pattern=pattern, body=body)
    await stage.turns(lambda: stage.counts.crossed > before, "expected a crossed book to be found")
    expect(stage.shown.marks > marks, "expected the crossed book to be marked")
    await stage.turns(lambda: stage.shown.good, "expected the book again")


async def _wrong_sum(stage: FeedStage) -> None:
    """Let one change have another checksum, where the venue's have one."""
    if stage.name not in CHECKSUMS:
        stage.notes.append("its feed has no checksum")
        return
    await stage.turns(lambda: stage.shown.good, "expected the book before a wrong sum")
    pattern, body = CHECKSUMS[stage.name]
    counts, marks, events = stage.counts, stage.shown.marks, stage.shown.events
    before = counts.checksums
    rule = stage.fault_of_book("replace", pattern=pattern, body=body)
    if stage.name in COMPARED:
        await stage.turns(lambda: counts.checksums > before, "expected a wrong sum to be found")
        expect(stage.shown.marks > marks, "expected the book to be marked")
        stage.notes.append("wrong checksum found")
        return
    await stage.turns(lambda: rule.spent and stage.shown.events > events + MOVED, "a wrong sum")
    expect(stage.shown.marks == marks, "expected the book to go by its numbers alone")
    stage.notes.append("wrong checksum passed: its books go by their numbers")


async def _old_book(stage: FeedStage) -> None:
    """Let a whole book be that of an earlier connection."""
    rule = stage.fault("frame.out", "stale", WHOLE[stage.name], count=2)
    _drop(stage)  # gets the first one, which the next will be like
    await stage.turns(lambda: rule.hits == 1 and stage.shown.good, "expected the book again")
    events = stage.shown.events + MOVED
    await stage.turns(lambda: stage.shown.events > events, "expected the book to move")
    marks = stage.shown.marks
    _drop(stage)
    await stage.turns(lambda: rule.spent, "expected an old book to be sent")
    await stage.turns(stage.right, "expected the book of now")
    expect(stage.shown.marks > marks, "expected the book to be marked")


async def _old_snapshot(stage: FeedStage) -> None:
    rule = stage.fault("request.after", "stale", "depth", count=2)
    _drop(stage)  # gets the first answer, which the next will be like
    await stage.turns(lambda: rule.hits == 1 and stage.shown.good, "expected the book again")
    _drop(stage)
    await stage.turns(lambda: stage.counts.stale, "expected an old snapshot to be found out")
    expect(not stage.shown.good, "expected nothing to be shown of it")


async def unreadable(stage: FeedStage) -> None:
    """F16."""
    for action, terms in UNREADABLE:
        stage.fault_of_book(action, **terms)  # type: ignore[arg-type]
        await stage.lost_and_regained(action)
    marks = stage.shown.marks
    rule = stage.fault_of_book("insert", body='{"no":"such message"}')
    await stage.turns(lambda: rule.spent, "expected an unknown message")
    await stage.turns(lambda: stage.shown.good, "expected the book with an unknown message")
    expect(stage.shown.marks <= marks + 1, "expected one connection at most to be given up")


async def silent(stage: FeedStage) -> None:
    """F17."""
    connections = stage.connections
    stage.fault("frame.out", "drop", count=None)
    await stage.turns(lambda: not stage.shown.good, "expected silence to be noticed")
    await stage.turns(lambda: stage.connections > connections, "expected a new connection")
    stage.host.faults.clear()
    await stage.turns(lambda: stage.shown.good, "expected the book again")
    connections = stage.connections
    for socket in stage.host.sockets(stage.name):
        socket.frozen = True
    await stage.turns(lambda: not stage.shown.good, "expected a half-open connection to be noticed")
    await stage.turns(lambda: stage.connections > connections, "expected a new connection")
    await stage.turns(lambda: stage.shown.good, "expected the book again")


async def forgotten(stage: FeedStage) -> None:
    """F19: the connection lives, and one channel of it brings nothing."""
    marks = stage.shown.marks
    stage.fault_of_book("drop", count=None)
    await stage.turns(lambda: stage.counts.silences, "expected the silence of the book")
    expect(stage.shown.marks > marks, "expected the book to be marked")
    stage.host.faults.clear()
    await stage.turns(lambda: stage.shown.good, "expected the book again")


async def restarted(stage: FeedStage) -> None:
    """F24."""
    for how in ("close", "abort"):
        synced = stage.counts.synced
        stage.venue.dialect.restarted()
        _drop(stage, how)
        await stage.turns(lambda: not stage.shown.good, "expected the restart to be noticed")
        await stage.turns(lambda: stage.shown.good, "expected the book again")
        expect(stage.counts.synced > synced, "expected a whole new book")


SCENARIOS = [
    Scenario("F15", "feed", "gap, crossed, old book, wrong sum: marked, in step again", feed=wrong),
    Scenario("F16", "feed", "cut, garbage, unknown, 11 MB: marked, in step again", feed=unreadable),
    Scenario("F17", "feed", "silence, half-open connection: marked, in step again", feed=silent),
    Scenario("F19", "feed", "channel forgotten: marked, asked for anew", feed=forgotten),
    Scenario("F24", "feed", "venue restarts, numbers begin anew: whole new book", feed=restarted),
]
