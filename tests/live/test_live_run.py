"""Runs on a served venue: what the run says, against what the venue knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from live_server import Served, paced
from watched import Watched, notice, order

MARKETS = {"binance/BTCUSDT": "BTC/USDT", "kraken/BTCUSD": "BTC/USD"}
LIVELY = (
    *("--strategy", "grid", "--set", "portfolio.cash=100000"),
    *paced("binance", "kraken"),
)
TRADER = '''"""Buys and sells at once, and has one order far from the market.

What the grid's cancels of young orders count at Kraken leaves it few orders there to be filled.
"""

from kimera_cli.strategies import Market, Strategy

INTERVAL_NS = 100_000_000


class Trader(Strategy):
    def on_wake(self, market: Market) -> None:
        if not market.has_market:
            return
        if not market.orders:
            market.buy(round(market.best_bid * 0.98), 0.001, tif="post_only")
        elif len(market.orders) == 1 and market.position < 0.0015:
            market.buy(round(market.best_ask * 1.005), 0.002, tif="ioc")
        elif len(market.orders) == 1:
            market.sell(round(market.best_bid * 0.995), 0.001, tif="ioc")
'''


def args(served: Served, *more: str) -> list[str]:
    """Return the words of a run on both venues."""
    markets = [word for name in MARKETS for word in ("--market", name)]
    run = ["run", "--source", "venue", *markets, "--server", str(served.listening)]
    return [*run, "--keys", str(served.keys), "--format", "jsonl", *more]


def trader(kimera: Any) -> tuple[str, ...]:
    """Return the words of a strategy that is filled at once."""
    (kimera.folder / "trader.py").write_text(TRADER)
    return ("--strategy", "trader.py", *LIVELY[2:])


def summary(result: Any) -> dict[str, Any]:
    """Return the run's summary; the test fails with what was said when there is none."""
    assert result.code == 0, result.err
    (found,) = result.records("run_summary")
    return dict(found)


@contextmanager
def watched(kimera: Any, words: list[str]) -> Iterator[Watched]:
    """Watch a run, and leave nothing of it."""
    run = Watched(kimera.start(*words))
    try:
        yield run
    finally:
        run.stop()


def filled(instrument: str) -> Any:
    return lambda r: r["type"] == "fill" and r["instrument"] == instrument


@pytest.mark.parametrize("shape", ["single", "split", "threads"])
def test_paper_trading_in_every_shape(kimera: Any, served: Served, shape: str) -> None:
    words = args(served, *trader(kimera), "--shape", shape, "--for", "1h")
    words += ["--set", "run.stages=true"]
    with watched(kimera, words) as run:
        for market in ("binance/BTCUSDT", "kraken/XBTUSD"):
            run.until(filled(market))
        told = run.end()
        run.until(lambda record: record["type"] == "end")
    assert told["events"] > 100
    books = told["feed"]["books"]
    assert {name: (b["good"], b["gaps"]) for name, b in books.items()} == {
        name: (True, 0) for name in books
    }
    assert len(books) == 2
    (wire,) = [r for r in run.records if r["type"] == "stage" and r["stage"] == "wire_to_event"]
    assert wire["count"] > 0
    assert wire["under"] == 0
    assert told["fidelity"]["clocks"].keys() == {"binance", "kraken"}
    assert not any((kimera.folder / "runs").glob("*/intents*"))


def truth(served: Served, what: str) -> list[dict[str, Any]]:
    """Return what both venues know of the client's orders or fills."""
    return [
        {**row, "venue": venue}
        for venue in ("binance", "kraken")
        for row in served.ask(f"/{venue}/{what}?account=client")
    ]


def signed(fills: list[dict[str, Any]], name: str, qty: str, side: str) -> Counter[str]:
    """Return the sum of fills by market."""
    total: Counter[str] = Counter()
    for fill in fills:
        sign = 1 if fill[side] == "buy" else -1
        total[fill[name]] += sign * Decimal(fill[qty])  # type: ignore[assignment]
    return total


def test_live_orders_are_what_the_venues_know(kimera: Any, served: Served) -> None:
    before = [truth(served, what) for what in ("orders", "fills")]
    words = args(served, *trader(kimera), "--execute", "live", "--for", "1h")
    with watched(kimera, words) as run:
        for at in ("binance/BTCUSDT", "kraken/XBTUSD"):
            run.until(filled(at), times=5)
        told = run.end()
    orders = [each for each in truth(served, "orders") if each not in before[0]]
    fills = [each for each in truth(served, "fills") if each not in before[1]]
    said = [record for record in run.records if record["type"] == "fill"]
    mine = signed(said, "instrument", "qty", "side")
    theirs = signed(fills, "symbol", "qty", "side")
    assert {MARKETS_BY[k]: v for k, v in mine.items()} == dict(theirs)
    assert len(said) == len(fills)
    assert position_fits(said, fills)
    assert not [o for o in orders if o["status"] == "open"], "a stop takes orders back"
    assert not without_end(run.records)
    names = [o["client_id"] for o in orders]
    assert len(set(names)) == len(names), "no order twice"
    for venue, fared in told["feed"]["orders"].items():
        if venue != "late":
            assert (fared["stays"], fared["in_doubt"]) == ([], [])
    for venue in ("binance", "kraken"):
        served.ask(f"/{venue}/check")
    page = (kimera.folder / told["report"]).read_text()
    assert "Orders at venues" in page
    assert "Live feed" in page


def without_end(records: list[dict[str, Any]]) -> set[int]:
    """Return the orders of which a run has told no end."""
    begun, over = set(), set()
    for each in records:
        if each["type"] == "order":
            ends = each["event"] in ("cancelled", "rejected")
            (over if ends else begun).add(each["order_id"])
        elif each["type"] == "fill" and not float(each["left"]):
            over.add(each["order_id"])
    assert begun
    return begun - over


def position_fits(said: list[dict[str, Any]], fills: list[dict[str, Any]]) -> bool:
    """Whether what the run holds at Binance is there to be sold, and less than a lot is left out.

    Binance keeps its fee of what was bought.
    """
    mine = [row for row in fills if row["venue"] == "binance"]
    fees = sum((Decimal(row["fee"]) for row in mine if row["fee_asset"] == "BTC"), Decimal(0))
    held = Decimal(signed(mine, "symbol", "qty", "side")["BTC/USDT"]) - fees
    (last,) = [row for row in said if row["instrument"] == "binance/BTCUSDT"][-1:]
    return bool(fees) and 0 <= held - Decimal(str(last["position"])) < Decimal("0.00001")


MARKETS_BY = {
    "binance/BTCUSDT": "BTC/USDT",
    "kraken/XBTUSD": "BTC/USD",
    "kraken/BTC/USD": "BTC/USD",
}


def test_a_killed_run_is_settled_by_the_next(kimera: Any, served: Served) -> None:
    """SIGKILL to all of it while orders rest: the next start takes them back before it trades."""
    words = args(served, *LIVELY, "--execute", "live", "--set", "live.dead_man_s=0")
    with watched(kimera, [*words, "--for", "1h"]) as first:
        first.until(lambda r: r["type"] == "order" and r["event"] == "accepted", times=4)
        left = first.kill_while_resting(
            lambda: [o for o in truth(served, "orders") if o["status"] == "open"],
            lambda live: served.flow(live, "binance", "kraken"),
        )
    # An order may be in doubt for some seconds, and the book of the still market ages meanwhile.
    run = Watched(kimera.start(*words, "--for", "1h", "--set", "risk.stale_after=1h"))
    try:
        for market in ("binance/BTCUSDT", "kraken/XBTUSD"):
            run.until(order(market, "submitted"))
        told = run.end()
    finally:
        run.stop()
    assert all(told["feed"]["orders"][venue]["joined"] for venue in ("binance", "kraken"))
    assert not [o for o in truth(served, "orders") if o["status"] == "open"]
    served.flow(True, "binance", "kraken")
    notices = [r["message"] for r in run.records if r.get("code") == "run.left_over"]
    names = {order["client_id"] for order in left}
    assert names <= set(re.findall(r"km\w{16}", " ".join(notices))), (left, notices)


def test_a_foreign_order_is_told_of_and_left_alone(kimera: Any, served: Served) -> None:
    bid = {"symbol": "BTC/USDT", "side": "buy", "qty": "0.01"}
    placed = served.ask("/binance/order", {**bid, "price": "46000"})
    with watched(kimera, args(served, *LIVELY, "--execute", "live", "--for", "1h")) as run:
        at = run.until(lambda r: r["type"] == "notice" and r["code"] == "run.not_ours")
        assert str(placed["id"]) in run.records[at - 1]["message"]
        run.until(order("binance/BTCUSDT"), at)
        other = served.ask("/binance/order", {**bid, "price": "46500"})
        at = run.until(notice("venue.not_ours", "binance"), at)
        assert f"BTCUSDT {other['id']} (buy 0.01 at 46500)" in run.records[at - 1]["message"]
        served.ask("/binance/cancel", {"account": "client", "order_id": other["id"]})
        run.end()
    (left,) = [o for o in truth(served, "orders") if o["status"] == "open"]
    served.ask("/binance/cancel", {"account": "client", "order_id": left["id"]})


@pytest.mark.parametrize(
    ("more", "code", "named"),
    [
        (("--market", "binance/BTCUSDX"), 2, "usage.symbol"),
        (("--market", "nowhere/BTCUSDT"), 2, "usage.venue"),
        (("--market", "BTCUSDT"), 2, "usage.market"),
        (("--execute", "pretend"), 2, "usage.execute"),
        (("--replay", "x.gz"), 2, "usage.source"),
    ],
)
def test_wrong_words(
    kimera: Any, served: Served, more: tuple[str, ...], code: int, named: str
) -> None:
    result = kimera(*args(served, *more))
    assert (result.code, result.err_json[-1]["code"]) == (code, named)


def test_keys_that_the_venue_does_not_know(kimera: Any, served: Served, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    text = served.keys.read_text().replace('secret = "', 'secret = "AAAA', 1)
    keys.write_text(text)
    keys.chmod(0o600)
    words = [str(keys) if w == str(served.keys) else w for w in args(served, "--execute", "live")]
    result = kimera(*words)
    assert result.code == 4
    assert result.err_json[-1]["code"] == "venue.auth"


def test_real_venues_need_leave(kimera: Any, served: Served) -> None:
    """Nothing is dialled: the leave is asked for first, and there is nobody to give it."""
    words = args(served, "--execute", "live")
    at = words.index("--server")
    del words[at : at + 2]
    result = kimera(*words)
    assert (result.code, result.err_json[-1]["code"]) == (5, "risk.live_off")


@pytest.mark.parametrize("execute", ["paper", "live"])
def test_a_market_that_stands_still_is_refused(kimera: Any, served: Served, execute: str) -> None:
    market = {"symbol": "BTC/USD", "status": "cancel_only"}
    served.ask("/kraken/market", market)
    try:
        result = kimera(*args(served, "--execute", execute, "--for", "1s"))
    finally:
        served.ask("/kraken/market", market | {"status": "trading"})
    assert (result.code, result.err_json[-1]["code"]) == (4, "venue.halted")
    assert "cancel_only" in result.err_json[-1]["message"]


def test_a_paper_run_without_a_network_has_a_venue_server_of_its_own(kimera: Any) -> None:
    """Nothing but one command: no market, no server, no keys."""
    ends = ("--events", "100", "--for", "1h")
    result = kimera("run", "--source", "venue", *ends, "--format", "jsonl")
    told = summary(result)
    assert told["feed"]["books"]["binance/BTCUSDT"]["good"]
    assert told["events"] >= 100
    assert "a venue server of this run alone" in result.err
    assert not any((kimera.home / "orders").glob("*")), "paper orders have no account"


def test_orders_at_an_embedded_server_go_over_its_protocols_and_leave_no_account(
    kimera: Any,
) -> None:
    words = ["run", "--source", "venue", "--server", "embedded", "--execute", "live"]
    words += ["--market", "binance/BTCUSDT", *LIVELY, "--for", "1h", "--format", "jsonl"]
    with watched(kimera, words) as run:
        run.until(order("binance/BTCUSDT"))
        told = run.end()
    orders = told["feed"]["orders"]["binance"]
    assert orders["gate_to_bytes_ns"]["p50"] > 0, orders
    assert not orders["stays"]
    assert not any((kimera.home / "orders").glob("*"))


def test_whoever_names_a_market_means_the_venue_itself(kimera: Any) -> None:
    """A run is never given another market than the one that was named."""
    result = kimera("run", "--source", "venue", "--market", "nowhere/BTCUSDT", "--for", "1s")
    assert result.code == 2
    result = kimera("run", "--source", "venue", "--execute", "live", "--for", "1s")
    assert result.code == 2
    assert "at least one --market" in result.err
