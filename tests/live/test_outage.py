"""One of two venues goes away while runs trade on both: the other goes on, and it comes back.

A run on paper and a live one meet the same outage at the same time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from live_server import Served, paced
from watched import Watched, holds, notice, order

LOST, OTHER = "binance/BTCUSDT", "okx/BTC-USDT"
REFUSED = (
    {"hook": "connect", "action": "refuse"},
    {"hook": "request.before", "action": "drop"},
)
"""Connections are ended, and no new one comes about."""
HALF_OPEN = (
    {"hook": "connect", "action": "half_open"},
    {"hook": "frame.out", "action": "drop"},
    {"hook": "frame.in", "action": "drop"},
    {"hook": "request.before", "action": "delay", "seconds": 30.0},
)
"""Connections stay, and nothing comes or goes on them any more."""
UNANSWERED = ({"hook": "request.before", "action": "drop", "match": "^[A-Z]+ /api/v3/order"},)
"""Market data go on; orders are lost on their way, and so is each question about them."""
WORDS = (
    *("run", "--source", "venue", "--market", LOST, "--market", OTHER, "--format", "jsonl"),
    *("--strategy", "grid", "--set", "portfolio.cash=100000"),
    *paced("binance", "okx"),
    *("--set", "risk.stale_after=1m", "--set", "grid.order_notional=200", "--for", "10m"),
)
"""A book that is lost is withdrawn, whatever its age; a machine that pauses for some seconds is no
outage of the other venue. Orders are small: those in doubt count towards the position limit.
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two venues whose budgets let several orders a second leave."""
    folder = tmp_path_factory.mktemp("outage") / "server"
    server = Served(folder, "--venues", "binance,okx", "--rate", "100", "--seed", "3")
    yield server
    server.stop()


@contextmanager
def runs(kimera: Any, served: Served, *modes: str) -> Iterator[list[Watched]]:
    """Run in these modes at once; both venues hold something of each run when it is given."""
    made = []
    try:
        for mode in modes:
            where = ("--server", str(served.listening), "--keys", str(served.keys))
            out = ("--out", str(kimera.folder / mode), "--execute", mode)
            made.append(Watched(kimera.start(*WORDS, *where, *out)))
        for each in made:
            each.until(holds(LOST))
            each.until(order(OTHER))
        yield made
    finally:
        served.clear()
        for each in made:
            each.stop()


def outage(run: Watched) -> int:
    """Wait for the word of it."""
    codes = ("venue.disconnected", "venue.silent")
    return run.until(lambda r: r["type"] == "notice" and r["code"] in codes)


def judge(run: Watched, mark: int, known: int, cleared: int, summary: dict[str, Any]) -> None:
    """From the mark to the mend the other venue was not stopped, and once the loop knows it nothing
    new goes to the lost one: the word of an outage may be told before the loop has come to it.

    Before the position there had a worth without a book, the gate knew no portfolio value, and
    refused everything everywhere.
    """
    assert not list(filter(order(LOST, "submitted"), run.records[known:cleared]))
    during = run.records[mark:cleared]
    refused = {(r["instrument"], r["code"]) for r in during if r["type"] == "denial"}
    assert not refused & {(OTHER, code) for code in ("risk.no_book", "risk.stale_data")}
    books = summary["feed"]["books"]
    assert books[LOST]["lost"] >= 1
    assert books[OTHER]["lost"] == 0
    assert books[LOST]["good"]
    assert books[OTHER]["good"]
    for venue, fared in summary["feed"].get("orders", {}).items():
        if venue != "late":
            assert (fared["stays"], fared["in_doubt"]) == ([], [])


def outlived(kimera: Any, served: Served, rules: tuple[dict[str, Any], ...]) -> None:
    with runs(kimera, served, "paper", "live") as both:
        for rule in rules:
            served.ask("/faults", {**rule, "count": None, "venue": "binance"})
        if rules is REFUSED:
            served.ask("/binance/disconnect", {})
        marks = [outage(run) for run in both]
        known = [run.until(order(OTHER), at) for run, at in zip(both, marks, strict=True)]
        for run, at in zip(both, known, strict=True):
            run.until(order(OTHER), at, times=2)
        seen = [len(run.records) for run in both]
        served.clear()
        for run, at in zip(both, seen, strict=True):
            run.until(order(LOST), at)
        for run, *points in zip(both, marks, known, seen, strict=True):
            judge(run, *points, run.end())


def test_a_venue_that_refuses_connections(kimera: Any, served: Served) -> None:
    outlived(kimera, served, REFUSED)


def test_a_venue_that_says_nothing_any_more(kimera: Any, served: Served) -> None:
    outlived(kimera, served, HALF_OPEN)


def test_orders_are_in_doubt_only_where_the_venue_does_not_answer(
    kimera: Any, served: Served
) -> None:
    """Its order entry is gone and its market data are not: new orders there wait for the truth."""
    with runs(kimera, served, "live") as (run,):
        for rule in UNANSWERED:
            served.ask("/faults", {**rule, "count": None, "venue": "binance"})
        began = len(run.records)
        mark = run.until(notice("risk.order_in_doubt", "binance"), began)
        at = run.until(order(OTHER), mark, times=2)
        assert not list(filter(order(LOST), run.records[mark:]))
        served.clear()
        run.until(order(LOST), at)
        summary = run.end()
        assert not list(filter(order(OTHER, "rejected", "venue.in_doubt"), run.records))
        for venue in ("binance", "okx"):
            fared = summary["feed"]["orders"][venue]
            assert (fared["stays"], fared["in_doubt"]) == ([], [])
            rows = served.ask(f"/{venue}/orders?account=client")
            assert not [r for r in rows if r["status"] == "open"]


ONE_ORDER = """
from kimera_cli.kernels.strategy import has_market, lots_for_notional, place
from kimera_cli.layouts import BID, LIMIT, POST_ONLY

PARAMS = {}
INTERVAL_NS = 100_000_000
FEATURES = False


def decide(view):
    if has_market(view) and view.n_orders == 0:
        place(view, BID, view.best_bid_ticks, lots_for_notional(view, 200.0), LIMIT, POST_ONLY, 1)
    return 0
"""


def test_a_doubt_is_told_when_it_begins(kimera: Any, served: Served) -> None:
    """No other order is refused for it: the strategy sends one and waits for its answer."""
    (kimera.folder / "one_order.py").write_text(ONE_ORDER)
    (lost,) = UNANSWERED
    served.ask("/faults", {**lost, "count": None, "venue": "binance"})
    where = ("--server", str(served.listening), "--keys", str(served.keys))
    words = (*WORDS[:5], "--strategy", "./one_order.py", "--execute", "live", "--for", "10m")
    run = Watched(kimera.start(*words, *where, "--format", "jsonl"))
    try:
        run.until(notice("risk.order_in_doubt", "binance"))
        assert not [r for r in run.records if r["type"] == "order" and r["reason"]]
    finally:
        served.clear()
        run.stop()
