"""`kimera trade reconcile` against every venue of the server, with what happens behind its back."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from loopback import VENUES, At, Rig, run, serving

from kimera_cli.errors import VenueError
from kimera_cli.journal.intent_replay import read_orders
from kimera_cli.journal.intents import account_folder
from kimera_cli.records import Difference
from kimera_cli.venues.clients.addresses import Server
from kimera_cli.venues.desk import Wish
from kimera_cli.venues.orders.machine import Phase
from kimera_cli.venues.orders.reconcile_fills import CLOCK_NS
from kimera_cli.venues.reconciling import tell_differences
from kimera_cli.venues.server.model import OrderRequest
from kimera_cli.venues.trading import Choices, Trading


class Here:
    """Our side: a home folder, and one invocation of the command after another."""

    def __init__(self, rig: Rig, home: Path, venue: str) -> None:
        self.rig, self.home, self.venue = rig, home, venue
        self.at: At = rig.at[venue]
        self.notes: list[str] = []

    async def trading(self, *others: str) -> Trading:
        """A new invocation."""
        venues = (self.venue, *others)
        server = Server(self.rig.listener.port, None, frozenset(self.rig.listener.host.by_host))
        world = replace(self.rig.world, sleep=lambda _: asyncio.sleep(0))
        made = Trading(Choices(venues, wait_s=1.0), self.home, {}, world, server, None)
        made.credentials = lambda venue: self.rig.at[venue].credentials  # type: ignore[method-assign]
        for venue in venues:
            made._clients[venue] = await self.rig.client(venue)  # without the venue's slow limits
        return made

    async def send(self, **terms: Any) -> Any:
        trading = await self.trading()
        try:
            desk = await trading.desk(self.venue)
            return await desk.order(Wish(symbol=self.at.symbol, **terms))
        finally:
            trading.close()

    async def reconcile(self, *, adopt: bool = False) -> tuple[list[Difference], bool]:
        """What is told, and whether all was well."""
        told: list[Difference] = []
        trading = await self.trading()
        try:
            await tell_differences(trading, told.append, self.notes.append, adopt=adopt)
        except VenueError as error:
            if error.code != "venue.differences":
                raise
            return told, False
        finally:
            trading.close()
        return told, True

    def states(self) -> Any:
        return read_orders(account_folder(self.home, self.venue, "main")).states

    def behind_our_back(self, side: str, qty: str, price: Decimal) -> Any:
        """An order of our account that kimera did not send."""
        request = OrderRequest(
            symbol=self.at.market.symbol, side=side, kind="limit", qty=Decimal(qty), price=price
        )  # fmt: skip
        return self.at.exchange.place(self.at.me, request)


def prices(at: At) -> tuple[Decimal, Decimal]:
    """A price that rests, and the market's own."""
    market = at.market
    last = market.price(market.last_px)
    return last * Decimal("0.9") // market.tick * market.tick, last


def kinds(told: list[Difference]) -> Counter[str]:
    return Counter(difference.kind for difference in told)


@pytest.mark.parametrize("name", VENUES)
def test_what_happens_behind_our_back_is_told_and_adopted(name: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(name) as rig:
            here = Here(rig, tmp_path, name)
            low, last = prices(here.at)
            here.at.make("sell", "1", str(last))
            resting = await here.send(side="buy", price=low, quantity=Decimal("0.01"))
            taken = await here.send(side="buy", price=last, quantity=Decimal("0.02"))
            assert (resting.phase, taken.phase) == (Phase.OPEN, Phase.FILLED)
            assert await here.reconcile() == ([], True)
            assert await here.reconcile(adopt=True) == ([], True)
            assert here.notes == [f"{name}: journal and venue agree"] * 2

            here.at.exchange.cancel(here.at.me, int(_own(here.at)))
            here.behind_our_back("buy", "0.03", low)
            here.behind_our_back("buy", "0.04", last)
            here.at.exchange.deposit(here.at.me, here.at.market.quote, "1000")
            told, well = await here.reconcile()
            assert not well
            wanted = Counter(order_foreign=1, fill_foreign=1, balance=1, order_state=1)
            assert kinds(told) == wanted, told
            (balance,) = (d for d in told if d.kind == "balance")
            assert Decimal(balance.amount) == 1000
            assert here.states()[resting.client_id].phase is Phase.OPEN, "nothing was adopted"

            told, well = await here.reconcile(adopt=True)
            assert well
            assert {d.kind for d in told if not d.adopted} == {"order_foreign"}
            assert here.states()[resting.client_id].phase is Phase.CANCELED
            told, well = await here.reconcile()
            assert (kinds(told), well) == (Counter(order_foreign=1), True)
            assert len(here.at.exchange.ledger.accounts[here.at.me].open) == 1, "left alone"

    run(work())


def _own(at: At) -> int:
    (order,) = at.exchange.ledger.accounts[at.me].open.values()
    return int(order.id)


@pytest.mark.parametrize("name", VENUES)
def test_orders_that_the_journal_lost_are_adopted(name: str, tmp_path: Path) -> None:
    """A journal from before the order, as a restored backup or a power cut leaves it."""

    async def work() -> None:
        async with serving(name) as rig:
            here = Here(rig, tmp_path, name)
            low, last = prices(here.at)
            await here.send(side="buy", price=low, quantity=Decimal("0.01"))
            folder = tmp_path / "orders"
            shutil.copytree(folder, tmp_path / "backup")
            here.at.make("sell", "1", str(last))
            lost = await here.send(side="buy", price=low, quantity=Decimal("0.02"))
            shutil.rmtree(folder)
            shutil.copytree(tmp_path / "backup", folder)

            told, well = await here.reconcile()
            assert (kinds(told), well) == (Counter(order_lost=1), False)
            assert told[0].client_id == lost.client_id
            told, well = await here.reconcile(adopt=True)
            assert ([d.adopted for d in told], well) == ([True], True)
            found = here.states()[lost.client_id]
            assert (found.phase, found.quantity) == (Phase.OPEN, Decimal("0.02"))
            again = await here.send(side="buy", price=low, quantity=Decimal("0.01"))
            assert again.intent.number > found.intent.number, "its number is not given again"

    run(work())


@pytest.mark.parametrize("name", VENUES)
def test_an_order_whose_process_died_before_the_answer_is_told_and_found(
    name: str, tmp_path: Path
) -> None:
    """F2 and F20: executed, no answer, and nobody left who could have heard it."""

    async def work() -> None:
        async with serving(name) as rig:
            here = Here(rig, tmp_path, name)
            low, _ = prices(here.at)
            trading = await here.trading()
            desk = await trading.desk(name)
            intent, _ = desk.draft(
                Wish(symbol=here.at.symbol, side="buy", price=low, quantity=Decimal("0.01"))
            )
            desk.journal.plan([intent])
            journal = desk.journal

            def release(signed: Any) -> None:
                assert journal.release([intent.client_id], signed.ts_ns, signed.expires_ns).ok

            await desk.client.entry.place(intent, release)  # its answer is not noted
            trading.close()
            told, well = await here.reconcile()
            assert (kinds(told), well) == (Counter(order_found=1), False)
            assert here.states()[intent.client_id].phase is Phase.SENT
            told, well = await here.reconcile(adopt=True)
            assert ([d.adopted for d in told], well) == ([True], True)
            assert here.states()[intent.client_id].phase is Phase.OPEN
            assert len(here.at.mine()) == 1

    run(work())


def test_a_venue_that_does_not_answer_holds_up_no_other(tmp_path: Path) -> None:
    one, other = VENUES[0], VENUES[1]

    async def work() -> None:
        async with serving(one, other) as rig:
            here = Here(rig, tmp_path, one)
            trading = await here.trading(other)
            rig.fault("request.before", "drop", venue=one, count=None)
            told: list[Difference] = []
            notes: list[str] = []
            with pytest.raises(VenueError):
                await tell_differences(trading, told.append, notes.append, adopt=False)
            trading.close()
            agree = f"{other}: journal and venue agree: kimera has sent no order there"
            assert agree in notes

    run(work())


def test_what_comes_to_the_account_after_its_first_order_is_told(tmp_path: Path) -> None:
    """Nobody has adopted anything: the first start took down what the account had."""

    async def work() -> None:
        async with serving("okx") as rig:
            here = Here(rig, tmp_path, "okx")
            low, _ = prices(here.at)
            await here.send(side="buy", price=low, quantity=Decimal("0.01"))
            assert await here.reconcile() == ([], True)
            here.at.exchange.deposit(here.at.me, "USDT", "50")
            ((told,), well) = await here.reconcile()
            assert (told.kind, told.asset, told.amount, well) == ("balance", "USDT", "50", False)

    run(work())


@pytest.mark.parametrize("name", ["kraken", "okx"])
def test_what_was_traded_by_hand_before_the_first_order_is_no_difference(
    name: str, tmp_path: Path
) -> None:
    """The first start took down what the account had: those trades are in it."""

    async def work() -> None:
        async with serving(name) as rig:
            here = Here(rig, tmp_path, name)
            low, last = prices(here.at)
            here.at.make("sell", "1", str(last))
            here.behind_our_back("buy", "0.04", last)
            await asyncio.sleep(CLOCK_NS / 1e9 + 0.5)
            await here.send(side="buy", price=low, quantity=Decimal("0.01"))
            assert await here.reconcile() == ([], True)
            here.behind_our_back("buy", "0.04", last)
            told, well = await here.reconcile()
            assert (kinds(told), well) == (Counter(fill_foreign=1), False)

    run(work())


@pytest.mark.parametrize(("moves", "has"), [(1, True), (9, False)])
def test_balances_that_move_are_no_baseline(tmp_path: Path, moves: int, has: bool) -> None:
    """Asked for while deposits come: once they stand still, or not at all; then that is said."""

    async def work() -> None:
        async with serving("okx") as rig:
            here = Here(rig, tmp_path, "okx")
            trading = await here.trading()
            queries = trading._clients["okx"].queries
            asked, left = queries.balances, [moves]

            async def balances() -> Any:
                if left[0]:
                    left[0] -= 1
                    here.at.exchange.deposit(here.at.me, "USDT", "1")
                return await asked()

            queries.balances = balances  # type: ignore[method-assign]
            await trading.desk("okx")
            trading.close()
            found = read_orders(account_folder(tmp_path, "okx", "main")).baseline
            assert (found is not None) is has
            if found is not None:
                (usdt,) = [b for b in found.balances if b.asset == "USDT"]
                assert usdt.total == Decimal(1_000_001)
                return
            await here.reconcile()
            assert "balances are not compared" in here.notes[0]

    run(work())
