"""The kill latch while a live run trades: what rests is canceled, and nothing else leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from watched import Watched, order

if TYPE_CHECKING:
    from live_server import Served

MARKET = "binance/BTCUSDT"
LEAVING = '''"""Buys once, and wants to sell some of it far from the market from then on."""

from kimera_cli.strategies import Market, Strategy

INTERVAL_NS = 50_000_000


class Leaving(Strategy):
    def on_wake(self, market: Market) -> None:
        if not market.has_market or market.orders:
            return
        if market.position <= 0.0:
            market.buy(round(market.best_ask * 1.005), 0.002, tif="ioc")
        else:
            market.sell(round(market.best_ask * 1.02), 0.001)
'''


def test_behind_the_latch_only_cancels_leave_reductions_neither(
    kimera: Any, served: Served
) -> None:
    (kimera.folder / "leaving.py").write_text(LEAVING)
    words = ("run", "--source", "venue", "--market", MARKET, "--server", str(served.listening))
    words += ("--keys", str(served.keys), "--execute", "live", "--strategy", "leaving.py")
    run = Watched(kimera.start(*words, "--for", "10m", "--format", "jsonl"))
    try:
        run.until(lambda r: order(MARKET, "accepted")(r) and r["side"] == "sell")
        killed = kimera("trade", "kill", "--server", str(served.listening))
        assert killed.code == 0, killed.err
        at = run.until(lambda r: r["type"] == "halt")
        assert run.records[at - 1]["code"] == "risk.kill_switch"
        run.until(lambda r: r["type"] == "denial" and r["code"] == "risk.kill_switch", at)
        assert kimera("trade", "arm").code == 0
        run.until(lambda r: r["type"] == "denial" and r["code"] == "risk.kill_switch", at, times=3)
        summary = run.end()
    finally:
        run.stop()
    assert not list(filter(order(MARKET, "submitted"), run.records[at:]))
    assert not list(filter(order(MARKET, "rejected"), run.records))
    assert summary["halted_by"] == "risk.kill_switch"
    assert summary["feed"]["orders"]["binance"]["stays"] == []
