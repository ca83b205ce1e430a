"""When the feed is to be trusted, and what wakes a strategy."""

from __future__ import annotations

from rig import MS, T0, Plan, Row, Script, Source, cancel, depth, new, replay, snapshot, tape, trade

from kimera_cli.layouts import ASK, BID, DENIALS, F_GAP, QUOTE

BOOK = snapshot(0, (BID, 100, 5), (ASK, 102, 5))
END = depth(500, BID, 90, 1)
STALE = DENIALS.index("stale_data")


def test_after_a_gap_no_new_risk_until_a_snapshot_and_cancels_pass():
    events = tape(
        BOOK,
        depth(20, BID, 99, 7),
        depth(100, BID, 98, 7, flags=F_GAP),
        depth(150, BID, 97, 7),
        snapshot(200, (BID, 100, 6), (ASK, 103, 5)),
        END,
    )
    plan = {
        10: [new(BID, 99, 1, tag=1)],
        120: [new(BID, 98, 1, tag=2), cancel(1)],
        160: [new(BID, 98, 1, tag=3)],
        230: [new(BID, 98, 1, tag=4)],
    }
    got = replay(Source(events), Script(plan))
    assert got.life(1) == [("accepted", 0), ("cancelled", 0)]
    assert got.life(2) == [("denied", STALE)]
    assert got.life(3) == [("denied", STALE)]
    assert got.life(4) == [("accepted", 0)]


def wakes(*rows: Row | list[Row]) -> list[int]:
    """Milliseconds at which an event-driven strategy was called."""
    script = Script({})
    script.watch = ("now_ns",)
    replay(Source(tape(*rows, END)), Plan(script, interval_ns=0))
    return [round((seen["now_ns"] - T0) / MS) for seen in script.seen]


def test_levels_and_trades_wake_statements_of_the_feed_do_not():
    quote = Row(30 * MS, QUOTE, BID, 100, 5)
    called = wakes(BOOK, depth(10, BID, 99, 7), trade(20, BID, 102, 1), quote)
    assert len(called) == 4
    first = called[0]
    assert [at - first for at in called] == [0, 10, 20, 500]


def test_nobody_is_called_before_both_sides_are_known():
    one_sided = snapshot(0, (BID, 100, 5))
    called = wakes(one_sided, depth(10, BID, 99, 7), depth(20, ASK, 102, 5))
    assert len(called) == 2
    assert called[1] - called[0] == 480
