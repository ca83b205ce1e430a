"""A venue that is not there when a run over several begins: the others trade, and it joins."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from live_server import Served, paced
from watched import Watched, notice, order

from kimera_cli.journal.intents import IntentJournal, Timing, account_folder
from kimera_cli.live.known_markets import KnownMarkets
from kimera_cli.live.markets import ask_each
from kimera_cli.units import NS_PER_S
from kimera_cli.venues.clients.addresses import addresses_of
from kimera_cli.venues.orders.rules import rules_of

HERE, LATE = "binance/BTCUSDT", "okx/BTC-USDT"
SYMBOLS = {"binance": "BTCUSDT", "okx": "BTC-USDT", "htx": "BTCUSDT"}
REFUSED = (
    {"hook": "connect", "action": "refuse"},
    {"hook": "request.before", "action": "drop"},
)
PAGE = "<html><body>We are down for maintenance</body></html>"
MAINTENANCE = ({"hook": "request.before", "action": "reply", "status": 503, "body": PAGE},)
"""REST says so, while market data go on: the book is there, and orders must not go."""
WORDS = (
    *("run", "--source", "venue", "--format", "jsonl", "--strategy", "grid", "--for", "10m"),
    *("--set", "portfolio.cash=100000", *paced(*SYMBOLS)),
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("late") / "server"
    server = Served(folder, "--venues", "binance,okx,htx", "--rate", "100", "--seed", "3")
    yield server
    server.stop()


@pytest.fixture
def runs(kimera: Any, served: Served) -> Iterator[Runs]:
    made = Runs(kimera, served)
    yield made
    served.clear()
    served.flow(True, *SYMBOLS)
    for each in made.running:
        each.stop()


class Runs:
    """Starts runs that are ended with the test."""

    def __init__(self, kimera: Any, served: Served) -> None:
        self.kimera, self.served = kimera, served
        self.running: list[Watched] = []

    def words(self, mode: str, *markets: str) -> list[str]:
        """Return the words of a run."""
        told = [word for name in markets for word in ("--market", name)]
        where = ["--server", str(self.served.listening), "--keys", str(self.served.keys)]
        return [*WORDS, *told, *where, "--execute", mode]

    def start(self, mode: str, *markets: str, more: tuple[str, ...] = ()) -> Watched:
        """Start one."""
        out = str(self.kimera.folder / f"{mode}-{len(self.running)}")
        process = self.kimera.start(*self.words(mode, *markets), "--out", out, *more)
        self.running.append(Watched(process))
        return self.running[-1]

    def learn(self, *venues: str) -> None:
        """Let this home have seen these venues, as an earlier run leaves it."""
        world: Any = SimpleNamespace(
            now_ns=time.time_ns, monotonic_ns=time.monotonic_ns, random_bytes=bytes
        )
        known = KnownMarkets(self.kimera.home, live=False)
        wanted = {venue: [SYMBOLS[venue]] for venue in venues}
        found = ask_each(
            wanted,
            addresses_of(str(self.served.listening)),
            {},
            world,
            keep=lambda venue, listings: known.keep(venue, listings, 1),
        )
        assert all(isinstance(each, list) for each in found.values()), found

    def fault(self, venue: str, rules: tuple[dict[str, Any], ...]) -> None:
        """Let this happen to every request and connection of a venue, until `served.clear`."""
        for rule in rules:
            self.served.ask("/faults", {**rule, "count": None, "venue": venue})


def denied(instrument: str, code: str) -> Any:
    return lambda r: r["type"] == "denial" and (r["instrument"], r["code"]) == (instrument, code)


def settled(summary: dict[str, Any], *venues: str) -> None:
    """Every venue has joined, and nothing of the run is left there."""
    for venue in venues:
        fared = summary["feed"]["orders"][venue]
        assert (fared["joined"], fared["stays"], fared["in_doubt"]) == (True, [], [])


def no_open_orders(served: Served, *venues: str) -> None:
    for venue in venues:
        orders = served.ask(f"/{venue}/orders?account=client")
        assert not [o for o in orders if o["status"] == "open"]
        names = [o["client_id"] for o in orders if o["client_id"]]
        assert len(set(names)) == len(names), "no order twice"
        served.ask(f"/{venue}/check")


@pytest.mark.parametrize("rules", [REFUSED, MAINTENANCE], ids=["refused", "maintenance"])
def test_a_venue_away_at_the_start_joins_when_it_answers(runs: Runs, rules: Any) -> None:
    """A run on paper and a live one, at the same time."""
    runs.learn("binance", "okx")
    runs.fault("okx", rules)
    both = [runs.start(mode, HERE, LATE) for mode in ("paper", "live")]
    for run in both:
        run.until(notice("venue.away", "okx"))
        run.until(order(HERE), times=2)
        if rules is MAINTENANCE:
            run.until(denied(LATE, "risk.venue_away"))
        assert not list(filter(order(LATE, "submitted"), run.records))
        assert not list(filter(notice("venue.joined", "okx"), run.records))
    runs.served.clear()
    for run in both:
        at = run.until(notice("venue.joined", "okx"))
        run.until(order(LATE), at)
        assert not list(filter(order(LATE, "submitted"), run.records[:at]))
    paper, live = (run.end() for run in both)
    assert paper["fidelity"]["clocks"].keys() == {"binance", "okx"}
    settled(live, "binance", "okx")
    no_open_orders(runs.served, "binance", "okx")


def test_a_venue_that_was_never_seen_is_left_out(runs: Runs) -> None:
    runs.fault("okx", REFUSED)
    run = runs.start("paper", HERE, LATE)
    at = run.until(notice("venue.left_out", "okx"))
    assert "never learnt" in run.records[at - 1]["message"]
    run.until(order(HERE), at)
    summary = run.end()
    assert summary["feed"]["books"].keys() == {HERE}
    assert "warning: expected okx to join the run" in run.errors


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_a_start_at_which_no_venue_answers_fails(runs: Runs, mode: str) -> None:
    runs.learn("binance", "okx")
    for venue in ("binance", "okx"):
        runs.fault(venue, REFUSED)
    for markets in ((LATE,), (HERE, LATE)):
        result = runs.kimera(*runs.words(mode, *markets))
        assert result.code == 4, result.err
        assert result.err_json[-1]["code"] == "venue.no_answer"


def doubt(runs: Runs, venue: str, lasts_s: int) -> str:
    """Leave an order in the journal whose request may or may not have left; return its name.

    The venue may carry it out for so long, or for as long as its rules say if that is longer: a run
    must have begun before.
    """
    journal = IntentJournal.open(
        account_folder(runs.kimera.home, venue, "main"),
        venue=venue,
        account="main",
        durability="disk",
        entropy=bytes(range(16)),
        now_ns=time.time_ns(),
        timing=Timing(time.monotonic_ns, max_commit_ms=5_000.0),
    )
    now = time.time_ns()
    intent = journal.draft(
        now, symbol=SYMBOLS[venue], side="buy", kind="limit", tif="gtc", strategy="grid",
        price=Decimal(1000), quantity=Decimal(1),
    )  # fmt: skip
    journal.plan([intent])
    window_ns = max(rules_of(venue).window.default_ns, lasts_s * NS_PER_S)
    assert journal.release([intent.client_id], now, now + window_ns).ok
    journal.close()
    return intent.client_id


def test_a_doubt_at_one_venue_holds_up_no_other(runs: Runs) -> None:
    """Until the lost request has expired at the venue, nothing new goes there; then it joins."""
    name = doubt(runs, "okx", 30)
    run = runs.start("live", HERE, LATE)
    at = run.until(notice("venue.away", "okx"))
    told = run.records[at - 1]
    assert (told["details"]["why"], name in told["message"]) == ("risk.order_in_doubt", True)
    run.until(order(HERE), at)
    joined = run.until(notice("venue.joined", "okx"), at)
    assert not list(filter(order(LATE, "submitted"), run.records[:joined]))
    run.until(order(LATE), joined)
    settled(run.end(), "binance", "okx")
    no_open_orders(runs.served, "binance", "okx")
    assert name not in [o["client_id"] for o in runs.served.ask("/okx/orders?account=client")]


def test_the_long_window_of_htx_holds_up_no_other(runs: Runs) -> None:
    """Five minutes: the run is over before, and says what is in doubt still.

    What an earlier run left open there is taken back at once, and nothing new is sent.
    """
    first = runs.start("live", "htx/BTCUSDT", more=("--set", "live.dead_man_s=0"))
    first.until(order("htx/BTCUSDT"))
    first.kill_while_resting(
        lambda: resting(runs.served, "htx"), lambda live: runs.served.flow(live, "htx")
    )
    name = doubt(runs, "htx", 300)
    run = runs.start("live", HERE, "htx/BTCUSDT")
    at = run.until(notice("venue.away", "htx"))
    told = run.records[at - 1]
    left_s = (told["details"]["until_ns"] - told["ts_ns"]) / 1e9
    assert 30 < left_s <= 301
    run.until(order(HERE), at, times=3)
    fared = run.end()["feed"]["orders"]
    assert fared["htx"]["joined"] is False
    assert name in fared["htx"]["in_doubt"] == fared["htx"]["stays"]
    assert not resting(runs.served, "htx")
    assert fared["htx"]["sent"] == 0
    assert fared["binance"]["joined"]


def test_a_run_that_is_killed_while_a_venue_is_away_loses_nothing(runs: Runs) -> None:
    """Orders of a first run rest at a venue that the second one does not reach before its kill."""
    first = runs.start("live", HERE, LATE, more=("--set", "live.dead_man_s=0"))
    first.until(order(HERE))
    first.until(order(LATE))
    left = first.kill_while_resting(
        lambda: resting(runs.served, "okx"),
        lambda live: runs.served.flow(live, "binance", "okx"),
    )
    rest = {o["client_id"] for o in left}
    runs.fault("okx", REFUSED)
    second = runs.start("live", HERE, LATE)
    second.until(notice("venue.away", "okx"))
    second.kill()
    assert {o["client_id"] for o in resting(runs.served, "okx")} == rest
    runs.served.clear()
    runs.served.flow(True, "binance", "okx")
    third = runs.start("live", HERE, LATE)
    third.until(order(HERE))
    third.until(order(LATE))
    settled(third.end(), "binance", "okx")
    no_open_orders(runs.served, "binance", "okx")
    for venue in ("binance", "okx"):
        where = ("--server", str(runs.served.listening), "--keys", str(runs.served.keys))
        result = runs.kimera("trade", "reconcile", "--venue", venue, *where)
        assert result.code == 0, result.out + result.err


def resting(served: Served, venue: str) -> list[dict[str, Any]]:
    found = served.ask(f"/{venue}/orders?account=client")
    return [o for o in found if o["status"] == "open"]
