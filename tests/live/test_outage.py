"""One of two venues goes away while runs trade on both: the other goes on, and it comes back.

A run on paper and a live one meet the same outage at the same time.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live_server import Served

Found = Callable[[dict[str, Any]], bool]
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
    *("--strategy", "grid", "--set", "portfolio.cash=100000", "--set", "risk.max_orders_per_s=4"),
    *("--set", "risk.stale_after=1s", "--for", "10m"),
)
WITHIN_S = 120.0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two venues whose budgets let several orders a second leave."""
    from live_server import Served

    folder = tmp_path_factory.mktemp("outage") / "server"
    server = Served(folder, "--venues", "binance,okx", "--rate", "100", "--seed", "3")
    yield server
    server.stop()


class Watched:
    """A run, and what it has said so far."""

    def __init__(self, process: Any) -> None:
        self.process = process
        self.records: list[dict[str, Any]] = []
        self._errors: list[bytes] = []
        self._more = threading.Condition()
        self._over = False
        self._threads = [
            threading.Thread(target=self._read),
            threading.Thread(target=lambda: self._errors.append(process.stderr.read())),
        ]
        for each in self._threads:
            each.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._more:
                self.records.append(json.loads(line))
                self._more.notify_all()
        with self._more:
            self._over = True
            self._more.notify_all()

    def until(self, found: Found, since: int = 0, times: int = 1) -> int:
        """Wait for the record, behind index `since`, that is `found`; return the index behind it.

        The test fails when the run ends before.
        """
        at, left = since, times
        with self._more:
            while True:
                while at < len(self.records):
                    at += 1
                    left -= found(self.records[at - 1])
                    if not left:
                        return at
                assert not self._over, self._errors
                assert self._more.wait(WITHIN_S), self.records[-3:]

    def end(self) -> dict[str, Any]:
        """Interrupt it; return its summary."""
        self.process.send_signal(2)
        at = self.until(lambda r: r["type"] == "run_summary")
        return self.records[at - 1]

    def stop(self) -> None:
        """Leave nothing behind."""
        self.process.kill()
        for each in self._threads:
            each.join()
        self.process.wait()


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


def holds(instrument: str) -> Found:
    """A fill after which there is a position."""
    return lambda r: (
        r["type"] == "fill" and r["instrument"] == instrument and float(r["position"]) != 0.0
    )


def order(instrument: str, event: str = "accepted", reason: str = "") -> Found:
    return lambda r: (
        r["type"] == "order"
        and (r["instrument"], r["event"]) == (instrument, event)
        and r["reason"].startswith(reason)
    )


def outage(run: Watched) -> int:
    """Wait for the word of it."""
    codes = ("venue.disconnected", "venue.silent")
    return run.until(lambda r: r["type"] == "notice" and r["code"] in codes)


def judge(run: Watched, mark: int, cleared: int, summary: dict[str, Any]) -> None:
    """From the mark to the mend nothing new went to the lost venue, and the other was not stopped.

    Before the position there had a worth without a book, the gate knew no portfolio value, and
    refused everything everywhere.
    """
    during = run.records[mark:cleared]
    assert not list(filter(order(LOST, "submitted"), during))
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
        for run, mark in zip(both, marks, strict=True):
            run.until(order(OTHER), mark, times=2)
        seen = [len(run.records) for run in both]
        served.clear()
        for run, at in zip(both, seen, strict=True):
            run.until(order(LOST), at)
        for run, mark, at in zip(both, marks, seen, strict=True):
            judge(run, mark, at, run.end())


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
        mark = run.until(order(LOST, "rejected", "venue.in_doubt"), began)
        at = run.until(order(OTHER), mark, times=2)
        served.clear()
        run.until(order(LOST), at)
        summary = run.end()
        doubts = [r["instrument"] for r in run.records if order(LOST, "rejected", "venue.in")(r)]
        assert doubts
        assert not list(filter(order(OTHER, "rejected", "venue.in_doubt"), run.records))
        for venue in ("binance", "okx"):
            fared = summary["feed"]["orders"][venue]
            assert (fared["stays"], fared["in_doubt"]) == ([], [])
            rows = served.ask(f"/{venue}/orders?account=client")
            assert not [r for r in rows if r["status"] == "open"]
