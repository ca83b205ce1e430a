"""Somebody else's orders at the account of a run: told of once, and ours never."""

from __future__ import annotations

from decimal import Decimal

import pytest
from journal_steps import PAIR, T0

from kimera_cli.errors import KimeraError
from kimera_cli.live.strangers import AGAIN_NS, ANSWERED_NS, NAMED, Strangers
from kimera_cli.venues.orders.account_orders import AccountOrders
from kimera_cli.venues.orders.entry import Answered, Planned, Released
from kimera_cli.venues.orders.outcome import (
    Accepted,
    FillUpdate,
    Intent,
    OrderUpdate,
    VenueFill,
    VenueOrder,
)


class Account:
    """An account's orders, told to `Strangers` as the private stream tells them."""

    def __init__(self) -> None:
        self.orders = AccountOrders(session=7)
        self.now_ns = 0
        self.said: list[KimeraError] = []
        self.push(order("1"))  # from before the run
        self.strangers = Strangers(
            "binance", self.orders, T0, self.said.append, lambda: self.now_ns
        )

    def push(self, event: OrderUpdate | FillUpdate) -> None:
        self.orders.apply(event)
        if hasattr(self, "strangers"):
            self.strangers.hear(event)

    def look(self, after_ns: int = ANSWERED_NS) -> list[str]:
        self.now_ns += after_ns
        self.said.clear()
        self.strangers.look()
        return [str(error) for error in self.said]


@pytest.fixture
def account() -> Account:
    return Account()


def order(number: str, status: str = "open", client_id: str = "") -> OrderUpdate:
    return OrderUpdate(
        order=VenueOrder(
            venue="binance",
            symbol=PAIR.symbol,
            venue_order_id=number,
            status=status,  # type: ignore[arg-type]
            client_id=client_id,
            side="sell",
            quantity=Decimal("0.5"),
            price=Decimal(100),
        )
    )


def fill(number: str, ts_ns: int = T0) -> FillUpdate:
    return FillUpdate(
        fill=VenueFill(
            venue="binance",
            symbol=PAIR.symbol,
            trade_id=f"t{number}",
            venue_order_id=number,
            side="buy",
            price=Decimal(100),
            quantity=Decimal("0.5"),
            fee=Decimal(0),
            fee_asset="USDT",
            ts_ns=ts_ns,
        )
    )


def test_a_new_order_is_told_of_once_it_cannot_be_ours(account: Account) -> None:
    account.push(order("2"))
    assert not account.look(ANSWERED_NS - 1)
    (said,) = account.look(1)
    assert "BTCUSDT 2 (sell 0.5 at 100)" in said
    account.push(order("2"))
    assert not account.look(AGAIN_NS)


def test_what_was_there_before_the_run_is_not_new(account: Account) -> None:
    account.push(order("1"))
    account.push(fill("1"))
    account.push(fill("9", T0 - 1))
    account.push(order("8", "canceled"))
    assert not account.look()


def test_an_order_of_ours_that_is_told_before_its_answer_is_none(account: Account) -> None:
    intent = Intent(
        number=1,
        client_id="ours",
        account="main",
        venue="binance",
        symbol=PAIR.symbol,
        side="sell",
        kind="limit",
        tif="gtc",
        created_ns=T0,
        quantity=Decimal("0.5"),
        price=Decimal(100),
    )
    for entry in (Planned(intent=intent), Released(client_id="ours", ts_ns=T0, expires_ns=T0 + 1)):
        account.orders.apply(entry)
    account.push(order("3"))
    account.push(fill("3"))
    account.orders.apply(Answered(client_id="ours", outcome=Accepted(venue_order_id="3", ts_ns=T0)))
    assert not account.look()


def test_an_order_that_was_filled_at_once_is_told_of(account: Account) -> None:
    account.push(order("4", "filled"))
    account.push(fill("4"))
    (said,) = account.look()
    assert "BTCUSDT 4" in said


def test_many_are_counted_and_told_together(account: Account) -> None:
    for number in range(10, 10 + NAMED + 2):
        account.push(order(str(number)))
    (said,) = account.look()
    assert f"BTCUSDT {10 + NAMED - 1} " in said
    assert f"BTCUSDT {10 + NAMED} " not in said
    assert "and 2 more" in said
    account.push(order("50"))
    assert not account.look(AGAIN_NS - 1)
    assert len(account.look(1)) == 1
