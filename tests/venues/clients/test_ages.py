"""What canceling a young order costs of the budget, where the venue counts it so."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from loopback import intent, run, serving

from kimera_cli.venues.clients.ages import KEPT, Ages
from kimera_cli.venues.clients.limits import budget_for
from kimera_cli.venues.clients.socket_entry import SocketEntry
from kimera_cli.venues.clients.venues import client_for
from kimera_cli.venues.clients.world import World
from kimera_cli.venues.orders.outcome import Accepted, CancelIntent, VenueOrder
from kimera_cli.venues.orders.rules import RULES, rules_of
from kimera_cli.venues.server.dialects import kraken_limits

S = 10**9


class Time:
    """A clock that stands until it is set."""

    now = 0

    @property
    def world(self) -> World:
        return World(lambda: self.now, lambda: self.now, bytes, lambda error: None)


@pytest.mark.parametrize(
    ("age_s", "cancel", "amend"),
    [
        (0, 8, 4), (4.9, 8, 4), (5, 6, 3), (9.9, 6, 3), (10, 5, 2), (15, 4, 1), (44.9, 4, 1),
        (45, 2, 1), (90, 1, 1), (299.9, 1, 1), (300, 0, 1),
    ],
)  # fmt: skip
def test_kraken_counts_by_age(age_s: float, cancel: int, amend: int) -> None:
    time = Time()
    time.now = 10_000 * S
    ages = Ages(rules_of("kraken"), time.world)
    ages.placed("ours", "THEIRS")
    time.now += int(age_s * S)
    for name in ("ours", "THEIRS", "of nobody"):  # the last is as old as the session
        assert (ages.of_cancel(name), ages.of_amend(name)) == (cancel, amend)
    assert ages.of_cancel_all() == cancel


def test_the_server_counts_what_the_client_does() -> None:
    rules = rules_of("kraken")
    assert rules.cancel_by_age == kraken_limits._CANCEL
    assert rules.amend_by_age == kraken_limits._AMEND


@pytest.mark.parametrize("name", sorted(RULES.keys() - {"kraken"}))
def test_elsewhere_each_request_counts_one(name: str) -> None:
    ages = Ages(rules_of(name), Time().world)
    ages.placed("ours")
    assert (ages.of_cancel("ours"), ages.of_cancel_all(), ages.of_amend("ours")) == (1, 1, 1)
    assert not ages._placed_ns


def listed(client_id: str, venue_order_id: str, created_ns: int) -> VenueOrder:
    return VenueOrder(
        venue="kraken", symbol="XBTUSD", venue_order_id=venue_order_id, status="open",
        client_id=client_id, created_ns=created_ns,
    )  # fmt: skip


def test_orders_that_the_venue_lists_have_its_ages() -> None:
    time = Time()
    ages = Ages(rules_of("kraken"), time.world)
    venue_ns = 5_000_000 * S  # its clock is another
    young, old = venue_ns - 12 * S, venue_ns - 400 * S
    ages.placed("mine")
    ages.listed([listed("", "F", young), listed("c", "O", old), listed("mine", "M", old)], venue_ns)
    ages.listed([listed("", "N", 0)], venue_ns)
    assert [ages.of_cancel(name) for name in ("F", "O", "c", "mine", "N")] == [5, 0, 0, 8, 8]


def test_names_are_kept_for_a_while() -> None:
    ages = Ages(rules_of("kraken"), Time().world)
    for number in range(KEPT + 10):
        ages.placed(str(number))
    assert len(ages._placed_ns) == KEPT
    assert "9" not in ages._placed_ns
    assert "10" in ages._placed_ns


def test_a_cancel_counts_and_never_waits_and_new_orders_wait_for_it() -> None:
    time = Time()
    budget, name = budget_for("kraken", time.world), "orders 60 s"
    assert budget.takes("place")
    assert budget.left()[name] == 59
    for _ in range(7):
        assert budget.takes("cancel", 1, 8)
    assert budget.left()[name] == 3
    assert budget.takes("cancel", 1, 8)
    assert budget.left()[name] == -5
    assert not budget.takes("place")
    for _ in range(20):
        assert budget.takes("cancel", 1, 8)
    assert budget.left()[name] == -60, "not further than the limit once more"
    time.now += 66 * S
    assert not budget.takes("place"), "the last tenth is not for new orders"
    time.now += S
    assert budget.takes("place")


@pytest.mark.parametrize("by_socket", [False, True])
def test_orders_and_cancels_of_a_client_count_so(by_socket: bool) -> None:
    async def work() -> None:
        async with serving("kraken") as rig:
            client = client_for(
                "kraken", rig.at["kraken"].credentials, rig.transport(), rig.world,
                by_socket=by_socket,
            )  # fmt: skip
            await client.session.start()
            talking = None
            if isinstance(client.entry, SocketEntry):
                talking = asyncio.ensure_future(client.entry.run())
                await client.entry.up.wait()
            market = rig.at["kraken"].market
            price = market.price(market.last_px) * Decimal("0.9") // market.tick * market.tick
            order = intent("kraken", price=str(price), quantity="0.01")
            spent: list[int] = []
            takes = client.session.budget.takes

            def counted(kind: str, weight: int = 1, units: int = 1) -> bool:
                spent.append(units)
                return takes(kind, weight, units)  # type: ignore[arg-type]

            client.session.budget.takes = counted  # type: ignore[method-assign]
            placed = await client.entry.place(order)
            assert isinstance(placed, Accepted)
            cancel = CancelIntent(
                number=1, venue="kraken", account="main", symbol=order.symbol, created_ns=0,
                venue_order_id=placed.venue_order_id,
            )  # fmt: skip
            client.session.ages._began_ns -= 400 * S  # orders of nobody are old
            assert isinstance(await client.entry.cancel(cancel), Accepted)
            assert spent == [1, 8]
            if isinstance(client.entry, SocketEntry) and talking is not None:
                assert client.entry.spoken == 2
                client.entry.stop()
                await talking
            client.session.transport.close()

    run(work())
