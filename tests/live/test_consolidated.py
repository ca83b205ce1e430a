"""`kimera fetch consolidated` on a served exchange, against what the venues know."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from live_server import Served

MARKETS = ("binance/BTCUSDT", "kraken/XBTUSD")
SYMBOLS = {"binance/BTCUSDT": ("binance", "BTC/USDT"), "kraken/XBTUSD": ("kraken", "BTC/USD")}
RATE = Decimal("0.9995")


def ask(kimera: Any, served: Served, *more: str, markets: tuple[str, ...] = MARKETS) -> Any:
    where = ("--server", str(served.listening), "--format", "jsonl")
    return kimera("fetch", "consolidated", *markets, *where, *more)


@pytest.fixture
def quiet(served: Served) -> Any:
    """Both venues with a background that does nothing, so that their books stand still."""
    served.flow(False, "binance", "kraken")
    yield served
    served.clear()
    served.flow(True, "binance", "kraken")


def union(
    served: Served, fees: dict[str, Decimal], side: str
) -> list[tuple[str, Decimal, Decimal]]:
    """Return (market, net, qty) of both venues' books, best first, by their own word."""
    found = []
    for market, (venue, symbol) in SYMBOLS.items():
        book = served.ask(f"/{venue}/book?symbol={symbol.replace('/', '%2F')}&depth=20")
        rate = RATE if symbol.endswith("USDT") else Decimal(1)
        sign = 1 if side == "asks" else -1
        for px, qty in book[side]:
            net = Decimal(px) * rate * (1 + sign * fees[market])
            found.append((market, net, Decimal(qty)))
    return sorted(found, key=lambda row: row[1], reverse=side == "bids")


def test_it_shows_the_sorted_union_of_what_the_venues_have(kimera: Any, quiet: Served) -> None:
    rates = ("--set", f"portfolio.rates.USDT={RATE}", "--set", "risk.stale_after=1h")
    result = ask(kimera, quiet, "--depth", "8", *rates)
    assert result.code == 0, result.err
    (top,) = result.records("consolidated_top")
    assert top["rates"] == {"USDT": "0.9995", "USD": "1"}
    assert (top["asset"], top["currency"], top["markets"], top["left_out"]) == ("BTC", "USD", 2, {})
    fees = {name: Decimal(fee) for name, fee in top["taker_fees"].items()}
    assert all(fees.values()), "the served accounts have fees"
    for side, name in (("bids", "bid"), ("asks", "ask")):
        levels = [r for r in result.records("consolidated_level") if r["side"] == name]
        assert [r["level"] for r in levels] == list(range(1, 9))
        told = [(r["market"], Decimal(r["net"]), Decimal(r["qty"])) for r in levels]
        assert told == union(quiet, fees, side)[:8]
        assert (top[name], top[f"{name}_market"]) == (levels[0]["net"], levels[0]["market"])
    bid, ask_ = Decimal(top["bid"]), Decimal(top["ask"])
    assert top["crossed_bps"] == pytest.approx(float((bid - ask_) / ask_) * 1e4)
    assert top["arbitrage"] == (bid > ask_)


def test_a_venue_that_is_away_is_left_out_and_named(kimera: Any, quiet: Served) -> None:
    gone = {"hook": "request.before", "action": "drop", "count": None, "venue": "kraken"}
    quiet.ask("/faults", gone)
    result = ask(kimera, quiet)
    assert result.code == 0, result.err
    (top,) = result.records("consolidated_top")
    assert top["markets"] == 1
    assert list(top["left_out"]) == ["kraken/XBTUSD"]
    assert {r["market"] for r in result.records("consolidated_level")} == {"binance/BTCUSDT"}
    assert any("kraken" in error.get("message", "") for error in result.err_json)


@pytest.mark.parametrize(
    ("markets", "more", "code", "named"),
    [
        (("binance/BTCUSDT", "kraken/ETHUSD"), (), 2, "usage.market"),
        (("binance",), (), 2, "usage.market"),
        (("nowhere/BTCUSDT",), (), 2, "usage.venue"),
        (MARKETS, ("--for", "soon"), 2, "usage.duration"),
        (MARKETS, ("--set", "portfolio.rates.USDT=0"), 2, "profile"),
    ],
)
def test_wrong_words(
    kimera: Any,
    served: Served,
    markets: tuple[str, ...],
    more: tuple[str, ...],
    code: int,
    named: str,
) -> None:
    result = ask(kimera, served, *more, markets=markets)
    assert result.err_json[-1]["code"].startswith(named), result.err
    assert result.code == code
