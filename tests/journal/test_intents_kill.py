"""A trader killed at every step of its journal: nothing that was sent is lost or taken for new."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest

from kimera_cli.journal.intent_replay import read_orders
from kimera_cli.journal.intents import IntentJournal, Timing
from kimera_cli.journal.owner import is_owned
from kimera_cli.venues.orders.client_id import read_client_id
from kimera_cli.venues.orders.machine import Phase

CHILD = Path(__file__).with_name("intents_child.py")
ORDERS = 5


@pytest.fixture
def base(tmp_path):
    """A folder in memory: a killed process loses nothing there that it would keep on a disk."""
    if not Path("/dev/shm").is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def reopen(folder: Path, durability: str) -> IntentJournal:
    return IntentJournal.open(
        folder, venue="binance", account="main", durability=durability, entropy=b"other",
        now_ns=9, timing=Timing(lambda: 0),
    )  # fmt: skip


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def check_recovered(folder: Path, durability: str) -> None:
    """Everything that must hold after a kill, whatever the step was."""
    sent, told = lines(folder / "wire"), lines(folder / "told")
    assert not is_owned(folder)
    journal = reopen(folder, durability)
    states = journal.orders.states
    assert set(sent) <= set(states), "what was sent is in the journal"
    for name, state in states.items():
        number = state.intent.number
        check_order(state, name in sent, f"answered {name}" in told, durability)
        assert state.client_id == name
        if f"polled {name}" in told or (durability == "process" and f"answered {name}" in told):
            wanted = Phase.UNKNOWN if number % 2 == 0 else Phase.FILLED
            assert state.phase is wanted, "a told answer is not lost"
    fills = {fill.trade_id for fill in journal.orders.fills}
    assert journal.orders.fills.position("BTCUSDT") == 2 * len(fills)
    assert journal.draft(9, **ORDER).client_id not in sent, "no id is given twice"
    journal.close()


ORDER = {"symbol": "BTCUSDT", "side": "buy", "kind": "limit", "tif": "gtc",
         "price": Decimal(1), "quantity": Decimal(1)}  # fmt: skip


def check_order(state, was_sent: bool, was_answered: bool, durability: str) -> None:
    if was_sent:
        assert state.phase is not Phase.NEW, "a sent order is never taken for new"
        assert state.attempts == 1
    if state.phase is Phase.NEW:
        assert not was_sent
    if not was_sent:
        assert state.phase in (Phase.NEW, Phase.SENT)
    if was_sent and not was_answered:
        assert state.phase in (
            {Phase.SENT, Phase.UNKNOWN} if state.intent.number % 2 == 0
            else {Phase.SENT, Phase.OPEN, Phase.PARTIAL, Phase.FILLED}
        )  # fmt: skip


def sweep(base: Path, durability: str, stride: int) -> None:
    argv = [sys.executable, str(CHILD), str(base), durability, str(stride)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    total, *killed = (int(line) for line in done.stdout.split())
    assert total > 1000
    assert len(killed) == len(range(1, total + 1, stride))
    phases = set()
    for step in killed:
        folder = base / str(step)
        check_recovered(folder, durability)
        orders = read_orders(folder)
        phases |= {state.phase for state in orders.states.values()}
        assert {f"v{read_client_id(n).number}" for n in lines(folder / "wire")} >= {
            state.venue_order_id for state in orders.states.values() if state.venue_order_id
        }
    # The sweep did meet orders in doubt and done; on the disk a plan comes with its release.
    planned = {Phase.NEW} if durability == "process" else set()
    assert {Phase.SENT, Phase.UNKNOWN, Phase.FILLED} | planned <= phases
    whole = read_orders(base / "whole")
    assert [s.phase for s in whole.states.values()] == [
        Phase.FILLED, Phase.UNKNOWN, Phase.FILLED, Phase.UNKNOWN, Phase.FILLED,
    ]  # fmt: skip


@pytest.mark.parametrize("durability", ["disk", "process"])
def test_killed_at_every_seventh_step(base, durability):
    """Steps are the lines of the journal's code and the points inside a torn frame."""
    sweep(base, durability, 7)


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["disk", "process"])
def test_killed_at_every_step(base, durability):
    sweep(base, durability, 1)


def test_a_power_cut_loses_the_log_but_gives_no_id_twice(base):
    """`process` promises nothing for the tail then; the venue still knows those orders by id."""
    argv = [sys.executable, str(CHILD), str(base), "process", "40"]
    subprocess.run(argv, capture_output=True, check=True)
    lost = 0
    for folder in base.iterdir():
        (folder / "intents.log").unlink(missing_ok=True)
        sent = lines(folder / "wire")
        journal = reopen(folder, "process")
        lost += len(set(sent) - set(journal.orders.states))
        names = {journal.draft(9, **ORDER).client_id for _ in range(ORDERS)}
        assert not names & set(sent)
        for name in sent:
            key = read_client_id(name)
            assert key is not None
            assert key.session == journal.header.session, "recognised as ours"
        journal.close()
    assert lost, "the cut did lose something"
