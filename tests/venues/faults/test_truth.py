"""The comparison finds what is wrong, and the command tells it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from kimera_cli.feeds.sync import BookSync
from kimera_cli.kernels.sync import CROSSED
from kimera_cli.venues.clients.order_entry import OrderEntry
from kimera_cli.venues.faults import truth
from kimera_cli.venues.faults.feed_stage import on_feed_stage
from kimera_cli.venues.faults.play import chosen, play_all
from kimera_cli.venues.faults.scenario import FaultFailedError
from kimera_cli.venues.faults.stage import Stage, Time, on_stage
from kimera_cli.venues.orders.fills import Added, FillLedger
from kimera_cli.venues.orders.outcome import Reason, Rejected

if TYPE_CHECKING:
    from conftest import Kimera


async def two_orders(stage: Stage) -> None:
    stage.others("sell", "0.004")
    await stage.order("1")
    await stage.order()


def compared(folder: Path, spoil: Any) -> str:
    """Return what the comparison says once something has gone wrong."""

    async def work() -> str:
        async with on_stage("okx", Time(time.time_ns, time.perf_counter_ns), folder) as stage:
            await two_orders(stage)
            spoil(stage)
            return await truth.same(stage)

    return asyncio.run(work())


def test_nothing_wrong_is_agreement(tmp_path: Path) -> None:
    assert compared(tmp_path, lambda _: None) == "2 orders, 1 fills"


@pytest.mark.parametrize("by_socket", [False, True])
def test_a_failure_while_another_process_has_the_account_is_told(
    by_socket: bool, tmp_path: Path
) -> None:
    async def work() -> None:
        clocks = Time(time.time_ns, time.perf_counter_ns)
        async with on_stage("okx", clocks, tmp_path, by_socket=by_socket) as stage:
            await stage.let_go()
            raise FaultFailedError("as it should be")

    with pytest.raises(FaultFailedError, match="as it should be"):
        asyncio.run(work())


SPOILED: dict[str, Any] = {
    "not here": lambda s: s.venue.exchange.place(s.account, s.request("buy", "0.01", "0.95")),
    "filled unheard": lambda s: s.others("sell", "0.1", "0.95"),
    "canceled unheard": lambda s: s.venue.exchange.cancel_all(s.account),
    "money gone": lambda s: s.venue.exchange.deposit(s.account, s.market.quote, "-1"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_each_difference_is_found(name: str, tmp_path: Path) -> None:
    with pytest.raises(FaultFailedError):
        compared(tmp_path, SPOILED[name])


def played(fault: str, venue: str, path: str) -> Any:
    (record,) = play_all(chosen([fault], path), [venue], time.time_ns, time.perf_counter_ns)
    return record


def test_a_client_that_takes_no_answer_for_a_no_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    place = OrderEntry.place

    async def sure(self: OrderEntry, *given: Any) -> Any:
        outcome = await place(self, *given)
        if type(outcome).__name__ == "Unknown":
            return Rejected(reason=Reason.REFUSED, raw="no answer")
        return outcome

    monkeypatch.setattr(OrderEntry, "place", sure)
    record = played("F2", "okx", "rest")
    assert record.passed is False
    assert "rejected" in record.detail


def test_a_client_that_counts_a_fill_twice_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    add, seen = FillLedger.add, []

    def twice(self: FillLedger, fill: Any) -> Added:
        seen.append(fill)
        return add(self, replace(fill, trade_id=f"{fill.trade_id}-{len(seen)}"))

    monkeypatch.setattr(FillLedger, "add", twice)
    assert played("F14", "bybit", "websocket").passed is False


def test_a_feed_that_shows_a_crossed_book_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    take = BookSync.take

    def credulous(self: BookSync, message: Any, verdict: int) -> list[Any]:
        return [message] if verdict == CROSSED else take(self, message, verdict)

    monkeypatch.setattr(BookSync, "take", credulous)
    record = played("F15", "coinbaseexchange", "feed")
    assert record.passed is False
    assert "crossed" in record.detail


def test_by_tls_nothing_goes_another_way(tmp_path: Path) -> None:
    async def work() -> None:
        time_ = Time(time.time_ns, time.perf_counter_ns)
        async with on_stage("kraken", time_, tmp_path, tls=True) as stage:
            await two_orders(stage)
            assert stage.host.connections
            assert all(each.secure for each in stage.host.connections)
            await truth.same(stage)
        async with on_feed_stage("kraken", time.time_ns(), tmp_path) as market:
            assert market.host.connections
            assert all(each.secure for each in market.host.connections)

    asyncio.run(work())


def test_a_book_that_is_not_the_venues_is_found() -> None:
    async def work() -> None:
        async with on_feed_stage("kraken", time.time_ns()) as stage:
            assert stage.right()
            best = stage.shown.book.best(0)
            assert best is not None
            stage.shown.book.set(0, best[0], best[1] + 1)
            assert not stage.right()

    asyncio.run(work())


def test_the_server_keeps_its_sums_under_every_comparison(tmp_path: Path) -> None:
    def steal(stage: Stage) -> None:
        def broken() -> None:
            raise AssertionError("sum of assets")

        stage.venue.exchange.check_conservation = broken  # type: ignore[method-assign]

    with pytest.raises(AssertionError, match="sum of assets"):
        compared(tmp_path, steal)


def test_the_command_tells_records_and_exits_with_0(kimera: Kimera) -> None:
    done = kimera("venue", "faults", "--fault", "f2,F9", "--venues", "huobi,okx", "--path", "rest")
    told = [(r["fault"], r["venue"], r["passed"]) for r in done.records("fault")]
    assert done.code == 0
    assert told == [
        ("F2", "htx", True), ("F2", "okx", True), ("F9", "htx", None), ("F9", "okx", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--fault", "F27"), "usage.fault"),
        (("--all", "--fault", "F1"), "usage.fault"),
        (("--path", "carrier-pigeon"), "usage.path"),
        (("--venues", "krakn"), "usage.venue"),
    ],
)
def test_what_there_is_none_of_is_a_usage_error(
    kimera: Kimera, words: tuple[str, ...], code: str
) -> None:
    done = kimera("venue", "faults", *words)
    assert done.code == 2
    assert code in done.err
