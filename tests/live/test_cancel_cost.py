"""A strategy that cancels at once, live on Kraken: the gate says no, and nothing waits unseen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watched import Watched, order

if TYPE_CHECKING:
    from live_server import Served

MARKET = "kraken/XBTUSD"
"""BTC/USD, as Kraken calls it."""
FLICKER = '''"""Places an order and cancels it at once, over and over."""

from kimera_cli.strategies import Market, Strategy

INTERVAL_NS = 100_000_000


class Flicker(Strategy):
    def on_wake(self, market: Market) -> None:
        for own in market.orders:
            if own.state == "open":
                market.cancel(own)
        if market.has_market and not market.orders:
            market.buy(round(market.best_bid * 0.98), 0.001, tif="post_only")
'''


def denied(record: dict[str, Any]) -> bool:
    return record["type"] == "denial" and record["code"] == "risk.order_rate"


def test_young_cancels_are_denied_at_the_gate_and_no_order_waits(
    kimera: Any, served: Served
) -> None:
    """Of 50 units an order that is canceled at once takes nine: some six, then the gate's no."""
    (kimera.folder / "flicker.py").write_text(FLICKER)
    words = ("run", "--source", "venue", "--market", MARKET, "--server", str(served.listening))
    words += ("--keys", str(served.keys), "--execute", "live", "--strategy", "flicker.py")
    run = Watched(kimera.start(*words, "--for", "10m", "--format", "jsonl"))
    try:
        at = run.until(lambda record: denied(record) or order(MARKET, "rejected")(record))
        run.until(order(MARKET), at)  # as soon as there is a unit again: cancels are paid off
        summary = run.end()
    finally:
        run.stop()
    assert not list(filter(order(MARKET, "rejected"), run.records))
    assert not [r for r in run.records if r["type"] == "notice" and r["code"] == "run.order_late"]
    sent = [r for r in run.records if order(MARKET, "submitted")(r)]
    (fared,) = (f for venue, f in summary["feed"]["orders"].items() if venue == "kraken")
    assert (fared["sent"], fared["stays"]) == (len(sent), [])
